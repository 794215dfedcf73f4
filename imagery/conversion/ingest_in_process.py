"""Rewrite one image file as a COG in this process, sandboxed or not."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pyproj import CRS, Transformer

from errors import ImageError, OutputError, Reason
from imagery.conversion.cog import write_cog
from imagery.conversion.footprint import footprint
from imagery.conversion.ingested_image import IngestedImage
from imagery.dates import acquisition_date
from imagery.georeference import NotGeoreferenced
from imagery.limits import Limits
from imagery.scene import Scene, open_scene

_SPARSE_SHARE = 0.05  # valid share below which a remark says so
_MAX_SHIFT_PX = 0.01  # between the corners of the image and those of its copy


def ingest_in_process(
    path: Path,
    name: str,
    out: Path,
    *,
    limits: Limits,
    today: dt.date,
    workdir: Path,
    default_date: dt.date | None = None,
) -> IngestedImage:
    """Do the work of :func:`imagery.conversion.ingest.ingest_image` in this process."""
    file_name = PurePosixPath(name).name or name
    try:
        with open_scene(path, limits=limits, workdir=workdir, today=today, name=file_name) as scene:
            date, date_source = _date(scene, name, default_date, today)
            coverage = write_cog(scene, out, workdir, date)
            outline = footprint(coverage, scene.geobox, file_name)
            sha256 = scene.sha256
            _check_copy(scene, out, limits, workdir, today)
    except NotGeoreferenced as error:
        raise ImageError(
            f"{error.problem} An image must be georeferenced: export it as GeoTIFF with its coordinate system, or "
            "provide a world file and a .prj of the same name.",
            error.reason.code,
            **error.reason.values,
        ) from None
    return IngestedImage(
        sha256=sha256,
        object_sha256=_sha256(out),
        width=scene.width,
        height=scene.height,
        gsd_m=scene.gsd_m,
        crs=str(scene.geobox.crs),
        footprint=outline,
        date=date,
        date_source=date_source,
        valid_share=coverage.valid_share,
        remarks=tuple(_remarks(scene, date, coverage.valid_share)),
    )


def ingest_task(task: dict[str, Any]) -> dict[str, Any]:
    """Run :func:`ingest_in_process` in a sandboxed process.

    Args:
        task: its arguments as plain JSON.

    Returns:
        the image as :meth:`IngestedImage.to_json` writes it.
    """
    limits = Limits(**task["limits"])
    image = ingest_in_process(
        Path(task["path"]),
        task["name"],
        Path(task["out"]),
        # this process is sandboxed already: read a file stored in strips strip by strip instead of copying it first
        limits=replace(limits, in_process_pixels=limits.max_pixels),
        today=dt.date.fromisoformat(task["today"]),
        workdir=Path(task["workdir"]),
        default_date=task["default_date"] and dt.date.fromisoformat(task["default_date"]),
    )
    return image.to_json()


def _date(scene: Scene, name: str, default: dt.date | None, today: dt.date) -> tuple[dt.date | None, str]:
    if scene.date is not None:
        return scene.date, scene.date_source
    if default is not None:
        return default, "given"
    for folder in PurePosixPath(name).parents:
        date, _ = acquisition_date({}, folder.name, today)
        if date is not None:
            return date, "folder name"
    return None, "unknown"


def _remarks(scene: Scene, date: dt.date | None, valid_share: float) -> list[Reason]:
    remarks = []
    if date is None:
        remarks.append(Reason("its acquisition date is unknown", "remark.no_date"))
    if not scene.grey and scene.count > 3 and scene.bands_source.startswith("by the usual order"):
        bands = ", ".join(str(band) for band in scene.bands)
        words = f"bands {bands} are used as red, green and blue, {scene.bands_source}"
        remarks.append(Reason(words, "remark.bands", bands=bands))
    if valid_share < _SPARSE_SHARE:
        remarks.append(Reason(f"only {valid_share:.1%} of its pixels are valid", "remark.sparse", share=valid_share))
    return remarks


def _check_copy(scene: Scene, out: Path, limits: Limits, workdir: Path, today: dt.date) -> None:
    """Reopen the copy as a scan would and compare its position: not every coordinate system fits in a GeoTIFF."""
    try:
        with open_scene(out, limits=limits, workdir=workdir, today=today, name=scene.name) as copy:
            same_size = (copy.width, copy.height) == (scene.width, scene.height)
            shift = _shift_px(scene, copy)
    except NotGeoreferenced:
        same_size, shift = True, np.inf
    except ImageError as error:
        raise OutputError(f"{scene.name} was rewritten but cannot be read back: {error}") from error
    if not same_size:
        raise OutputError(f"{scene.name} was rewritten with the wrong size. Check the disk of {workdir}.")
    if not shift <= _MAX_SHIFT_PX:
        raise ImageError(
            f"{scene.name} is in a coordinate system that cannot be stored in a GeoTIFF. "
            "Save it in one with an EPSG code.",
            "place.not_stored",
            name=scene.name,
        )


def _shift_px(scene: Scene, copy: Scene) -> float:
    """Return the largest distance on the ground between corresponding corners of two scenes, in pixels."""
    corners = np.array([(0, 0), (scene.width, 0), (0, scene.height), (scene.width, scene.height)], float)
    x, y = scene.geobox.affine @ (corners[:, 0], corners[:, 1])
    source, target = (CRS.from_wkt(opened.geobox.crs.to_wkt()) for opened in (scene, copy))
    if source != target:
        x, y = Transformer.from_crs(source, target, always_xy=True).transform(x, y)
    column, row = ~copy.geobox.affine @ (x, y)
    distances = np.hypot(column - corners[:, 0], row - corners[:, 1])
    return float(distances.max())


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
