"""A rendered flight with known truth: what errs by metres lies right to decimetres when it was placed."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from errors import ImageError
from imagery import Limits, open_scene
from imagery.drone.collinearity import Pose, to_ground
from imagery.drone.initial_poses import positions, start_poses
from imagery.drone.mosaic import write_mosaic
from imagery.drone.orientation import PlacedFlight, place_flight
from imagery.drone.photo import Photo
from imagery.drone.photo_check import check_photo
from imagery.drone.settings import drone_settings
from imagery.drone.terrain import Frame, Ground
from inference.registration.photo_registration import register_photo
from tests.imagery.drone.conftest import CAMERA, SPEC, Flown
from training.synthetic.flight import Plane, Station, Told, fly

TODAY = dt.date(2026, 11, 20)


def read(paths: list[Path]) -> list[Photo]:
    return [check_photo(path, path.name, drone_settings(), limits=Limits(), today=TODAY) for path in paths]


LEVEL: Plane = (0.0, 0.0, 0.0)


def errors(
    photos: list[Photo], poses: list[Pose], ground: Ground, stations: list[Station], plane: Plane = LEVEL
) -> NDArray[np.float64]:
    """Metres by which ground all over the photos lies off."""
    probes = CAMERA.probes()
    off = [
        to_ground(pose, photo.lens, probes, ground) - CAMERA.ground(station, probes, plane)
        for photo, pose, station in zip(photos, poses, stations, strict=True)
    ]
    return np.asarray(np.hypot(*np.concatenate(off).T))


def errors_of(flight: PlacedFlight, stations: list[Station], plane: Plane = LEVEL) -> NDArray[np.float64]:
    """The same of a flight that was placed."""
    photos, poses = [one.photo for one in flight.photos], [one.pose for one in flight.photos]
    return errors(photos, poses, flight.ground, stations, plane)


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
    by_sensors = errors(photos, start.poses, Ground(0.0), flown.stations)
    after = errors_of(placed, flown.stations)
    assert np.median(by_sensors) > 2.5
    assert np.median(after) < 0.3
    assert after.max() < 1.0
    assert {one.tied for one in placed.photos} == {"reference"}
    assert all(one.error_m < 1.0 for one in placed.photos)


RISE = (0.15, -0.1)


@pytest.fixture(scope="module")
def sloping(flown: Flown, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Plane]:
    """The same flight over the same place, which is a hillside."""
    first = flown.stations[0]
    plane = (*RISE, -RISE[0] * first.x - RISE[1] * first.y)
    folder = tmp_path_factory.mktemp("hillside")
    rng = np.random.default_rng(9)
    return fly(folder, flown.image, SPEC.transform, SPEC.crs, CAMERA, flown.stations, rng, plane=plane), plane


def test_over_a_hillside_the_slope_is_found_and_the_photos_lie_right(
    flown: Flown, sloping: tuple[list[Path], Plane], tmp_path: Path
) -> None:
    paths, plane = sloping
    flight = place_flight(read(paths), drone_settings(), tmp_path)
    assert flight.ground.rise == pytest.approx(RISE, abs=0.05)
    assert np.median(errors_of(flight, flown.stations, plane)) < 3.0  # of the satellites; 9 m if the slope is not found
    with open_scene(flown.earlier) as reference:
        flight = place_flight(read(paths), drone_settings(), tmp_path, reference=reference, register=register_photo)
    assert flight.ground.rise == pytest.approx(RISE, abs=0.03)
    assert np.median(errors_of(flight, flown.stations, plane)) < 0.3


def test_a_photo_lies_right_by_the_elevation_of_the_ground(flown: Flown, tmp_path: Path) -> None:
    station = replace(flown.stations[0], tilt_ahead=0.0, tilt_right=0.0)
    plane = (*RISE, -RISE[0] * station.x - RISE[1] * station.y)
    paths = fly(
        tmp_path / "DCIM", flown.image, SPEC.transform, SPEC.crs, CAMERA, [station], np.random.default_rng(1),
        plane=plane, noise=(0.05, 0.05, 0.1),
    )  # fmt: skip

    def elevation(name: str, grid: Affine) -> Path:
        cell = np.arange(40) + 0.5
        x, y = grid @ np.meshgrid(cell, cell)
        profile = {"driver": "GTiff", "width": 40, "height": 40, "count": 1, "dtype": "float32"}
        with rasterio.open(tmp_path / name, "w", crs=SPEC.crs, transform=grid, **profile) as image:
            image.write(np.float32(50 + plane[0] * x + plane[1] * y + plane[2]), 1)
        return tmp_path / name

    here = elevation("here.tif", Affine(10, 0, station.x - 200, 0, -10, station.y + 200))
    off = [
        errors_of(place_flight(read(paths), drone_settings(), tmp_path, elevation=given), [station], plane)
        for given in (None, here)
    ]
    assert off[0].max() > 2.0
    assert off[1].max() < 0.5
    elsewhere = elevation("elsewhere.tif", Affine(10, 0, station.x + 9000, 0, -10, station.y))
    with pytest.raises(ImageError, match="covers 0% of the ground"):
        place_flight(read(paths), drone_settings(), tmp_path, elevation=elsewhere)
    with pytest.raises(ImageError, match="must be a GeoTIFF"):
        place_flight(read(paths), drone_settings(), tmp_path, elevation=paths[0])


def test_photos_with_nothing_but_exif_are_placed_by_each_other_and_the_reference(flown: Flown, tmp_path: Path) -> None:
    told = Told(attitude=False, relative_height=False, model="FC9999")
    rng = np.random.default_rng(9)
    paths = fly(tmp_path / "DCIM", flown.image, SPEC.transform, SPEC.crs, CAMERA, flown.stations, rng, told=told)
    photos = read(paths)
    assert {(photo.yaw_deg, photo.height_m) for photo in photos} == {(None, None)}
    with open_scene(flown.earlier) as reference:
        flight = place_flight(photos, drone_settings(), tmp_path, reference=reference, register=register_photo)
    assert {one.tied for one in flight.photos} == {"reference"}
    assert np.median(errors_of(flight, flown.stations)) < 0.4
    alone = place_flight(photos[:1], drone_settings(), tmp_path)
    [(_, why)] = alone.unplaced
    assert "height above the ground is neither told nor found" in why


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
