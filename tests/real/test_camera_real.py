"""A fixed camera over a real construction site: one yard is one alert, and vehicles are no works."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from imagery.cameras.camera import Capture
from imagery.cameras.quality_check import check_quality
from store.schema.tables import AlertRow, Delivery, Observation
from tests.real.camera_play import HEIGHT, START, WIDTH, CameraService, lit, real_frames

pytestmark = [pytest.mark.real, pytest.mark.slow]

YARD_M2 = 909
"""Ground of the second stage that a comparison with captures before the works shows."""

BESIDE = (150, 262)
"""Where a truck parks, in the frame."""


def _event_kinds(service: CameraService) -> list[str]:
    return [row.event["type"].removeprefix("tuban.alert.") for row in service.rows(Delivery) if row.target == "drop"]


def test_growing_works_are_one_alert_and_a_truck_that_parks_for_a_day_is_none(
    tmp_path: Path, real_imagery: Path
) -> None:
    service = CameraService(tmp_path, real_frames(real_imagery))
    for half_day in range(1, 26):
        days = half_day // 2 + (half_day % 2) / 6  # at 10 and 14 o'clock
        stage = 0 if days < 4 else 1 if days < 8 else 2
        service.capture(days, stage, BESIDE if 2 <= days < 3.1 else None)
    [alert] = service.rows(AlertRow)
    first, *_, last = service.rows(Observation)
    assert alert.state == "new"
    assert alert.area_m2 == pytest.approx(YARD_M2, rel=0.1)
    assert 0 < alert.area_error_m2 < 0.25 * alert.area_m2
    assert alert.position_error is not None
    assert first.area_m2 < 0.5 * last.area_m2
    assert alert.seen == 2
    assert first.before_date == last.before_date == alert.not_yet_on  # both against the ground before the works


def test_a_truck_that_leaves_after_days_is_transient_and_later_works_are_not_of_its_kind(
    tmp_path: Path, real_imagery: Path
) -> None:
    service = CameraService(tmp_path, real_frames(real_imagery))
    parked = (262, 268)  # where the works begin later
    for day in range(1, 9):
        service.capture(day, 0, parked if day >= 3 else None)
    [truck] = service.rows(AlertRow)
    for day in range(9, 14):
        service.capture(day, 0, None)
    [gone] = service.rows(AlertRow)
    assert (gone.id, gone.state) == (truck.id, "transient")
    assert gone.there_on < gone.gone_on
    assert {"before", "after", "gone"} <= set(gone.evidence)
    for day in range(14, 19):
        service.capture(day, 2, None)
    print([(a.number, a.kind, a.state, a.area_m2, a.not_yet_on, a.there_on, a.gone_on) for a in service.rows(AlertRow)])
    print([(o.alert_id, o.kind, o.area_m2, o.before_date, o.after_date) for o in service.rows(Observation)])
    [works] = [alert for alert in service.rows(AlertRow) if alert.state != "transient"]
    assert works.not_yet_on >= gone.gone_on
    assert works.kind == service.rows(Observation)[-1].kind
    assert works.area_m2 == pytest.approx(YARD_M2, rel=0.15)


def test_a_large_true_change_is_no_motion_of_the_camera_and_a_shift_is(real_imagery: Path) -> None:
    frames = real_frames(real_imagery)
    for seed in range(4):
        later = lit(frames.after.astype(np.float32), 9 + 2 * seed, np.random.default_rng(seed))
        for frame, expected in ((later, []), (_shifted(later), ["moved"])):
            quality = check_quality(Capture(frame, START), frames.before).quality
            assert quality is not None
            assert [fault.code for fault in quality.faults] == expected


def _shifted(frame: np.ndarray) -> np.ndarray:
    by = np.array([[1, 0, 30], [0, 1, 4]], np.float32)
    return np.asarray(cv2.warpAffine(frame, by, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT_101), np.uint8)
