"""Check photos of drones and place them in mosaics, in a sandboxed process.

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
    """Place photos flight by flight, and write a COG for each flight.

    The task: ``photos`` (as :func:`check` is told of them, each with its ``file``), ``reference`` (path and name, or
    None), ``elevation`` (path, or ""), ``workdir`` and ``name`` of the mosaics. The answer: ``flights``, each with its
    image and photos, and ``failed``, photos and why.
    """
    photos, failed, files = [], [], {}
    for asked in task["photos"]:
        try:
            photo = Photo.from_json(check(asked, limits))
        except ImageError as error:
            failed.append(_told(asked["file"], error))
            continue
        photos.append(photo)
        files[photo.path] = asked["file"]
    told = []
    flights = group_flights(photos, drone_settings()) if photos else []
    for number, flight in enumerate(flights):
        with _reference(task["reference"], limits, task["workdir"]) as scene:
            try:
                told.append(_flight(flight, number, files, scene, task, limits))
            except ImageError as error:
                failed += [_told(files[photo.path], error) for photo in flight]
    return {"flights": told, "failed": failed}


def _told(file: int, error: ImageError) -> dict[str, Any]:
    return {"file": file, "reason": _said(error.reason)}


def _said(reason: str) -> list[Any]:
    """A reason as plain data, for :meth:`errors.Reason.from_json`."""
    return [str(reason), Reason.json_of(reason)]


def _flight(
    photos: list[Photo],
    number: int,
    files: dict[Path, int],
    reference: Scene | None,
    task: dict[str, Any],
    limits: Limits,
) -> dict[str, Any]:
    settings, workdir = drone_settings(), Path(task["workdir"])
    place = partial(orient_flight, photos, settings, workdir, reference=reference, register=register_photo)
    elevation, unused = Path(task["elevation"]) if task["elevation"] else None, None
    try:
        if elevation is not None and not elevation.is_file():
            raise ImageError(f"The elevation model {elevation} is not there.", "elevation.missing", path=str(elevation))
        flight: OrientedFlight = place(elevation=elevation)
    except ImageError as error:
        if not error.reason.code.startswith("elevation."):
            raise
        unused = error.reason  # told with each photo, and no reason to place none of them
        flight = place()
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
            "left_out": one.exclusion,
            "words": _said(Reason.combine([describe_photo(one), unused] if unused else [describe_photo(one)])),
            "tied": one.tied_to,
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
        "unplaced": [{"file": files[photo.path], "reason": _said(reason)} for photo, reason in flight.failed],
    }


@contextmanager
def _reference(told: dict[str, str] | None, limits: Limits, workdir: str) -> Iterator[Scene | None]:
    """The reference image; without it where it cannot be read."""
    scene = None
    if told is not None:
        try:
            scene = open_scene(told["path"], limits=limits, workdir=workdir, name=told["name"])
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
    # this process is sandboxed already: read a file stored in strips strip by strip instead of copying it first
    limits = replace(limits, in_process_pixels=limits.max_pixels)
    return {"check": check, "mosaic": mosaic}[task["what"]](task, limits)
