"""Position error of oriented drone photos: ``python -m benchmarks.drone [SEED…]``.

Each seed is a different place, flown in four strips of seven photos of 0.1 m (1280 × 960 pixels, 107 m above ground,
overlap 70 % along and 60 % across). The sensors of each photo have independent errors of 3 m in each horizontal
direction, 2 m in height, 3° in yaw and 1° in tilt in each direction. Photos are oriented by sensors alone, by
neighbours, and by reference images half a year and almost three years older (winter), fine and coarse; also each photo
separately, with EXIF only (no heading, height and attitude), and over a hillside of 15 %. Buildings are painted on the
ground, so that roofs do not lean. No seed was used to choose parameters.
"""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imagery import Limits, open_scene
from imagery.drone.collinearity import Pose, pixels_to_ground
from imagery.drone.initial_poses import camera_positions, estimate_initial_poses
from imagery.drone.orientation import orient_flight
from imagery.drone.photo import Photo
from imagery.drone.photo_check import check_photo
from imagery.drone.settings import drone_settings
from imagery.drone.terrain import Ground, LocalFrame
from inference.registration.photo_registration import register_photo
from training.synthetic import SceneSpec, render_scene, write_scene
from training.synthetic.drone_flight import Camera, PhotoMetadata, lawnmower, with_random_tilts, write_flight

SEEDS = (201, 202)
SIDE_M, GSD_M = 330.0, 0.1
CAMERA = Camera(1280, 960, 1067.0)
HEIGHT_M, STRIPS, PHOTOS = 107.0, 4, 7
ACROSS_M, ALONG_M = 51.2, 28.8
TILT_DEG, SLOPE = 1.0, 0.15
FLIGHT_DAY = dt.date(2025, 10, 26)
SPRING, WINTER = dt.date(2025, 3, 2), dt.date(2023, 1, 15)
EXIF_ONLY = PhotoMetadata(attitude=False, relative_height=False)


def spec(seed: int, gsd_m: float = GSD_M, earlier: dt.date = SPRING) -> SceneSpec:
    """Return the scene of a seed, on the day ``earlier`` and on the day of the flight."""
    side = round(SIDE_M / gsd_m)
    return SceneSpec(seed, side, side, gsd_m, dates=(earlier, FLIGHT_DAY), misregistration_px=0.0)


class RenderedFlight:
    """A flight over a rendered place, with the true ground positions of its photos' pixels."""

    def __init__(self, seed: int, folder: Path) -> None:
        """Render the place and write the photos below ``folder``."""
        self.seed, self.folder = seed, folder
        place = spec(seed)
        rng = np.random.default_rng(seed)
        west = place.origin[0] + (SIDE_M - (STRIPS - 1) * ACROSS_M) / 2
        north = place.origin[1] - (SIDE_M - (PHOTOS - 1) * ALONG_M) / 2
        stations = with_random_tilts(lawnmower(west, north, STRIPS, PHOTOS, ACROSS_M, ALONG_M, HEIGHT_M), rng, TILT_DEG)
        image = render_scene(place).after
        first = stations[0]
        self.photos, self.truth = dict[str, list[Photo]](), dict[Path, NDArray[np.float64]]()
        for name, metadata, slope in (("level", None, 0.0), ("EXIF only", EXIF_ONLY, 0.0), ("hillside", None, SLOPE)):
            rng, plane = np.random.default_rng(seed), (slope, 0.0, -slope * first.x)
            paths = write_flight(
                folder / name, image, place.transform, place.crs, CAMERA, stations, rng, metadata=metadata, plane=plane
            )  # fmt: skip
            self.photos[name] = [
                check_photo(path, path.name, drone_settings(), limits=Limits(), today=FLIGHT_DAY) for path in paths
            ]
            for photo, station in zip(self.photos[name], stations, strict=True):
                self.truth[photo.path] = CAMERA.to_ground(station, CAMERA.sample_pixels(), plane)

    def reference_image(self, gsd_m: float, day: dt.date) -> Path:
        """Render the place on an earlier day and return the file."""
        return write_scene(render_scene(spec(self.seed, gsd_m, day)), self.folder / f"{day}_{gsd_m}")[0]

    def report_oriented(self, method: str, flights: list[list[Photo]], reference: Path | None = None) -> None:
        """Orient flights and print the errors of 25 points per photo that is tied to anything."""
        errors, estimated = [], []
        with ExitStack() as stack:
            scene = stack.enter_context(open_scene(reference)) if reference else None
            for photos in flights:
                flight = orient_flight(
                    photos, drone_settings(), self.folder, reference=scene, register=register_photo
                )  # fmt: skip
                for oriented in flight.photos:
                    if oriented.tied_to != "nothing":
                        errors.append(self.errors(oriented.photo, oriented.pose, flight.ground))
                        estimated.append(oriented.error_m)
        estimate = f"estimated {np.median(estimated):.2f} m, " if estimated else ""
        self.print_errors(method, errors, f", {estimate}{len(errors)} of {sum(map(len, flights))} photos")

    def report_sensors(self, method: str, photos: list[Photo]) -> None:
        """Print the errors of the photos with the poses of their sensors."""
        frame, ground = LocalFrame.at(photos[0].longitude, photos[0].latitude), Ground(0.0)
        poses = estimate_initial_poses(photos, camera_positions(photos, frame), [], frame, ground).poses
        self.print_errors(method, [self.errors(photo, pose, ground) for photo, pose in zip(photos, poses, strict=True)])

    def errors(self, photo: Photo, pose: Pose, ground: Ground) -> NDArray[np.float64]:
        """Return the horizontal errors of the sample pixels, in metres."""
        difference = pixels_to_ground(pose, photo.lens, CAMERA.sample_pixels(), ground) - self.truth[photo.path]
        return np.asarray(np.hypot(*difference.T))

    def print_errors(self, method: str, errors: list[NDArray[np.float64]], remark: str = "") -> None:
        """Print median and 95th percentile of the errors."""
        median, p95 = np.percentile(np.concatenate(errors), [50, 95]) if errors else (np.nan, np.nan)
        print(f"{self.seed}  {method:<38} median {median:5.2f} m, 95 % {p95:5.2f} m{remark}", flush=True)


def run(seed: int, folder: Path) -> None:
    """Print one line per orientation method for one place."""
    flight = RenderedFlight(seed, folder)
    photos, exif, hillside = flight.photos.values()
    flight.report_sensors("sensors", photos)
    flight.report_oriented("neighbours", [photos])
    flight.report_oriented("neighbours, EXIF only", [exif])
    flight.report_sensors("sensors, hillside", hillside)
    flight.report_oriented("neighbours, hillside", [hillside])
    for day, gsd_m in ((SPRING, 0.1), (SPRING, 0.5), (WINTER, 0.1), (WINTER, 0.5), (WINTER, 1.0)):
        image, method = flight.reference_image(gsd_m, day), f"{day}, {gsd_m:g} m"
        flight.report_oriented(method, [photos], image)
        if (day, gsd_m) in ((SPRING, 0.5), (WINTER, 1.0)):
            flight.report_oriented(f"{method}, each separately", [[photo] for photo in photos], image)
        if (day, gsd_m) == (WINTER, 0.5):
            flight.report_oriented(f"{method}, EXIF only", [exif], image)
            flight.report_oriented(f"{method}, hillside", [hillside], image)


def main() -> None:
    """Print the errors for each seed."""
    for seed in [int(seed) for seed in sys.argv[1:]] or SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            run(seed, Path(folder))


if __name__ == "__main__":
    main()
