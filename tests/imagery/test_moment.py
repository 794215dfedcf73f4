"""The time of acquisition, where the tag of the date states it."""

from __future__ import annotations

import datetime as dt

import pytest

from imagery.dates import find_acquisition_date, moment_of

TODAY = dt.date(2026, 11, 29)


@pytest.mark.parametrize(
    ("tags", "name", "expected"),
    [
        ({"ACQUISITIONDATETIME": "2026-05-01T02:10:33.25Z"}, "a.tif", "2026-05-01T02:10:33.25+00:00"),
        ({"SENSING_TIME": "2026-05-01 10:10:33+0800"}, "a.tif", "2026-05-01T10:10:33+08:00"),
        ({"EXIF_DateTimeOriginal": "2026:05:01 10:10:33"}, "a.tif", "2026-05-01T10:10:33"),
        ({"TIFFTAG_DATETIME": "2026:05:01 10:10:33"}, "a.tif", "2026-05-01T10:10:33"),
        ({"TIFFTAG_DATETIME": "2026:05:03 10:10:33"}, "a_20260501.tif", ""),  # the date is that of the name
        ({"ACQUISITIONDATE": "2026-05-01"}, "a.tif", ""),
        ({"TIFFTAG_DATETIME": "2026:05:01 25:10:33"}, "a.tif", ""),
        ({}, "a_20260501.tif", ""),
    ],
)
def test_the_moment_is_that_of_the_tag_of_the_date(tags: dict[str, str], name: str, expected: str) -> None:
    assert moment_of(find_acquisition_date(tags, name, TODAY), tags) == expected
