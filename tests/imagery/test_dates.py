"""The acquisition date comes from several sources in an order of belief; ambiguous days are ignored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from configs.texts import translate
from errors import Reason
from imagery import open_scene
from imagery.dates import acquisition_date, describe_source, find_acquisition_date
from imagery.day_patterns import days_in

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
        ({"NITF_IDATIM": "20230417053112"}, "tag NITF_IDATIM"),
        ({"ACQUISITION_DATE": "17-Apr-2023"}, "tag ACQUISITION_DATE"),
    ],
)
def test_the_date_is_read_from_tags(tags: dict[str, str], source: str) -> None:
    assert acquisition_date(tags, "a.tif", TODAY) == (TAKEN, source)


@pytest.mark.parametrize(
    "name",
    [
        # people and mapping programs
        "20230417.tif",
        "ortho-2023-04-17-final.tif",
        "村_2023_04_17.jpg",
        "村 2023.4.17 正射.tif",
        "2023年4月17日.png",
        "影像23年4月17日.tif",
        "二〇二三年四月十七日正射影像.tif",
        "２０２３０４１７正射.tif",
        "2023年0417.tif",
        "plot12345678_20230417.tif",
        "ortho_17Apr2023.tif",
        "Ortho Apr 17, 2023.tif",
        "2023-Apr-17.tif",
        "17-04-2023.tif",  # there is no month 17
        # drones and cameras, some with the time joined
        "DJI_20230417101530_0001_V.JPG",
        "DJI_202304171015_001_任务一.tif",
        "20230417_101530_IMG.jpg",
        "IMG20230417101530.jpg",
        "F1000_20230417-1_DOM.tif",
        "2023-04-17-10-15-30_F300.tif",
        # satellites
        "GF1_PMS2_E116.4_N39.9_20230417_L1A0007654321.tif",
        "GF2_PMS1_E116.4_N39.9_20230417_L1A0007.tif",
        "GF7_DLC_E116.4_N39.9_20230417_L1A0000012345-MUX.tiff",
        "ZY302_MUX_E115.5_N39.6_20230417_L2A0000123456.tif",
        "SV1-01_20230417_L2A0000123456_1109170048_01-MUX.tif",
        "SV2_20230417025131_0001_MUX.tif",
        "JL1GF02A_PMS1_20230417110203_200012345_101_0001_001_L1_MSS.tif",
        "IMG_PHR1A_MS_202304170253123_SEN_1234567101-001_R1C1.JP2",
        "23APR17025301-M2AS-012345678010_01_P001.TIF",
        "20230417T023012_B04.jp2",
        "T50TMK_20230417T023551_TCI_10m.jp2",
        "S2A_MSIL2A_20230417T023551_N0509_R089_T50TMK_20230418T064211.tif",
        "S2A_OPER_PRD_MSIL1C_PDMC_20230420T000000_R089_V20230417T023551_20230417T023551.tif",
        "LC08_L2SP_123032_20230417_20230427_02_T1_SR_B4.TIF",
        "LC81230322023107LGN00_B4.TIF",
        "MOD09GA.A2023107.h27v05.061.tif",
        "20230417_023012_84_2447_3B_AnalyticMS_SR.tif",
    ],
)
def test_the_date_is_read_from_the_name(name: str) -> None:
    found = find_acquisition_date({}, name, TODAY)
    assert (found.date, found.source, found.remarks) == (TAKEN, "file name", ())


@pytest.mark.parametrize(
    "name",
    [
        "03-05-2024.tif",  # 3 May or 5 March
        "24-05-03.tif",  # 3 May 2024 or 24 May 2003
        "23-10-30.tif",  # may be a time of the day
        "tile_230917.tif",  # six digits: a tile
        "150430_正射.tif",  # the code of a county
        "330102001001.tif",  # the code of a village
        "tile_2024_12_3.tif",  # column and row
        "DJI_20239917101530.JPG",
        "20230417256161.tif",  # a number, not a time
        "2024年5月.tif",  # a month is not a day
    ],
)
def test_what_can_be_read_in_two_ways_or_is_no_day_is_not_read(name: str) -> None:
    assert acquisition_date({}, name, TODAY) == (None, "unknown")


def test_a_year_of_two_digits_is_read_where_only_one_reading_is_possible() -> None:
    assert acquisition_date({}, "村_24-11-30.tif", TODAY)[0] == dt.date(2024, 11, 30)
    assert acquisition_date({}, "2023.04.17_24-11-30.tif", TODAY)[0] == TAKEN  # not beside a full date


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "2023:13:45", "1899:12:30", "2031:01:01", "", "soon", "nan"])
def test_implausible_dates_are_ignored(text: str) -> None:
    assert acquisition_date({"TIFFTAG_DATETIME": text}, "parcel_99999999.tif", TODAY) == (None, "unknown")
    assert acquisition_date({"TIFFTAG_DATETIME": text}, "20230417.tif", TODAY) == (TAKEN, "file name")


def test_tomorrow_is_accepted_because_of_the_date_line() -> None:
    assert acquisition_date({}, "20261124.tif", TODAY)[0] == dt.date(2026, 11, 24)
    assert acquisition_date({}, "20261125.tif", TODAY)[0] is None


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


EXPORT = {"TIFFTAG_DATETIME": "2026:11:20 09:30:00"}


@pytest.mark.parametrize(
    ("tags", "name", "options", "expected"),
    [
        (EXPORT, "ortho_20231105.tif", {}, ("2023-11-05", "file name", 1)),
        (EXPORT, "flight_20231105/map/result.tif", {}, ("2023-11-05", "folder name", 1)),
        (EXPORT, "result.tif", {"folder": "2023-11-05 飞行"}, ("2023-11-05", "folder name", 1)),
        (EXPORT, "flight_20231105.zip/map/result.tif", {}, ("2023-11-05", "folder name", 1)),
        (EXPORT, "result.tif", {"given": day("2023-11-05")}, ("2023-11-05", "given", 1)),
        (EXPORT, "result.tif", {}, ("2026-11-20", "tag TIFFTAG_DATETIME", 0)),
        ({"EXIF_DateTimeOriginal": "2023:11:05 10:00:00"}, "export_20261120.jpg", {}, None),
        ({"EXIF_DateTimeDigitized": "2026:11:20 10:00:00"}, "scan_20231105.jpg", {}, ("2023-11-05", "file name", 1)),
        ({"ACQUISITIONDATE": "2023-11-05"}, "delivered_20261120.tif", {}, ("2023-11-05", "tag ACQUISITIONDATE", 1)),
        # a clock that was never set
        ({"EXIF_DateTimeOriginal": "2016:01:01 00:12:30"}, "20231105.jpg", {}, ("2023-11-05", "file name", 0)),
        ({"EXIF_DateTimeOriginal": "2000:01:01 00:00:00"}, "a.jpg", {}, (None, "unknown", 0)),
        (EXPORT, "odm_orthophoto.tif", {"photos": day("2023-11-05")}, ("2023-11-05", "photos", 1)),
        # given for all files, or only for those without a day
        ({}, "ortho_20231105.tif", {"given": day("2024-05-03")}, ("2023-11-05", "file name", 1)),
        ({}, "ortho_20231105.tif", {"given": day("2024-05-03"), "given_for_all": True}, ("2024-05-03", "given", 1)),
        # folders: nearest first, years and days in folders of their own, periods are no days
        ({}, "2020-01-01/flight_2023-11-05/a.tif", {}, ("2023-11-05", "folder name", 1)),
        ({}, "2023/11/05/a.tif", {}, ("2023-11-05", "folder name", 0)),
        ({}, "2023年/11月5日/a.tif", {}, ("2023-11-05", "folder name", 0)),
        ({}, "20231105-20241103/a.tif", {}, (None, "unknown", 0)),
        ({}, "330102 上城区/a.tif", {}, (None, "unknown", 0)),
        # several days in one name: the earliest, with a remark
        ({}, "export_20261120_flight_20231105.tif", {}, ("2023-11-05", "file name", 1)),
        # the same moment in another time zone is no contradiction
        ({"SENSING_TIME": "2023-11-04T23:30:00Z"}, "20231105.tif", {}, ("2023-11-04", "tag SENSING_TIME", 0)),
    ],
)
def test_sources_are_believed_in_order_and_contradictions_are_remarked(
    tags: dict[str, str], name: str, options: dict[str, Any], expected: tuple[str | None, str, int] | None
) -> None:
    found = find_acquisition_date(tags, name, TODAY, **options)
    expected = expected or ("2023-11-05", "tag EXIF_DateTimeOriginal", 1)
    assert (found.date and str(found.date), found.source, len(found.remarks)) == expected


def test_a_remark_names_both_sources_in_both_languages() -> None:
    [remark] = find_acquisition_date(EXPORT, "ortho_20231105.tif", TODAY).remarks
    assert remark == "its tag TIFFTAG_DATETIME says 2026-11-20; its file name is believed"
    stored = Reason.from_json(str(remark), remark.to_json())
    assert translate(stored, "zh") == "影像标签（TIFFTAG_DATETIME）所记日期为 2026-11-20，以文件名为准"
    assert translate(describe_source("folder name"), "zh") == "文件夹名"


def test_days_of_a_text_are_listed_once_in_their_order() -> None:
    text = "2024-05-03 and 20231105, again 2023年11月5日"
    assert days_in(text, TODAY) == [day("2024-05-03"), day("2023-11-05")]


def test_a_scene_has_a_date(save: Callable[..., Path], noise: NDArray[np.uint8], utm50: dict[str, Any]) -> None:
    path = save("20200101.tif", noise, tags={"TIFFTAG_DATETIME": "2023:04:17 10:11:12"}, **utm50)
    with open_scene(path, today=TODAY) as scene:
        assert (scene.date, scene.date_source) == (dt.date(2020, 1, 1), "file name")
    with open_scene(path, today=TODAY, name="a.tif") as scene:
        assert (scene.date, scene.date_source) == (TAKEN, "tag TIFFTAG_DATETIME")
    with open_scene(path, date=dt.date(2019, 5, 5)) as scene:
        assert (scene.date, scene.date_source) == (dt.date(2019, 5, 5), "given")
