"""Rename "lead" to "alert" in counter names and in the keys of stored summaries.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OLD, _NEW = "lead", "alert"
_JSON = (("nights", "summary"), ("scans", "result"))


def upgrade() -> None:
    """Rename the counters and the keys."""
    _rename(_OLD, _NEW)


def downgrade() -> None:
    """Restore the old names."""
    _rename(_NEW, _OLD)


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
        for row_id, stored in rows:
            content = json.loads(stored) if isinstance(stored, str) else stored
            if isinstance(content, dict) and f"{old}s" in content:
                content[f"{new}s"] = content.pop(f"{old}s")
                connection.execute(table.update().where(table.c.id == row_id).values({column: content}))
