"""The position error that is told holds: the truth lies within it in 95 % of the photos of flights of every kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer

from configs.texts import translate
from errors import ImageError
from imagery.drone.collinearity import pixels_to_ground
from imagery.drone.orientation import orient_flight
from imagery.drone.photo import Photo
from imagery.drone.photo_check import check_photo
from imagery.drone.settings import drone_settings
from imagery.limits import Limits
from tests.imagery.drone.conftest import SPEC, RenderedFlight
from training.synthetic.drone_flight import Camera, PhotoMetadata, Plane, Station, lawnmower, write_flight

CAMERA = Camera(240, 180, 200.0)
HEIGHT = 60.0
SPEC_FROM_DEGREES = Transformer.from_crs(4490, SPEC.crs, always_xy=True)
STATIONS = lawnmower(SPEC.origin[0] + 36, SPEC.origin[1] - 84, 2, 4, 30.0, 18.0, HEIGHT)
EXIF_ONLY = PhotoMetadata(attitude=False, relative_height=False, model="FC9999")


def tilted(ahead: float, right: float = 0.0) -> list[Station]:
    return [replace(station, tilt_ahead=ahead, tilt_right=right) for station in STATIONS]


def told_height(metres: float) -> PhotoMetadata:
    return PhotoMetadata(relative_height=False, extra=f' drone-dji:RelativeAltitude="{metres:+.2f}"')


def dewarp(focal: float) -> str:
    return f' drone-dji:DewarpData="2022-06-08;{focal},{focal},0.0,0.0,0,0,0,0,0" drone-dji:DewarpFlag="0"'


def parrot(pitch: float) -> PhotoMetadata:
    values = f'xmlns:p="http://www.parrot.com/drone-parrot/1.0/" p:CameraPitchDegree="{pitch}" p:CameraYawDegree="0"'
    return replace(EXIF_ONLY, extra=f" {values}")


def unknown_lens(path: Path) -> None:
    """Remove the tags of the lens, so that only DJI's calibration gives the focal length."""
    with Image.open(path) as image:
        exif, xmp = image.getexif(), image.info["xmp"]
        exif[272] = "FC9999"
        inner = exif.get_ifd(0x8769)
        for tag in (37386, 41989):
            inner.pop(tag, None)
        image.load()
        image.save(path, quality=92, exif=exif.tobytes(), xmp=xmp)


@dataclass(frozen=True)
class Kind:
    """A kind of flight: how its photos are taken, and what their tags say."""

    stations: list[Station]
    metadata: PhotoMetadata = PhotoMetadata()  # noqa: RUF009  (frozen)
    plane: Plane = (0.0, 0.0, 0.0)
    change: Callable[[Path], None] = lambda path: None
    alone: bool = False


KINDS = {
    "straight down": Kind(STATIONS),
    "no attitude, height and heading": Kind(STATIONS, EXIF_ONLY),
    "no attitude, tilted by 6°": Kind(tilted(6.0), EXIF_ONLY),
    "gimbal off by 1.5°": Kind(tilted(1.5, -1.0)),
    "take-off on a hill, below it": Kind(STATIONS, told_height(-20)),
    "take-off on a hill, at its height": Kind(STATIONS, told_height(0)),
    "take-off on a hill, above it": Kind(STATIONS, told_height(18)),
    "take-off in a valley": Kind(STATIONS, told_height(160)),
    "made smaller, calibration of the whole": Kind(STATIONS, PhotoMetadata(extra=dewarp(400.0))),
    "made smaller, nothing else known": Kind(STATIONS, PhotoMetadata(extra=dewarp(400.0)), change=unknown_lens),
    "hillside of 15 %": Kind(STATIONS, plane=(0.15, 0.0, -0.15 * STATIONS[0].x)),
    "Parrot": Kind(STATIONS, parrot(-90.0)),
    "each photo alone": Kind(STATIONS, alone=True),
}


class Errors(NamedTuple):
    """True error and told error of each placed photo, metres."""

    true: list[float]
    told: list[float]


def read(paths: list[Path]) -> list[Photo]:
    day = dt.date(2025, 10, 27)
    return [check_photo(path, path.name, drone_settings(), limits=Limits(), today=day) for path in paths]


def fly(kind: Kind, rendered: RenderedFlight, folder: Path, seed: int) -> Errors:
    rng = np.random.default_rng(seed)
    paths = write_flight(
        folder, rendered.image, SPEC.transform, SPEC.crs, CAMERA, kind.stations, rng, metadata=kind.metadata,
        plane=kind.plane,
    )  # fmt: skip
    for path in paths:
        kind.change(path)
    truth = dict(zip([path.name for path in paths], kind.stations, strict=True))
    photos = read(paths)
    groups = [[photo] for photo in photos] if kind.alone else [photos]
    flights = [orient_flight(some, drone_settings(), folder) for some in groups]
    errors = Errors([], [])
    for flight in flights:
        for one in flight.used:
            found = pixels_to_ground(one.pose, one.photo.lens, CAMERA.sample_pixels(), flight.ground)
            lonlat = flight.frame.to_degrees.transform(*found.T)
            found = np.column_stack(SPEC_FROM_DEGREES.transform(*lonlat))
            true = CAMERA.to_ground(truth[one.photo.name], CAMERA.sample_pixels(), kind.plane)
            errors.true.append(float(np.median(np.hypot(*(found - true).T))))
            errors.told.append(one.error_m)
    return errors


@pytest.fixture(scope="module")
def flown(rendered: RenderedFlight, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Errors]:
    folder = tmp_path_factory.mktemp("kinds")
    found = {}
    for number, (name, kind) in enumerate(KINDS.items()):
        found[name] = fly(kind, rendered, folder / str(number), number)
    return found


@pytest.mark.parametrize("name", KINDS)
def test_photos_of_every_kind_are_placed_within_the_told_error(flown: dict[str, Errors], name: str) -> None:
    errors = flown[name]
    assert len(errors.true) >= 6
    within = np.less_equal(errors.true, errors.told)
    assert within.mean() >= 0.85, sorted(zip(errors.true, errors.told, strict=True))[-5:]


def test_the_truth_lies_within_the_told_error_in_95_percent_of_photos(flown: dict[str, Errors]) -> None:
    true, told = (np.concatenate([getattr(errors, part) for errors in flown.values()]) for part in ("true", "told"))
    assert len(true) > 90
    assert (true <= told).mean() >= 0.95
    assert np.median(told) < 15.0  # it says something


@pytest.mark.parametrize("metadata", [EXIF_ONLY, PhotoMetadata(), parrot(-90.0)], ids=["no attitude", "DJI", "Parrot"])
def test_oblique_photos_whose_tags_do_not_say_so_are_refused(
    rendered: RenderedFlight, tmp_path: Path, metadata: PhotoMetadata
) -> None:
    kind = Kind(tilted(45.0), metadata)
    rng = np.random.default_rng(3)
    paths = write_flight(
        tmp_path, rendered.image, SPEC.transform, SPEC.crs, CAMERA, kind.stations, rng, metadata=kind.metadata
    )
    flight = orient_flight(read(paths), drone_settings(), tmp_path)
    assert not flight.used
    reasons = {reason for _, reason in flight.failed}
    assert all("the camera looked about" in reason for reason in reasons)
    assert all(translate(reason, "zh") != reason for reason in reasons)


@pytest.mark.parametrize(
    ("namespace", "names"),
    [
        ("http://www.parrot.com/drone-parrot/1.0/", {"CameraPitchDegree": -45, "CameraYawDegree": 10}),
        ("http://pix4d.com/camera/1.0/", {"Pitch": 45, "Yaw": 10}),
        ("http://pix4d.com/camera/1.0", {"Pitch": -45, "Yaw": 10, "Roll": 0}),
        ("http://www.autelrobotics.com/ns/autel/1.0/", {"GimbalPitchDegree": -45, "GimbalYawDegree": 10}),
        ("https://www.skydio.com/drone-skydio/1.0/", {"CameraPitchDegree": -45, "CameraYawDegree": 10}),
    ],
    ids=["Parrot", "Autel", "Pix4D", "Autel's own", "Skydio"],
)
def test_oblique_photos_of_every_maker_are_refused(
    rendered: RenderedFlight, tmp_path: Path, namespace: str, names: dict[str, float]
) -> None:
    values = " ".join(f'm:{name}="{value:.3f}"' for name, value in names.items())
    metadata = replace(EXIF_ONLY, extra=f' xmlns:m="{namespace}" {values}')
    paths = write_flight(
        tmp_path, rendered.image, SPEC.transform, SPEC.crs, CAMERA, tilted(45.0)[:1], np.random.default_rng(3),
        metadata=metadata,
    )  # fmt: skip
    with pytest.raises(ImageError, match="looked 45° away from straight down"):
        read(paths)
