"""Reasons that can be said in another language: their code and values beside the words.

A revision never changes once it has been released: what comes later is a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES = ("batch_files", "scans", "uncompared")


def upgrade() -> None:
    """Add the column; what was written before has words only."""
    for table in _TABLES:
        with op.batch_alter_table(table) as change:
            change.add_column(sa.Column("why", sa.JSON(), nullable=False, server_default="{}"))
        with op.batch_alter_table(table) as change:
            change.alter_column("why", existing_type=sa.JSON(), existing_nullable=False, server_default=None)


def downgrade() -> None:
    """Leave the words."""
    for table in _TABLES:
        with op.batch_alter_table(table) as change:
            change.drop_column("why")
