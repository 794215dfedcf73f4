"""Findings are checked field by field, and a photo's record is doubted only for a reason."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from shapely import box

from enforcement.field_check.form import InvalidFindings, read_field_form
from enforcement.field_check.photo_record import (
    ExifValues,
    PhotoRecord,
    RecordLimits,
    distance_to_outline_m,
    doubts_about,
)

TODAY = dt.date(2026, 11, 29)
FINDINGS = {
    "finding": "suspected",
    "works": "built",
    "use": "housing",
    "party": "张三",
    "area_mu": 2,
    "cultivated_mu": 1,
}
NOON = dt.datetime(2026, 11, 29, 12, tzinfo=dt.timezone(dt.timedelta(hours=8)))
LIMITS = RecordLimits(accuracy_m=30, distance_m=100, fix_age_s=60, clock_s=300, exif_m=200)
OUTLINE = box(113.0, 31.0, 113.001, 31.001)


def test_valid_findings_are_normalised_and_hidden_fields_left_out() -> None:
    hidden = {"notice": False, "notice_number": "12", "remarks": " "}
    assert read_field_form().check(FINDINGS | hidden, TODAY) == FINDINGS | {"notice": False}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"works": None}, "field.missing"),
        ({"works": "flying"}, "field.expected_choice"),
        ({"area_mu": -1}, "field.expected_number"),
        ({"area_mu": float("nan")}, "field.expected_number"),
        ({"cultivated_mu": 3}, "field.more_than_whole"),
        ({"began_on": "2026-11-30"}, "field.expected_date"),
        ({"began_on": "yesterday"}, "field.expected_date"),
        ({"party": "x" * 1001}, "field.expected_text"),
        ({"notice": True}, "field.missing"),
        ({"colour": "red"}, "field.unknown_field"),
    ],
)
def test_an_invalid_field_is_named(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidFindings) as error:
        read_field_form().check(FINDINGS | changes, TODAY)
    assert error.value.reason.code == code


def _doubts(exif: ExifValues = ExifValues(), offset: float | None = 0.0, **changes: Any) -> list[str]:  # noqa: B008
    values = {"shot": "far", "source": "camera", "lon": 113.0005, "lat": 31.0005, "accuracy_m": 5, "fix_age_s": 1}
    record = PhotoRecord.model_validate(values | {"device_time": NOON} | changes)
    return [doubt.code for doubt in doubts_about(record, exif, OUTLINE, LIMITS, offset, NOON.tzinfo or dt.UTC)]


def test_only_what_speaks_against_a_photo_is_noted() -> None:
    noon = NOON.replace(tzinfo=None)
    assert _doubts() == []
    assert _doubts(ExifValues(113.0006, 31.0005, noon)) == []
    assert _doubts(lon=None, lat=None) == ["field.no_position"]
    assert _doubts(accuracy_m=3000) == ["field.inaccurate"]
    assert _doubts(lon=113.01) == ["field.far_away"]
    assert _doubts(fix_age_s=-90) == ["field.old_fix"]
    assert _doubts(offset=86400) == ["field.clock_off"]
    assert _doubts(ExifValues(113.02, 31.0005)) == ["field.exif_place"]
    assert _doubts(ExifValues(time=noon + dt.timedelta(hours=3))) == ["field.exif_time"]
    old = ExifValues(113.02, 31.0005, noon - dt.timedelta(days=9))
    assert _doubts(old, source="gallery", fix_age_s=9e5) == []


def test_the_time_of_a_photo_is_corrected_by_the_offset_of_the_clock() -> None:
    values = {"shot": "far", "source": "camera", "device_time": NOON, "clock_offset_s": -60}
    record = PhotoRecord.model_validate(values)
    assert record.taken_at(3600) == NOON + dt.timedelta(hours=1)
    assert record.taken_at(None) == NOON - dt.timedelta(minutes=1)
    beyond = PhotoRecord.model_validate(values | {"device_time": "9999-12-31T23:59:59Z"})
    assert beyond.taken_at(1e8).year == 9999


def test_distance_is_in_metres_on_the_ground() -> None:
    assert distance_to_outline_m(OUTLINE, 113.0005, 31.0005) == 0
    assert distance_to_outline_m(OUTLINE, 113.002, 31.0005) == pytest.approx(95.4, rel=0.01)
