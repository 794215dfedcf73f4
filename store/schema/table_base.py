"""Declarative base and mixins of all tables.

Timestamps are time-zone aware and in UTC; outlines are longitude and latitude (EPSG:4490).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from shapely.geometry.base import BaseGeometry
from sqlalchemy import JSON, BigInteger, Index, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from store.schema.column_types import Instant, Outline

Id = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """Declarative base of all tables. Constraints are named so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dt.datetime: Instant, BaseGeometry: Outline, dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class IdMixin:
    """An integer primary key."""

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)


class OutlineMixin:
    """An outline and its bounds; the indexed bounds find rows on every database.

    Set both with :func:`store.schema.outlines.bounds_of`.
    """

    outline: Mapped[BaseGeometry]
    west: Mapped[float]
    south: Mapped[float]
    east: Mapped[float]
    north: Mapped[float]

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        """Index the bounds."""
        name = cls.__tablename__  # type: ignore[attr-defined]
        return (Index(f"ix_{name}_bounds", "west", "east", "south", "north"),)
