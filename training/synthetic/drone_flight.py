"""Synthetic drone flights over a known image: JPEG photos with EXIF and XMP tags, and their true camera stations.

The camera model is implemented independently of the code that georeferences photos, so that one can test the other.
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

_XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" {values}/></rdf:RDF></x:xmpmeta>"""


@dataclass(frozen=True)
class Station:
    """Exterior orientation of one photo.

    Attributes:
        x, y: easting, northing in metres.
        height: above the grid's level 0, metres.
        yaw: of the photo's upper edge, degrees clockwise from grid north.
        tilt_ahead: tilt of the view from nadir towards the photo's upper edge, degrees.
        tilt_right: tilt towards its right edge, degrees.
    """

    x: float
    y: float
    height: float
    yaw: float
    tilt_ahead: float = 0.0
    tilt_right: float = 0.0

    def with_sensor_noise(
        self, rng: np.random.Generator, gps: float, height: float, yaw: float, tilt: float
    ) -> Station:
        """Return the station as measured by sensors with Gaussian errors (metres and degrees)."""
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
    """Frame camera without distortion: image size and focal length in pixels."""

    width: int = 320
    height: int = 240
    focal: float = 270.0

    def rays(self, station: Station, pixels: Float64) -> Float64:
        """Return viewing directions of N×2 pixels (column, row): N×3 east, north, up, not normalised."""
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

    def to_ground(self, station: Station, pixels: Float64, plane: Plane = (0.0, 0.0, 0.0)) -> Float64:
        """Project N×2 pixels (column, row) onto the ground plane: N×2 easting, northing."""
        rays = self.rays(station, pixels)
        above = station.height - (plane[0] * station.x + plane[1] * station.y + plane[2])
        length = above / (rays[:, :2] @ plane[:2] - rays[:, 2])
        return np.array([station.x, station.y]) + rays[:, :2] * length[:, None]

    def sample_pixels(self) -> Float64:
        """Return 25 pixels (column, row) spread over the photo, 25×2."""
        x, y = np.meshgrid(np.linspace(0.1, 0.9, 5) * self.width, np.linspace(0.1, 0.9, 5) * self.height)
        return np.column_stack([x.ravel(), y.ravel()])


def render_photo(
    image: NDArray[np.uint8], transform: Affine, camera: Camera, station: Station, plane: Plane = (0.0, 0.0, 0.0)
) -> NDArray[np.uint8]:
    """Render the photo of a ground image, uint8 H×W×3.

    Args:
        image: of the ground, uint8 H×W×3.
        transform: from its pixels to easting, northing.
        camera: which takes the photo.
        station: its position and orientation.
        plane: of the ground.
    """
    fine = 2  # supersampled and averaged, like the area of a sensor's pixel
    x, y = np.meshgrid((np.arange(camera.width * fine) + 0.5) / fine, (np.arange(camera.height * fine) + 0.5) / fine)
    places = camera.to_ground(station, np.column_stack([x.ravel(), y.ravel()]), plane)
    column, row = ~transform @ (places[:, 0], places[:, 1])
    pixel_maps = [np.asarray(part - 0.5, np.float32).reshape(x.shape) for part in (column, row)]
    sampled = cv2.remap(image, pixel_maps[0], pixel_maps[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(cv2.resize(sampled, (camera.width, camera.height), interpolation=cv2.INTER_AREA), np.uint8)


def lawnmower(
    west: float, north: float, lines: int, photos: int, step_x: float, step_y: float, height: float
) -> list[Station]:
    """Plan a serpentine of flight lines, the first from south to north.

    Args:
        west, north: easting of the first line and northing of its northern end.
        lines: number of flight lines.
        photos: per line.
        step_x, step_y: metres between lines and along them.
        height: of the flight, metres.
    """
    stations = []
    for line in range(lines):
        for number in range(photos):
            along = number if line % 2 == 0 else photos - 1 - number
            yaw = 0.0 if line % 2 == 0 else 180.0
            stations.append(Station(west + line * step_x, north - (photos - 1 - along) * step_y, height, yaw))
    return stations


@dataclass(frozen=True)
class PhotoMetadata:
    """Which tags a photo has, and values that replace the measured ones."""

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
    measured: Station,
    camera: Camera,
    to_degrees: Transformer,
    taken: dt.datetime,
    metadata: PhotoMetadata | None = None,
) -> None:
    """Write a JPEG with EXIF and XMP tags as DJI drones write them.

    Args:
        path: to write.
        pixels: uint8 H×W×3.
        measured: station as the sensors measured it.
        camera: which took it.
        to_degrees: from the grid to longitude, latitude.
        taken: time of the camera's clock.
        metadata: further tags.
    """
    metadata = metadata or PhotoMetadata()
    longitude, latitude = to_degrees.transform(measured.x, measured.y)
    north = np.subtract(to_degrees.transform(measured.x, measured.y + 100), (longitude, latitude))
    grid_north = np.degrees(np.arctan2(north[0] * np.cos(np.radians(latitude)), north[1]))  # from true north
    exif = Image.Exif()
    exif[271], exif[272], exif[306] = "DJI", metadata.model, f"{taken:%Y:%m:%d %H:%M:%S}"
    inner = exif.get_ifd(0x8769)
    inner[36867] = f"{taken:%Y:%m:%d %H:%M:%S}"
    inner[41989] = round(camera.focal / camera.width * 36)
    inner[37386] = IFDRational(round(camera.focal / camera.width * 13.2 * 1000), 1000)
    if metadata.position:
        gps = exif.get_ifd(0x8825)
        gps[1], gps[2] = "NS"[latitude < 0], metadata.latitude or _sexagesimal(abs(latitude))
        gps[3], gps[4] = "EW"[longitude < 0], _sexagesimal(abs(longitude))
        gps[5], gps[6] = b"\0", IFDRational(round((measured.height + 50) * 100), 100)
        if metadata.gps_date:
            gps[29] = metadata.gps_date
    values = metadata.extra
    if metadata.relative_height:
        values += f' drone-dji:RelativeAltitude="{measured.height:+.2f}"'
    if metadata.attitude:
        yaw = (measured.yaw + grid_north + 180) % 360 - 180
        values += (
            f' drone-dji:GimbalYawDegree="{yaw:+.2f}" drone-dji:GimbalPitchDegree="{-90 + measured.tilt_ahead:+.2f}"'
            f' drone-dji:GimbalRollDegree="{0:+.2f}"'
        )
    with Image.fromarray(pixels) as image:
        image.save(path, quality=92, exif=exif.tobytes(), xmp=_XMP.format(values=values).encode())


def write_flight(
    folder: Path,
    image: NDArray[np.uint8],
    transform: Affine,
    crs: str,
    camera: Camera,
    stations: list[Station],
    rng: np.random.Generator,
    *,
    noise: tuple[float, float, float] = (3.0, 2.0, 3.0),
    metadata: PhotoMetadata | None = None,
    plane: Plane = (0.0, 0.0, 0.0),
    started: dt.datetime = dt.datetime(2025, 10, 26, 11, 20),  # noqa: DTZ001
) -> list[Path]:
    """Render and write the photos of a flight, seven seconds apart; returns their paths.

    Relative heights in the tags are above the grid's level 0, where the ground of the first photo should lie.

    Args:
        folder: to write, created if needed.
        image: of the ground, uint8 H×W×3.
        transform: from its pixels to easting, northing.
        crs: of the grid.
        camera: which takes the photos.
        stations: true stations.
        rng: source of the sensor errors.
        noise: standard deviation of position (metres), height (metres) and yaw (degrees); tilts are not measured.
        metadata: further tags.
        plane: of the ground.
        started: time of the first photo.
    """
    folder.mkdir(parents=True, exist_ok=True)
    to_degrees = Transformer.from_crs(crs, 4490, always_xy=True)
    paths = []
    for number, station in enumerate(stations):
        path = folder / f"DJI_{number:04d}.JPG"
        pixels = render_photo(image, transform, camera, station, plane)
        # the gimbal reports the commanded attitude, not the tilts added by ``with_random_tilts``
        measured = replace(station, tilt_ahead=0.0, tilt_right=0.0).with_sensor_noise(rng, *noise, 0.0)
        write_photo(path, pixels, measured, camera, to_degrees, started + dt.timedelta(seconds=7 * number), metadata)
        paths.append(path)
    return paths


def with_random_tilts(stations: list[Station], rng: np.random.Generator, degrees: float) -> list[Station]:
    """Tilt each camera randomly, with a standard deviation in degrees; its sensors do not measure that."""
    return [replace(s, tilt_ahead=rng.normal(0, degrees), tilt_right=rng.normal(0, degrees)) for s in stations]


def _sexagesimal(degrees: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    """Convert decimal degrees to degrees, minutes and seconds as EXIF rationals."""
    full = int(degrees)
    minutes = (degrees - full) * 60
    seconds = (minutes - int(minutes)) * 60
    return IFDRational(full, 1), IFDRational(int(minutes), 1), IFDRational(round(seconds * 100_000), 100_000)
