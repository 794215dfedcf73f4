"""Audits: when the logs of all alerts were verified, and with what result.

A revision never changes once it has been released: what comes later is a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "audits",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("begun_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.Column("transitions", sa.Integer(), nullable=False),
        sa.Column("broken", sa.Integer(), nullable=False),
        sa.Column("first_broken", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audits"),
    )


def downgrade() -> None:
    """Remove the table with what is in it."""
    op.drop_table("audits")
