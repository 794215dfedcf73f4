"""Periodic reports with their corrections and steps, and decisions of joint meetings.

A released revision never changes; add a new one instead.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from store.schema.column_types import Instant

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables."""
    _table(
        "reports",
        _column("kind", sa.String(length=30)),
        _column("area_code", sa.String(length=12)),
        _column("first_day", sa.Date()),
        _column("last_day", sa.Date()),
        _optional("due_at"),
        _optional("grace_until"),
        _column("state", sa.String(length=20)),
        _column("content", sa.JSON()),
        _column("layout_sha256", sa.String(length=64)),
        _optional("filled_at"),
        _optional("filled_until"),
        _column("prepared_by", sa.String(length=100)),
        _optional("prepared_at"),
        _column("approved_by", sa.String(length=100)),
        _optional("submitted_at"),
        _column("late", sa.Boolean()),
        _column("check_reasons", sa.JSON()),
        _column("checks", sa.JSON()),
        _optional("locked_at"),
        _column("files", sa.JSON()),
        _column("content_sha256", sa.String(length=64)),
        _column("created_at", Instant()),
        _column("changed_at", Instant()),
        _column("version", sa.Integer()),
        sa.UniqueConstraint("kind", "area_code", "first_day", name="uq_reports_kind_area_code_first_day"),
    )
    for name in ("area_code", "last_day", "due_at", "state"):
        op.create_index(f"ix_reports_{name}", "reports", [name])
    _table(
        "report_corrections",
        _column("report_id", _ID),
        _column("sheet_row", sa.String(length=80)),
        _column("field", sa.String(length=60)),
        _column("original", sa.JSON()),
        _column("value", sa.JSON()),
        _column("reason", sa.Text()),
        _column("who", sa.String(length=100)),
        _column("at", Instant()),
        _of_report("report_corrections"),
    )
    op.create_index("ix_report_corrections_report_id", "report_corrections", ["report_id"])
    _table(
        "report_steps",
        _column("report_id", _ID),
        _column("sequence", sa.Integer()),
        _column("at", Instant()),
        _column("who", sa.String(length=100)),
        _column("what", sa.String(length=20)),
        _column("note", sa.Text()),
        _column("detail", sa.JSON()),
        _column("previous_hash", sa.String(length=64)),
        _column("hash", sa.String(length=64)),
        _of_report("report_steps"),
        sa.UniqueConstraint("report_id", "sequence", name="uq_report_steps_report_id_sequence"),
    )
    _table(
        "meeting_decisions",
        _column("area_code", sa.String(length=12)),
        _column("meeting_on", sa.Date()),
        _column("who", sa.String(length=200)),
        _column("what", sa.Text()),
        sa.Column("due_on", sa.Date(), nullable=True),
        _column("state", sa.String(length=10)),
        _column("outcome", sa.Text()),
        sa.Column("ended_on", sa.Date(), nullable=True),
        _column("created_by", sa.String(length=100)),
        _column("created_at", Instant()),
        _column("changed_by", sa.String(length=100)),
        _column("changed_at", Instant()),
    )
    for name in ("area_code", "meeting_on"):
        op.create_index(f"ix_meeting_decisions_{name}", "meeting_decisions", [name])


def downgrade() -> None:
    """Remove the tables."""
    for table in ("meeting_decisions", "report_steps", "report_corrections", "reports"):
        op.drop_table(table)


def _column(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _optional(name: str) -> sa.Column[Any]:
    return sa.Column(name, Instant(), nullable=True)


def _of_report(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name=f"fk_{table}_report_id_reports")


def _table(name: str, *parts: Any) -> None:
    identity = sa.Column("id", _ID, autoincrement=True, nullable=False)
    op.create_table(name, identity, *parts, sa.PrimaryKeyConstraint("id", name=f"pk_{name}"))
