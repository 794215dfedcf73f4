"""Add checks on the ground: alerts taken along, and the steps that phones send.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "field_takes",
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("taken_at", Instant(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("assignee", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_field_takes_person_id_people", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_field_takes_alert_id_alerts"),
        sa.PrimaryKeyConstraint("person_id", "alert_id", name="pk_field_takes"),
    )
    op.create_table(
        "field_steps",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("check_uid", sa.String(length=36), nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("device_time", Instant(), nullable=True),
        sa.Column("clock_offset_s", sa.Double(), nullable=True),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.Column("transition_id", _ID, nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_field_steps_alert_id_alerts"),
        sa.ForeignKeyConstraint(["transition_id"], ["transitions.id"], name="fk_field_steps_transition_id_transitions"),
        sa.PrimaryKeyConstraint("id", name="pk_field_steps"),
        sa.UniqueConstraint("uid", name="uq_field_steps_uid"),
    )
    op.create_index("ix_field_steps_alert_id_check_uid", "field_steps", ["alert_id", "check_uid"])


def downgrade() -> None:
    """Drop the tables; the photos are evidence files and stay."""
    op.drop_table("field_steps")
    op.drop_table("field_takes")
