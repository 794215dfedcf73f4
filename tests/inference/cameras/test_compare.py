"""Persistent construction in a camera's view is reported; moving objects and changes of light are not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from shapely.ops import unary_union

from benchmarks.cameras import click_control_points
from imagery.cameras.calibration import calibrate
from imagery.cameras.camera import Calibration, Capture, Comparison, Frame, Preset, StandingWorks
from imagery.cameras.illumination import measure_light
from imagery.cameras.quality_check import check_quality
from imagery.cameras.settings import CompareSettings
from inference.cameras.compare import compare_captures
from tests.imagery.cameras.known_camera import SIZE, SPREAD_POINTS, control_point, lonlat_to_ground
from tests.imagery.cameras.test_quality_check import COLUMNS, REFERENCE, ROWS, SCENE, photograph
from training.synthetic.camera_frames import build_camera_scene, capture_schedule, render_frame

START = dt.datetime(2026, 5, 4, 9, tzinfo=dt.timezone(dt.timedelta(hours=8)))
SETTINGS = CompareSettings()
SCALE = COLUMNS / SIZE[0]
PRESET = Preset("valley", (), (), 250.0, (COLUMNS, ROWS))

Paint = Callable[[np.ndarray, int], None]


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    points = [control_point(*place) for place in SPREAD_POINTS]
    return calibrate([replace(p, x=p.x * SCALE, y=p.y * SCALE) for p in points], (COLUMNS, ROWS))


@cache
def captures(paint: Paint, hours: tuple[float, ...]) -> list[Capture]:
    """Captures at some hours after the start; ``paint`` modifies the scene of each."""
    checked = []
    for number, hour in enumerate(hours):
        reflectance = SCENE.copy()
        paint(reflectance, number)
        taken_at = START + dt.timedelta(hours=hour)
        checked.append(check_quality(Capture(photograph(reflectance, 1.0, 20 + number), taken_at), REFERENCE))
        assert checked[-1].quality is not None
        assert checked[-1].quality.usable
    return checked


def shed(reflectance: np.ndarray, number: int) -> None:
    """A blue shed from the fourth capture on."""
    if number >= 3:
        reflectance[150:185, 200:260] = (0.10, 0.18, 0.45)


def cloud(reflectance: np.ndarray, number: int) -> None:
    """A cloud shadow and a parked lorry at a different place in each capture."""
    reflectance[80:, 60 * (number % 6) : 60 * (number % 6) + 150] *= 0.75
    reflectance[200:220, 40 + 70 * (number % 6) : 80 + 70 * (number % 6)] = (0.8, 0.1, 0.1)


DAYS = (0.0, 24.0, 48.0, 72.0, 96.0, 120.0)


def comparison(paint: Paint, calibration: Calibration, hours: tuple[float, ...] = DAYS, **preset: object) -> Comparison:
    return compare_captures(captures(paint, hours), replace(PRESET, **preset), calibration, SETTINGS)  # type: ignore[arg-type]


def test_persistent_change_is_reported_with_position_time_and_error(calibration: Calibration) -> None:
    result = comparison(shed, calibration)
    (change,) = result.changes
    middle = change.in_frame.centroid
    assert (middle.x, middle.y) == (pytest.approx(230, abs=4), pytest.approx(167, abs=4))
    assert 60 * 35 < change.in_frame.area < 76 * 51  # up to two cells wider, because neighbourhoods are compared
    east, north = lonlat_to_ground(change.outline.centroid.x, change.outline.centroid.y)
    assert abs(east) < 15
    assert 70 < north < 140
    assert change.outline.is_valid
    assert 0 < change.error.minor_m < change.error.major_m < 5
    assert (change.capture_count, change.first_seen, change.last_seen) == (
        3,
        START + dt.timedelta(hours=72),
        START + dt.timedelta(hours=120),
    )
    assert change.compared_with == START + dt.timedelta(hours=48)
    assert change.kind == "ground"  # without the detector
    assert result.watched_m2 > 10_000


def test_later_capture_is_compared_with_one_that_does_not_show_the_change(calibration: Calibration) -> None:
    (change,) = comparison(shed, calibration, (*DAYS, 144.0)).changes
    assert change.first_seen == START + dt.timedelta(hours=96)
    assert change.compared_with == START + dt.timedelta(hours=48)  # the capture of hour 72 shows it already


def test_moving_objects_are_not_reported(calibration: Calibration) -> None:
    result = comparison(cloud, calibration)
    assert (result.changes, result.not_compared) == ((), "")


def grown_shed(reflectance: np.ndarray, number: int) -> None:
    """A shed from the fourth capture on, three times as wide from the seventh one on."""
    if number >= 3:
        reflectance[150:185, 200 : 260 if number < 6 else 380] = (0.10, 0.18, 0.45)


def parked_container(reflectance: np.ndarray, number: int) -> None:
    """A container from the fourth to the sixth capture."""
    if 3 <= number < 6:
        shed(reflectance, number)


DAYS_LATER = tuple(24.0 * day for day in range(10))


def reported(calibration: Calibration, history: list[Capture]) -> StandingWorks:
    """The works as they were reported from the first six captures."""
    (change,) = compare_captures(history[:6], PRESET, calibration, SETTINGS).changes
    return StandingWorks(7, change.in_frame, change.area_m2, tuple(history[:3]), change.last_seen)


def test_works_that_grew_are_reported_whole(calibration: Calibration) -> None:
    history = captures(grown_shed, DAYS_LATER)
    works = reported(calibration, history)
    (change,) = compare_captures(history, PRESET, calibration, SETTINGS, standing=[works]).changes
    assert (change.works, change.kind) == (7, "ground")
    assert change.area_m2 > 2 * works.area_m2
    assert change.in_frame.intersection(works.in_frame).area > 0.9 * works.in_frame.area
    assert change.compared_with <= START + dt.timedelta(hours=48)  # before the works, and not before their growth


def test_works_that_stand_as_they_were_are_not_reported_again(calibration: Calibration) -> None:
    history = captures(shed, DAYS_LATER)
    works = reported(calibration, history)
    assert compare_captures(history, PRESET, calibration, SETTINGS, standing=[works]).changes == ()


def test_reported_works_that_are_gone_are_a_demolition_and_others_nothing(calibration: Calibration) -> None:
    history = captures(parked_container, DAYS_LATER)
    works = reported(calibration, history)
    (change,) = compare_captures(history, PRESET, calibration, SETTINGS, standing=[works]).changes
    assert (change.works, change.kind, change.in_frame) == (7, "demolition", works.in_frame)
    assert change.compared_with == works.shown_at < change.first_seen
    assert compare_captures(history, PRESET, calibration, SETTINGS).changes == ()  # as before the container came


def test_change_in_too_few_captures_is_not_reported(calibration: Calibration) -> None:
    def late(reflectance: np.ndarray, number: int) -> None:
        shed(reflectance, number - 1)

    assert comparison(late, calibration).changes == ()


def test_captures_within_a_day_are_too_close_together(calibration: Calibration) -> None:
    result = comparison(shed, calibration, (0, 1, 2, 3, 4, 5))
    assert result.changes == ()
    assert "too close together" in result.not_compared


def test_nothing_is_reported_outside_of_region_and_range(calibration: Calibration) -> None:
    beside = ((300.0, 100.0), (470.0, 100.0), (470.0, 260.0), (300.0, 260.0))
    assert comparison(shed, calibration, region=beside).changes == ()
    assert comparison(shed, calibration, range_m=15.0).changes == ()
    nowhere = ((300.0, 5.0), (470.0, 5.0), (470.0, 20.0))
    assert "no ground in the region" in comparison(shed, calibration, region=nowhere).not_compared


def test_unusable_captures_and_those_in_other_light_are_not_compared(calibration: Calibration) -> None:
    history = captures(shed, DAYS)

    def dimmed(capture: Capture) -> Capture:
        frame: Frame = photograph(SCENE, 0.15, 77)
        return replace(capture, frame=frame, light=measure_light(frame, capture.taken_at))

    other = [dimmed(capture) for capture in history[:3]] + history[3:]
    assert "similar light" in compare_captures(other, PRESET, calibration, SETTINGS).not_compared
    dark = [
        check_quality(replace(c, frame=(c.frame * 0.05).astype(np.uint8)), REFERENCE) for c in history[:3]
    ] + history[3:]
    assert "3 usable captures" in compare_captures(dark, PRESET, calibration, SETTINGS).not_compared
    assert "0 usable captures" in compare_captures([], PRESET, calibration, SETTINGS).not_compared


def test_only_construction_sites_of_a_rendered_valley_are_reported() -> None:
    """Seed, weather, traffic, crane and clicks were not used to choose thresholds."""
    place = build_camera_scene(107, COLUMNS, ROWS, gsd=0.5)
    when = capture_schedule(107, 4, 5, include_unusable=False)
    reference = render_frame(place, replace(when[1], shake_deg=0.0, weather="clear"))
    history = [check_quality(Capture(render_frame(place, m), m.taken_at), reference) for m in when]
    calibration, preset = click_control_points(place, np.random.default_rng(1))
    result = compare_captures(history, preset, calibration, SETTINGS)
    truth = unary_union([place.to_lonlat_polygon(area).buffer(0) for site in place.sites for area in site.area])
    assert result.not_compared == ""
    assert result.changes
    for change in result.changes:
        assert change.outline.intersects(truth)
