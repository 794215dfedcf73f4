"""Reading of polygons from GeoPackage, Shapefile, GeoJSON or parcel TXT, in any coordinate system.

Polygons are returned valid, in longitude and latitude (EPSG:4490), with their fields; unusable features are listed.
Large tables are read in parts, so that memory does not grow with the file.
"""

from __future__ import annotations

import codecs
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errors import Reason, TubanError
from store.areas.geojson_file import RawFeatures, read_geojson
from store.areas.outline_repair import ToLonLat, repair_outlines, to_lonlat_of
from store.areas.parcel_text_file import read_parcel_text
from store.areas.polygon_errors import PolygonFileError
from store.areas.table_file import read_table
from store.areas.values import plain_value

_FORMATS = {
    ".gpkg": (b"SQLite format 3\0", "GeoPackage"),
    ".shp": (b"\0\0\x27\x0a", "Shapefile"),
    ".geojson": (b"{", "GeoJSON"),
    ".json": (b"{", "GeoJSON"),
    ".txt": (b"", "parcel TXT"),
}
"""Signatures of the formats. Checked before GDAL opens a file, to exclude formats that refer to other files."""

_MEMBERS = {".shx": "index of the shapes", ".dbf": "codes and names", ".prj": "coordinate system"}
"""Extensions of the other files of a Shapefile, and what they hold."""

POLYGON_SUFFIXES = tuple(_FORMATS)
"""Extensions of files that hold polygons."""


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
    outline: Any
    values: dict[str, Any]
    remark: str


@dataclass(frozen=True)
class PolygonStream:
    """A polygon file that is read in parts.

    Attributes:
        path: the file.
        fields: names of the fields.
        count: number of features.
        remarks: remarks on the whole file.
    """

    path: Path
    fields: tuple[str, ...]
    count: int
    remarks: tuple[str, ...]
    _parts: Callable[[], Iterator[RawFeatures]]
    _to_lonlat: ToLonLat

    def field(self, name: str) -> str:
        """Return the field with a name, ignoring case.

        Raises:
            PolygonFileError: there is no such field.
        """
        found = name if name in self.fields else next((f for f in self.fields if f.lower() == name.lower()), None)
        if found is None:
            fields = ", ".join(self.fields) or "none"
            raise PolygonFileError(
                f"{self.path} has no field {name!r}; it has {fields}.",
                "polygons.no_field",
                file=self.path.name,
                field=name,
                fields=fields,
            )
        return found

    def first_field(self, names: Sequence[str]) -> str | None:
        """Return the first field with one of ``names``, ignoring case; None if there is none."""
        by_upper_case = {name.upper(): name for name in self.fields}
        return next((by_upper_case[name.upper()] for name in names if name.upper() in by_upper_case), None)

    def read(self) -> Iterator[list[Row | InvalidRow]]:
        """Yield the features in parts, in file order.

        Raises:
            PolygonFileError: the file cannot be read to its end.
        """
        number = 0
        with _as_polygon_error(self.path, _FORMATS[self.path.suffix.lower()][1]):
            for part in self._parts():
                rows: list[Row | InvalidRow] = []
                outlines = repair_outlines(part.shapes, self._to_lonlat)
                for (outline, message), values in zip(outlines, part.values, strict=True):
                    number += 1
                    if outline is None:
                        rows.append(InvalidRow(number, message))
                    else:
                        plain = {name: plain_value(value) for name, value in values.items()}
                        rows.append(Row(number, outline, plain, message))
                yield rows


@dataclass(frozen=True)
class PolygonFile(PolygonStream):
    """Contents of a polygon file.

    Attributes:
        rows: usable features.
        invalid: unusable features.
    """

    rows: tuple[Row, ...] = ()
    invalid: tuple[InvalidRow, ...] = ()

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
                invalid.append(InvalidRow(row.number, reason_of(error)))
                continue
            loaded += 1
            if row.remark:
                message = f"feature {row.number}: {row.remark}."
                remarks.append(Reason(message, "layer.row_remark", number=row.number, remark=row.remark))
        invalid.sort(key=lambda row: row.number)
        if not loaded:
            raise nothing_usable(self.path, len(invalid), invalid[0] if invalid else None)
        return remarks, invalid


def reason_of(error: ValueError) -> str:
    """Return the message of an error; a :class:`errors.Reason` keeps its code."""
    return error.args[0] if error.args and isinstance(error.args[0], str) else str(error)


def nothing_usable(path: Path, invalid: int, first: InvalidRow | None) -> PolygonFileError:
    """Return the error of a file without usable features."""
    why = f"; feature {first.number}: {first.reason}" if first else ""
    return PolygonFileError(
        f"No feature of {path} can be used ({invalid} features{why}); nothing was changed.",
        "polygons.none_usable",
        file=path.name,
        features=invalid,
        number=first.number if first else "–",
        reason=first.reason if first else "–",
    )


def read_polygons(path: Path, table: str | None = None) -> PolygonFile:
    """Read all polygons of a file.

    Args:
        path: see :func:`open_polygons`.
        table: name of the layer, for a GeoPackage with several.

    Raises:
        PolygonFileError: see the class.
    """
    stream = open_polygons(path, table)
    rows = [row for part in stream.read() for row in part]
    return PolygonFile(
        **{name: getattr(stream, name) for name in PolygonStream.__dataclass_fields__},
        rows=tuple(row for row in rows if isinstance(row, Row)),
        invalid=tuple(row for row in rows if isinstance(row, InvalidRow)),
    )


def open_polygons(path: Path, table: str | None = None, default_crs: str = "") -> PolygonStream:
    """Open a polygon file to read it in parts.

    Args:
        path: .gpkg, .shp (with .dbf, .shx and .prj in the same folder), .geojson, .json, or .txt with parcels.
        table: name of the layer, for a GeoPackage with several.
        default_crs: coordinate system of a file that declares none, like ``EPSG:4527``; "": none is assumed.

    Raises:
        PolygonFileError: see the class.
    """
    path = path.absolute()  # so that GDAL never interprets the name as a URL
    kind = _check_format(path)
    if kind == "Shapefile":
        _check_members(path, required=(".shx", ".dbf") if default_crs else tuple(_MEMBERS))
    with _as_polygon_error(path, kind):
        if kind in ("GeoJSON", "parcel TXT"):
            whole = read_geojson(path) if kind == "GeoJSON" else read_parcel_text(path)
            fields, crs, count, remarks = whole.fields, whole.crs, len(whole.shapes), whole.remarks

            def parts() -> Iterator[RawFeatures]:
                yield whole

        else:
            opened = read_table(path, table)
            fields, crs, count, remarks, parts = opened.fields, opened.crs, opened.count, (), opened.parts
    to_lonlat, remark = _crs_or_error(path, crs or default_crs or None)
    return PolygonStream(path, fields, count, (*remarks, *([remark] if remark else [])), parts, to_lonlat)


class _as_polygon_error:  # noqa: N801  (a context manager)
    """Turn errors of the readers into :class:`PolygonFileError`, and hide GDAL's remarks on its own repairs."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path, self.kind = path, kind

    def __enter__(self) -> None:
        self.filters = warnings.catch_warnings()
        self.filters.__enter__()
        warnings.simplefilter("ignore", RuntimeWarning)

    def __exit__(self, _type: Any, error: BaseException | None, _trace: Any) -> None:
        self.filters.__exit__(None, None, None)
        if isinstance(error, RuntimeError | ValueError) and not isinstance(error, TubanError):
            why = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
            why = why if "\n" not in why else str(why).splitlines()[0]
            raise PolygonFileError(
                f"{self.path} cannot be read as {self.kind}: {why}",
                "polygons.unreadable",
                file=self.path.name,
                kind=self.kind,
                why=why,
            ) from error


def _crs_or_error(path: Path, crs: str | None) -> tuple[ToLonLat, str]:
    if not crs:
        raise PolygonFileError(
            f"{path} does not declare its coordinate system. Save the layer with it, for example in QGIS: set the "
            "coordinate system of the layer, then export it as a GeoPackage.",
            "polygons.no_crs",
            file=path.name,
        )
    try:
        return to_lonlat_of(crs)
    except ValueError as error:
        raise PolygonFileError(
            f"The coordinate system of {path} cannot be transformed to EPSG:4490: {error}",
            "polygons.bad_crs",
            file=path.name,
            why=str(error),
        ) from error


def _check_format(path: Path) -> str:
    if path.suffix.lower() not in _FORMATS:
        raise PolygonFileError(
            f"{path} has none of the supported formats {', '.join(_FORMATS)}; save the layer as one of these.",
            "polygons.format",
            file=path.name,
            formats=", ".join(_FORMATS),
        )
    signature, kind = _FORMATS[path.suffix.lower()]
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise PolygonFileError(
            f"{path} cannot be read ({error.strerror}).", "polygons.missing", file=path.name, why=error.strerror
        ) from error
    if not head.removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n" if signature == b"{" else b"").startswith(signature):
        raise PolygonFileError(
            f"{path} is not a {kind} file despite its name; it begins with {head[:12]!r}.",
            "polygons.not_it",
            file=path.name,
            kind=kind,
            head=repr(head[:12]),
        )
    return kind


def _check_members(path: Path, required: Sequence[str]) -> None:
    """Check that the files that make up a Shapefile are in one folder; only one of them has the extension .shp.

    Raises:
        PolygonFileError: the message names what is missing, what it holds, and what to do.
    """
    present = {other.name.lower() for other in path.parent.iterdir()}
    missing = [f"{path.stem}{suffix} ({_MEMBERS[suffix]})" for suffix in required
               if f"{path.stem}{suffix}".lower() not in present]  # fmt: skip
    if missing:
        raise PolygonFileError(
            f"{path} is a part of a Shapefile, and beside it these files are missing: {', '.join(missing)}. Copy all "
            f"files named {path.stem} into one folder, from where the .shp comes from. If they no longer exist, ask "
            "for the layer as a GeoPackage, which is one file.",
            "polygons.members",
            file=path.name,
            missing=", ".join(missing),
            stem=path.stem,
        )
