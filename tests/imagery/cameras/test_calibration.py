"""Calibration reproduces the homography of exact control points, estimates its error and rejects unusable points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from shapely.geometry import Polygon, box

from errors import ControlPointError
from imagery.cameras.calibration import calibrate
from imagery.cameras.camera import Calibration, Preset
from imagery.cameras.georeferencing import (
    area_m2,
    error_at,
    pixel_to_lonlat,
    project_outline,
    watched_mask,
    worst_error,
)
from tests.imagery.cameras.known_camera import (
    SIZE,
    SPREAD_POINTS,
    control_point,
    ground_to_lonlat,
    ground_to_pixel,
    lonlat_to_ground,
)

PRESET = Preset("valley", (), (), 400.0, SIZE)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return calibrate([control_point(*place) for place in SPREAD_POINTS], SIZE)


def test_exact_points_give_exact_positions(calibration: Calibration) -> None:
    assert calibration.crs == "EPSG:4526"
    assert calibration.rms_m < 1e-6
    assert calibration.warnings == ()
    for east, north in [(0.0, 100.0), (-50.0, 300.0), (80.0, 200.0)]:
        position = pixel_to_lonlat(calibration, PRESET, ground_to_pixel(east, north))
        assert position is not None
        assert np.allclose(lonlat_to_ground(*position), (east, north), atol=1e-4)


def test_four_points_suffice_with_a_warning_to_add_a_fifth() -> None:
    four = calibrate([control_point(*place) for place in SPREAD_POINTS[:4]], SIZE)
    assert four.rms_m < 1e-6
    assert any("fifth" in warning for warning in four.warnings)


def test_pixels_beyond_horizon_or_range_have_no_position(calibration: Calibration) -> None:
    horizon = SIZE[1] / 2 - 1000 * np.tan(np.radians(12))
    assert pixel_to_lonlat(calibration, PRESET, (640, horizon - 5)) is None
    assert pixel_to_lonlat(calibration, PRESET, (640, horizon + 5)) is None  # 6 km away
    near = lonlat_to_ground(*pixel_to_lonlat(calibration, PRESET, (640, 719.9)))  # type: ignore[misc]
    assert pixel_to_lonlat(calibration, PRESET, ground_to_pixel(0, near[1] + 399)) is not None
    assert pixel_to_lonlat(calibration, PRESET, ground_to_pixel(0, near[1] + 401)) is None


def test_watched_mask_is_the_region_within_the_range(calibration: Calibration) -> None:
    region = ((300.0, 300.0), (900.0, 300.0), (900.0, 700.0), (300.0, 700.0))
    mask = watched_mask(calibration, replace(PRESET, region=region, range_m=120.0))
    assert mask[600, 500]
    assert not mask[600, 200]  # beside the region
    assert not mask[310, 500]  # too far
    assert not watched_mask(calibration, PRESET)[:140].any()  # the sky


def test_projected_outline_has_its_true_area_and_position(calibration: Calibration) -> None:
    corners = [(-20.0, 140.0), (20.0, 140.0), (20.0, 170.0), (-20.0, 170.0)]
    ground = project_outline(calibration, Polygon([ground_to_pixel(*corner) for corner in corners]))
    assert area_m2(ground) == pytest.approx(1200, rel=1e-3)
    assert ground.symmetric_difference(Polygon([ground_to_lonlat(*c) for c in corners])).area < 1e-3 * ground.area
    assert ground.exterior.is_ccw


def test_error_grows_with_distance_along_the_view(calibration: Calibration) -> None:
    errors = [error_at(calibration, ground_to_pixel(0, north)) for north in (90, 180, 360)]
    assert errors[0].major_m < errors[1].major_m < errors[2].major_m
    assert all(e.direction_deg == pytest.approx(0, abs=4) or e.direction_deg > 176 for e in errors)  # the view is north
    assert errors[2].major_m > 2 * errors[2].minor_m


def test_error_ellipse_covers_the_true_error() -> None:
    """With known click errors, two thirds of the true positions are within 1.5 standard deviations (67.5%)."""
    rng = np.random.default_rng(4)
    inside, position = [], (10.0, 200.0)
    for _ in range(150):
        noisy = [control_point(*place, *rng.normal(0, 1.5, 2)) for place in SPREAD_POINTS]
        noisy = [
            replace(p, lon=p.lon + rng.normal(0, 0.7) / 95_500, lat=p.lat + rng.normal(0, 0.7) / 110_900) for p in noisy
        ]
        fitted = calibrate(noisy, SIZE)
        x, y = ground_to_pixel(*position)
        pixel = (x + rng.normal(0, 1.5), y + rng.normal(0, 1.5))
        offset = np.subtract(lonlat_to_ground(*pixel_to_lonlat(fitted, PRESET, pixel)), position)  # type: ignore[misc]
        ellipse = error_at(fitted, pixel)
        direction = np.radians(ellipse.direction_deg)
        along = offset @ (np.sin(direction), np.cos(direction))
        across = offset @ (np.cos(direction), -np.sin(direction))
        inside.append((along / ellipse.major_m) ** 2 + (across / ellipse.minor_m) ** 2 < 1.5**2)
    assert 0.60 < np.mean(inside) < 0.80


def test_worst_error_is_that_of_the_most_uncertain_corner(calibration: Calibration) -> None:
    corners = [ground_to_pixel(*c) for c in [(-20.0, 140.0), (20.0, 140.0), (20.0, 300.0)]]
    assert worst_error(calibration, Polygon(corners)) == error_at(calibration, corners[2])


def test_outlier_is_named_with_its_distance() -> None:
    points = [control_point(*place) for place in SPREAD_POINTS]
    points[3] = replace(points[3], lon=points[3].lon + 40 / 95_500)
    calibration = calibrate(points, SIZE)
    assert calibration.warnings[0].startswith("Point 4 lies 40 m")
    clean = calibrate([control_point(*place) for place in SPREAD_POINTS], SIZE)
    assert error_at(calibration, (640, 400)).major_m > 3 * error_at(clean, (640, 400)).major_m


def test_residuals_are_given_for_each_point_in_metres() -> None:
    points = [control_point(*place) for place in SPREAD_POINTS]
    points[6] = replace(points[6], lat=points[6].lat + 3 / 110_900)
    residuals = calibrate(points, SIZE).residuals
    assert len(residuals) == len(points)
    assert max(range(7), key=lambda k: residuals[k].metres) == 6
    assert 1 < residuals[6].metres < 3
    assert residuals[6].north_m > 0


GOOD = [control_point(*place) for place in SPREAD_POINTS[:4]]


@pytest.mark.parametrize(
    ("points", "message", "faulty_point"),
    [
        (GOOD[:3], "3 control points", None),
        ([*GOOD, GOOD[1]], "Points 2 and 5 are the same", 4),
        ([control_point(k * 10.0, 80.0 + 20 * k) for k in range(5)], "one line", None),
        (
            [*(control_point(k * 10.0, 80.0 + 20 * k) for k in range(3)), control_point(-40, 100)],
            "All points but number 4",
            None,
        ),
        ([*GOOD[:2], replace(GOOD[2], lon=GOOD[2].lat, lat=GOOD[2].lon), GOOD[3]], "point 3 are exchanged", 2),
        ([replace(p, lon=p.lat, lat=p.lon) for p in GOOD], "exchanged", 0),
        ([*GOOD[:3], replace(GOOD[3], lon=2.35, lat=48.86)], "outside of China", 3),
        ([*GOOD[:3], replace(GOOD[3], x=1300.0)], "outside of the frame", 3),
        ([*GOOD[:3], replace(GOOD[3], lat=float("nan"))], "not a number", 3),
        (
            [replace(GOOD[0], x=GOOD[1].x, y=GOOD[1].y), replace(GOOD[1], x=GOOD[0].x, y=GOOD[0].y), *GOOD[2:]],
            "No camera above the ground",
            None,
        ),
    ],
)
def test_unusable_points_are_rejected(points: list[object], message: str, faulty_point: int | None) -> None:
    with pytest.raises(ControlPointError, match=message) as raised:
        calibrate(points, SIZE)  # type: ignore[arg-type]
    assert raised.value.point == faulty_point


def test_points_outside_the_area_are_rejected() -> None:
    lon, lat = ground_to_lonlat(0, 0)
    calibrate(GOOD, SIZE, box(lon - 0.1, lat - 0.1, lon + 0.1, lat + 0.1))
    with pytest.raises(ControlPointError, match="the area that this installation watches"):
        calibrate(GOOD, SIZE, box(lon + 1, lat, lon + 2, lat + 1))
