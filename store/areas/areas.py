"""Administrative areas (villages, townships, counties): loading from files, and spatial queries."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from enforcement.areas import LEVELS
from errors import Reason, SettingsError
from imagery.set_operations import union_all
from store.areas.polygon_errors import PolygonFileError
from store.areas.polygon_file import InvalidRow, PolygonFile, Row, read_polygons
from store.areas.values import text_of
from store.scenes.scene_areas import update_scene_areas
from store.schema.database import Database
from store.schema.outlines import bounds_intersect, bounds_of
from store.schema.tables import Area

CODE_FIELDS = ("XZQDM", "ZLDWDM", "XZDM", "XZQHDM", "ADCODE", "CODE")
"""Default fields of the code, in order of preference: those of the national land survey come first."""

NAME_FIELDS = ("XZQMC", "ZLDWMC", "XZMC", "XZQHMC", "NAME")

_CODES_PER_QUERY = 500  # SQLite limits the number of values in one query to some thousands


@dataclass(frozen=True)
class LoadedAreas:
    """Result of loading areas from a file.

    Attributes:
        added: number of new areas.
        changed: number of existing areas whose name and outline were updated.
        remarks: repaired or merged features, and assumptions that were made.
        invalid: features that could not be used.
    """

    added: int
    changed: int
    remarks: list[str]
    invalid: list[InvalidRow]


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
    under: str = "",
    now: dt.datetime,
) -> LoadedAreas:
    """Load villages, townships or counties. Existing areas with the same code are updated, all others are kept.

    Args:
        database: where to store them.
        path: see :func:`store.areas.polygon_file.read_polygons`.
        code_field: field of the code; None: the first existing one of :data:`CODE_FIELDS`.
        name_field: field of the name; None: the first existing one of :data:`NAME_FIELDS`, or else the code.
        level: county, township or village, to reject all other levels; None: any, derived from the code's length.
        table: name of the layer, for a GeoPackage with several.
        under: only areas whose code begins with this; others are invalid.
        now: current time, aware.

    Raises:
        PolygonFileError: the file or all its features are unusable; nothing was changed.
        SettingsError: unknown level.
    """
    if level is not None and level not in LEVELS:
        raise SettingsError(f"{level!r} is not a level; expected {', '.join(LEVELS)}.")
    file = read_polygons(path, table)
    code_field = _code_field(file, code_field)
    name_field = file.field(name_field) if name_field else file.first_field(NAME_FIELDS)
    areas: dict[str, _NewArea] = {}

    def load(row: Row) -> None:
        code = parse_area_code(row.values[code_field])
        if not code.startswith(under):
            raise ValueError(
                Reason(f"its code {code} is outside {under}", "areas.row_outside", number=code, under=under)
            )
        code_level = next(name for name, digits in LEVELS.items() if digits == len(code))
        if level not in (None, code_level):
            message = f"its code {code} is that of a {code_level}, not of a {level}"
            raise ValueError(Reason(message, "areas.row_level", number=code, found=code_level, level=level))
        name = text_of(row.values[name_field])[:200] if name_field else ""
        area = areas.setdefault(code, _NewArea(code, name, code_level, []))
        area.name = area.name or name
        area.parts.append(row.outline)

    remarks, invalid = file.load_rows(load)
    remarks += [
        Reason(
            f"{a.code} {a.name}: {len(a.parts)} polygons merged.", "areas.merged", number=a.code, name=a.name,
            polygons=len(a.parts),
        )
        for a in areas.values()
        if len(a.parts) > 1
    ]  # fmt: skip
    added = _write_areas(database, list(areas.values()), file.path.name[:400], now)
    return LoadedAreas(added, len(areas) - added, remarks, invalid)


def _write_areas(database: Database, areas: list[_NewArea], source: str, now: dt.datetime) -> int:
    """Insert or update areas, and return the number of inserted ones."""
    rows = [
        {"name": area.name or area.code, "level": area.level, "source": source, "loaded_at": now}
        | bounds_of(union_all(area.parts) if len(area.parts) > 1 else area.parts[0])
        for area in areas
    ]
    added = 0
    with database.write() as session:
        for start in range(0, len(areas), _CODES_PER_QUERY):
            codes = [area.code for area in areas[start : start + _CODES_PER_QUERY]]
            query = select(Area).where(Area.code.in_(codes)).options(defer(Area.outline))
            existing = {area.code: area for area in session.scalars(query)}
            for code, row in zip(codes, rows[start : start + _CODES_PER_QUERY], strict=True):
                area = existing.get(code)
                if area is None:
                    session.add(Area(code=code, **row))
                    added += 1
                else:
                    for column, value in row.items():
                        setattr(area, column, value)
            session.flush()
        update_scene_areas(session, [row["outline"] for row in rows])
    return added


def parse_area_code(value: Any) -> str:
    """Parse an administrative code of 6, 9 or 12 digits.

    Codes padded with zeros to 9, 12 or 19 digits, as in the national land survey, are shortened.

    Args:
        value: text or number.

    Raises:
        ValueError: the value is not a code; the message contains it.
    """
    text = text_of(value)
    if not re.fullmatch(r"[1-9]\d{5}(\d{3}(\d{3}(0{7})?)?)?", text, re.ASCII):
        message = f"its code is {text!r}; expected 6 digits (county), 9 (township) or 12 (village)"
        raise ValueError(Reason(message, "areas.row_code", number=text))
    text = text[:12]
    while len(text) > LEVELS["county"] and text.endswith("000"):
        text = text[:-3]
    return text


def areas_touching(session: Session, outline: BaseGeometry) -> list[Area]:
    """Return the areas of all levels that intersect a geometry, ordered by code.

    Args:
        session: a read transaction.
        outline: longitude, latitude; valid.
    """
    candidates = session.scalars(select(Area).where(bounds_intersect(Area, outline)).order_by(Area.code))
    return [area for area in candidates if area.outline.intersects(outline)]


def list_areas(session: Session, level: str | None = None, under: str = "") -> Sequence[Area]:
    """Return areas without their outlines, ordered by code.

    Args:
        session: a read transaction.
        level: county, township or village; None: all.
        under: code prefix.
    """
    query = select(Area).where(Area.code.startswith(under, autoescape=True)).options(defer(Area.outline))
    if level is not None:
        query = query.where(Area.level == level)
    return session.scalars(query.order_by(Area.code)).all()


def area_names(session: Session, codes: Collection[str]) -> dict[str, str]:
    """Return {code: name} of the areas that are loaded."""
    rows = session.execute(select(Area.code, Area.name).where(Area.code.in_(codes)))
    return {code: name for code, name in rows}  # noqa: C416  (mypy does not accept rows as pairs)


def _code_field(file: PolygonFile, requested: str | None) -> str:
    field = file.field(requested) if requested else file.first_field(CODE_FIELDS)
    if field is None:
        raise PolygonFileError(
            f"{file.path} has no field {', '.join(CODE_FIELDS[:-1])} or {CODE_FIELDS[-1]}; specify the field of the "
            f"code: {', '.join(file.fields) or 'the file has no fields'}.",
            "areas.no_code_field",
            file=file.path.name,
            names=", ".join(CODE_FIELDS),
            fields=", ".join(file.fields) or "–",
        )
    return field
