"""The acquisition date comes from tags, else from the file name; implausible dates are ignored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from imagery import open_scene
from imagery.dates import acquisition_date

TODAY = dt.date(2026, 11, 23)
TAKEN = dt.date(2023, 4, 17)


@pytest.mark.parametrize(
    ("tags", "source"),
    [
        ({"TIFFTAG_DATETIME": "2023:04:17 10:11:12"}, "tag TIFFTAG_DATETIME"),
        ({"ACQUISITIONDATETIME": "2023-04-17 02:11:12"}, "tag ACQUISITIONDATETIME"),
        ({"AcquisitionDate": "20230417"}, "tag AcquisitionDate"),
        ({"FIRSTLINETIME": '"2023-04-17T05:40:31.123456Z";'}, "tag FIRSTLINETIME"),
        ({"EXIF_DateTimeOriginal": "2023:04:17 10:11:12"}, "tag EXIF_DateTimeOriginal"),
        ({"TIFFTAG_DATETIME": "2024:01:01 00:00:00", "SENSING_TIME": "2023-04-17T02:00:00Z"}, "tag SENSING_TIME"),
    ],
)
def test_the_date_is_read_from_tags(tags: dict[str, str], source: str) -> None:
    assert acquisition_date(tags, "a.tif", TODAY) == (TAKEN, source)


@pytest.mark.parametrize(
    "name",
    [
        "20230417.tif",
        "GF2_PMS1_E116.4_N39.9_20230417_L1A0007.tif",
        "ortho-2023-04-17-final.tif",
        "村_2023_04_17.jpg",
        "2023年4月17日.png",
        "plot12345678_20230417.tif",
        "20230417T023012_B04.jp2",
    ],
)
def test_the_date_is_read_from_the_name_if_no_tag_has_one(name: str) -> None:
    assert acquisition_date({}, name, TODAY) == (TAKEN, "file name")


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "2023:13:45", "1899:12:30", "2031:01:01", "", "soon", "nan"])
def test_implausible_dates_are_ignored(text: str) -> None:
    assert acquisition_date({"TIFFTAG_DATETIME": text}, "parcel_99999999.tif", TODAY) == (None, "unknown")
    assert acquisition_date({"TIFFTAG_DATETIME": text}, "20230417.tif", TODAY) == (TAKEN, "file name")


def test_tomorrow_is_accepted_because_of_the_date_line() -> None:
    assert acquisition_date({}, "20261124.tif", TODAY)[0] == dt.date(2026, 11, 24)
    assert acquisition_date({}, "20261125.tif", TODAY)[0] is None


def test_a_scene_has_a_date(save: Callable[..., Path], noise: NDArray[np.uint8], utm50: dict[str, Any]) -> None:
    path = save("20200101.tif", noise, tags={"TIFFTAG_DATETIME": "2023:04:17 10:11:12"}, **utm50)
    with open_scene(path, today=TODAY) as scene:
        assert (scene.date, scene.date_source) == (TAKEN, "tag TIFFTAG_DATETIME")
    with open_scene(path, today=dt.date(2021, 1, 1)) as scene:
        assert (scene.date, scene.date_source) == (dt.date(2020, 1, 1), "file name")
    with open_scene(path, date=dt.date(2019, 5, 5)) as scene:
        assert (scene.date, scene.date_source) == (dt.date(2019, 5, 5), "given")
