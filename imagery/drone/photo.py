"""One raw photo of a drone: where the camera was, how it looked, and how well that is known."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Self

from errors import ImageError, Reason
from imagery.dates import acquisition_date
from imagery.drone.exif import Tags, number, read_tags
from imagery.drone.lens import Lens
from imagery.drone.settings import DroneSettings, Noise
from imagery.files.formats import JPEG, Format
from imagery.files.header_limits import Declared
from imagery.files.safe_file import LocalFile

_FIRST_DRONES = 2010  # a clock that says an earlier year was never set
_CLOCK_DAYS = 2  # by which a camera's day may differ from another: it runs in some time zone
_LOWEST_M = 3.0  # over the take-off point; below that a photo shows no ground to speak of
_NO_ATTITUDE = Reason("its attitude is not told: taken as looking straight down", "photo.no_attitude")
_FULL_FRAME_MM = 36.0
_RTK_FIXED = 50
_RTK_LEAST_M = 0.03


@dataclass(frozen=True)
class Photo:
    """A photo that can be placed.

    Attributes:
        name: as the person calls it.
        path: the file.
        sha256: of it; "" where nobody needs it.
        longitude, latitude: of the camera, degrees.
        altitude_m: of the camera above the sea, as told; None: not told.
        height_m: of the camera above the take-off point; None: not told.
        yaw_deg: direction of the photo's upper edge (of the view, for an oblique one), clockwise from true north.
            None: not told.
        pitch_deg: of the view, −90 is straight down.
        roll_deg: about the view.
        noise: how well position, height and attitude are believed.
        lens: inner geometry.
        taken: by the camera's clock, which may be wrong, but runs evenly.
        date: day it was taken, None: not known.
        date_source: where the day comes from.
        camera: model, and serial number where it is told.
        remarks: what a person should know.
    """

    name: str
    path: Path
    sha256: str
    longitude: float
    latitude: float
    altitude_m: float | None
    height_m: float | None
    yaw_deg: float | None
    pitch_deg: float
    roll_deg: float
    noise: Noise
    lens: Lens
    taken: dt.datetime | None
    date: dt.date | None
    date_source: str
    camera: str
    remarks: tuple[str, ...] = ()

    @property
    def off_nadir_deg(self) -> float:
        """How far the camera looked away from straight down."""
        return abs(90.0 + self.pitch_deg)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return self.__dict__ | {
            "path": str(self.path),
            "noise": self.noise.model_dump(),
            "lens": self.lens.__dict__,
            "taken": self.taken and self.taken.isoformat(),
            "date": self.date and self.date.isoformat(),
            "remarks": [[str(remark), Reason.told_of(remark)] for remark in self.remarks],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """From what :meth:`to_json` gave."""
        lens = data["lens"]
        return cls(
            **data
            | {
                "path": Path(data["path"]),
                "noise": Noise(**data["noise"]),
                "lens": Lens(**lens | {"distortion": tuple(lens["distortion"])}),
                "taken": data["taken"] and dt.datetime.fromisoformat(data["taken"]),
                "date": data["date"] and dt.date.fromisoformat(data["date"]),
                "remarks": tuple(Reason.of(words, told) for words, told in data["remarks"]),
            }
        )


def is_photo(file: LocalFile, file_format: Format) -> bool:
    """Whether a file without a place is the photo of a camera. Its tags may still lack what places it.

    Raises:
        ImageError: its tags cannot be read.
    """
    return file_format == JPEG and read_tags(file).camera_photo


def read_photo(
    file: LocalFile,
    declared: Declared,
    settings: DroneSettings,
    *,
    today: dt.date,
    default_date: dt.date | None = None,
    sha256: str = "",
) -> Photo:
    """Read what places a photo.

    Args:
        file: a JPEG file; its name is what the person calls it, folders included.
        declared: its size.
        settings: of drones.
        today: later days are not believed.
        default_date: day it was taken, where neither the satellites nor the clock tell one that can be believed.
        sha256: of the file, if it is known.

    Raises:
        ImageError: no position, no focal length, oblique, a panorama, taken on the ground: with what to do.
    """
    tags, name = read_tags(file), file.name
    _refuse_panorama(tags, declared, settings, name)
    if tags.latitude is None or tags.longitude is None:
        why = tags.faulty or Reason("it holds no position", "photo.none_told")
        raise ImageError(
            f"{name} cannot be placed: {why}. Take photos with the drone's satellite reception on, or make an "
            "orthophoto of them and pass that.",
            "photo.no_position",
            name=name,
            why=why,
        )
    told = "GimbalPitchDegree" in tags.dji
    noise = settings.sensors.dji if told else settings.sensors.exif
    pitch, roll, yaw, remarks = _attitude(tags, told)
    if abs(90 + pitch) > settings.max_off_nadir_deg:
        raise ImageError(
            f"{name} is oblique: the camera looked {abs(90 + pitch):.0f}° away from straight down, and up to "
            f"{settings.max_off_nadir_deg:g}° are taken. Fly with the camera pointing straight down (gimbal −90°).",
            "photo.oblique",
            name=name,
            angle=round(abs(90 + pitch)),
            limit=settings.max_off_nadir_deg,
        )
    height = number(tags.dji.get("RelativeAltitude"))
    if height is not None and height < _LOWEST_M:
        raise ImageError(
            f"{name} was taken {height:g} m above the take-off point, and at least {_LOWEST_M:g} m are needed. "
            "Leave out photos taken on the ground.",
            "photo.low",
            name=name,
            height=height,
            least=_LOWEST_M,
        )
    date, date_source, doubts = _day(tags, name, today, default_date)
    return Photo(
        name=name,
        path=file.path,
        sha256=sha256,
        longitude=tags.longitude,
        latitude=tags.latitude,
        altitude_m=number(tags.dji.get("AbsoluteAltitude")) or tags.altitude_m,
        height_m=height,
        yaw_deg=yaw,
        pitch_deg=pitch,
        roll_deg=roll,
        noise=_measured(tags, noise),
        lens=_lens(tags, declared, settings, name),
        taken=tags.taken,
        date=date,
        date_source=date_source,
        camera=" ".join(part for part in (tags.model, tags.serial) if part) or "unknown camera",
        remarks=(*remarks, *doubts),
    )


def _refuse_panorama(tags: Tags, declared: Declared, settings: DroneSettings, name: str) -> None:
    aspect = max(declared.width, declared.height) / min(declared.width, declared.height)
    if tags.panorama or aspect > settings.max_aspect:
        kind = "a vertical panorama" if declared.height > declared.width else "a panorama"
        raise ImageError(
            f"{name} is {kind} ({declared.width} × {declared.height} pixels), stitched from several views, and has no "
            "one geometry. Pass the single photos, taken straight down.",
            "photo.panorama",
            name=name,
            width=declared.width,
            height=declared.height,
        )


def _attitude(tags: Tags, told: bool) -> tuple[float, float, float | None, list[str]]:
    """Pitch, roll and yaw in degrees, and remarks."""
    if not told:
        return -90.0, 0.0, tags.heading_deg, [_NO_ATTITUDE]
    pitch, roll, yaw = (number(tags.dji.get(f"Gimbal{part}Degree")) for part in ("Pitch", "Roll", "Yaw"))
    if yaw is None:
        yaw = number(tags.dji.get("FlightYawDegree"))
    return -90.0 if pitch is None else pitch, roll or 0.0, yaw, []


def _measured(tags: Tags, noise: Noise) -> Noise:
    """With the position's own figures, where it was measured to centimetres (RTK)."""
    if number(tags.dji.get("RtkFlag")) != _RTK_FIXED:
        return noise
    deviations = [number(tags.dji.get(f"RtkStd{part}")) for part in ("Lon", "Lat")]
    known = [value for value in deviations if value is not None]
    return noise.model_copy(update={"position_m": max(_RTK_LEAST_M, *known)}) if known else noise


def _lens(tags: Tags, declared: Declared, settings: DroneSettings, name: str) -> Lens:
    """Focal length by calibration, by the table of cameras, or by its 35 mm equivalent, in this order."""
    width, height, noise = declared.width, declared.height, settings.sensors.focal
    calibrated = _dewarp_data(tags.dji.get("DewarpData", ""))
    if calibrated is not None:
        focal, centre_x, centre_y, distortion = calibrated
        if number(tags.dji.get("DewarpFlag")) == 1:  # the drone has straightened the photo already
            distortion = (0.0, 0.0, 0.0, 0.0, 0.0)
        return Lens(width, height, focal, noise.calibrated, centre_x, centre_y, distortion, "DewarpData")
    facts = settings.cameras.get(tags.model)
    distortion = facts.distortion if facts else (0.0, 0.0, 0.0, 0.0, 0.0)
    designed = number(tags.dji.get("CalibratedFocalLength"))
    longer = max(width, height)
    if designed is not None and 0.3 * longer < designed < 20 * longer:
        return Lens(width, height, designed, noise.table, distortion=distortion, source="CalibratedFocalLength")
    if facts is not None and tags.focal_mm is not None:
        focal = tags.focal_mm / facts.sensor_width_mm * longer
        return Lens(width, height, focal, noise.table, distortion=distortion, source="camera table")
    if tags.focal_35_mm is not None:
        focal = tags.focal_35_mm / _FULL_FRAME_MM * longer
        return Lens(width, height, focal, noise.equivalent, source="35 mm equivalent")
    raise ImageError(
        f"{name} does not tell its focal length, and {tags.model or 'its camera'} is not in configs/drone.yaml. "
        "Add the width of its sensor there, or pass photos with complete EXIF.",
        "photo.no_focal",
        name=name,
        camera=tags.model,
    )


def _dewarp_data(text: str) -> tuple[float, float, float, tuple[float, float, float, float, float]] | None:
    """Focal length, principal point and distortion of "date;fx,fy,cx,cy,k1,k2,p1,p2,k3" (DJI's own calibration)."""
    values = [number(part) for part in text.rpartition(";")[2].split(",")]
    if len(values) != 9 or any(value is None for value in values):
        return None
    fx, fy, cx, cy, k1, k2, p1, p2, k3 = (value or 0.0 for value in values)
    if fx <= 0 or fy <= 0 or abs(fx / fy - 1) > 0.05 or max(abs(k) for k in (k1, k2, p1, p2, k3)) > 2:
        return None
    return math.sqrt(fx * fy), cx, cy, (k1, k2, p1, p2, k3)


def _day(tags: Tags, name: str, today: dt.date, default: dt.date | None) -> tuple[dt.date | None, str, tuple[str, ...]]:
    """The day, where it comes from, and what was not believed: satellites before clock before names and givens."""
    clock = tags.taken.date() if tags.taken else None
    believed = clock is not None and clock.year >= _FIRST_DRONES and clock <= today + dt.timedelta(days=1)
    satellites = tags.gps_date if tags.gps_date and _FIRST_DRONES <= tags.gps_date.year <= today.year + 1 else None
    if satellites is not None and satellites <= today + dt.timedelta(days=1):
        if clock is None or abs((clock - satellites).days) <= _CLOCK_DAYS:
            return clock or satellites, "camera's clock", ()
        words = f"the camera's clock says {clock}, the satellites {satellites}"
        return satellites, "satellites", (Reason(words, "photo.clock_satellites", clock=clock, satellites=satellites),)
    named = _named_day(name, today)
    other, source = (default, "given") if default is not None else (named, "file or folder name")
    if not believed:
        said = Reason(f"the camera's clock says {clock}, which cannot be", "photo.clock_wrong", clock=clock)
        wrong = (said,) if clock else (Reason("the camera tells no time", "photo.no_clock"),)
        return other, source if other else "unknown", wrong
    assert clock is not None
    if other is not None and abs((clock - other).days) > 300:
        words = f"the camera's clock says {clock}, and {other} was {source}: is the clock right?"
        return other, source, (Reason(words, "photo.clock_doubt", clock=clock, other=other),)
    return clock, "camera's clock", ()


def _named_day(name: str, today: dt.date) -> dt.date | None:
    for part in (PurePosixPath(name).name, *(folder.name for folder in PurePosixPath(name).parents)):
        date, _ = acquisition_date({}, part, today)
        if date is not None:
            return date
    return None


def with_file(photo: Photo, path: Path) -> Photo:
    """The same photo, its file lying elsewhere."""
    return replace(photo, path=path)
