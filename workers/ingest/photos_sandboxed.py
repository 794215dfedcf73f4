"""Check drone photos and build mosaics, in a sandboxed process.

Run by :func:`imagery.sandbox.run_sandboxed`; it reads files and has no access to the database or the service.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import shapely

from errors import ImageError, Reason
from imagery import Scene, open_scene
from imagery.conversion.ingest_in_process import ingest_in_process
from imagery.drone.flights import flight_date, group_flights
from imagery.drone.mosaic import default_gsd, write_mosaic
from imagery.drone.orientation import orient_flight
from imagery.drone.oriented_flight import OrientedFlight, footprint_in_degrees, require_used_photos
from imagery.drone.photo import Photo
from imagery.drone.photo_check import check_photo
from imagery.drone.report import describe_photo
from imagery.drone.settings import drone_settings
from imagery.limits import Limits
from inference.registration.photo_registration import register_photo


def check(task: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Read one photo; see :func:`imagery.drone.photo_check.check_photo`."""
    return check_photo(
        Path(task["path"]),
        task["name"],
        drone_settings(),
        limits=limits,
        today=_day(task["today"]) or dt.date.max,
        default_date=_day(task["default_date"]),
        sha256=task["sha256"],
    ).to_json()


def mosaic(task: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """Group photos into flights and write a mosaic as COG for each flight.

    Args:
        task: ``photos`` (each as the task of :func:`check`, with its ``file``), ``reference`` (path and name, or None),
            ``elevation`` (path, or ""), ``workdir``, and ``name`` of the mosaics.
        limits: of decoding.

    Returns:
        ``flights``, each with its image and photos, and ``failed``, photos with the reason.
    """
    photos, failed, files = [], [], {}
    for request in task["photos"]:
        try:
            photo = Photo.from_json(check(request, limits))
        except ImageError as error:
            failed.append(_failed_photo(request["file"], error))
            continue
        photos.append(photo)
        files[photo.path] = request["file"]
    results = []
    flights = group_flights(photos, drone_settings()) if photos else []
    for number, flight in enumerate(flights):
        with _open_reference(task["reference"], limits, task["workdir"]) as scene:
            try:
                results.append(_build_mosaic(flight, number, files, scene, task, limits))
            except ImageError as error:
                failed += [_failed_photo(files[photo.path], error) for photo in flight]
    return {"flights": results, "failed": failed}


def _failed_photo(file: int, error: ImageError) -> dict[str, Any]:
    return {"file": file, "reason": _reason_data(error.reason)}


def _reason_data(reason: str) -> list[Any]:
    """Return a reason as the arguments of :meth:`errors.Reason.from_json`."""
    return [str(reason), Reason.json_of(reason)]


def _build_mosaic(
    photos: list[Photo],
    number: int,
    files: dict[Path, int],
    reference: Scene | None,
    task: dict[str, Any],
    limits: Limits,
) -> dict[str, Any]:
    settings, workdir = drone_settings(), Path(task["workdir"])
    orient = partial(orient_flight, photos, settings, workdir, reference=reference, register=register_photo)
    elevation, unused = Path(task["elevation"]) if task["elevation"] else None, None
    try:
        if elevation is not None and not elevation.is_file():
            raise ImageError(
                f"The elevation model {elevation} does not exist.", "elevation.missing", path=str(elevation)
            )
        flight: OrientedFlight = orient(elevation=elevation)
    except ImageError as error:
        if not error.reason.code.startswith("elevation."):
            raise
        unused = error.reason  # recorded with each photo; the flight is oriented without elevation
        flight = orient()
    require_used_photos(flight)
    date, source = flight_date([placed.photo for placed in flight.used])
    raw, cog = workdir / "flight.tif", workdir / f"mosaic_{number}.tif"
    write_mosaic(flight, raw, default_gsd(flight.used, settings.finest_gsd_m), date)
    image = ingest_in_process(
        raw, task["name"], cog, limits=limits, today=_day(task["today"]) or dt.date.max, workdir=workdir
    )
    raw.unlink()
    placed = [
        {
            "file": files[one.photo.path],
            "exclusion": one.exclusion,
            "reason": _reason_data(Reason.combine([describe_photo(one), unused] if unused else [describe_photo(one)])),
            "tied_to": one.tied_to,
            "error_m": one.error_m,
            "residual_m": one.residual_m,
            "outline": shapely.to_wkb(footprint_in_degrees(one, flight.frame), hex=True),
        }
        for one in flight.photos
    ]
    return {
        "image": image.to_json(),
        "date_source": source,
        "cog": str(cog),
        "photos": placed,
        "unplaced": [{"file": files[photo.path], "reason": _reason_data(reason)} for photo, reason in flight.failed],
    }


@contextmanager
def _open_reference(reference: dict[str, str] | None, limits: Limits, workdir: str) -> Iterator[Scene | None]:
    """Open the reference image; yield None if there is none or it cannot be read."""
    scene = None
    if reference is not None:
        try:
            scene = open_scene(reference["path"], limits=limits, workdir=workdir, name=reference["name"])
        except ImageError:
            scene = None
    try:
        yield scene
    finally:
        if scene is not None:
            scene.close()


def _day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def run_task(task: dict[str, Any]) -> Any:
    """Run :func:`check` or :func:`mosaic`, whichever ``task["what"]`` names, with ``task["limits"]``."""
    limits = Limits(**task["limits"])
    # this process is already sandboxed: read files stored in strips directly instead of copying them first
    limits = replace(limits, in_process_pixels=limits.max_pixels)
    return {"check": check, "mosaic": mosaic}[task["what"]](task, limits)
