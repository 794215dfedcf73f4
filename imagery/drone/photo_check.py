"""A received file checked as the photo of a drone: its tags, its limits, and whether it can be decoded to its end."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

from errors import ImageError
from imagery.drone.photo import Photo, is_photo, read_photo
from imagery.drone.photo_pixels import decode
from imagery.drone.settings import DroneSettings
from imagery.files.limits import Limits
from imagery.files.safe_file import local_file
from imagery.scene import examine

_REDUCTION = 8  # the whole file is read, and little is computed


def check_photo(
    path: Path,
    name: str,
    settings: DroneSettings,
    *,
    limits: Limits,
    today: dt.date,
    default_date: dt.date | None = None,
    sha256: str = "",
) -> Photo:
    """Read a file that may come from a stranger, and may be a photo.

    Args:
        path: the file.
        name: as the person calls it, folders included.
        settings: of drones.
        limits: what a header may ask for.
        today: later days are not believed.
        default_date: see :func:`imagery.drone.photo.read_photo`.
        sha256: of the file, if it is known.

    Raises:
        ImageError: it is no photo, or cannot be placed: what was found, what was expected and what to do.
    """
    file = replace(local_file(path), name=name)
    file_format, declared = examine(file, limits)
    if not is_photo(file, file_format):
        raise ImageError(
            f"{name} is {file_format.name} without the tags of a camera, and photos of drones are placed by them. "
            "Pass the photos as the drone wrote them.",
            "photo.no_tags",
            name=name,
        )
    photo = read_photo(file, declared, settings, today=today, default_date=default_date, sha256=sha256)
    decode(photo, _REDUCTION)
    file.check_unchanged()
    return photo
