"""Tables of checks on the ground: alerts that a phone took along, and the steps that phones send."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class FieldTake(Base):
    """An alert that a person took along for a check: what was true when the phone read it.

    Whoever took an alert along may send the photos of it, even if the alert has left their area meanwhile.
    """

    __tablename__ = "field_takes"
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), primary_key=True)
    taken_at: Mapped[dt.datetime]
    state: Mapped[str] = mapped_column(String(20))
    assignee: Mapped[str] = mapped_column(String(100), default="")


class FieldStep(IdMixin, Base):
    """A step of a check, as a phone announced it. Its id was made on the phone: sent twice, it is one row."""

    __tablename__ = "field_steps"
    uid: Mapped[str] = mapped_column(
        String(36), unique=True
    )  # UUID made by the phone; of a photo also that of its file
    check_uid: Mapped[str] = mapped_column(String(36))  # UUID of the check, made by the phone
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"))
    who: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(20))  # accept, photo, findings, report
    after: Mapped[list[Any]] = mapped_column(JSON, default=list)  # uids of the steps that have to be settled before
    content: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    state: Mapped[str] = mapped_column(String(20))  # needs_file, waiting, applied, kept, refused
    reason: Mapped[str] = mapped_column(Text, default="")  # why it waits, was kept or refused
    why: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # the reason as a code with values: errors.Reason
    notes: Mapped[list[Any]] = mapped_column(JSON, default=list)  # contradictions and doubts about a photo
    device_time: Mapped[dt.datetime | None]  # when the step was made, by the clock of the phone
    clock_offset_s: Mapped[float | None]  # server time minus the phone's, when the step was announced
    received_at: Mapped[dt.datetime]  # server time of the announcement
    settled_at: Mapped[dt.datetime | None]
    transition_id: Mapped[int | None] = mapped_column(ForeignKey("transitions.id"))
    __table_args__ = (Index("ix_field_steps_alert_id_check_uid", "alert_id", "check_uid"),)
