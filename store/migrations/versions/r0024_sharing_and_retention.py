"""Receiving bodies and what each may see, places without supply, the blacklist, holds, and the log of deletions.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant, Outline

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "sharing_bodies",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("matters", sa.JSON(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("by_rule", sa.Boolean(), nullable=False),
        sa.Column("contact", sa.String(length=300), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.UniqueConstraint("key", name="uq_sharing_bodies_key"),
        sa.PrimaryKeyConstraint("id", name="pk_sharing_bodies"),
    )
    op.create_index("ix_sharing_bodies_code", "sharing_bodies", ["code"])
    op.create_table(
        "sharing_members",
        sa.Column("person_id", _ID, autoincrement=False, nullable=False),
        sa.Column("body_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_sharing_members_person_id_people", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["body_id"], ["sharing_bodies.id"], name="fk_sharing_members_body_id_sharing_bodies"),
        sa.PrimaryKeyConstraint("person_id", name="pk_sharing_members"),
    )
    op.create_index("ix_sharing_members_body_id", "sharing_members", ["body_id"])
    op.create_table(
        "shares",
        sa.Column("body_id", _ID, nullable=False),
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("origin", sa.String(length=10), nullable=False),
        sa.Column("letter", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("shared_by", sa.String(length=100), nullable=False),
        sa.Column("shared_at", Instant(), nullable=False),
        sa.Column("withdrawn_by", sa.String(length=100), nullable=False),
        sa.Column("withdrawn_at", Instant(), nullable=True),
        sa.Column("withdrawn_why", sa.Text(), nullable=False),
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(["body_id"], ["sharing_bodies.id"], name="fk_shares_body_id_sharing_bodies"),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_shares_alert_id_alerts"),
        sa.PrimaryKeyConstraint("id", name="pk_shares"),
    )
    op.create_index("ix_shares_alert_id", "shares", ["alert_id"])
    op.create_index("ix_shares_body_id_alert_id", "shares", ["body_id", "alert_id"])
    in_force = sa.text("withdrawn_at IS NULL")
    op.create_index(
        "uq_shares_in_force",
        "shares",
        ["body_id", "alert_id"],
        unique=True,
        sqlite_where=in_force,
        postgresql_where=in_force,
    )
    op.create_table(
        "share_reads",
        sa.Column("body_id", _ID, nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("what", sa.String(length=400), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(["body_id"], ["sharing_bodies.id"], name="fk_share_reads_body_id_sharing_bodies"),
        sa.PrimaryKeyConstraint("id", name="pk_share_reads"),
    )
    op.create_index("ix_share_reads_at", "share_reads", ["at"])
    op.create_index("ix_share_reads_body_id", "share_reads", ["body_id"])
    op.create_table(
        "service_stops",
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("alert_id", _ID, nullable=True),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=400), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("entered_by", sa.String(length=100), nullable=False),
        sa.Column("entered_at", Instant(), nullable=False),
        sa.Column("ended_by", sa.String(length=100), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("outline", Outline(), nullable=False),
        sa.Column("west", sa.Double(), nullable=False),
        sa.Column("south", sa.Double(), nullable=False),
        sa.Column("east", sa.Double(), nullable=False),
        sa.Column("north", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_service_stops_alert_id_alerts"),
        sa.UniqueConstraint("number", name="uq_service_stops_number"),
        sa.PrimaryKeyConstraint("id", name="pk_service_stops"),
    )
    op.create_index("ix_service_stops_alert_id", "service_stops", ["alert_id"])
    op.create_index("ix_service_stops_bounds", "service_stops", ["west", "east", "south", "north"])
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("ix_service_stops_outline", "service_stops", ["outline"], postgresql_using="gist")
    op.create_index("ix_service_stops_code", "service_stops", ["code"])
    op.create_table(
        "blacklist_entries",
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("alert_id", _ID, nullable=True),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("identity_kind", sa.String(length=20), nullable=False),
        sa.Column("identity_masked", sa.String(length=20), nullable=False),
        sa.Column("identity_digest", sa.String(length=64), nullable=False),
        sa.Column("representative", sa.String(length=100), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("place", sa.String(length=400), nullable=False),
        sa.Column("area_m2", sa.Double(), nullable=True),
        sa.Column("document", sa.String(length=100), nullable=False),
        sa.Column("listed_on", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("measures", sa.Text(), nullable=False),
        sa.Column("removal_condition", sa.Text(), nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False),
        sa.Column("entered_by", sa.String(length=100), nullable=False),
        sa.Column("entered_at", Instant(), nullable=False),
        sa.Column("removed_on", sa.Date(), nullable=True),
        sa.Column("removed_document", sa.String(length=100), nullable=False),
        sa.Column("removed_why", sa.Text(), nullable=False),
        sa.Column("removed_by", sa.String(length=100), nullable=False),
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_blacklist_entries_alert_id_alerts"),
        sa.PrimaryKeyConstraint("id", name="pk_blacklist_entries"),
    )
    op.create_index("ix_blacklist_entries_alert_id", "blacklist_entries", ["alert_id"])
    op.create_index("ix_blacklist_entries_code", "blacklist_entries", ["code"])
    op.create_index("ix_blacklist_entries_identity_digest", "blacklist_entries", ["identity_digest"])
    op.create_index("ix_blacklist_entries_listed_on", "blacklist_entries", ["listed_on"])
    op.create_table(
        "holds",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("alert_id", _ID, nullable=True),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("case_number", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.String(length=100), nullable=False),
        sa.Column("placed_at", Instant(), nullable=False),
        sa.Column("released_by", sa.String(length=100), nullable=False),
        sa.Column("released_at", Instant(), nullable=True),
        sa.Column("released_why", sa.Text(), nullable=False),
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_holds_alert_id_alerts"),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
    )
    op.create_index("ix_holds_alert_id", "holds", ["alert_id"])
    op.create_index("ix_holds_code", "holds", ["code"])
    op.create_table(
        "purges",
        sa.Column("at", Instant(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("category", sa.String(length=20), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("oldest", Instant(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_purges"),
    )
    op.create_index("ix_purges_at", "purges", ["at"])


def downgrade() -> None:
    """Drop them."""
    for name in (
        "purges",
        "holds",
        "blacklist_entries",
        "service_stops",
        "share_reads",
        "shares",
        "sharing_members",
        "sharing_bodies",
    ):
        op.drop_table(name)
