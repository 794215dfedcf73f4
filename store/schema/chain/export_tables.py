"""Table of exports of alerts that a job writes. Timestamps are in UTC."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, Id, IdMixin


class ExportRow(IdMixin, Base):
    """An export that a user requested. Its file is deleted after some days, the row stays as long as the user."""

    __tablename__ = "exports"
    uid: Mapped[str] = mapped_column(String(32), unique=True)  # in addresses; cannot be guessed
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    format: Mapped[str] = mapped_column(String(20))  # of service.exports.formats
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # crs, encoding, language
    filter: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # parameters of AlertFilter
    state: Mapped[str] = mapped_column(String(10), index=True)  # waiting, ready, failed, deleted
    job_id: Mapped[int | None] = mapped_column(Id)  # that writes it
    alerts: Mapped[int] = mapped_column(default=0)
    remarks: Mapped[list[Any]] = mapped_column(JSON, default=list)
    error: Mapped[str] = mapped_column(Text, default="")
    why: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # the error as a code with values: errors.Reason
    object_key: Mapped[str] = mapped_column(String(400), default="")  # "": no file
    size: Mapped[int] = mapped_column(Id, default=0)
    sha256: Mapped[str] = mapped_column(String(64), default="")
    requested_at: Mapped[dt.datetime]
    finished_at: Mapped[dt.datetime | None]
