"""Add evidence files: photos and documents of alerts, tips and patrols.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "evidence_files",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("alert_id", _ID, nullable=True),
        sa.Column("owner_kind", sa.String(length=20), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("transition_id", _ID, nullable=True),
        sa.Column("object_key", sa.String(length=400), nullable=False),
        sa.Column("shown_key", sa.String(length=400), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("taken_at", Instant(), nullable=True),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_evidence_files_alert_id_alerts"),
        sa.ForeignKeyConstraint(
            ["transition_id"], ["transitions.id"], name="fk_evidence_files_transition_id_transitions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_evidence_files"),
        sa.UniqueConstraint("uid", name="uq_evidence_files_uid"),
    )
    for column in ("alert_id", "transition_id", "sha256"):
        op.create_index(f"ix_evidence_files_{column}", "evidence_files", [column])
    op.create_index("ix_evidence_files_owner_kind_owner_id", "evidence_files", ["owner_kind", "owner_id"])


def downgrade() -> None:
    """Drop the table; the objects stay."""
    op.drop_table("evidence_files")
