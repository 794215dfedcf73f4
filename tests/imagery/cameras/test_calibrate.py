"""Control points give the plane they came from, tell how well it is known, and are refused where they cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from shapely.geometry import Polygon, box

from errors import ControlPointError
from imagery.cameras.calibration import calibrate
from imagery.cameras.camera import Calibration, Preset
from imagery.cameras.georeferencing import area_m2, error_at, lonlat, projected, watched, worst_error
from tests.imagery.cameras.view import SIZE, SPREAD, degrees_of, metres_of, pixel_of, point

PRESET = Preset("valley", (), (), 400.0, SIZE)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrate([point(*place) for place in SPREAD], SIZE)


def test_exact_points_give_exact_ground(calibration: Calibration) -> None:
    assert calibration.crs == "EPSG:4526"
    assert calibration.rms_m < 1e-6
    assert calibration.warnings == ()
    for east, north in [(0.0, 100.0), (-50.0, 300.0), (80.0, 200.0)]:
        there = lonlat(calibration, PRESET, pixel_of(east, north))
        assert there is not None
        assert np.allclose(metres_of(*there), (east, north), atol=1e-4)


def test_four_points_are_enough_and_a_fifth_is_asked_for() -> None:
    four = calibrate([point(*place) for place in SPREAD[:4]], SIZE)
    assert four.rms_m < 1e-6
    assert any("fifth" in warning for warning in four.warnings)


def test_beyond_horizon_and_range_there_is_no_ground(calibration: Calibration) -> None:
    horizon = SIZE[1] / 2 - 1000 * np.tan(np.radians(12))
    assert lonlat(calibration, PRESET, (640, horizon - 5)) is None
    assert lonlat(calibration, PRESET, (640, horizon + 5)) is None  # 6 km away
    near = metres_of(*lonlat(calibration, PRESET, (640, 719.9)))  # type: ignore[misc]
    assert lonlat(calibration, PRESET, pixel_of(0, near[1] + 399)) is not None
    assert lonlat(calibration, PRESET, pixel_of(0, near[1] + 401)) is None


def test_what_is_watched_is_the_region_within_the_range(calibration: Calibration) -> None:
    region = ((300.0, 300.0), (900.0, 300.0), (900.0, 700.0), (300.0, 700.0))
    mask = watched(calibration, replace(PRESET, region=region, range_m=120.0))
    assert mask[600, 500]
    assert not mask[600, 200]  # beside the region
    assert not mask[310, 500]  # too far
    assert not watched(calibration, PRESET)[:140].any()  # the sky


def test_an_outline_has_its_true_area_and_place(calibration: Calibration) -> None:
    corners = [(-20.0, 140.0), (20.0, 140.0), (20.0, 170.0), (-20.0, 170.0)]
    ground = projected(calibration, Polygon([pixel_of(*corner) for corner in corners]))
    assert area_m2(ground) == pytest.approx(1200, rel=1e-3)
    assert ground.symmetric_difference(Polygon([degrees_of(*c) for c in corners])).area < 1e-3 * ground.area
    assert ground.exterior.is_ccw


def test_the_error_grows_with_the_distance_along_the_view(calibration: Calibration) -> None:
    errors = [error_at(calibration, pixel_of(0, north)) for north in (90, 180, 360)]
    assert errors[0].major_m < errors[1].major_m < errors[2].major_m
    assert all(e.direction_deg == pytest.approx(0, abs=4) or e.direction_deg > 176 for e in errors)  # the view is north
    assert errors[2].major_m > 2 * errors[2].minor_m


def test_the_ellipse_tells_the_true_error() -> None:
    """Clicks with a known error: two thirds of all true positions must lie within 1.5 standard deviations (67.5%)."""
    rng = np.random.default_rng(4)
    inside, at = [], (10.0, 200.0)
    for _ in range(150):
        noisy = [point(*place, *rng.normal(0, 1.5, 2)) for place in SPREAD]
        noisy = [
            replace(p, lon=p.lon + rng.normal(0, 0.7) / 95_500, lat=p.lat + rng.normal(0, 0.7) / 110_900) for p in noisy
        ]
        fitted = calibrate(noisy, SIZE)
        x, y = pixel_of(*at)
        pixel = (x + rng.normal(0, 1.5), y + rng.normal(0, 1.5))
        off = np.subtract(metres_of(*lonlat(fitted, PRESET, pixel)), at)  # type: ignore[misc]
        ellipse = error_at(fitted, pixel)
        turn = np.radians(ellipse.direction_deg)
        along, across = off @ (np.sin(turn), np.cos(turn)), off @ (np.cos(turn), -np.sin(turn))
        inside.append((along / ellipse.major_m) ** 2 + (across / ellipse.minor_m) ** 2 < 1.5**2)
    assert 0.60 < np.mean(inside) < 0.80


def test_an_outline_is_as_uncertain_as_its_worst_corner(calibration: Calibration) -> None:
    corners = [pixel_of(*c) for c in [(-20.0, 140.0), (20.0, 140.0), (20.0, 300.0)]]
    assert worst_error(calibration, Polygon(corners)) == error_at(calibration, corners[2])


def test_a_point_that_is_wrong_is_named_with_its_distance() -> None:
    points = [point(*place) for place in SPREAD]
    points[3] = replace(points[3], lon=points[3].lon + 40 / 95_500)
    calibration = calibrate(points, SIZE)
    assert calibration.warnings[0].startswith("Point 4 lies 40 m")
    clean = calibrate([point(*place) for place in SPREAD], SIZE)
    assert error_at(calibration, (640, 400)).major_m > 3 * error_at(clean, (640, 400)).major_m


def test_residuals_are_told_for_each_point_in_metres() -> None:
    points = [point(*place) for place in SPREAD]
    points[6] = replace(points[6], lat=points[6].lat + 3 / 110_900)
    residuals = calibrate(points, SIZE).residuals
    assert len(residuals) == len(points)
    assert max(range(7), key=lambda k: residuals[k].metres) == 6
    assert 1 < residuals[6].metres < 3
    assert residuals[6].north_m > 0


GOOD = [point(*place) for place in SPREAD[:4]]


@pytest.mark.parametrize(
    ("points", "says", "at_fault"),
    [
        (GOOD[:3], "3 control points", None),
        ([*GOOD, GOOD[1]], "Points 2 and 5 are the same", 4),
        ([point(k * 10.0, 80.0 + 20 * k) for k in range(5)], "one line", None),
        ([*(point(k * 10.0, 80.0 + 20 * k) for k in range(3)), point(-40, 100)], "All points but number 4", None),
        ([*GOOD[:2], replace(GOOD[2], lon=GOOD[2].lat, lat=GOOD[2].lon), GOOD[3]], "point 3 are exchanged", 2),
        ([replace(p, lon=p.lat, lat=p.lon) for p in GOOD], "exchanged", 0),
        ([*GOOD[:3], replace(GOOD[3], lon=2.35, lat=48.86)], "outside of China", 3),
        ([*GOOD[:3], replace(GOOD[3], x=1300.0)], "outside of the frame", 3),
        ([*GOOD[:3], replace(GOOD[3], lat=float("nan"))], "no number", 3),
        (
            [replace(GOOD[0], x=GOOD[1].x, y=GOOD[1].y), replace(GOOD[1], x=GOOD[0].x, y=GOOD[0].y), *GOOD[2:]],
            "No camera above the ground",
            None,
        ),
    ],
)
def test_unusable_points_are_refused(points: list[object], says: str, at_fault: int | None) -> None:
    with pytest.raises(ControlPointError, match=says) as refused:
        calibrate(points, SIZE)  # type: ignore[arg-type]
    assert refused.value.point == at_fault


def test_points_far_from_the_area_are_refused_and_exchanged_ones_still_told() -> None:
    lon, lat = degrees_of(0, 0)
    calibrate(GOOD, SIZE, box(lon - 0.1, lat - 0.1, lon + 0.1, lat + 0.1))
    with pytest.raises(ControlPointError, match="the area that this installation watches"):
        calibrate(GOOD, SIZE, box(lon + 1, lat, lon + 2, lat + 1))
