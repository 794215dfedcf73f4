"""One noun for an alert: names of counters and keys of stored summaries say "alert", where they said "lead".

A revision never changes once it has been released: what comes later is a revision of its own.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_FORMER, _NOW = "lead", "alert"
_JSON = (("nights", "summary"), ("scans", "result"))


def upgrade() -> None:
    """Rename the counters and the keys."""
    _rename(_FORMER, _NOW)


def downgrade() -> None:
    """Rename them back."""
    _rename(_NOW, _FORMER)


def _rename(old: str, new: str) -> None:
    connection = op.get_bind()
    counters = sa.table("counters", sa.column("name", sa.String))
    for name in connection.scalars(sa.select(counters.c.name)).all():
        if name == f"{old}s" or name.startswith((f"{old}:", f"{old}s:")):  # such as lead:330106:W:202611, leads:330106
            renamed = new + name.removeprefix(old)
            connection.execute(counters.update().where(counters.c.name == name).values(name=renamed))
    for table_name, column in _JSON:
        table = sa.table(table_name, sa.column("id", sa.Integer), sa.column(column, sa.JSON))
        rows = connection.execute(sa.select(table.c.id, table.c[column])).all()
        for number, stored in rows:
            kept = json.loads(stored) if isinstance(stored, str) else stored
            if isinstance(kept, dict) and f"{old}s" in kept:
                kept[f"{new}s"] = kept.pop(f"{old}s")
                connection.execute(table.update().where(table.c.id == number).values({column: kept}))
