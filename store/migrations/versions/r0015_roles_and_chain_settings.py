"""Several roles per person, and the table of changed chain settings.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the column and the table."""
    with op.batch_alter_table("people") as table:
        table.add_column(sa.Column("other_roles", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
    with op.batch_alter_table("people") as table:
        table.alter_column("other_roles", existing_type=sa.JSON(), existing_nullable=False, server_default=None)
    op.create_table(
        "chain_settings",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chain_settings"),
    )
    op.create_index("ix_chain_settings_key", "chain_settings", ["key"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_chain_settings_key", table_name="chain_settings")
    op.drop_table("chain_settings")
    with op.batch_alter_table("people") as table:
        table.drop_column("other_roles")
