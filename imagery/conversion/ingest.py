"""One received file → our own COG, its place, day and footprint; or an :class:`errors.ImageError` that says why not.

Small plain files are worked on here. Large ones, and whatever brought a process down before, in a process of its own
with limits (:mod:`imagery.conversion.ingest_sandboxed`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Self

import numpy as np
import shapely
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from errors import ImageError, OutputError, Reason
from imagery.conversion.cog import write_cog
from imagery.dates import acquisition_date
from imagery.files.formats import JPEG2000
from imagery.files.limits import GIB, MIB, Limits
from imagery.files.safe_file import local_file
from imagery.footprint import footprint
from imagery.georeference import NoPlace
from imagery.scene import Scene, examine, open_scene

ROOM = 3.0
"""Bytes of disk for one byte of pixels, while an image is rewritten: a copy, what is made from it, the COG."""

_SPARSE = 0.05  # valid share below which a person is told
_MOST_SHIFT_PX = 0.01  # by which our copy may lie elsewhere than the original


@dataclass(frozen=True)
class IngestedImage:
    """What is known of an image that was rewritten.

    Attributes:
        sha256: of the file as it came.
        object_sha256: of our COG.
        width, height: pixels.
        gsd_m: true metres per pixel.
        crs: "EPSG:…", or WKT where it has no code.
        footprint: ground that it shows; longitude, latitude.
        date, date_source: day of acquisition or None, and "tag NAME", "file name", "given", "folder name" or "unknown".
        valid_share: of its pixels.
        remarks: what a person should know, each a sentence without its full stop.
    """

    sha256: str
    object_sha256: str
    width: int
    height: int
    gsd_m: float
    crs: str
    footprint: BaseGeometry
    date: dt.date | None
    date_source: str
    valid_share: float
    remarks: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        date = self.date and self.date.isoformat()
        remarks = [[remark, remark.told()] for remark in self.remarks]
        return self.__dict__ | {
            "footprint": shapely.to_wkb(self.footprint, hex=True),
            "date": date,
            "remarks": remarks,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """From what :meth:`to_json` gave."""
        date = data["date"] and dt.date.fromisoformat(data["date"])
        outline = shapely.from_wkb(data["footprint"])
        remarks = tuple(Reason.of(words, told) for words, told in data["remarks"])
        return cls(**data | {"footprint": outline, "date": date, "remarks": remarks})


def ingest_image(
    path: Path,
    name: str,
    out: Path,
    *,
    limits: Limits,
    today: dt.date,
    workdir: Path,
    default_date: dt.date | None = None,
    apart: bool = False,
) -> IngestedImage:
    """Check a file that may come from a stranger and rewrite its pixels as a COG.

    Args:
        path: the file, under a name of ours. Its world file (.wld) and .prj, if any, lie beside it.
        name: how the person calls it, folders with ``/``; for words and dates only.
        out: the COG to write.
        limits: what a header may ask for, and what a process may take.
        today: later dates are not believed.
        workdir: a folder for temporary files.
        default_date: day of acquisition where the file and its name tell none.
        apart: work in a process of its own however small the file is.

    Raises:
        ImageError: the file is no image that can be used: what was found, what was expected and what to do.
        OutputError: no room to write; it may go well later.
    """
    own = _own_name(name)
    file_format, declared = examine(replace(local_file(path), name=own), limits)
    needed = declared.decoded_bytes * ROOM
    free = shutil.disk_usage(workdir).free
    if needed > limits.expansion_floor_bytes and needed > free:
        raise OutputError(
            f"To rewrite {own}, about {needed / GIB:.1f} GiB are needed in {workdir}, and {free / GIB:.1f} are free. "
            "Make room."
        )
    pixels = declared.width * declared.height
    if apart or pixels > limits.in_process_pixels or file_format == JPEG2000:
        from imagery.conversion.ingest_sandboxed import ingest_apart

        most_bytes = int(needed) + 64 * MIB
        return ingest_apart(
            path,
            name,
            out,
            limits=limits,
            today=today,
            workdir=workdir,
            default_date=default_date,
            most_bytes=most_bytes,
        )
    return ingest_here(path, name, out, limits=limits, today=today, workdir=workdir, default_date=default_date)


def ingest_here(
    path: Path,
    name: str,
    out: Path,
    *,
    limits: Limits,
    today: dt.date,
    workdir: Path,
    default_date: dt.date | None = None,
) -> IngestedImage:
    """The same as :func:`ingest_image`, in this process."""
    own = _own_name(name)
    try:
        with open_scene(path, limits=limits, workdir=workdir, today=today, name=own) as scene:
            date, date_source = _date(scene, name, default_date, today)
            coverage = write_cog(scene, out, workdir, date)
            outline = footprint(coverage, scene.geobox, own)
            sha256 = scene.sha256
            _check_copy(scene, out, limits, workdir, today)
    except NoPlace as error:
        raise ImageError(
            f"{error.what} An image needs a place: export it as GeoTIFF with its coordinate system, or give a world "
            "file and a .prj of the same name with it.",
            error.reason.code,
            **error.reason.facts,
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


def _own_name(name: str) -> str:
    return PurePosixPath(name).name or name


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
        remarks.append(Reason("the day it was taken is not known", "remark.no_date"))
    if not scene.grey and scene.count > 3 and scene.bands_source.startswith("by the usual order"):
        bands = ", ".join(str(band) for band in scene.bands)
        words = f"bands {bands} were taken as red, green and blue, {scene.bands_source}"
        remarks.append(Reason(words, "remark.bands", bands=bands))
    if valid_share < _SPARSE:
        remarks.append(Reason(f"only {valid_share:.1%} of it shows ground", "remark.sparse", share=valid_share))
    return remarks


def _check_copy(scene: Scene, out: Path, limits: Limits, workdir: Path, today: dt.date) -> None:
    """Open what was written as a scan will, and compare where it lies: not every coordinate system fits a GeoTIFF."""
    try:
        with open_scene(out, limits=limits, workdir=workdir, today=today, name=scene.name) as copy:
            same_size = (copy.width, copy.height) == (scene.width, scene.height)
            shift = _shift_px(scene, copy)
    except NoPlace:
        same_size, shift = True, np.inf
    except ImageError as error:
        raise OutputError(f"{scene.name} was rewritten, but cannot be read back: {error}") from error
    if not same_size:
        raise OutputError(f"{scene.name} was rewritten in another size. Is the disk of {workdir} in order?")
    if not shift <= _MOST_SHIFT_PX:
        raise ImageError(
            f"{scene.name} is in a coordinate system that cannot be stored in a GeoTIFF. "
            "Save it in one with an EPSG code.",
            "place.not_stored",
            name=scene.name,
        )


def _shift_px(scene: Scene, copy: Scene) -> float:
    """Largest distance, in pixels, between the corners of the one on the ground and those of the other."""
    corners = np.array([(0, 0), (scene.width, 0), (0, scene.height), (scene.width, scene.height)], float)
    x, y = scene.geobox.affine @ (corners[:, 0], corners[:, 1])
    of, to = (CRS.from_wkt(one.geobox.crs.to_wkt()) for one in (scene, copy))
    if of != to:
        x, y = Transformer.from_crs(of, to, always_xy=True).transform(x, y)
    column, row = ~copy.geobox.affine @ (x, y)
    distances = np.hypot(column - corners[:, 0], row - corners[:, 1])
    return float(distances.max())


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
