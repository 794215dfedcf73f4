"""Orientation of a rendered flight with known truth: errors of metres by the sensors become decimetres."""

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
from imagery.drone.collinearity import Pose, pixels_to_ground
from imagery.drone.initial_poses import camera_positions, estimate_initial_poses
from imagery.drone.mosaic import write_mosaic
from imagery.drone.orientation import orient_flight
from imagery.drone.oriented_flight import OrientedFlight
from imagery.drone.photo import Photo
from imagery.drone.photo_check import check_photo
from imagery.drone.settings import drone_settings
from imagery.drone.terrain import Ground, LocalFrame
from inference.registration.photo_registration import register_photo
from tests.imagery.drone.conftest import CAMERA, SPEC, RenderedFlight
from training.synthetic.drone_flight import PhotoMetadata, Plane, Station, write_flight

TODAY = dt.date(2026, 11, 20)


def read_photos(paths: list[Path]) -> list[Photo]:
    return [check_photo(path, path.name, drone_settings(), limits=Limits(), today=TODAY) for path in paths]


LEVEL: Plane = (0.0, 0.0, 0.0)


def pose_errors(
    photos: list[Photo], poses: list[Pose], ground: Ground, stations: list[Station], plane: Plane = LEVEL
) -> NDArray[np.float64]:
    """Distances in metres of ground points all over the photos from their true positions."""
    probes = CAMERA.sample_pixels()
    offsets = [
        pixels_to_ground(pose, photo.lens, probes, ground) - CAMERA.to_ground(station, probes, plane)
        for photo, pose, station in zip(photos, poses, stations, strict=True)
    ]
    return np.asarray(np.hypot(*np.concatenate(offsets).T))


def flight_errors(flight: OrientedFlight, stations: list[Station], plane: Plane = LEVEL) -> NDArray[np.float64]:
    """The same for an oriented flight."""
    photos, poses = [one.photo for one in flight.photos], [one.pose for one in flight.photos]
    return pose_errors(photos, poses, flight.ground, stations, plane)


@pytest.fixture(scope="module")
def oriented(rendered: RenderedFlight, tmp_path_factory: pytest.TempPathFactory) -> OrientedFlight:
    """Oriented by neighbours and by the image of half a year earlier."""
    with open_scene(rendered.earlier) as reference:
        return orient_flight(
            read_photos(rendered.photos),
            drone_settings(),
            tmp_path_factory.mktemp("oriented"),
            reference=reference,
            register=register_photo,
        )


def test_orientation_reduces_errors_to_decimetres(rendered: RenderedFlight, oriented: OrientedFlight) -> None:
    photos = read_photos(rendered.photos)
    frame = LocalFrame.at(photos[0].longitude, photos[0].latitude)
    assert frame.crs.to_epsg() == 4547  # the scene's own: CGCS2000, central meridian 114°
    initial = estimate_initial_poses(photos, camera_positions(photos, frame), [], frame, Ground(0.0))
    by_sensors = pose_errors(photos, initial.poses, Ground(0.0), rendered.stations)
    after = flight_errors(oriented, rendered.stations)
    assert np.median(by_sensors) > 2.5
    assert np.median(after) < 0.3
    assert after.max() < 1.0
    assert {one.tied_to for one in oriented.photos} == {"reference"}
    assert all(one.error_m < 1.0 for one in oriented.photos)


SLOPE = (0.15, -0.1)


@pytest.fixture(scope="module")
def hillside(rendered: RenderedFlight, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Plane]:
    """The same flight over the same scene on a sloping plane."""
    first = rendered.stations[0]
    plane = (*SLOPE, -SLOPE[0] * first.x - SLOPE[1] * first.y)
    folder = tmp_path_factory.mktemp("hillside")
    rng = np.random.default_rng(9)
    paths = write_flight(
        folder, rendered.image, SPEC.transform, SPEC.crs, CAMERA, rendered.stations, rng, plane=plane
    )  # fmt: skip
    return paths, plane


def test_slope_of_a_hillside_is_estimated(
    rendered: RenderedFlight, hillside: tuple[list[Path], Plane], tmp_path: Path
) -> None:
    paths, plane = hillside
    flight = orient_flight(read_photos(paths), drone_settings(), tmp_path)
    assert flight.ground.slope == pytest.approx(SLOPE, abs=0.05)
    assert np.median(flight_errors(flight, rendered.stations, plane)) < 3.0  # by satellites; 9 m without the slope
    with open_scene(rendered.earlier) as reference:
        flight = orient_flight(
            read_photos(paths), drone_settings(), tmp_path, reference=reference, register=register_photo
        )
    assert flight.ground.slope == pytest.approx(SLOPE, abs=0.03)
    assert np.median(flight_errors(flight, rendered.stations, plane)) < 0.3


def test_elevation_model_corrects_the_position_of_a_photo(rendered: RenderedFlight, tmp_path: Path) -> None:
    station = replace(rendered.stations[0], tilt_ahead=0.0, tilt_right=0.0)
    plane = (*SLOPE, -SLOPE[0] * station.x - SLOPE[1] * station.y)
    paths = write_flight(
        tmp_path / "DCIM", rendered.image, SPEC.transform, SPEC.crs, CAMERA, [station], np.random.default_rng(1),
        plane=plane, noise=(0.05, 0.05, 0.1),
    )  # fmt: skip

    def write_elevation_model(name: str, grid: Affine) -> Path:
        cell = np.arange(40) + 0.5
        x, y = grid @ np.meshgrid(cell, cell)
        profile = {"driver": "GTiff", "width": 40, "height": 40, "count": 1, "dtype": "float32"}
        with rasterio.open(tmp_path / name, "w", crs=SPEC.crs, transform=grid, **profile) as image:
            image.write(np.float32(50 + plane[0] * x + plane[1] * y + plane[2]), 1)
        return tmp_path / name

    here = write_elevation_model("here.tif", Affine(10, 0, station.x - 200, 0, -10, station.y + 200))
    errors = [
        flight_errors(orient_flight(read_photos(paths), drone_settings(), tmp_path, elevation=model), [station], plane)
        for model in (None, here)
    ]
    assert errors[0].max() > 2.0
    assert errors[1].max() < 0.5
    elsewhere = write_elevation_model("elsewhere.tif", Affine(10, 0, station.x + 9000, 0, -10, station.y))
    with pytest.raises(ImageError, match="covers 0% of the ground"):
        orient_flight(read_photos(paths), drone_settings(), tmp_path, elevation=elsewhere)
    with pytest.raises(ImageError, match="must be a GeoTIFF"):
        orient_flight(read_photos(paths), drone_settings(), tmp_path, elevation=paths[0])


def test_photos_with_exif_only_are_oriented_by_neighbours_and_reference(
    rendered: RenderedFlight, tmp_path: Path
) -> None:
    metadata = PhotoMetadata(attitude=False, relative_height=False, model="FC9999")
    rng = np.random.default_rng(9)
    paths = write_flight(
        tmp_path / "DCIM", rendered.image, SPEC.transform, SPEC.crs, CAMERA, rendered.stations, rng, metadata=metadata
    )  # fmt: skip
    photos = read_photos(paths)
    assert {(photo.yaw_deg, photo.height_m) for photo in photos} == {(None, None)}
    with open_scene(rendered.earlier) as reference:
        flight = orient_flight(photos, drone_settings(), tmp_path, reference=reference, register=register_photo)
    assert {one.tied_to for one in flight.photos} == {"reference"}
    assert np.median(flight_errors(flight, rendered.stations)) < 0.4
    alone = orient_flight(photos[:1], drone_settings(), tmp_path)
    [(_, reason)] = alone.failed
    assert "height above the ground is not in its tags and cannot be estimated" in reason


def test_without_a_reference_the_absolute_error_is_that_of_satellite_positions(
    rendered: RenderedFlight, tmp_path: Path
) -> None:
    flight = orient_flight(read_photos(rendered.photos), drone_settings(), tmp_path)
    for one in flight.photos:
        assert one.tied_to == "neighbours"
        assert one.residual_m is not None
        assert one.sensor_residual_m is not None
        assert one.residual_m < 0.15 < 2.0 < one.sensor_residual_m
        assert one.error_m > 3.0  # common to all photos, so neighbours do not show it


def test_mosaic_matches_the_true_image_and_has_the_date(
    rendered: RenderedFlight, oriented: OrientedFlight, tmp_path: Path
) -> None:
    out = tmp_path / "mosaic.tif"
    mosaic = write_mosaic(oriented, out, SPEC.gsd_m, dt.date(2025, 10, 26))
    with rasterio.open(out) as image:
        assert (image.width, image.height) == (mosaic.width, mosaic.height)
        assert image.tags()["ACQUISITIONDATE"] == "2025-10-26"
        colours, valid = np.moveaxis(image.read(), 0, -1).astype(float), image.read_masks(1) > 0
        column, row = ~SPEC.transform @ (image.transform @ (0.5, 0.5))
    assert 0.5 < valid.mean() < 1.0
    top, left = round(row), round(column)
    rows, columns = np.nonzero(valid)
    inside = (rows + top >= 0) & (columns + left >= 0) & (rows + top < SPEC.height) & (columns + left < SPEC.width)
    rows, columns = rows[inside], columns[inside]
    true = rendered.image[rows + top, columns + left].astype(float)
    difference = np.abs(colours[rows, columns] - true).mean()
    shifted = np.abs(colours[rows, columns] - rendered.image[(rows + top + 8) % SPEC.height, columns + left]).mean()
    assert difference < 0.6 * shifted


def test_single_photo_is_oriented_coarsely_and_excluded_above_the_limit(
    rendered: RenderedFlight, tmp_path: Path
) -> None:
    photos = read_photos(rendered.photos[:1])
    (alone,) = orient_flight(photos, drone_settings(), tmp_path).photos
    assert alone.tied_to == "nothing"
    assert not alone.exclusion
    strict = drone_settings().model_copy(update={"coarse_limit_m": 1.0})
    (alone,) = orient_flight(photos, strict, tmp_path).photos
    assert "above the limit of 1 m" in alone.exclusion
