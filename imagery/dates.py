"""Find the acquisition date of an image in its tags, else in its file name."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

EARLIEST = dt.date(1950, 1, 1)

_ACQUISITION_TAGS = (
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
"""Tags that hold the date of acquisition, the most reliable first."""

_FILE_TAGS = ("TIFFTAG_DATETIME", "EXIF_DATETIME", "DATETIME", "CREATIONTIME")
"""Tags that often hold the date on which the file was written; used after the others."""

_IN_TAG = re.compile(r"(?<!\d)(\d{4})([-:/.]?)(\d{1,2})\2(\d{1,2})(?=\D|$)")
_IN_NAME = re.compile(r"(?<!\d)(\d{4})([-_.]?)(\d{2})\2(\d{2})(?!\d)")
_IN_NAME_CHINESE = re.compile(r"(?<!\d)(\d{4})年(\d{1,2})月(\d{1,2})日")


def acquisition_date(tags: Mapping[str, str], name: str, today: dt.date) -> tuple[dt.date | None, str]:
    """Find the day on which an image was taken.

    Args:
        tags: all tags of the file from every namespace, EXIF included, as GDAL returns them.
        name: file name.
        today: dates later than one day after it (the date line) are ignored, as are those before 1950.

    Returns:
        The date, or None, and its source: "tag NAME", "file name" or "unknown".
    """
    by_upper = {key.upper(): (key, value) for key, value in tags.items()}
    for tag in (*_ACQUISITION_TAGS, *_FILE_TAGS):
        if tag in by_upper:
            key, value = by_upper[tag]
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
