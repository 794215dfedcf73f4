"""Add own weights and their uses, and checks of the stored objects with the damage that they found.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "weights",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("object_key", sa.String(length=400), nullable=False),
        sa.Column("entry", sa.JSON(), nullable=False),
        sa.Column("card", sa.Text(), nullable=False),
        sa.Column("added_at", Instant(), nullable=False),
        sa.Column("added_by", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_weights"),
        sa.UniqueConstraint("sha256", name="uq_weights_sha256"),
    )
    op.create_table(
        "weights_uses",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("weights_id", _ID, nullable=True),
        sa.Column("used_at", Instant(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("comparison", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["weights_id"], ["weights.id"], name="fk_weights_uses_weights_id_weights"),
        sa.PrimaryKeyConstraint("id", name="pk_weights_uses"),
    )
    op.create_table(
        "damaged_objects",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("fault", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("found_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_damaged_objects"),
    )
    op.create_table(
        "object_checks",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("origin", sa.String(length=20), nullable=False),
        sa.Column("begun_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=False),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("damaged", sa.Integer(), nullable=False),
        sa.Column("problems", sa.JSON(), nullable=False),
        sa.Column("next_key", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_object_checks"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for name in ("object_checks", "damaged_objects", "weights_uses", "weights"):
        op.drop_table(name)
