"""Exports of alerts that a job writes.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "exports",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("format", sa.String(length=20), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("filter", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("job_id", _ID, nullable=True),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.Column("remarks", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("object_key", sa.String(length=400), nullable=False),
        sa.Column("size", _ID, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("requested_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_exports_person_id_people", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_exports"),
        sa.UniqueConstraint("uid", name="uq_exports_uid"),
    )
    for name in ("person_id", "state"):
        op.create_index(f"ix_exports_{name}", "exports", [name])


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("exports")
