"""Tables of own weights: versions that were added, and which of them was in use since when."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class WeightsRow(IdMixin, Base):
    """A version of own weights; its id is the version number. The file is an object."""

    __tablename__ = "weights"
    name: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    object_key: Mapped[str] = mapped_column(String(400))
    entry: Mapped[dict[str, Any]] = mapped_column(JSON)  # of checksums.json: network, thresholds …
    card: Mapped[str] = mapped_column(Text, default="")  # the model card, Markdown
    added_at: Mapped[dt.datetime]
    added_by: Mapped[str] = mapped_column(String(100), default="")


class WeightsUse(IdMixin, Base):
    """Weights taken into use, with their comparison to those used before; append-only, the last row is in effect."""

    __tablename__ = "weights_uses"
    weights_id: Mapped[int | None] = mapped_column(ForeignKey("weights.id"))  # None: the shipped ones of the profiles
    used_at: Mapped[dt.datetime]
    who: Mapped[str] = mapped_column(String(100), default="")
    forced: Mapped[bool] = mapped_column(default=False)  # although the comparison was worse, or without one
    comparison: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
