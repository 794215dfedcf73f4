"""People who sign in, what they did, and what a review needs of an alert.

A revision never changes once it has been released: what comes later is a revision of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    "people",
    "web_sessions",
    "api_tokens",
    "invitations",
    "failed_sign_ins",
    "actions",
    "alert_locks",
)
_SHOWN = ("state", "kind", "over_cap", "legal_weight", "score", "west", "south", "east", "north", "number")


def _person(table: str, *, nullable: bool = False) -> tuple[sa.Column[object], sa.ForeignKeyConstraint]:
    """Whose row it is; goes with the person."""
    column: sa.Column[object] = sa.Column("person_id", _ID, nullable=nullable)
    name = f"fk_{table}_person_id_people"
    return column, sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    """Add the tables, and three columns to alerts; how many sources saw an alert is counted from what was observed."""
    op.create_table(
        "people",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("login", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("administrator", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=400), nullable=True),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("signed_in_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("login", name="uq_people_login"),
        sa.UniqueConstraint("subject", name="uq_people_subject"),
    )
    op.create_table(
        "web_sessions",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        *_person("web_sessions"),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_web_sessions"),
    )
    op.create_index("ix_web_sessions_person_id", "web_sessions", ["person_id"])
    op.create_index("ix_web_sessions_expires_at", "web_sessions", ["expires_at"])
    op.create_table(
        "api_tokens",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("used_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        *_person("api_tokens"),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("token_sha256", name="uq_api_tokens_token_sha256"),
    )
    op.create_index("ix_api_tokens_person_id", "api_tokens", ["person_id"])
    op.create_table(
        "invitations",
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        *_person("invitations", nullable=True),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_invitations"),
    )
    op.create_index("ix_invitations_person_id", "invitations", ["person_id"])
    op.create_table(
        "failed_sign_ins",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("subject", sa.String(length=110), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_failed_sign_ins"),
    )
    op.create_index("ix_failed_sign_ins_subject", "failed_sign_ins", ["subject"])
    op.create_index("ix_failed_sign_ins_at", "failed_sign_ins", ["at"])
    op.create_table(
        "actions",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("about", sa.String(length=400), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_actions"),
    )
    for column in ("at", "who", "what", "code"):
        op.create_index(f"ix_actions_{column}", "actions", [column])
    op.create_table(
        "alert_locks",
        sa.Column("alert_id", _ID, nullable=False),
        sa.Column("until", Instant(), nullable=False),
        *_person("alert_locks"),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_alert_locks_alert_id_alerts", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("alert_id", name="pk_alert_locks"),
    )
    op.add_column("alerts", sa.Column("sources_seen", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("alerts", sa.Column("due_on", sa.Date(), nullable=True))
    op.add_column("alerts", sa.Column("assignee", sa.String(length=100), nullable=False, server_default=""))
    op.execute(
        "UPDATE alerts SET sources_seen = (SELECT CASE WHEN count(DISTINCT o.source) > 0 "
        "THEN count(DISTINCT o.source) ELSE 1 END FROM observations o WHERE o.alert_id = alerts.id)"
    )
    # the defaults were for the rows that are there
    with op.batch_alter_table("alerts") as alerts:
        alerts.alter_column("sources_seen", server_default=None)
        alerts.alter_column("assignee", server_default=None)
    op.create_index("ix_alerts_due_on", "alerts", ["due_on"])
    op.create_index("ix_alerts_assignee", "alerts", ["assignee"])
    # the order of the review: the gravest first
    op.create_index("ix_alerts_gravest", "alerts", ["legal_weight", "score", "id"])
    op.create_index("ix_transitions_at", "transitions", ["at"])
    op.create_index("ix_alerts_area_m2", "alerts", ["area_m2"])
    # by area, with all that a map from afar needs; it begins as the index that it stands for
    op.drop_index("ix_alerts_grid_code", "alerts")
    op.create_index("ix_alerts_shown", "alerts", ["grid_code", *_SHOWN])


def downgrade() -> None:
    """Remove the tables and columns and all that is in them."""
    op.drop_index("ix_alerts_shown", "alerts")
    op.create_index("ix_alerts_grid_code", "alerts", ["grid_code"])
    op.drop_index("ix_alerts_area_m2", "alerts")
    op.drop_index("ix_transitions_at", "transitions")
    op.drop_index("ix_alerts_gravest", "alerts")
    op.drop_index("ix_alerts_assignee", "alerts")
    op.drop_index("ix_alerts_due_on", "alerts")
    with op.batch_alter_table("alerts") as alerts:
        for column in ("assignee", "due_on", "sources_seen"):
            alerts.drop_column(column)
    for table in reversed(_TABLES):
        op.drop_table(table)
