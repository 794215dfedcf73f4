"""Public holidays, the log of deadlines, listed supervision, and messages to people.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "calendar_years",
        _column("year", sa.Integer(), autoincrement=False),
        _column("holidays", sa.JSON()),
        _column("working_days", sa.JSON()),
        _column("source", sa.String(length=20)),
        _column("changed_at", Instant()),
        _column("changed_by", sa.String(length=100)),
        sa.PrimaryKeyConstraint("year", name="pk_calendar_years"),
    )
    _table(
        "deadline_log",
        _column("alert_id", _ID),
        _column("at", Instant()),
        _column("who", sa.String(length=100)),
        _column("kind", sa.String(length=20)),
        sa.Column("from_day", sa.Date(), nullable=True),
        sa.Column("to_day", sa.Date(), nullable=True),
        _column("detail", sa.JSON()),
        _refers("deadline_log", "alert_id", "alerts"),
    )
    op.create_index("ix_deadline_log_alert_id", "deadline_log", ["alert_id"])
    _table(
        "supervisions",
        _column("alert_id", _ID),
        _column("listed_by", sa.String(length=100)),
        _column("level", sa.String(length=20)),
        _column("listed_at", Instant()),
        _column("listed_on", sa.Date()),
        _column("duty_unit", sa.String(length=200)),
        _column("requirements", sa.Text()),
        _column("due_on", sa.Date()),
        _column("progress_due", sa.Date()),
        _column("state", sa.String(length=10)),
        _column("result", sa.Text()),
        sa.Column("ended_at", Instant(), nullable=True),
        _refers("supervisions", "alert_id", "alerts"),
    )
    for name in ("alert_id", "due_on", "state"):
        op.create_index(f"ix_supervisions_{name}", "supervisions", [name])
    _table(
        "supervision_entries",
        _column("supervision_id", _ID),
        _column("at", Instant()),
        _column("who", sa.String(length=100)),
        _column("kind", sa.String(length=20)),
        sa.Column("day", sa.Date(), nullable=True),
        _column("text", sa.Text()),
        _refers("supervision_entries", "supervision_id", "supervisions"),
    )
    op.create_index("ix_supervision_entries_supervision_id", "supervision_entries", ["supervision_id"])
    _create_message_tables()


def _create_message_tables() -> None:
    _table(
        "messages",
        _column("event_key", sa.String(length=120)),
        _column("person_id", _ID),
        _column("kind", sa.String(length=30)),
        _column("code", sa.String(length=12)),
        _column("content", sa.JSON()),
        _column("created_at", Instant()),
        sa.Column("collected_at", Instant(), nullable=True),
        sa.Column("read_at", Instant(), nullable=True),
        _refers("messages", "person_id", "people"),
        sa.UniqueConstraint("person_id", "event_key", name="uq_messages_person_id_event_key"),
    )
    op.create_index("ix_messages_kind", "messages", ["kind"])
    op.create_index("ix_messages_created_at", "messages", ["created_at"])
    op.create_index("ix_messages_person_id_read_at", "messages", ["person_id", "read_at"])
    op.create_table(
        "message_alerts",
        _column("message_id", _ID, autoincrement=False),
        _column("alert_id", _ID, autoincrement=False),
        _refers("message_alerts", "message_id", "messages"),
        _refers("message_alerts", "alert_id", "alerts"),
        sa.PrimaryKeyConstraint("message_id", "alert_id", name="pk_message_alerts"),
    )
    op.create_index("ix_message_alerts_alert_id", "message_alerts", ["alert_id"])
    _table(
        "sendings",
        _column("sending_key", sa.String(length=36)),
        _column("person_id", _ID),
        _column("channel", sa.String(length=20)),
        _column("address", sa.String(length=400)),
        _column("part", sa.Integer()),
        _column("parts", sa.Integer()),
        _column("subject", sa.String(length=300)),
        _column("text", sa.Text()),
        _column("state", sa.String(length=10)),
        _column("attempts", sa.Integer()),
        _column("answer", sa.Text()),
        _column("created_at", Instant()),
        sa.Column("tried_at", Instant(), nullable=True),
        sa.Column("accepted_at", Instant(), nullable=True),
        _refers("sendings", "person_id", "people"),
        sa.UniqueConstraint("sending_key", name="uq_sendings_sending_key"),
    )
    op.create_index("ix_sendings_person_id", "sendings", ["person_id"])
    op.create_index("ix_sendings_state", "sendings", ["state"])
    op.create_table(
        "sending_messages",
        _column("sending_id", _ID, autoincrement=False),
        _column("message_id", _ID, autoincrement=False),
        _refers("sending_messages", "sending_id", "sendings"),
        _refers("sending_messages", "message_id", "messages"),
        sa.PrimaryKeyConstraint("sending_id", "message_id", name="pk_sending_messages"),
    )
    op.create_index("ix_sending_messages_message_id", "sending_messages", ["message_id"])
    _table("robot_attempts", _column("robot", sa.String(length=100)), _column("at", Instant()))
    op.create_index("ix_robot_attempts_robot_at", "robot_attempts", ["robot", "at"])
    op.create_table(
        "message_preferences",
        _column("person_id", _ID, autoincrement=False),
        _column("email", sa.String(length=200)),
        _column("mobile", sa.String(length=20)),
        _column("channels", sa.JSON()),
        _column("muted", sa.JSON()),
        _column("once_a_day", sa.Boolean()),
        _column("quiet_from", sa.String(length=5)),
        _column("quiet_to", sa.String(length=5)),
        _column("changed_at", Instant()),
        _refers("message_preferences", "person_id", "people"),
        sa.PrimaryKeyConstraint("person_id", name="pk_message_preferences"),
    )


def downgrade() -> None:
    """Drop them."""
    for name in (
        "message_preferences",
        "robot_attempts",
        "sending_messages",
        "sendings",
        "message_alerts",
        "messages",
        "supervision_entries",
        "supervisions",
        "deadline_log",
        "calendar_years",
    ):
        op.drop_table(name)


def _column(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, **options)


def _refers(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}")


def _table(name: str, *parts: Any) -> None:
    """Create a table with an integer primary key."""
    key = sa.Column("id", _ID, autoincrement=True, nullable=False)
    op.create_table(name, key, *parts, sa.PrimaryKeyConstraint("id", name=f"pk_{name}"))
