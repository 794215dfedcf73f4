"""Polygons of a file that a bureau has: GeoPackage, Shapefile or GeoJSON, in any coordinate system.

They come back sound, in longitude and latitude (EPSG:4490), with their fields; those that cannot be used are listed.
"""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from errors import TubanError
from store.areas.geojson_file import RawFeatures, read_geojson
from store.areas.shapefile_encoding import decode_texts
from store.schema.column_types import SRID

_FORMATS = {
    ".gpkg": (b"SQLite format 3\0", "GeoPackage"),
    ".shp": (b"\0\0\x27\x0a", "Shapefile"),
    ".geojson": (b"{", "GeoJSON"),
    ".json": (b"{", "GeoJSON"),
}
"""How a file of each format begins. Looked at before GDAL is asked: what begins like this names no other files."""

_EARTH_RADIUS_M = 6_378_137
"""Of CGCS2000 and WGS 84. Beijing 54 (6 378 245) and Xi'an 80 (6 378 140) lie up to 200 m beside them."""


class PolygonFileError(TubanError):
    """The file is missing, is not of a format that is read, or lacks what is needed."""


@dataclass(frozen=True)
class InvalidRow:
    """A feature that could not be used.

    Attributes:
        number: its place in the file, from 1.
        why: what is wrong with it.
    """

    number: int
    why: str


@dataclass(frozen=True)
class Row:
    """One polygon.

    Attributes:
        number: its place in the file, from 1.
        outline: longitude, latitude; valid.
        values: what its fields hold: text, numbers, dates, or None.
        remark: how the outline was repaired, or "".
    """

    number: int
    outline: Polygon | MultiPolygon
    values: dict[str, Any]
    remark: str


@dataclass(frozen=True)
class PolygonFile:
    """What a file holds.

    Attributes:
        path: the file.
        fields: names of its fields.
        rows: what can be used.
        broken: what cannot.
        remarks: about the file as a whole.
    """

    path: Path
    fields: tuple[str, ...]
    rows: list[Row]
    broken: list[InvalidRow]
    remarks: list[str]

    def field(self, name: str) -> str:
        """Return the field of that name, capital letters or not.

        Raises:
            PolygonFileError: there is none.
        """
        found = name if name in self.fields else next((f for f in self.fields if f.lower() == name.lower()), None)
        if found is None:
            raise PolygonFileError(f"{self.path} has no field {name!r}; it has {', '.join(self.fields) or 'none'}.")
        return found

    def first_field(self, usual: Sequence[str]) -> str | None:
        """Return the first field that has one of these names, given in capital letters; None: there is none."""
        capital = {name.upper(): name for name in self.fields}
        return next((capital[name] for name in usual if name in capital), None)

    def load_rows(self, take: Callable[[Row], None]) -> tuple[list[str], list[InvalidRow]]:
        """Give each row to ``take``; one that it refuses by ValueError is broken too.

        Returns:
            Remarks and what is broken, each in the order of the file.

        Raises:
            PolygonFileError: there was nothing that could be taken.
        """
        remarks, broken = list(self.remarks), list(self.broken)
        taken = 0
        for row in self.rows:
            try:
                take(row)
            except ValueError as error:
                broken.append(InvalidRow(row.number, str(error)))
                continue
            taken += 1
            if row.remark:
                remarks.append(f"feature {row.number}: {row.remark}.")
        broken.sort(key=lambda b: b.number)
        if not taken:
            first = f"; feature {broken[0].number}: {broken[0].why}" if broken else ""
            raise PolygonFileError(
                f"Nothing of {self.path} can be used ({len(broken)} features{first}); nothing was changed."
            )
        return remarks, broken


def read_polygons(path: Path, table: str | None = None) -> PolygonFile:
    """Read all polygons of a file.

    Args:
        path: .gpkg, .shp (with .dbf, .shx and .prj beside it), .geojson or .json.
        table: which layer of a GeoPackage that has several.

    Raises:
        PolygonFileError: see there.
    """
    path = path.resolve()  # never a name that GDAL would take for an address
    kind = _check_format(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # what GDAL repaired, in words for programmers
            found = read_geojson(path) if kind == "GeoJSON" else _read_table(path, table, kind)
    except (RuntimeError, ValueError) as error:
        raise PolygonFileError(f"{path} cannot be read as {kind}: {str(error).splitlines()[0]}") from error
    to_lonlat, remarks = _to_lonlat(path, found.system)
    rows, broken = [], []
    for number, (shape, values) in enumerate(zip(found.shapes, found.values, strict=True), 1):
        try:
            outline, remark = _outline(shape, to_lonlat)
        except ValueError as error:
            broken.append(InvalidRow(number, str(error)))
            continue
        rows.append(Row(number, outline, {name: _plain(value) for name, value in values.items()}, remark))
    return PolygonFile(path, found.fields, rows, broken, remarks)


def _read_table(path: Path, table: str | None, kind: str) -> RawFeatures:
    import pyogrio  # here, as it brings pandas, which most processes never need

    # the bytes of a Shapefile's texts as they are: what GDAL makes of them depends on marks that are often wrong
    encoding = "ISO-8859-1" if kind == "Shapefile" else None
    meta, _, shapes, columns = pyogrio.raw.read(path, layer=_only_table(path, table), encoding=encoding)
    if shapes is None:
        raise ValueError("it holds a table without outlines; expected polygons")
    fields = [str(name) for name in meta["fields"]]
    if kind == "Shapefile":
        fields, columns = decode_texts(fields, columns, path.with_suffix(".cpg"))
    values = (
        [dict(zip(fields, row, strict=True)) for row in zip(*columns, strict=True)] if fields else [{}] * len(shapes)
    )
    return RawFeatures(tuple(fields), meta["crs"], list(shapes), values)


def _check_format(path: Path) -> str:
    if path.suffix.lower() not in _FORMATS:
        raise PolygonFileError(f"{path} is none of {', '.join(_FORMATS)}; save the layer as one of these.")
    start, kind = _FORMATS[path.suffix.lower()]
    try:
        with path.open("rb") as file:
            found = file.read(64)
    except OSError as error:
        raise PolygonFileError(f"{path} cannot be read ({error.strerror}).") from error
    if not found.removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n" if start == b"{" else b"").startswith(start):
        raise PolygonFileError(f"{path} is no {kind}, whatever its name says; it begins with {found[:12]!r}.")
    return kind


def _only_table(path: Path, table: str | None) -> str:
    import pyogrio

    tables = {str(name): str(sort) for name, sort in pyogrio.list_layers(path)}
    placed = [name for name, sort in tables.items() if sort != "None"]
    if table in tables:
        return table
    if table is not None or len(placed) != 1:
        raise PolygonFileError(f"{path} has the layers {', '.join(tables) or '(none)'}; name one of them.")
    return placed[0]


def _to_lonlat(path: Path, system: str | None) -> tuple[Callable[[NDArray[Any]], NDArray[Any]], list[str]]:
    if not system:
        beside = f" (is {path.with_suffix('.prj').name} missing?)" if path.suffix.lower() == ".shp" else ""
        raise PolygonFileError(
            f"{path} does not say in which coordinate system it is{beside}; expected one with a code."
        )
    try:
        found = CRS.from_user_input(system)
        transformer = Transformer.from_crs(found, SRID, always_xy=True)
    except CRSError as error:
        raise PolygonFileError(
            f"The coordinate system of {path} cannot be brought to EPSG:{SRID}: {str(error).splitlines()[0]}"
        ) from error
    remarks = []
    if found.ellipsoid is None or abs(found.ellipsoid.semi_major_metre - _EARTH_RADIUS_M) > 1:
        remarks.append(
            f"{found.name} is brought to CGCS2000 without the shift between the two, which is up to 200 m: "
            "convert the file with your local parameters first."
        )

    def to_lonlat(points: NDArray[Any]) -> NDArray[Any]:
        return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))

    return to_lonlat, remarks


def _outline(
    shape: bytes | BaseGeometry | str | None, to_lonlat: Callable[[NDArray[Any]], NDArray[Any]]
) -> tuple[Polygon | MultiPolygon, str]:
    """The polygon of a feature and how it was repaired; ValueError: there is none."""
    if isinstance(shape, str):
        raise ValueError(shape)
    found = shape if isinstance(shape, BaseGeometry) else shapely.from_wkb(shape, on_invalid="fix")
    if found is None or found.is_empty:
        raise ValueError("it has no outline, or one that cannot be read")
    outline = shapely.transform(shapely.force_2d(found), to_lonlat)
    west, south, east, north = outline.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError("its coordinates do not fit the coordinate system of the file")
    remark = ""
    if not outline.is_valid:
        remark = f"outline repaired ({shapely.is_valid_reason(outline)})"
        outline = shapely.make_valid(outline, method="structure", keep_collapsed=False)
    parts = [p for p in _parts(outline) if p.area > 0]
    if not parts:
        raise ValueError(f"it is no polygon with an area but a {found.geom_type}")
    return (parts[0] if len(parts) == 1 else MultiPolygon(parts)), remark


def _parts(shape: BaseGeometry) -> list[Polygon]:
    if isinstance(shape, Polygon):
        return [shape]
    return [polygon for part in getattr(shape, "geoms", ()) for polygon in _parts(part)]


def _plain(value: Any) -> Any:
    """Text, number, date or None, as JSON and both databases can keep it."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else value.astype("datetime64[D]").item()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, str):
        return value.replace("\0", "").strip()
    return value if isinstance(value, int | float | bool) or value is None else str(value)


def text_of(value: Any) -> str:
    """A field's value as text: numbers without ".0", nothing as ""."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
