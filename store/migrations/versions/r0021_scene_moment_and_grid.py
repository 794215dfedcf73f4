"""The moment at which a scene was taken, where its file states it, and the transform of its grid.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; both are unknown for scenes that exist."""
    moment = sa.String(length=40)
    with op.batch_alter_table("scenes") as table:
        table.add_column(sa.Column("moment", moment, nullable=False, server_default=""))
        table.add_column(sa.Column("transform", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("scenes") as table:
        table.alter_column("moment", existing_type=moment, existing_nullable=False, server_default=None)
        table.alter_column("transform", existing_type=sa.JSON(), existing_nullable=False, server_default=None)


def downgrade() -> None:
    """Remove the columns."""
    with op.batch_alter_table("scenes") as table:
        table.drop_column("transform")
        table.drop_column("moment")
