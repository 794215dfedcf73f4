"""What a scene holds: an ordinary picture, a panchromatic or an infrared one.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; scenes that exist count as ordinary pictures."""
    kind = sa.String(length=20)
    with op.batch_alter_table("scenes") as table:
        table.add_column(sa.Column("kind", kind, nullable=False, server_default="picture"))
    with op.batch_alter_table("scenes") as table:
        table.alter_column("kind", existing_type=kind, existing_nullable=False, server_default=None)


def downgrade() -> None:
    """Remove the column."""
    with op.batch_alter_table("scenes") as table:
        table.drop_column("kind")
