"""Tables of reference layers: their versions and polygons."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from store.schema.table_base import Base, IdMixin, OutlineMixin


class Layer(IdMixin, Base):
    """A reference layer that the bureau loaded: approvals, land survey, plan … Its kind and dates: the used version."""

    __tablename__ = "layers"
    name: Mapped[str] = mapped_column(String(200))
    area_code: Mapped[str] = mapped_column(String(12), default="")  # concerns the alerts under this code; "": all
    kind: Mapped[str] = mapped_column(String(20))  # of configs/layers.yaml
    dated: Mapped[dt.date | None]
    loaded_at: Mapped[dt.datetime]
    version: Mapped[int] = mapped_column(default=1)  # number of the version in use; 0: none yet
    __table_args__ = (UniqueConstraint("area_code", "name"),)


class LayerVersion(IdMixin, Base):
    """A version of a layer, made from one file; who loaded it, when it was in use, and what it changed."""

    __tablename__ = "layer_versions"
    layer_id: Mapped[int] = mapped_column(ForeignKey("layers.id", ondelete="CASCADE"))
    number: Mapped[int]  # 1, 2, 3 … of its layer
    state: Mapped[str] = mapped_column(String(20), index=True)  # of store.areas.layer_versions
    kind: Mapped[str] = mapped_column(String(20))
    dated: Mapped[dt.date | None]  # date of the data
    valid_from: Mapped[dt.date | None]  # first local day in use
    valid_to: Mapped[dt.date | None]  # last local day in use
    file_name: Mapped[str] = mapped_column(String(400))
    object_key: Mapped[str] = mapped_column(String(400), default="")  # the received file
    sha256: Mapped[str] = mapped_column(String(64), default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # of store.areas.layer_options
    features: Mapped[int] = mapped_column(default=0)
    kept: Mapped[bool] = mapped_column(default=True)  # False: its polygons were deleted, the file is kept
    remarks: Mapped[list[Any]] = mapped_column(JSON, default=list)  # [{"text", "why"}]
    invalid: Mapped[list[Any]] = mapped_column(JSON, default=list)  # [{"number", "text"}], the first ones
    invalid_count: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Text, default="")
    why: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # the error as a code with values
    preview: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # of enforcement.layer_impact, before use
    applied: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # the same, when it was taken into use
    loaded_by: Mapped[str] = mapped_column(String(100), default="")
    loaded_at: Mapped[dt.datetime]
    used_by: Mapped[str] = mapped_column(String(100), default="")
    used_at: Mapped[dt.datetime | None]
    __table_args__ = (UniqueConstraint("layer_id", "number"),)


class Feature(IdMixin, OutlineMixin, Base):
    """One polygon of a layer. An approval without dates is always valid."""

    __tablename__ = "features"
    layer_id: Mapped[int] = mapped_column(ForeignKey("layers.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(default=1)  # number of its version
    kind: Mapped[str] = mapped_column(String(20), default="")  # where it differs from the layer's: by class of land
    number: Mapped[str] = mapped_column(String(200), default="")  # approval number, or class of land
    valid_from: Mapped[dt.date | None]
    valid_to: Mapped[dt.date | None]
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        """Index the bounds, and the polygons of a version."""
        return (*super().__table_args__, Index("ix_features_layer_id_version", "layer_id", "version"))
