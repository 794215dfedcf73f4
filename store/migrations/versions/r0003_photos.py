"""Photos of drones: where each lies and how well that is known.

A revision never changes once it has been released: what comes later is a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Outline

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table; on PostgreSQL with a GiST index."""
    op.create_table(
        "photos",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("file_id", _ID, nullable=False),
        sa.Column("tied", sa.String(length=20), nullable=False),
        sa.Column("error_m", sa.Double(), nullable=True),
        sa.Column("residual_m", sa.Double(), nullable=True),
        sa.Column("taken", sa.String(length=40), nullable=False),
        sa.Column("date", sa.Date(), nullable=True),
        sa.Column("camera", sa.String(length=100), nullable=False),
        sa.Column("outline", Outline(), nullable=False),
        *(sa.Column(side, sa.Double(), nullable=False) for side in ("west", "south", "east", "north")),
        sa.ForeignKeyConstraint(
            ["file_id"], ["batch_files.id"], name="fk_photos_file_id_batch_files", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_photos"),
        sa.UniqueConstraint("file_id", name="uq_photos_file_id"),
    )
    op.create_index("ix_photos_bounds", "photos", ["west", "east", "south", "north"])
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("ix_photos_outline", "photos", ["outline"], postgresql_using="gist")


def downgrade() -> None:
    """Remove the table and all that is in it."""
    op.drop_table("photos")
