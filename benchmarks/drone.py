"""How far the ground of placed photos lies off: `python -m benchmarks.drone [SEED…]`.

Each seed is a place of its own, flown over in four strips of seven photos of 0.1 m (1280 × 960 pixels, 107 m up,
overlap 70 % along and 60 % across). Each photo's sensors err by their own 3 m of position in either direction, 2 m of
height, 3° of yaw and 1° of tilt in either direction. They are placed by their sensors, by their neighbours, by images
of the same ground of half a year and of almost three years before (winter), fine and coarse; each for itself; without
what drones add to EXIF, so without heading, height and view; and over a hillside that rises by 15 %. What stands on the
ground is painted on it: no roof leans. No seed was used to choose anything.
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
LEAN_DEG, RISE = 1.0, 0.15
FLOWN = dt.date(2025, 10, 26)
SPRING, WINTER = dt.date(2025, 3, 2), dt.date(2023, 1, 15)
EXIF_ONLY = PhotoMetadata(attitude=False, relative_height=False)


def spec(seed: int, gsd_m: float = GSD_M, earlier: dt.date = SPRING) -> SceneSpec:
    """The place at a resolution, on the earlier day and on that of the flight."""
    side = round(SIDE_M / gsd_m)
    return SceneSpec(seed, side, side, gsd_m, dates=(earlier, FLOWN), misregistration_px=0.0)


class Flown:
    """A flight over a place, and the ground that its photos truly show."""

    def __init__(self, seed: int, folder: Path) -> None:
        """Render and write it."""
        self.seed, self.folder = seed, folder
        place = spec(seed)
        rng = np.random.default_rng(seed)
        west = place.origin[0] + (SIDE_M - (STRIPS - 1) * ACROSS_M) / 2
        north = place.origin[1] - (SIDE_M - (PHOTOS - 1) * ALONG_M) / 2
        stations = with_random_tilts(lawnmower(west, north, STRIPS, PHOTOS, ACROSS_M, ALONG_M, HEIGHT_M), rng, LEAN_DEG)
        image = render_scene(place).after
        first = stations[0]
        self.photos, self.truth = dict[str, list[Photo]](), dict[Path, NDArray[np.float64]]()
        for name, told, rise in (("level", None, 0.0), ("EXIF only", EXIF_ONLY, 0.0), ("hillside", None, RISE)):
            rng, plane = np.random.default_rng(seed), (rise, 0.0, -rise * first.x)
            paths = write_flight(
                folder / name, image, place.transform, place.crs, CAMERA, stations, rng, metadata=told, plane=plane
            )  # fmt: skip
            self.photos[name] = [
                check_photo(path, path.name, drone_settings(), limits=Limits(), today=FLOWN) for path in paths
            ]
            for photo, station in zip(self.photos[name], stations, strict=True):
                self.truth[photo.path] = CAMERA.to_ground(station, CAMERA.sample_pixels(), plane)

    def image(self, gsd_m: float, day: dt.date) -> Path:
        """The file of another day."""
        return write_scene(render_scene(spec(self.seed, gsd_m, day)), self.folder / f"{day}_{gsd_m}")[0]

    def place(self, how: str, flights: list[list[Photo]], reference: Path | None = None) -> None:
        """One line: how far 25 places all over each photo lie off that is tied to something."""
        off, told = [], []
        with ExitStack() as opened:
            scene = opened.enter_context(open_scene(reference)) if reference else None
            for photos in flights:
                flight = orient_flight(
                    photos, drone_settings(), self.folder, reference=scene, register=register_photo
                )  # fmt: skip
                for one in flight.photos:
                    if one.tied_to != "nothing":
                        off.append(self.off(one.photo, one.pose, flight.ground))
                        told.append(one.error_m)
        said = f"told {np.median(told):.2f} m, " if told else ""
        self.tell(how, off, f", {said}{len(off)} of {sum(map(len, flights))} photos")

    def by_sensors(self, how: str, photos: list[Photo]) -> None:
        """The line of photos as their sensors place them."""
        frame, ground = LocalFrame.at(photos[0].longitude, photos[0].latitude), Ground(0.0)
        poses = estimate_initial_poses(photos, camera_positions(photos, frame), [], frame, ground).poses
        self.tell(how, [self.off(photo, pose, ground) for photo, pose in zip(photos, poses, strict=True)])

    def off(self, photo: Photo, pose: Pose, ground: Ground) -> NDArray[np.float64]:
        """Metres."""
        there = pixels_to_ground(pose, photo.lens, CAMERA.sample_pixels(), ground) - self.truth[photo.path]
        return np.asarray(np.hypot(*there.T))

    def tell(self, how: str, off: list[NDArray[np.float64]], remark: str = "") -> None:
        """One line."""
        median, most = np.percentile(np.concatenate(off), [50, 95]) if off else (np.nan, np.nan)
        print(f"{self.seed}  {how:<38} median {median:5.2f} m, 95 % {most:5.2f} m{remark}", flush=True)


def run(seed: int, folder: Path) -> None:
    """One place: a line for each way to place its photos."""
    flown = Flown(seed, folder)
    photos, exif, hillside = flown.photos.values()
    flown.by_sensors("sensors", photos)
    flown.place("neighbours", [photos])
    flown.place("neighbours, EXIF only", [exif])
    flown.by_sensors("sensors, hillside", hillside)
    flown.place("neighbours, hillside", [hillside])
    for day, gsd_m in ((SPRING, 0.1), (SPRING, 0.5), (WINTER, 0.1), (WINTER, 0.5), (WINTER, 1.0)):
        image, what = flown.image(gsd_m, day), f"{day}, {gsd_m:g} m"
        flown.place(what, [photos], image)
        if (day, gsd_m) in ((SPRING, 0.5), (WINTER, 1.0)):
            flown.place(f"{what}, each alone", [[photo] for photo in photos], image)
        if (day, gsd_m) == (WINTER, 0.5):
            flown.place(f"{what}, EXIF only", [exif], image)
            flown.place(f"{what}, hillside", [hillside], image)


def main() -> None:
    """Print the lines of each seed."""
    for seed in [int(seed) for seed in sys.argv[1:]] or SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            run(seed, Path(folder))


if __name__ == "__main__":
    main()
