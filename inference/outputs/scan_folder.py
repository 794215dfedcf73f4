"""Reader of the output folder of ``tuban scan``: images, settings and changes."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from pydantic import ValidationError
from shapely.geometry.base import BaseGeometry

from errors import SettingsError
from imagery import Scene
from inference.changes import Kind
from inference.outputs.output_folder import SCHEMA
from inference.scan_result import SceneFacts
from inference.settings import ScanSettings

_TOLERANCE_PX = 1e-3
"""Grids are equal if the distance of their corners, in pixels, is below this."""


@dataclass(frozen=True)
class FoundChange:
    """One change from ``changes.gpkg``, possibly edited in a GIS since.

    Attributes:
        number: number in reports and pictures.
        kind: see :data:`inference.changes.Kind`.
        polygon: outline in the CRS of the scan's grid, a Polygon or a MultiPolygon.
    """

    number: int
    kind: Kind
    polygon: BaseGeometry


@dataclass(frozen=True)
class ScanFolder:
    """Results of a scan whose images could be compared.

    Attributes:
        path: the folder.
        before: the earlier image; its checksum is empty if the record has none.
        after: the later image, likewise.
        settings: of the scan.
        grid: grid of the scan; its CRS is None when the scan is not georeferenced.
        changes: the changes.
    """

    path: Path
    before: SceneFacts
    after: SceneFacts
    settings: ScanSettings
    grid: GeoBox
    changes: tuple[FoundChange, ...]


def read_scan_folder(path: Path) -> ScanFolder:
    """Read ``scan.json`` and ``changes.gpkg`` of a folder.

    Raises:
        SettingsError: it does not contain results of a scan, or the images could not be compared.
    """
    record = _record(path / "scan.json")
    if record["outcome"] != "compared":
        raise SettingsError(
            f"The scan in {path} found its images not comparable ({record.get('reason', 'no reason given')}): "
            "it has no changes. Use the folder of a scan that compared its images."
        )
    try:
        settings = {name: value for name, value in record["settings"].items() if name != "sha256"}
        grid = record["grid"]
        return ScanFolder(
            path,
            _facts(record["inputs"]["before"]),
            _facts(record["inputs"]["after"]),
            ScanSettings.model_validate(settings),
            GeoBox((grid["height"], grid["width"]), Affine(*grid["transform"]), grid["crs"]),
            _changes(path / "changes.gpkg"),
        )
    except (KeyError, TypeError, ValidationError) as error:
        raise SettingsError(
            f"{path / 'scan.json'} is not in the format of this version of Tuban ({error!r}). Scan the images again."
        ) from error


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} cannot be read ({error}). Use the folder that tuban scan wrote with --out."
        ) from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA or "outcome" not in record:
        raise SettingsError(f"{path} is not a record of a scan ({SCHEMA}). Use the folder that tuban scan wrote.")
    return record


def _facts(record: dict[str, Any]) -> SceneFacts:
    day = record.get("date")
    return SceneFacts(
        record["name"],
        record.get("sha256") or "",
        dt.date.fromisoformat(day) if day else None,
        record.get("date_source", "unknown"),
        record["gsd_m"],
        record.get("crs"),
        record["width"],
        record["height"],
    )


def _changes(path: Path) -> tuple[FoundChange, ...]:
    try:
        _, _, shapes, fields = pyogrio.raw.read(path, layer="changes", columns=["number", "kind"])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, OSError) as error:
        raise SettingsError(f"{path} cannot be read ({error}); it contains the outlines of changes.") from error
    numbers, kinds = fields
    outlines = shapely.from_wkb(shapes)
    return tuple(
        FoundChange(int(number), kind, outline)
        for number, kind, outline in zip(numbers, kinds, outlines, strict=True)
        if outline is not None and not outline.is_empty
    )


def check_images(scan: ScanFolder, before: Scene, after: Scene) -> None:
    """Check that two images are those of a scan; reads each file once for its checksum.

    Raises:
        SettingsError: they are other images, or in the wrong order.
    """
    provided, scanned = (before.sha256, after.sha256), (scan.before.sha256, scan.after.sha256)
    if provided != scanned and provided == scanned[::-1]:
        raise SettingsError(f"The images are in the wrong order: the scan's earlier one is {scan.before.name}.")
    for when, scene, facts in (("earlier", before, scan.before), ("later", after, scan.after)):
        if facts.sha256 and scene.sha256 != facts.sha256:
            raise SettingsError(
                f"{scene.name} (sha256 {scene.sha256[:12]}…) is not the {when} image of the scan in {scan.path}, "
                f"which was {facts.name} (sha256 {facts.sha256[:12]}…). Use the two images that were scanned."
            )


def check_grid(scan: ScanFolder, grid: GeoBox) -> None:
    """Check that ``grid`` equals the grid of a scan.

    Raises:
        SettingsError: it differs.
    """
    to_grid = ~grid.affine @ scan.grid.affine
    rows, columns = scan.grid.shape
    corners = [(0, 0), (columns, 0), (0, rows)]
    distance = max(np.hypot(*np.subtract(to_grid @ corner, corner)) for corner in corners)
    if (
        tuple(grid.shape) != (rows, columns)
        or distance > _TOLERANCE_PX
        or (grid.crs is None) != (scan.grid.crs is None)
    ):
        raise SettingsError(
            f"The images now give another grid than in the scan in {scan.path}. Scan them again with this version, "
            "and review the new report."
        )
