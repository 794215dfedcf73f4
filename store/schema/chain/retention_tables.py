"""Tables of retention: holds, which beat every deletion, and the log of what was deleted."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class HoldRow(IdMixin, Base):
    """A hold: nothing of its alert, area or case is deleted until a person releases it."""

    __tablename__ = "holds"
    kind: Mapped[str] = mapped_column(String(10))  # alert, area, case
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alerts.id"), index=True)
    code: Mapped[str] = mapped_column(String(12), index=True)  # area that it is in; of kind area: the area itself
    case_number: Mapped[str] = mapped_column(String(100), default="")
    reason: Mapped[str] = mapped_column(Text)
    placed_by: Mapped[str] = mapped_column(String(100))
    placed_at: Mapped[dt.datetime]
    released_by: Mapped[str] = mapped_column(String(100), default="")
    released_at: Mapped[dt.datetime | None]
    released_why: Mapped[str] = mapped_column(Text, default="")


class PurgeRow(IdMixin, Base):
    """What one run deleted of one class; append-only. It names no person: ids and checksums only as a digest."""

    __tablename__ = "purges"
    at: Mapped[dt.datetime] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(String(100))  # login, command or system
    category: Mapped[str] = mapped_column(String(20))  # of service.retention
    count: Mapped[int]
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    oldest: Mapped[dt.datetime | None]
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 over the sorted ids and checksums
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
