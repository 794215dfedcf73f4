"""What is built before a camera is reported once it lasts; what passes, turns or shines is not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from shapely.ops import unary_union

from benchmarks.cameras import calibrated
from imagery.cameras.calibration import calibrate
from imagery.cameras.camera import Calibration, Capture, Comparison, Frame, Preset
from imagery.cameras.illumination import measure_light
from imagery.cameras.quality_check import judge
from imagery.cameras.settings import CompareSettings
from inference.cameras.compare import compare
from tests.imagery.cameras.test_gate import COLUMNS, REFERENCE, ROWS, SCENE, shot
from tests.imagery.cameras.view import SIZE, SPREAD, metres_of, point
from training.synthetic.camera_frames import build_camera_scene, capture_schedule, render_frame

START = dt.datetime(2026, 5, 4, 9, tzinfo=dt.timezone(dt.timedelta(hours=8)))
SETTINGS = CompareSettings()
SCALE = COLUMNS / SIZE[0]
PRESET = Preset("valley", (), (), 250.0, (COLUMNS, ROWS))

Paint = Callable[[np.ndarray, int], None]


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    points = [point(*place) for place in SPREAD]
    return calibrate([replace(p, x=p.x * SCALE, y=p.y * SCALE) for p in points], (COLUMNS, ROWS))


@cache
def captures(paint: Paint, hours: tuple[float, ...]) -> list[Capture]:
    """One capture at each of the hours from the start on; ``paint`` changes the scene of a number."""
    made = []
    for number, hour in enumerate(hours):
        seen = SCENE.copy()
        paint(seen, number)
        at = START + dt.timedelta(hours=hour)
        made.append(judge(Capture(shot(seen, 1.0, 20 + number), at), REFERENCE))
        assert made[-1].quality is not None
        assert made[-1].quality.usable
    return made


def shed(seen: np.ndarray, number: int) -> None:
    """A blue shed from the third capture on."""
    if number >= 3:
        seen[150:185, 200:260] = (0.10, 0.18, 0.45)


def cloud(seen: np.ndarray, number: int) -> None:
    """A shadow that is elsewhere each time, and a lorry that parks elsewhere each time."""
    seen[80:, 60 * (number % 6) : 60 * (number % 6) + 150] *= 0.75
    seen[200:220, 40 + 70 * (number % 6) : 80 + 70 * (number % 6)] = (0.8, 0.1, 0.1)


DAYS = (0.0, 24.0, 48.0, 72.0, 96.0, 120.0)


def found(paint: Paint, calibration: Calibration, hours: tuple[float, ...] = DAYS, **preset: object) -> Comparison:
    return compare(captures(paint, hours), replace(PRESET, **preset), calibration, SETTINGS)  # type: ignore[arg-type]


def test_what_lasts_is_reported_with_place_time_and_error(calibration: Calibration) -> None:
    answer = found(shed, calibration)
    (change,) = answer.changes
    middle = change.in_frame.centroid
    assert (middle.x, middle.y) == (pytest.approx(230, abs=4), pytest.approx(167, abs=4))
    assert 60 * 35 < change.in_frame.area < 76 * 51  # two cells wider at most: what is compared are neighbourhoods
    east, north = metres_of(change.outline.centroid.x, change.outline.centroid.y)
    assert abs(east) < 15
    assert 70 < north < 140
    assert change.outline.is_valid
    assert 0 < change.error.minor_m < change.error.major_m < 5
    assert (change.seen, change.first_seen, change.last_seen) == (
        3,
        START + dt.timedelta(hours=72),
        START + dt.timedelta(hours=120),
    )
    assert change.compared_with == START + dt.timedelta(hours=48)
    assert change.kind == "ground"  # without the network
    assert answer.watched_m2 > 10_000


def test_the_same_seen_once_more_is_compared_with_what_did_not_show_it(calibration: Calibration) -> None:
    (change,) = found(shed, calibration, (*DAYS, 144.0)).changes
    assert change.first_seen == START + dt.timedelta(hours=96)
    assert change.compared_with == START + dt.timedelta(hours=48)  # the capture of hour 72 shows it already


def test_what_passes_is_not(calibration: Calibration) -> None:
    answer = found(cloud, calibration)
    assert (answer.changes, answer.not_compared) == ((), "")


def test_what_is_there_in_one_capture_less_than_asked_for_is_not(calibration: Calibration) -> None:
    def late(seen: np.ndarray, number: int) -> None:
        shed(seen, number - 1)

    assert found(late, calibration).changes == ()


def test_a_day_must_lie_between(calibration: Calibration) -> None:
    answer = found(shed, calibration, (0, 1, 2, 3, 4, 5))
    assert answer.changes == ()
    assert "too close together" in answer.not_compared


def test_outside_of_region_and_range_nothing_is_reported(calibration: Calibration) -> None:
    beside = ((300.0, 100.0), (470.0, 100.0), (470.0, 260.0), (300.0, 260.0))
    assert found(shed, calibration, region=beside).changes == ()
    assert found(shed, calibration, range_m=15.0).changes == ()
    nowhere = ((300.0, 5.0), (470.0, 5.0), (470.0, 20.0))
    assert "No ground" in found(shed, calibration, region=nowhere).not_compared


def test_captures_that_are_unusable_or_of_another_light_are_not_compared(calibration: Calibration) -> None:
    history = captures(shed, DAYS)

    def dimmed(capture: Capture) -> Capture:
        frame: Frame = shot(SCENE, 0.15, 77)
        return replace(capture, frame=frame, light=measure_light(frame, capture.taken_at))

    other = [dimmed(capture) for capture in history[:3]] + history[3:]
    assert "like light" in compare(other, PRESET, calibration, SETTINGS).not_compared
    dark = [judge(replace(c, frame=(c.frame * 0.05).astype(np.uint8)), REFERENCE) for c in history[:3]] + history[3:]
    assert "3 usable captures" in compare(dark, PRESET, calibration, SETTINGS).not_compared
    assert "0 usable captures" in compare([], PRESET, calibration, SETTINGS).not_compared


def test_on_a_rendered_valley_the_sites_are_found_and_nothing_else() -> None:
    """Seed, weather, traffic, crane and clicks that no threshold was chosen by."""
    place = build_camera_scene(107, COLUMNS, ROWS, gsd=0.5)
    when = capture_schedule(107, 4, 5, include_unusable=False)
    reference = render_frame(place, replace(when[1], shake_deg=0.0, weather="clear"))
    history = [judge(Capture(render_frame(place, m), m.taken_at), reference) for m in when]
    calibration, preset = calibrated(place, np.random.default_rng(1))
    answer = compare(history, preset, calibration, SETTINGS)
    truth = unary_union([place.to_lonlat_polygon(area).buffer(0) for site in place.sites for area in site.area])
    assert answer.not_compared == ""
    assert answer.changes
    for change in answer.changes:
        assert change.outline.intersects(truth)
