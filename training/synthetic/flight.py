"""Flights rendered over a known image: JPEG photos with EXIF and XMP as drones write them, and where each truly was.

The camera model is written out here once more, by the angles and not by the code that places photos.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from pyproj import Transformer

Float64 = NDArray[np.float64]
Plane = tuple[float, float, float]
"""Height of the ground in metres: rise to the east, rise to the north, and height at the grid's origin."""

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" {values}/></rdf:RDF></x:xmpmeta>"""


@dataclass(frozen=True)
class Station:
    """Where a camera was and how it looked: metres in the grid, degrees clockwise from its north, tilts of the view.

    Attributes:
        tilt_ahead: by which the view leans towards the photo's upper edge, degrees.
        tilt_right: towards its right edge.
    """

    x: float
    y: float
    height: float
    yaw: float
    tilt_ahead: float = 0.0
    tilt_right: float = 0.0

    def noisy(self, rng: np.random.Generator, gps: float, height: float, yaw: float, tilt: float) -> Station:
        """As its sensors see it."""
        return Station(
            self.x + rng.normal(0, gps),
            self.y + rng.normal(0, gps),
            self.height + rng.normal(0, height),
            self.yaw + rng.normal(0, yaw),
            self.tilt_ahead + rng.normal(0, tilt),
            self.tilt_right + rng.normal(0, tilt),
        )


@dataclass(frozen=True)
class Camera:
    """Pixels, and the focal length in pixels."""

    width: int = 320
    height: int = 240
    focal: float = 270.0

    def rays(self, station: Station, pixels: Float64) -> Float64:
        """N×3 east, north, up."""
        right = (pixels[:, 0] - self.width / 2) / self.focal
        ahead = -(pixels[:, 1] - self.height / 2) / self.focal
        down = np.ones(len(pixels))
        a, b = np.radians([station.tilt_ahead, station.tilt_right])
        right, down = right * np.cos(b) + down * np.sin(b), down * np.cos(b) - right * np.sin(b)
        ahead, down = ahead * np.cos(a) + down * np.sin(a), down * np.cos(a) - ahead * np.sin(a)
        yaw = np.radians(station.yaw)
        east = ahead * np.sin(yaw) + right * np.cos(yaw)
        north = ahead * np.cos(yaw) - right * np.sin(yaw)
        return np.column_stack([east, north, -down])

    def ground(self, station: Station, pixels: Float64, plane: Plane = (0.0, 0.0, 0.0)) -> Float64:
        """N×2 easting, northing of pixels on the ground."""
        rays = self.rays(station, pixels)
        above = station.height - (plane[0] * station.x + plane[1] * station.y + plane[2])
        length = above / (rays[:, :2] @ plane[:2] - rays[:, 2])
        return np.array([station.x, station.y]) + rays[:, :2] * length[:, None]

    def probes(self) -> Float64:
        """N×2 pixels all over the photo."""
        x, y = np.meshgrid(np.linspace(0.1, 0.9, 5) * self.width, np.linspace(0.1, 0.9, 5) * self.height)
        return np.column_stack([x.ravel(), y.ravel()])


def shoot(
    image: NDArray[np.uint8], transform: Affine, camera: Camera, station: Station, plane: Plane = (0.0, 0.0, 0.0)
) -> NDArray[np.uint8]:
    """What the camera sees of an image that lies on the ground."""
    fine = 2  # rendered finer and averaged, as a sensor does
    x, y = np.meshgrid((np.arange(camera.width * fine) + 0.5) / fine, (np.arange(camera.height * fine) + 0.5) / fine)
    places = camera.ground(station, np.column_stack([x.ravel(), y.ravel()]), plane)
    column, row = ~transform @ (places[:, 0], places[:, 1])
    at = [np.asarray(part - 0.5, np.float32).reshape(x.shape) for part in (column, row)]
    seen = cv2.remap(image, at[0], at[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(cv2.resize(seen, (camera.width, camera.height), interpolation=cv2.INTER_AREA), np.uint8)


def lawnmower(
    west: float, north: float, lines: int, photos: int, step_x: float, step_y: float, height: float
) -> list[Station]:
    """Photos in lines to and fro, south to north first; ``step_x`` between lines, ``step_y`` along them."""
    stations = []
    for line in range(lines):
        for number in range(photos):
            along = number if line % 2 == 0 else photos - 1 - number
            yaw = 0.0 if line % 2 == 0 else 180.0
            stations.append(Station(west + line * step_x, north - (photos - 1 - along) * step_y, height, yaw))
    return stations


@dataclass(frozen=True)
class Told:
    """What a photo says of itself, where that is not what the sensors saw."""

    model: str = "FC6310"
    attitude: bool = True
    position: bool = True
    latitude: tuple[Any, Any, Any] | None = None
    gps_date: str | None = None
    relative_height: bool = True
    extra: str = ""


def write_photo(
    path: Path,
    pixels: NDArray[np.uint8],
    seen: Station,
    camera: Camera,
    to_degrees: Transformer,
    taken: dt.datetime,
    told: Told | None = None,
) -> None:
    """Write a JPEG with the tags of a drone.

    Args:
        path: to write.
        pixels: H×W×3.
        seen: where the sensors say that it was.
        camera: which took it.
        to_degrees: from the grid.
        taken: by its clock.
        told: what else it says.
    """
    told = told or Told()
    longitude, latitude = to_degrees.transform(seen.x, seen.y)
    north = np.subtract(to_degrees.transform(seen.x, seen.y + 100), (longitude, latitude))
    grid_north = np.degrees(np.arctan2(north[0] * np.cos(np.radians(latitude)), north[1]))  # from true north
    exif = Image.Exif()
    exif[271], exif[272], exif[306] = "DJI", told.model, f"{taken:%Y:%m:%d %H:%M:%S}"
    inner = exif.get_ifd(0x8769)
    inner[36867] = f"{taken:%Y:%m:%d %H:%M:%S}"
    inner[41989] = round(camera.focal / camera.width * 36)
    inner[37386] = IFDRational(round(camera.focal / camera.width * 13.2 * 1000), 1000)
    if told.position:
        gps = exif.get_ifd(0x8825)
        gps[1], gps[2] = "NS"[latitude < 0], told.latitude or _sexagesimal(abs(latitude))
        gps[3], gps[4] = "EW"[longitude < 0], _sexagesimal(abs(longitude))
        gps[5], gps[6] = b"\0", IFDRational(round((seen.height + 50) * 100), 100)
        if told.gps_date:
            gps[29] = told.gps_date
    values = told.extra
    if told.relative_height:
        values += f' drone-dji:RelativeAltitude="{seen.height:+.2f}"'
    if told.attitude:
        yaw = (seen.yaw + grid_north + 180) % 360 - 180
        values += (
            f' drone-dji:GimbalYawDegree="{yaw:+.2f}" drone-dji:GimbalPitchDegree="{-90 + seen.tilt_ahead:+.2f}"'
            f' drone-dji:GimbalRollDegree="{0:+.2f}"'
        )
    with Image.fromarray(pixels) as image:
        image.save(path, quality=92, exif=exif.tobytes(), xmp=XMP.format(values=values).encode())


def fly(
    folder: Path,
    image: NDArray[np.uint8],
    transform: Affine,
    crs: str,
    camera: Camera,
    stations: list[Station],
    rng: np.random.Generator,
    *,
    noise: tuple[float, float, float] = (3.0, 2.0, 3.0),
    told: Told | None = None,
    plane: Plane = (0.0, 0.0, 0.0),
    begun: dt.datetime = dt.datetime(2025, 10, 26, 11, 20),  # noqa: DTZ001
) -> list[Path]:
    """Write a flight; the sensors err by position, height (metres) and yaw (degrees), and do not see any lean.

    Heights are told above the grid's level 0, where the ground of the first photo should lie.
    """
    folder.mkdir(parents=True, exist_ok=True)
    to_degrees = Transformer.from_crs(crs, 4490, always_xy=True)
    paths = []
    for number, station in enumerate(stations):
        path = folder / f"DJI_{number:04d}.JPG"
        pixels = shoot(image, transform, camera, station, plane)
        # the gimbal tells where it wanted to look; its error is the lean that ``leaning`` gave the camera
        seen = replace(station, tilt_ahead=0.0, tilt_right=0.0).noisy(rng, *noise, 0.0)
        write_photo(path, pixels, seen, camera, to_degrees, begun + dt.timedelta(seconds=7 * number), told)
        paths.append(path)
    return paths


def leaning(stations: list[Station], rng: np.random.Generator, degrees: float) -> list[Station]:
    """The same, each camera leaning a little, which its sensors do not tell."""
    return [replace(s, tilt_ahead=rng.normal(0, degrees), tilt_right=rng.normal(0, degrees)) for s in stations]


def _sexagesimal(degrees: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    whole = int(degrees)
    minutes = (degrees - whole) * 60
    seconds = (minutes - int(minutes)) * 60
    return IFDRational(whole, 1), IFDRational(int(minutes), 1), IFDRational(round(seconds * 100_000), 100_000)
