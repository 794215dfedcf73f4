"""A rendered flight with known truth: what errs by metres lies right to decimetres when it was placed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from imagery import Limits, open_scene
from imagery.drone.check import check_photo
from imagery.drone.collinearity import Pose, to_ground
from imagery.drone.ground import Frame, Ground
from imagery.drone.mosaic import write_mosaic
from imagery.drone.photo import Photo
from imagery.drone.place import PlacedFlight, place_flight
from imagery.drone.settings import drone_settings
from imagery.drone.start import positions, start_poses
from inference.align_photo import register_photo
from tests.imagery.drone.conftest import CAMERA, SPEC, Flown

TODAY = dt.date(2026, 11, 20)


def read(paths: list[Path]) -> list[Photo]:
    return [check_photo(path, path.name, drone_settings(), limits=Limits(), today=TODAY) for path in paths]


def errors(flown: Flown, photos: list[Photo], poses: list[Pose]) -> NDArray[np.float64]:
    """Metres by which ground all over the photos lies off, n×25."""
    probes = CAMERA.probes()
    return np.array(
        [
            np.hypot(*(to_ground(pose, photo.lens, probes, Ground(0.0)) - CAMERA.ground(station, probes)).T)
            for photo, pose, station in zip(photos, poses, flown.stations, strict=True)
        ]
    )


@pytest.fixture(scope="module")
def placed(flown: Flown, tmp_path_factory: pytest.TempPathFactory) -> PlacedFlight:
    """By neighbours, and by the image of half a year before."""
    with open_scene(flown.earlier) as reference:
        return place_flight(
            read(flown.photos),
            drone_settings(),
            tmp_path_factory.mktemp("placed"),
            reference=reference,
            register=register_photo,
        )


def test_photos_lie_where_they_belong_after_they_were_placed(flown: Flown, placed: PlacedFlight) -> None:
    photos = read(flown.photos)
    frame = Frame.at(photos[0].longitude, photos[0].latitude)
    assert frame.crs.to_epsg() == 4547  # the scene's own: CGCS2000, central meridian 114°
    start = start_poses(photos, positions(photos, frame), [], frame, Ground(0.0))
    by_sensors = errors(flown, photos, start.poses)
    after = errors(flown, [one.photo for one in placed.photos], [one.pose for one in placed.photos])
    assert np.median(by_sensors) > 2.5
    assert np.median(after) < 0.3
    assert after.max() < 1.0
    assert {one.tied for one in placed.photos} == {"reference"}
    assert all(one.error_m < 1.0 for one in placed.photos)


def test_without_a_reference_neighbours_agree_and_their_common_error_is_told(flown: Flown, tmp_path: Path) -> None:
    flight = place_flight(read(flown.photos), drone_settings(), tmp_path)
    for one in flight.photos:
        assert one.tied == "neighbours"
        assert one.residual_m is not None
        assert one.before_m is not None
        assert one.residual_m < 0.15 < 2.0 < one.before_m
        assert one.error_m > 3.0  # of the satellites, which no neighbour can tell


def test_the_mosaic_shows_the_ground_of_that_day(flown: Flown, placed: PlacedFlight, tmp_path: Path) -> None:
    out = tmp_path / "mosaic.tif"
    mosaic = write_mosaic(placed, out, SPEC.gsd_m, dt.date(2025, 10, 26))
    with rasterio.open(out) as image:
        assert (image.width, image.height) == (mosaic.width, mosaic.height)
        assert image.tags()["ACQUISITIONDATE"] == "2025-10-26"
        seen, valid = np.moveaxis(image.read(), 0, -1).astype(float), image.read_masks(1) > 0
        column, row = ~SPEC.transform @ (image.transform @ (0.5, 0.5))
    assert 0.5 < valid.mean() < 1.0
    top, left = round(row), round(column)
    rows, columns = np.nonzero(valid)
    inside = (rows + top >= 0) & (columns + left >= 0) & (rows + top < SPEC.height) & (columns + left < SPEC.width)
    rows, columns = rows[inside], columns[inside]
    true = flown.image[rows + top, columns + left].astype(float)
    apart = np.abs(seen[rows, columns] - true).mean()
    shifted = np.abs(seen[rows, columns] - flown.image[(rows + top + 8) % SPEC.height, columns + left]).mean()
    assert apart < 0.6 * shifted


def test_a_lone_photo_is_placed_coarsely_and_above_the_limit_left_out(flown: Flown, tmp_path: Path) -> None:
    photo = read(flown.photos[:1])
    (alone,) = place_flight(photo, drone_settings(), tmp_path).photos
    assert alone.tied == "nothing"
    assert not alone.left_out
    strict = drone_settings().model_copy(update={"coarse_limit_m": 1.0})
    (alone,) = place_flight(photo, strict, tmp_path).photos
    assert "above the limit of 1 m" in alone.left_out
