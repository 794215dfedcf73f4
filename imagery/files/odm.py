"""Find outputs of OpenDroneMap by their folder layout.

The orthophoto of an output is an image to ingest; its other files are source photos or do not show the ground.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from errors import Reason

ORTHOPHOTO = "odm_orthophoto/odm_orthophoto.tif"
SHOTS = "images.json"
"""Next to the folder of the orthophoto: the photos with their metadata."""

PART = Reason("part of an OpenDroneMap output, not an image of the ground", "odm.part")
PHOTO = Reason("a source photo of the orthophoto in this OpenDroneMap output", "odm.photo")

_FOLDERS = re.compile(
    r"odm_\w+|opensfm|mve|entwine_pointcloud|3d_tiles|submodels|micmac|orthophoto_tiles|(dsm|dtm)_tiles"
)
_FILES = re.compile(
    r"(images|cameras|log|options|img_list|shots|benchmark|task_output|reconstruction\.topocentric|proj|data)"
    r"\.(json|txt|geojson|out)"
)
_TAKEN = re.compile(rb'"utc_time"\s*:\s*(\d{9,13})(?:\.\d*)?\s*[,}]')  # seconds or milliseconds since 1970


def find_odm_outputs(names: Sequence[str]) -> tuple[dict[str, str | None], dict[str, Reason]]:
    """Find outputs of OpenDroneMap among files.

    Args:
        names: paths with ``/`` between folders.

    Returns:
        orthophotos, each with the name of its :data:`SHOTS` or None; and the files to ignore, with the reason.
    """
    known = set(names)
    orthophotos: dict[str, str | None] = {}
    ignored: dict[str, Reason] = {}
    for name in names:
        if name != ORTHOPHOTO and not name.endswith(f"/{ORTHOPHOTO}"):
            continue
        root = name.removesuffix(ORTHOPHOTO)
        shots = root + SHOTS
        orthophotos[name] = shots if shots in known else None
        for other in names:
            if other.startswith(root) and other not in (name, shots):
                reason = _reason(PurePosixPath(other.removeprefix(root)).parts)
                if reason is not None:
                    ignored[other] = reason
    return orthophotos, {name: reason for name, reason in ignored.items() if name not in orthophotos}


def flight_day(shots: bytes, zone: dt.tzinfo) -> dt.date | None:
    """Return the local day of the flight, or None if it is not recorded.

    Args:
        shots: content of :data:`SHOTS`, or its beginning.
        zone: time zone of the flight.
    """
    match = _TAKEN.search(shots)
    if match is None:
        return None
    seconds = int(match[1])
    if seconds > 100_000_000_000:
        seconds //= 1000
    day = dt.datetime.fromtimestamp(seconds, tz=zone).date()
    return day if day.year >= 2010 else None


def _reason(parts: tuple[str, ...]) -> Reason | None:
    """Return why a file below the root of an output is ignored, or None if it is not part of the output."""
    if len(parts) == 1:
        return PART if _FILES.fullmatch(parts[0].lower()) else None
    if parts[0].lower() == "images":
        return PHOTO
    return PART if _FOLDERS.fullmatch(parts[0].lower()) else None
