"""A fixed camera over a real construction site: one yard is one alert, and vehicles are no works."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import cv2
import numpy as np
import pytest

from imagery.cameras.camera import Capture
from imagery.cameras.quality_check import check_quality
from store.schema.tables import AlertRow, Observation
from tests.real.camera_play import HEIGHT, START, WIDTH, CameraService, RealFrames, control_points, lit, real_frames

pytestmark = [pytest.mark.real, pytest.mark.slow]

YARD_M2 = 909
"""Ground of the second stage that a comparison with captures before the works shows."""

BESIDE = (150, 262)
"""Where a truck parks, in the frame."""


class _Camera:
    """A camera before the yard, which shows it every other day."""

    def __init__(self, folder: Path, frames: RealFrames) -> None:
        self.frames = frames
        ground: list[tuple[float, float]] = [(0, 205), (WIDTH, 205), (WIDTH, HEIGHT), (0, HEIGHT)]
        self.service = CameraService(folder, frames.show(0, None, 0), control_points(), ground)

    def show(self, day: int, stage: int, truck: tuple[int, int] | None) -> None:
        self.service.take(self.frames.show(stage, truck, day), START + dt.timedelta(days=day))


def test_growing_works_are_one_alert_and_a_truck_that_parks_for_two_days_is_none(
    tmp_path: Path, real_imagery: Path
) -> None:
    camera = _Camera(tmp_path, real_frames(real_imagery))
    for day in range(2, 17, 2):
        stage = 0 if day < 6 else 1 if day < 12 else 2
        camera.show(day, stage, BESIDE if day < 6 else None)
    [alert] = camera.service.rows(AlertRow)
    first, *_, last = camera.service.rows(Observation)
    assert alert.state == "new"
    assert alert.area_m2 == pytest.approx(YARD_M2, rel=0.1)
    assert 0 < alert.area_error_m2 < 0.25 * alert.area_m2
    assert alert.position_error is not None
    assert first.area_m2 < 0.5 * last.area_m2
    assert alert.seen == 2
    built = START.date() + dt.timedelta(days=6)
    assert max(first.before_date, last.before_date) == alert.not_yet_on < built  # both against the ground before them


def test_a_truck_that_leaves_after_days_is_transient_and_later_works_are_not_of_its_kind(
    tmp_path: Path, real_imagery: Path
) -> None:
    camera = _Camera(tmp_path, real_frames(real_imagery))
    parked = (262, 268)  # where the works begin later
    for day in range(2, 9, 2):
        camera.show(day, 0, parked if day >= 4 else None)
    [truck] = camera.service.rows(AlertRow)
    for day in range(10, 15, 2):
        camera.show(day, 0, None)
    [gone] = camera.service.rows(AlertRow)
    assert (gone.id, gone.state) == (truck.id, "transient")
    assert gone.there_on < gone.gone_on
    assert {"before", "after", "gone"} <= set(gone.evidence)
    for day in range(16, 21, 2):
        camera.show(day, 2, None)
    [works] = [alert for alert in camera.service.rows(AlertRow) if alert.state != "transient"]
    assert works.not_yet_on >= gone.gone_on
    assert works.kind == camera.service.rows(Observation)[-1].kind
    assert works.area_m2 == pytest.approx(YARD_M2, rel=0.15)


def test_a_large_true_change_is_no_motion_of_the_camera_and_a_shift_is(real_imagery: Path) -> None:
    frames = real_frames(real_imagery)
    for seed in range(2):
        later = lit(frames.after.astype(np.float32), 9 + 2 * seed, np.random.default_rng(seed))
        for frame, expected in ((later, []), (_shifted(later), ["moved"])):
            quality = check_quality(Capture(frame, START), frames.before).quality
            assert quality is not None
            assert [fault.code for fault in quality.faults] == expected


def _shifted(frame: np.ndarray) -> np.ndarray:
    by = np.array([[1, 0, 30], [0, 1, 4]], np.float32)
    return np.asarray(cv2.warpAffine(frame, by, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT_101), np.uint8)
