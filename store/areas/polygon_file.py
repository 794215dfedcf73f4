"""Reading of polygons from GeoPackage, Shapefile or GeoJSON, in any coordinate system.

Polygons are returned valid, in longitude and latitude (EPSG:4490), with their fields; unusable features are listed.
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
from pyproj import CRS
from pyproj.exceptions import CRSError
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from errors import TubanError
from imagery.datum import datum_remark, lonlat_transformation
from store.areas.geojson_file import RawFeatures, read_geojson
from store.areas.shapefile_encoding import decode_texts
from store.schema.column_types import SRID

_FORMATS = {
    ".gpkg": (b"SQLite format 3\0", "GeoPackage"),
    ".shp": (b"\0\0\x27\x0a", "Shapefile"),
    ".geojson": (b"{", "GeoJSON"),
    ".json": (b"{", "GeoJSON"),
}
"""Signatures of the formats. Checked before GDAL opens a file, to exclude formats that refer to other files."""

_MEMBERS = {".shx": "index of the shapes", ".dbf": "codes and names", ".prj": "coordinate system"}
"""Extensions of the other files of a Shapefile, and what they hold."""


class PolygonFileError(TubanError):
    """The file is missing, has an unsupported format, or lacks required data."""


@dataclass(frozen=True)
class InvalidRow:
    """A feature that could not be used.

    Attributes:
        number: position in the file, from 1.
        reason: what is wrong with it.
    """

    number: int
    reason: str


@dataclass(frozen=True)
class Row:
    """One polygon and its fields.

    Attributes:
        number: position in the file, from 1.
        outline: longitude, latitude; valid.
        values: field values: text, numbers, dates or None.
        remark: how the outline was repaired, or "".
    """

    number: int
    outline: Polygon | MultiPolygon
    values: dict[str, Any]
    remark: str


@dataclass(frozen=True)
class PolygonFile:
    """Contents of a polygon file.

    Attributes:
        path: the file.
        fields: names of the fields.
        rows: usable features.
        invalid: unusable features.
        remarks: remarks on the whole file.
    """

    path: Path
    fields: tuple[str, ...]
    rows: list[Row]
    invalid: list[InvalidRow]
    remarks: list[str]

    def field(self, name: str) -> str:
        """Return the field with a name, ignoring case.

        Raises:
            PolygonFileError: there is no such field.
        """
        found = name if name in self.fields else next((f for f in self.fields if f.lower() == name.lower()), None)
        if found is None:
            raise PolygonFileError(f"{self.path} has no field {name!r}; it has {', '.join(self.fields) or 'none'}.")
        return found

    def first_field(self, names: Sequence[str]) -> str | None:
        """Return the first field with one of ``names`` (upper case), ignoring case; None if there is none."""
        by_upper_case = {name.upper(): name for name in self.fields}
        return next((by_upper_case[name] for name in names if name in by_upper_case), None)

    def load_rows(self, load: Callable[[Row], None]) -> tuple[list[str], list[InvalidRow]]:
        """Call ``load`` for each row; rows for which it raises ValueError become invalid.

        Returns:
            Remarks and invalid rows, each in file order.

        Raises:
            PolygonFileError: no row could be loaded.
        """
        remarks, invalid = list(self.remarks), list(self.invalid)
        loaded = 0
        for row in self.rows:
            try:
                load(row)
            except ValueError as error:
                invalid.append(InvalidRow(row.number, str(error)))
                continue
            loaded += 1
            if row.remark:
                remarks.append(f"feature {row.number}: {row.remark}.")
        invalid.sort(key=lambda row: row.number)
        if not loaded:
            first = f"; feature {invalid[0].number}: {invalid[0].reason}" if invalid else ""
            raise PolygonFileError(
                f"No feature of {self.path} can be used ({len(invalid)} features{first}); nothing was changed."
            )
        return remarks, invalid


def read_polygons(path: Path, table: str | None = None) -> PolygonFile:
    """Read all polygons of a file.

    Args:
        path: .gpkg, .shp (with .dbf, .shx and .prj in the same folder), .geojson or .json.
        table: name of the layer, for a GeoPackage with several.

    Raises:
        PolygonFileError: see the class.
    """
    path = path.resolve()  # so that GDAL never interprets the name as a URL
    kind = _check_format(path)
    if kind == "Shapefile":
        _check_members(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # GDAL's remarks on its own repairs
            features = read_geojson(path) if kind == "GeoJSON" else _read_table(path, table, kind)
    except (RuntimeError, ValueError) as error:
        raise PolygonFileError(f"{path} cannot be read as {kind}: {str(error).splitlines()[0]}") from error
    to_lonlat, remarks = _to_lonlat(path, features.crs)
    rows, invalid = [], []
    for number, (shape, values) in enumerate(zip(features.shapes, features.values, strict=True), 1):
        try:
            outline, remark = _outline(shape, to_lonlat)
        except ValueError as error:
            invalid.append(InvalidRow(number, str(error)))
            continue
        rows.append(Row(number, outline, {name: _plain(value) for name, value in values.items()}, remark))
    return PolygonFile(path, features.fields, rows, invalid, remarks)


def _read_table(path: Path, table: str | None, kind: str) -> RawFeatures:
    import pyogrio  # imported here because it imports pandas, which most processes never need

    # keep the raw bytes of a Shapefile's texts: GDAL would decode them by declarations that are often wrong
    encoding = "ISO-8859-1" if kind == "Shapefile" else None
    meta, _, shapes, columns = pyogrio.raw.read(path, layer=_only_table(path, table), encoding=encoding)
    if shapes is None:
        raise ValueError("the table has no geometries; expected polygons")
    fields = [str(name) for name in meta["fields"]]
    if kind == "Shapefile":
        fields, columns = decode_texts(fields, columns, path.with_suffix(".cpg"))
    values = (
        [dict(zip(fields, row, strict=True)) for row in zip(*columns, strict=True)] if fields else [{}] * len(shapes)
    )
    return RawFeatures(tuple(fields), meta["crs"], list(shapes), values)


def _check_format(path: Path) -> str:
    if path.suffix.lower() not in _FORMATS:
        raise PolygonFileError(
            f"{path} has none of the supported formats {', '.join(_FORMATS)}; save the layer as one of these."
        )
    signature, kind = _FORMATS[path.suffix.lower()]
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise PolygonFileError(f"{path} cannot be read ({error.strerror}).") from error
    if not head.removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n" if signature == b"{" else b"").startswith(signature):
        raise PolygonFileError(f"{path} is not a {kind} file despite its name; it begins with {head[:12]!r}.")
    return kind


def _check_members(path: Path) -> None:
    """Check that the files that make up a Shapefile are in one folder; only one of them has the extension .shp.

    Raises:
        PolygonFileError: the message names what is missing, what it holds, and what to do.
    """
    present = {other.name.lower() for other in path.parent.iterdir()}
    missing = [f"{path.stem}{suffix} ({what})" for suffix, what in _MEMBERS.items()
               if f"{path.stem}{suffix}".lower() not in present]  # fmt: skip
    if missing:
        raise PolygonFileError(
            f"{path} is a part of a Shapefile, and beside it these files are missing: {', '.join(missing)}. Copy all "
            f"files named {path.stem} into one folder, from where the .shp comes from. If they no longer exist, ask "
            "for the layer as a GeoPackage, which is one file."
        )


def _only_table(path: Path, table: str | None) -> str:
    import pyogrio

    tables = {str(name): str(geometry_type) for name, geometry_type in pyogrio.list_layers(path)}
    spatial = [name for name, geometry_type in tables.items() if geometry_type != "None"]
    if table in tables:
        return table
    if table is not None or len(spatial) != 1:
        raise PolygonFileError(f"{path} has the layers {', '.join(tables) or '(none)'}; specify one of them.")
    return spatial[0]


def _to_lonlat(path: Path, crs: str | None) -> tuple[Callable[[NDArray[Any]], NDArray[Any]], list[str]]:
    """Return the transformation of (n, 2) coordinates to longitude and latitude, and remarks on its accuracy."""
    if not crs:
        raise PolygonFileError(
            f"{path} does not declare its coordinate system. Save the layer with it, for example in QGIS: set the "
            "coordinate system of the layer, then export it as a GeoPackage."
        )
    try:
        source = CRS.from_user_input(crs)
        transform = lonlat_transformation(source)
    except CRSError as error:
        raise PolygonFileError(
            f"The coordinate system of {path} cannot be transformed to EPSG:{SRID}: {str(error).splitlines()[0]}"
        ) from error
    remark = datum_remark(source)

    def to_lonlat(points: NDArray[Any]) -> NDArray[Any]:
        return np.column_stack(transform(points[:, 0], points[:, 1]))

    return to_lonlat, [remark] if remark else []


def _outline(
    shape: bytes | BaseGeometry | str | None, to_lonlat: Callable[[NDArray[Any]], NDArray[Any]]
) -> tuple[Polygon | MultiPolygon, str]:
    """Return the polygon of a feature and how it was repaired.

    Raises:
        ValueError: the feature has no usable polygon.
    """
    if isinstance(shape, str):
        raise ValueError(shape)
    geometry = shape if isinstance(shape, BaseGeometry) else shapely.from_wkb(shape, on_invalid="fix")
    if geometry is None or geometry.is_empty:
        raise ValueError("its geometry is empty or cannot be read")
    outline = shapely.transform(shapely.force_2d(geometry), to_lonlat)
    west, south, east, north = outline.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError("its coordinates do not match the coordinate system of the file")
    remark = ""
    if not outline.is_valid:
        remark = f"outline repaired ({shapely.is_valid_reason(outline)})"
        outline = shapely.make_valid(outline, method="structure", keep_collapsed=False)
    parts = [p for p in _parts(outline) if p.area > 0]
    if not parts:
        raise ValueError(f"expected a polygon with an area, found a {geometry.geom_type}")
    return (parts[0] if len(parts) == 1 else MultiPolygon(parts)), remark


def _parts(shape: BaseGeometry) -> list[Polygon]:
    if isinstance(shape, Polygon):
        return [shape]
    return [polygon for part in getattr(shape, "geoms", ()) for polygon in _parts(part)]


def _plain(value: Any) -> Any:
    """Convert a field value to text, number, date or None, as JSON and both databases can store it."""
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
    """Return a field value as text: whole numbers without ".0", None as ""."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()
