"""Find the acquisition date of an image: tags, names and what people say, each believed in a fixed order."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from errors import Reason
from imagery.day_patterns import days_in

GIVEN, FILE_NAME, FOLDER_NAME, PHOTOS, UNKNOWN = "given", "file name", "folder name", "photos", "unknown"
"""Sources of a date besides "tag NAME"."""

_SENSOR_TAGS = (
    "ACQUISITIONDATETIME",
    "ACQUISITION_DATETIME",
    "ACQUISITIONDATE",
    "ACQUISITION_DATE",
    "ACQUISITION_TIME",
    "DATE_ACQUIRED",
    "SENSING_TIME",
    "DATATAKE_SENSING_START",
    "PRODUCT_START_TIME",
    "FIRSTLINETIME",
    "TLCTIME",
    "CENTERTIME",
    "SCENECENTERTIME",
    "IMAGING_DATE",
    "SCENE_DATE",
    "DATE_OBS",
    "NITF_IDATIM",
)
"""Tags that sensors and ground stations write: the day of acquisition, the most reliable first."""

_CAMERA_TAGS = ("EXIF_DATETIMEORIGINAL",)
"""Tags that a camera writes when the shutter opens; right if its clock is."""

_FILE_TAGS = ("EXIF_DATETIMEDIGITIZED", "TIFFTAG_DATETIME", "EXIF_DATETIME", "DATETIME", "CREATIONTIME")
"""Tags with the day on which the file was written or a print was scanned; processing programs write that of export."""

_TOLERANCE = dt.timedelta(days=1)  # the same moment is another day in another time zone

_CLOCK_RESET = {
    dt.date(1970, 1, 1),
    dt.date(1980, 1, 1),
    dt.date(1980, 1, 6),
    dt.date(1999, 12, 31),
    dt.date(2000, 1, 1),
}
"""Days that a clock shows which was never set."""

_PRODUCT = re.compile(r"(L[COTEM]0\d_|S[123][A-D]_|HLS\.|M[OY]D\d|V(NP|JP?)\d)", re.IGNORECASE)
"""Satellite products whose names hold the days of acquisition and of processing."""


@dataclass(frozen=True)
class AcquisitionDate:
    """Day of acquisition of an image.

    Attributes:
        date: None: unknown.
        source: "given", "tag NAME", "photos", "file name", "folder name" or "unknown".
        remarks: sources that say another day than the one believed.
    """

    date: dt.date | None
    source: str
    remarks: tuple[Reason, ...] = ()


def find_acquisition_date(
    tags: Mapping[str, str],
    name: str,
    today: dt.date,
    *,
    given: dt.date | None = None,
    given_for_all: bool = False,
    photos: dt.date | None = None,
    folder: str = "",
) -> AcquisitionDate:
    """Find the day on which an image was taken.

    Sources, the most believed first:

    1. the day given by a person, if it was given for all files;
    2. tags that the sensor or its ground station wrote, for example ``ACQUISITIONDATETIME``;
    3. the photos of which OpenDroneMap made the orthophoto;
    4. the camera's clock (``EXIF_DateTimeOriginal``), unless it stands on a 1 January, where clocks begin, and the name
       says another day;
    5. the file name: people and programs name files by the day of flight. Of several days the earliest, since all that
       happens to an image happens after it was taken;
    6. the day given by a person for files without one;
    7. the folder names, the nearest first. They may be days of delivery, and a folder with two days is a period;
    8. tags with the day on which the file was written. It is the day of export for what comes out of a processing
       program, so it is the last resort.

    Args:
        tags: all tags of the file from every namespace, EXIF included, as GDAL returns them.
        name: file name, with ``/`` between folders.
        today: days later than one day after it (the date line) are ignored, as are those before 1950.
        given: day given by a person.
        given_for_all: whether it holds for files that say another day.
        photos: day of the photos of an orthophoto.
        folder: name of the folder that contains all of ``name``, if any.
    """
    claims: list[tuple[dt.date, str]] = []
    if given is not None and given_for_all:
        claims.append((given, GIVEN))
    claims += _tags(tags, _SENSOR_TAGS, today)
    claims += [(photos, PHOTOS)] if photos is not None else []
    path = PurePosixPath(name)
    in_name = days_in(path.name, today)
    clocks = list(_tags(tags, _CAMERA_TAGS, today))
    if in_name and clocks and (clocks[0][0].month, clocks[0][0].day) == (1, 1):
        clocks = []
    claims += clocks
    claims += [(min(in_name), FILE_NAME)] if in_name else []
    if given is not None and not given_for_all:
        claims.append((given, GIVEN))
    claims += _folders(path, folder, today)
    claims += _tags(tags, _FILE_TAGS, today)
    if not claims:
        return AcquisitionDate(None, UNKNOWN)
    date, source = claims[0]
    remarks = [_differs(source, other, day) for day, other in claims[1:] if abs(day - date) > _TOLERANCE]
    if source == FILE_NAME and max(in_name) - date > _TOLERANCE and not _PRODUCT.match(path.name):
        words = f"its name holds several days; the earliest is used, not {max(in_name)}"
        remarks.append(Reason(words, "remark.several_days", other=max(in_name)))
    return AcquisitionDate(date, source, tuple(remarks))


_MOMENT = re.compile(
    r"(\d{4})[-:/]?(\d\d)[-:/]?(\d\d)[T ]+(\d\d):?(\d\d):?(\d\d)(\.\d{1,6})?\d*\s*(Z|UTC|[+-]\d\d:?\d\d)?$",
    re.IGNORECASE,
)


def moment_of(dated: AcquisitionDate, tags: Mapping[str, str]) -> str:
    """Return the time of acquisition in ISO 8601, if the tag from which the date was taken states it.

    It has a time zone only if the tag states one; "" where only the day is known.
    """
    name = dated.source.removeprefix("tag ")
    if name == dated.source or dated.date is None:
        return ""
    found = _MOMENT.match(tags.get(name, "").strip()[:100])
    if found is None:
        return ""
    *numbers, fraction, zone = found.groups()
    try:
        year, month, day, hour, minute, second = map(int, numbers)
        moment = dt.datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  (as stated)
    except ValueError:
        return ""
    if moment.date() != dated.date:
        return ""
    offset = "" if zone is None else "+00:00" if zone.upper() in ("Z", "UTC") else f"{zone[:3]}:{zone[-2:]}"
    return f"{moment.isoformat()}{fraction or ''}{offset}"


def acquisition_date(tags: Mapping[str, str], name: str, today: dt.date) -> tuple[dt.date | None, str]:
    """Return the day of acquisition and its source by tags and file name only, as :func:`find_acquisition_date`."""
    found = find_acquisition_date(tags, PurePosixPath(name).name, today)
    return found.date, found.source


def _tags(tags: Mapping[str, str], names: tuple[str, ...], today: dt.date) -> Iterator[tuple[dt.date, str]]:
    by_upper = {key.upper(): (key, value) for key, value in tags.items()}
    for name in names:
        if name in by_upper:
            key, value = by_upper[name]
            days = [day for day in days_in(value[:200], today) if day not in _CLOCK_RESET]
            if days:
                yield days[0], f"tag {key}"


def _folders(path: PurePosixPath, folder: str, today: dt.date) -> Iterator[tuple[dt.date, str]]:
    names = [*(parent.name for parent in path.parents if parent.name), *([folder] if folder else [])]
    for name in names:
        days = days_in(name, today)
        if len(days) == 1:
            yield days[0], FOLDER_NAME
    if not any(days_in(name, today) for name in names):  # 2024/05/03, 2024年/5月3日
        days = days_in("/".join(reversed(names)), today)
        if len(days) == 1:
            yield days[0], FOLDER_NAME


def _differs(believed: str, other: str, day: dt.date) -> Reason:
    words = f"{_words(other)} says {day}; {_words(believed)} is believed"
    return Reason(words, "remark.other_date", believed=_term(believed), other=_term(other), day=day)


def _words(source: str) -> str:
    return "the given date" if source == GIVEN else f"its {source}"


def _term(source: str) -> Reason:
    """Return the name of a source, translatable."""
    if source.startswith("tag "):
        return Reason(source, "date_source.tag", name=source.removeprefix("tag "))
    return Reason(source, f"date_source.{source.replace(' ', '_')}")


def describe_source(source: str) -> Reason:
    """Return the source of a date as a translatable text."""
    return _term(source)
