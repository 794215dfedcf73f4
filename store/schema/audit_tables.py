"""The audits table: when the logs of all alerts were verified, and the result."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class AuditRow(IdMixin, Base):
    """One verification of the hash chains of all alerts; append-only."""

    __tablename__ = "audits"
    origin: Mapped[str] = mapped_column(String(20))  # command, schedule
    begun_at: Mapped[dt.datetime]
    finished_at: Mapped[dt.datetime]
    alerts: Mapped[int]  # number of verified alerts
    transitions: Mapped[int]
    broken: Mapped[int]  # number of alerts whose log is broken
    first_broken: Mapped[dict[str, Any]]  # store.alerts.log_verification.BrokenChain; empty: all logs are intact
