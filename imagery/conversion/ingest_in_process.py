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
from imagery.conversion.given_metadata import NOTHING_GIVEN, GivenMetadata
from imagery.conversion.ingested_image import IngestedImage
from imagery.dates import AcquisitionDate, find_acquisition_date, moment_of
from imagery.georeference import NotGeoreferenced
from imagery.limits import Limits
from imagery.raster_kind import COMPARED_KINDS, not_a_picture
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
    given: GivenMetadata = NOTHING_GIVEN,
) -> IngestedImage:
    """Do the work of :func:`imagery.conversion.ingest.ingest_image` in this process."""
    file_name = PurePosixPath(name).name or name
    try:
        with open_scene(
            path,
            limits=limits,
            workdir=workdir,
            today=today,
            name=file_name,
            bands=given.bands or None,
            crs=given.crs or None,
            override_crs=given.override,
        ) as scene:
            if scene.kind not in COMPARED_KINDS:
                raise ImageError(not_a_picture(file_name, scene.kind))
            dated = _date(scene, name, given, today)
            coverage = write_cog(scene, out, workdir, dated.date)
            outline = footprint(coverage, scene.geobox, file_name)
            sha256 = scene.sha256
            _check_copy(scene, out, limits, workdir, today)
    except NotGeoreferenced as error:
        raise ImageError(
            f"{error.problem} An image must be georeferenced: export it as GeoTIFF with its coordinate system, "
            "provide a world file and a .prj of the same name, or, if it only lacks the coordinate system, submit it "
            "again with that (`--crs EPSG:4547`).",
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
        bands=scene.bands,
        kind=scene.kind,
        date=dated.date,
        date_source=dated.source,
        moment=moment_of(dated, scene.tags),
        transform=tuple(scene.geobox.transform)[:6],
        valid_share=coverage.valid_share,
        remarks=tuple(_remarks(scene, dated, coverage.valid_share)),
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
        given=GivenMetadata.from_json(task["given"]),
    )
    return image.to_json()


def _date(scene: Scene, name: str, given: GivenMetadata, today: dt.date) -> AcquisitionDate:
    return find_acquisition_date(
        scene.tags,
        name,
        today,
        given=given.date,
        given_for_all=given.override,
        photos=given.photos,
        folder=given.folder,
    )


def _remarks(scene: Scene, dated: AcquisitionDate, valid_share: float) -> list[Reason]:
    remarks = [*scene.remarks, *dated.remarks]
    if dated.date is None:
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
