"""Villages, townships and counties: loaded from files of a bureau, found by place."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from enforcement.areas import LEVELS
from errors import SettingsError
from store.areas.layers import features_touching, load_layer
from store.areas.polygon_file import InvalidRow, PolygonFile, PolygonFileError, Row, read_polygons, text_of
from store.schema.database import Database
from store.schema.outlines import bounds_intersect, bounds_of
from store.schema.tables import Area

__all__ = [
    "LoadedAreas",
    "area_code",
    "area_names",
    "areas_touching",
    "features_touching",
    "list_areas",
    "load_areas",
    "load_layer",
]

CODE_FIELDS = ("XZQDM", "ZLDWDM", "XZDM", "XZQHDM", "ADCODE", "CODE")
"""Fields that are taken for the code when none is named: those of the national survey's layers come first."""

NAME_FIELDS = ("XZQMC", "ZLDWMC", "XZMC", "XZQHMC", "NAME")

_CODES_AT_ONCE = 500  # SQLite takes some thousand values in one query


@dataclass(frozen=True)
class LoadedAreas:
    """What became of a file of areas.

    Attributes:
        added: areas that were not there before.
        changed: areas whose code was there; name and outline are now those of the file.
        remarks: what was repaired, joined or guessed.
        broken: features that could not be used.
    """

    added: int
    changed: int
    remarks: list[str]
    broken: list[InvalidRow]


@dataclass
class _NewArea:
    code: str
    name: str
    level: str
    parts: list[Polygon | MultiPolygon]


def load_areas(
    database: Database,
    path: Path,
    *,
    code_field: str | None = None,
    name_field: str | None = None,
    level: str | None = None,
    table: str | None = None,
    now: dt.datetime,
) -> LoadedAreas:
    """Load villages, townships or counties. An area whose code is known is changed; others stay as they are.

    Args:
        database: where to.
        path: see :func:`store.areas.polygon_file.read_polygons`.
        code_field: field of the code; None: the first of :data:`CODE_FIELDS` that there is.
        name_field: field of the name; None: the first of :data:`NAME_FIELDS` that there is, else the code.
        level: county, township or village if all are to be of it; None: the digits of each code tell.
        table: which layer of a GeoPackage that has several.
        now: the moment, aware.

    Raises:
        PolygonFileError: the file cannot be used, or nothing in it; nothing was changed.
        SettingsError: there is no such level.
    """
    if level is not None and level not in LEVELS:
        raise SettingsError(f"{level!r} is no level; expected {', '.join(LEVELS)}.")
    file = read_polygons(path, table)
    code_field = _code_field(file, code_field)
    name_field = file.field(name_field) if name_field else file.first_field(NAME_FIELDS)
    found: dict[str, _NewArea] = {}

    def take(row: Row) -> None:
        code = parse_area_code(row.values[code_field])
        of_level = next(name for name, digits in LEVELS.items() if digits == len(code))
        if level not in (None, of_level):
            raise ValueError(f"its code {code} is of a {of_level}, not of a {level}")
        name = text_of(row.values[name_field])[:200] if name_field else ""
        area = found.setdefault(code, _NewArea(code, name, of_level, []))
        area.name = area.name or name
        area.parts.append(row.outline)

    remarks, broken = file.load_rows(take)
    remarks += [f"{a.code} {a.name}: {len(a.parts)} polygons joined." for a in found.values() if len(a.parts) > 1]
    added = _write_areas(database, list(found.values()), file.path.name[:400], now)
    return LoadedAreas(added, len(found) - added, remarks, broken)


def _write_areas(database: Database, found: list[_NewArea], source: str, now: dt.datetime) -> int:
    rows = [
        {"name": area.name or area.code, "level": area.level, "source": source, "loaded_at": now}
        | bounds_of(shapely.union_all(area.parts) if len(area.parts) > 1 else area.parts[0])
        for area in found
    ]
    added = 0
    with database.write() as session:
        for start in range(0, len(found), _CODES_AT_ONCE):
            codes = [area.code for area in found[start : start + _CODES_AT_ONCE]]
            query = select(Area).where(Area.code.in_(codes)).options(defer(Area.outline))
            known = {area.code: area for area in session.scalars(query)}
            for code, row in zip(codes, rows[start : start + _CODES_AT_ONCE], strict=True):
                area = known.get(code)
                if area is None:
                    session.add(Area(code=code, **row))
                    added += 1
                else:
                    for column, value in row.items():
                        setattr(area, column, value)
            session.flush()
    return added


def parse_area_code(value: Any) -> str:
    """Return an administrative code of 6, 9 or 12 digits.

    Codes filled up with zeros to 9, 12 or 19 digits, as the national survey writes them, are shortened.

    Args:
        value: text or number.

    Raises:
        ValueError: it is none; says what it is.
    """
    text = text_of(value)
    if not re.fullmatch(r"[1-9]\d{5}(\d{3}(\d{3}(0{7})?)?)?", text, re.ASCII):
        raise ValueError(f"its code is {text!r}; expected 6 digits (county), 9 (township) or 12 (village)")
    text = text[:12]
    while len(text) > LEVELS["county"] and text.endswith("000"):
        text = text[:-3]
    return text


def areas_touching(session: Session, outline: BaseGeometry) -> list[Area]:
    """Areas of all levels that a polygon lies in or touches, by code.

    Args:
        session: of :class:`store.schema.database.Database`.
        outline: longitude, latitude; valid.
    """
    found = session.scalars(select(Area).where(bounds_intersect(Area, outline)).order_by(Area.code))
    return [area for area in found if area.outline.intersects(outline)]


def list_areas(session: Session, level: str | None = None, under: str = "") -> Sequence[Area]:
    """Areas by code, without their outlines.

    Args:
        session: of :class:`store.schema.database.Database`.
        level: county, township or village; None: all.
        under: how their codes begin.
    """
    query = select(Area).where(Area.code.startswith(under, autoescape=True)).options(defer(Area.outline))
    if level is not None:
        query = query.where(Area.level == level)
    return session.scalars(query.order_by(Area.code)).all()


def area_names(session: Session, codes: Collection[str]) -> dict[str, str]:
    """Code → name, of those that are loaded."""
    rows = session.execute(select(Area.code, Area.name).where(Area.code.in_(codes)))
    return {code: name for code, name in rows}  # noqa: C416  (rows are no pairs to a type checker)


def _code_field(file: PolygonFile, named: str | None) -> str:
    found = file.field(named) if named else file.first_field(CODE_FIELDS)
    if found is None:
        raise PolygonFileError(
            f"{file.path} has no field {', '.join(CODE_FIELDS[:-1])} or {CODE_FIELDS[-1]}; say which one holds the "
            f"code: {', '.join(file.fields) or 'it has none'}."
        )
    return found
