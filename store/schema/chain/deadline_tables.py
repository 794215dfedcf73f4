"""Tables of deadlines: public holidays by year, the log of deadlines, and listed supervision."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class CalendarYearRow(Base):
    """Public holidays and make-up working days of one year; changes are in the audit log."""

    __tablename__ = "calendar_years"
    year: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    holidays: Mapped[list[Any]]  # [["2026-01-01", "元旦"], …]
    working_days: Mapped[list[Any]]  # ["2026-01-04", …]
    source: Mapped[str] = mapped_column(String(20))  # package, entered
    changed_at: Mapped[dt.datetime]
    changed_by: Mapped[str] = mapped_column(String(100))


class DeadlineLogRow(IdMixin, Base):
    """A deadline that was moved without a step of its alert, or escalated, or works that went on; append-only."""

    __tablename__ = "deadline_log"
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    at: Mapped[dt.datetime]
    who: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(20))  # calendar, rules, escalated, went_on
    from_day: Mapped[dt.date | None]
    to_day: Mapped[dt.date | None]
    detail: Mapped[dict[str, Any]]  # escalated: {"owner", "level", "state"}


class SupervisionRow(IdMixin, Base):
    """Listed supervision of an alert (挂牌督办)."""

    __tablename__ = "supervisions"
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    listed_by: Mapped[str] = mapped_column(String(100))
    level: Mapped[str] = mapped_column(String(20))  # role that listed it: county, city
    listed_at: Mapped[dt.datetime]
    listed_on: Mapped[dt.date]
    duty_unit: Mapped[str] = mapped_column(String(200))
    requirements: Mapped[str] = mapped_column(Text)
    due_on: Mapped[dt.date] = mapped_column(index=True)
    progress_due: Mapped[dt.date]  # next progress report
    state: Mapped[str] = mapped_column(String(10), index=True)  # open, ended
    result: Mapped[str] = mapped_column(Text, default="")
    ended_at: Mapped[dt.datetime | None]


class SupervisionEntryRow(IdMixin, Base):
    """An entry about a listed supervision; append-only."""

    __tablename__ = "supervision_entries"
    supervision_id: Mapped[int] = mapped_column(ForeignKey("supervisions.id"), index=True)
    at: Mapped[dt.datetime]
    who: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(20))  # listed, progress, request, granted, refused, result
    day: Mapped[dt.date | None]  # requested or granted limit
    text: Mapped[str] = mapped_column(Text)
