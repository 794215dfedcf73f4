"""What ``tuban scan`` left in a folder, read back: which images it compared, how, and what it found."""

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

_SAME_PX = 1e-3
"""Two grids whose corners lie closer than this, in their pixels, are the same one."""


@dataclass(frozen=True)
class FoundChange:
    """One change as ``changes.gpkg`` has it, which a person may have edited on a map since.

    Attributes:
        number: what reports and pictures call it.
        kind: see :data:`inference.changes.Kind`.
        polygon: outline in the coordinates of the scan's grid, a Polygon or a MultiPolygon.
    """

    number: int
    kind: Kind
    polygon: BaseGeometry


@dataclass(frozen=True)
class ScanFolder:
    """A scan that compared its images.

    Attributes:
        path: the folder.
        before: the earlier image; its checksum is empty where the record has none.
        after: the same of the later image.
        settings: what the scan worked with.
        grid: what outlines are in the coordinates of; its CRS is None when the scan is in pixels.
        changes: what was found.
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
        SettingsError: it is no folder of results, or its images could not be compared.
    """
    record = _record(path / "scan.json")
    if record["outcome"] != "compared":
        raise SettingsError(
            f"The scan in {path} found its images not comparable ({record.get('reason', 'no reason given')}): "
            "it has no changes. Give the folder of a scan that compared them."
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
            f"{path / 'scan.json'} is not as this version of Tuban writes it ({error!r}). Scan the images again."
        ) from error


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} cannot be read ({error}). Give the folder that tuban scan wrote with --out."
        ) from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA or "outcome" not in record:
        raise SettingsError(f"{path} is no record of a scan ({SCHEMA}). Give the folder that tuban scan wrote.")
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
        raise SettingsError(f"{path} cannot be read ({error}); it holds the outlines of what was found.") from error
    numbers, kinds = fields
    outlines = shapely.from_wkb(shapes)
    return tuple(
        FoundChange(int(number), kind, outline)
        for number, kind, outline in zip(numbers, kinds, outlines, strict=True)
        if outline is not None and not outline.is_empty
    )


def check_scanned(scan: ScanFolder, before: Scene, after: Scene) -> None:
    """Make sure that two images are those of a scan; reads each file once, for its checksum.

    Raises:
        SettingsError: they are others, or in the other order.
    """
    given, scanned = (before.sha256, after.sha256), (scan.before.sha256, scan.after.sha256)
    if given != scanned and given == scanned[::-1]:
        raise SettingsError(f"The images are in the wrong order: the scan's earlier one is {scan.before.name}.")
    for when, scene, facts in (("earlier", before, scan.before), ("later", after, scan.after)):
        if facts.sha256 and scene.sha256 != facts.sha256:
            raise SettingsError(
                f"{scene.name} (sha256 {scene.sha256[:12]}…) is not the {when} image of the scan in {scan.path}, "
                f"which was {facts.name} (sha256 {facts.sha256[:12]}…). Give the two images that were scanned."
            )


def check_grid(scan: ScanFolder, grid: GeoBox) -> None:
    """Make sure that outlines of a scan lie on ``grid`` as they lay on the scan's own.

    Raises:
        SettingsError: it is another one.
    """
    to_grid = ~grid.affine @ scan.grid.affine
    rows, columns = scan.grid.shape
    corners = [(0, 0), (columns, 0), (0, rows)]
    away = max(np.hypot(*np.subtract(to_grid @ corner, corner)) for corner in corners)
    if tuple(grid.shape) != (rows, columns) or away > _SAME_PX or (grid.crs is None) != (scan.grid.crs is None):
        raise SettingsError(
            f"The images now give another grid than in the scan in {scan.path}. Scan them again with this version, "
            "and go through the new report."
        )
