"""Tables of integrity checks: which objects were verified when, and which of them are damaged."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, BigInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class DamagedObject(Base):
    """An object that is missing or differs from its checksum; the row is deleted when a later check finds it intact."""

    __tablename__ = "damaged_objects"
    key: Mapped[str] = mapped_column(String(400), primary_key=True)
    fault: Mapped[str] = mapped_column(String(20))  # missing, changed
    detail: Mapped[str] = mapped_column(Text)
    found_at: Mapped[dt.datetime]


class ObjectCheck(IdMixin, Base):
    """One check of objects, rows and hash chains; append-only."""

    __tablename__ = "object_checks"
    origin: Mapped[str] = mapped_column(String(20))  # command, schedule
    begun_at: Mapped[dt.datetime]
    finished_at: Mapped[dt.datetime]
    objects: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigInteger)
    damaged: Mapped[int]  # number of objects found damaged or missing
    problems: Mapped[list[Any]] = mapped_column(JSON, default=list)  # of rows and hash chains, as sentences
    next_key: Mapped[str] = mapped_column(String(400), default="")  # where the next partial check continues; "": start
