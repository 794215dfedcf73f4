"""When an image was taken: by its tags, else by its name."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

EARLIEST = dt.date(1950, 1, 1)

_TAKEN = (
    "ACQUISITIONDATETIME",
    "ACQUISITION_DATETIME",
    "ACQUISITIONDATE",
    "ACQUISITION_DATE",
    "DATE_ACQUIRED",
    "SENSING_TIME",
    "DATATAKE_SENSING_START",
    "PRODUCT_START_TIME",
    "FIRSTLINETIME",
    "TLCTIME",
    "IMAGING_DATE",
    "SCENE_DATE",
    "DATE_OBS",
    "EXIF_DATETIMEORIGINAL",
    "EXIF_DATETIMEDIGITIZED",
)
"""Tags that say when the picture was taken, surest first."""

_MADE = ("TIFFTAG_DATETIME", "EXIF_DATETIME", "DATETIME", "CREATIONTIME")
"""Tags that often say when the file was made: used after the others."""

_IN_TAG = re.compile(r"(?<!\d)(\d{4})([-:/.]?)(\d{1,2})\2(\d{1,2})(?=\D|$)")
_IN_NAME = re.compile(r"(?<!\d)(\d{4})([-_.]?)(\d{2})\2(\d{2})(?!\d)")
_IN_NAME_CHINESE = re.compile(r"(?<!\d)(\d{4})年(\d{1,2})月(\d{1,2})日")


def acquisition_date(tags: Mapping[str, str], name: str, today: dt.date) -> tuple[dt.date | None, str]:
    """Find the day on which an image was taken.

    Args:
        tags: every tag of the file whatever its namespace, EXIF included, as GDAL gives them.
        name: the file's name.
        today: dates after tomorrow are mistakes (tomorrow: the other side of the date line), as are those before 1950.

    Returns:
        The date, or None, and where it comes from: "tag NAME", "file name" or "unknown".
    """
    by_upper = {key.upper(): (key, value) for key, value in tags.items()}
    for wanted in (*_TAKEN, *_MADE):
        if wanted in by_upper:
            key, value = by_upper[wanted]
            for match in _IN_TAG.finditer(value[:200]):
                found = _plausible(match[1], match[3], match[4], today)
                if found:
                    return found, f"tag {key}"
    for match in _IN_NAME.finditer(name):
        found = _plausible(match[1], match[3], match[4], today)
        if found:
            return found, "file name"
    for match in _IN_NAME_CHINESE.finditer(name):
        found = _plausible(match[1], match[2], match[3], today)
        if found:
            return found, "file name"
    return None, "unknown"


def _plausible(year: str, month: str, day: str, today: dt.date) -> dt.date | None:
    try:
        found = dt.date(int(year), int(month), int(day))
    except ValueError:
        return None
    return found if EARLIEST <= found <= today + dt.timedelta(days=1) else None
