"""Column types that behave the same on SQLite and on PostgreSQL with PostGIS."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import BindParameter, ColumnElement, DateTime, LargeBinary, func
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

SRID = 4490
"""CGCS2000, longitude and latitude in degrees; WGS 84 is the same to well below a pixel."""


class Instant(TypeDecorator[dt.datetime]):
    """A timestamp, always time-zone aware and in UTC, to the microsecond."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Convert to UTC for the database.

        Raises:
            ValueError: the timestamp has no time zone, so it is ambiguous.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        moment = value.astimezone(dt.UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Return the stored timestamp as aware and in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


def _from_wkb(value: bytes | BaseGeometry | None) -> BaseGeometry | None:
    return value if value is None or isinstance(value, BaseGeometry) else shapely.from_wkb(bytes(value))


class _PostGIS(UserDefinedType[BaseGeometry]):
    """The geometry type of PostGIS, exchanged as WKB."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the column type for CREATE TABLE."""
        return f"geometry(Geometry,{SRID})"

    def bind_expression(self, bindvalue: BindParameter[BaseGeometry]) -> ColumnElement[BaseGeometry]:
        """Wrap a bound value for the database."""
        return func.ST_GeomFromWKB(bindvalue, SRID, type_=self)

    def column_expression(self, colexpr: ColumnElement[BaseGeometry]) -> ColumnElement[BaseGeometry]:
        """Wrap a selected column so that it arrives as WKB."""
        return func.ST_AsBinary(colexpr, type_=self)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], BaseGeometry | None]:
        """Decode WKB: the result of ST_AsBinary has this type, not the decorator's."""
        return _from_wkb


class Outline(TypeDecorator[BaseGeometry]):
    """A shapely geometry in longitude and latitude: a PostGIS geometry with a GiST index, or WKB on SQLite.

    On both databases, rows are found by the bounds columns of :class:`store.schema.tables.OutlineMixin` and their
    outlines are compared by shapely.
    """

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type of the dialect."""
        return dialect.type_descriptor(_PostGIS() if dialect.name == "postgresql" else LargeBinary())

    def process_bind_param(self, value: BaseGeometry | None, dialect: Dialect) -> bytes | None:
        """Encode as WKB; heights are dropped."""
        return None if value is None else bytes(shapely.to_wkb(value, output_dimension=2))

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> BaseGeometry | None:
        """Decode WKB."""
        return _from_wkb(value)
