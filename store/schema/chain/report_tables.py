"""Tables of periodic reports and of decisions of joint meetings. Timestamps are in UTC."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class ReportRow(IdMixin, Base):
    """A periodic report of an area and period: planned, filled, signed off, submitted, locked."""

    __tablename__ = "reports"
    kind: Mapped[str] = mapped_column(String(30))  # of configs/reports/schedule.yaml
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    first_day: Mapped[dt.date]  # of the period, local
    last_day: Mapped[dt.date] = mapped_column(index=True)
    due_at: Mapped[dt.datetime | None] = mapped_column(index=True)  # None: nobody has to submit it
    grace_until: Mapped[dt.datetime | None] = mapped_column(index=True)  # submitted later than this is late
    state: Mapped[str] = mapped_column(String(20), index=True)  # planned, draft, prepared, submitted, returned, locked
    content: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # as filled, before corrections
    layout_sha256: Mapped[str] = mapped_column(String(64), default="")
    filled_at: Mapped[dt.datetime | None]
    filled_until: Mapped[dt.datetime | None]  # last moment that counts
    prepared_by: Mapped[str] = mapped_column(String(100), default="")  # login, 填报人
    prepared_at: Mapped[dt.datetime | None]
    approved_by: Mapped[str] = mapped_column(String(100), default="")  # login, 审核人
    submitted_at: Mapped[dt.datetime | None]
    late: Mapped[bool] = mapped_column(default=False)
    check_reasons: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # {check: why submitted all the same}
    checks: Mapped[list[Any]] = mapped_column(JSON, default=list)  # [{"key", "passed", "numbers"}] at the last step
    locked_at: Mapped[dt.datetime | None]
    files: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # {"xlsx": {"key", "sha256", "size"}, …}
    content_sha256: Mapped[str] = mapped_column(String(64), default="")  # of content with corrections, when submitted
    created_at: Mapped[dt.datetime]
    changed_at: Mapped[dt.datetime]
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012
    __table_args__ = (
        UniqueConstraint("kind", "area_code", "first_day"),
        Index("ix_reports_kind_last_day", "kind", "last_day", "area_code"),
    )


class ReportCorrectionRow(IdMixin, Base):
    """A cell that a person corrected; append-only, the latest row of a cell is in effect."""

    __tablename__ = "report_corrections"
    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"), index=True)
    sheet_row: Mapped[str] = mapped_column(String(80))  # key of the row
    field: Mapped[str] = mapped_column(String(60))  # of the layout
    original: Mapped[Any] = mapped_column(JSON, nullable=False)  # as filled
    value: Mapped[Any] = mapped_column(JSON, nullable=False)  # null: back to the original
    reason: Mapped[str] = mapped_column(Text, default="")
    who: Mapped[str] = mapped_column(String(100))
    at: Mapped[dt.datetime]


class ReportStepRow(IdMixin, Base):
    """A step of a report; append-only, and hash-chained to the previous one."""

    __tablename__ = "report_steps"
    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"))
    sequence: Mapped[int]  # 1, 2, 3 …
    at: Mapped[dt.datetime]
    who: Mapped[str] = mapped_column(String(100))  # login, or system
    what: Mapped[str] = mapped_column(String(20))  # planned, filled, corrected, prepared, submitted, returned, locked
    note: Mapped[str] = mapped_column(Text, default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    __table_args__ = (UniqueConstraint("report_id", "sequence"),)


class MeetingDecisionRow(IdMixin, Base):
    """A decision of a joint meeting: who does what by when, and what became of it."""

    __tablename__ = "meeting_decisions"
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    meeting_on: Mapped[dt.date] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(String(200))  # responsible unit or person
    what: Mapped[str] = mapped_column(Text)
    due_on: Mapped[dt.date | None]
    state: Mapped[str] = mapped_column(String(10))  # open, done, dropped
    outcome: Mapped[str] = mapped_column(Text, default="")
    ended_on: Mapped[dt.date | None]
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[dt.datetime]
    changed_by: Mapped[str] = mapped_column(String(100), default="")
    changed_at: Mapped[dt.datetime]
