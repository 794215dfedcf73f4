"""Check an uploaded file as a drone photo: its tags, its limits, and whether it decodes completely."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

from errors import ImageError
from imagery.drone.photo import Photo, is_photo, read_photo
from imagery.drone.photo_pixels import decode_photo
from imagery.drone.settings import DroneSettings
from imagery.files.inspection import inspect_file
from imagery.files.safe_file import check_regular_file
from imagery.limits import Limits

_REDUCTION = 8  # reads the complete file at little computational cost


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
    """Check an untrusted file, and read it as a photo.

    Args:
        path: the file.
        name: display name, folders included.
        settings: of ``configs/drone.yaml``.
        limits: on what its header declares.
        today: later dates are rejected.
        default_date: see :func:`imagery.drone.photo.read_photo`.
        sha256: of the file, if known.

    Raises:
        ImageError: it is not a photo, or cannot be oriented; says what was found, what was expected and what to do.
    """
    file = replace(check_regular_file(path), name=name)
    file_format, layout = inspect_file(file, limits)
    if not is_photo(file, file_format):
        raise ImageError(
            f"{name} is {file_format.name} without the tags of a camera, which are needed to place drone photos. "
            "Pass the photos as the drone wrote them.",
            "photo.no_tags",
            name=name,
        )
    photo = read_photo(file, layout, settings, today=today, default_date=default_date, sha256=sha256)
    decode_photo(photo, _REDUCTION)
    file.check_unchanged()
    return photo
