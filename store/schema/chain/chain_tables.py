"""Table of changed chain settings."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class ChainSettingRow(IdMixin, Base):
    """A change of a chain setting; append-only, the latest row of a key is in effect."""

    __tablename__ = "chain_settings"
    key: Mapped[str] = mapped_column(String(60), index=True)  # of enforcement.chain_settings
    value: Mapped[Any] = mapped_column(JSON, nullable=False)  # null: back to the default
    who: Mapped[str] = mapped_column(String(100))
    at: Mapped[dt.datetime]
