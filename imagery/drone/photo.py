"""One raw drone photo: position, attitude and lens by its tags, with their standard deviations."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Self

from errors import ImageError, Reason
from imagery.dates import acquisition_date
from imagery.drone.exif import Tags, parse_number, read_tags
from imagery.drone.lens import Lens
from imagery.drone.settings import CameraModel, DroneSettings, Noise
from imagery.files.formats import JPEG, Format
from imagery.files.header_limits import RasterLayout
from imagery.files.safe_file import SafeFile

_FIRST_YEAR = 2010  # a camera clock before that was never set
_CLOCK_TOLERANCE_DAYS = 2  # between the camera's clock, in an unknown time zone, and satellite time
_MAX_CLOCK_DIFFERENCE_DAYS = 300  # to the given date or that of the file name, beyond which the clock is doubted
_MIN_HEIGHT_M = 3.0  # above the take-off point; a lower photo was taken on the ground, or the take-off point is a hill
_SAME_ASPECT = 0.02  # relative difference of the aspects of a photo and of its smaller copy
_FOCAL_AGREEMENT = 0.15  # relative difference of two focal lengths that belong to one photo
_NO_ATTITUDE = Reason("its attitude is not in its tags: assumed to look straight down", "photo.no_attitude")
_FULL_FRAME_MM = 36.0
_RTK_FIXED = 50  # DJI's RtkFlag of a fixed solution
_RTK_MIN_SIGMA_M = 0.03
_NO_DISTORTION = (0.0, 0.0, 0.0, 0.0, 0.0)

Distortion = tuple[float, float, float, float, float]
"""k1, k2, p1, p2, k3; see :class:`imagery.drone.lens.Lens`."""


@dataclass(frozen=True)
class Photo:
    """A photo that can be oriented.

    Attributes:
        name: display name, folders included.
        path: the file.
        sha256: of the file; "": not computed.
        longitude, latitude: of the camera, degrees.
        altitude_m: of the camera above sea level, by its tags; None: missing.
        height_m: of the camera above the take-off point; None: missing.
        yaw_deg: direction of the photo's upper edge (of the view, for an oblique one), clockwise from true north.
            None: missing.
        pitch_deg: of the view, −90 is straight down.
        roll_deg: about the view.
        noise: standard deviations of position, height and attitude.
        has_attitude: whether the attitude is by its tags, not assumed.
        lens: interior orientation.
        taken: by the camera's clock, which may be wrong, but runs evenly.
        date: acquisition date; None: unknown.
        date_source: origin of the date.
        camera: model, and serial number if present.
        remarks: for people.
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
    has_attitude: bool = True

    @property
    def off_nadir_deg(self) -> float:
        """Angle between the view and straight down."""
        return abs(90.0 + self.pitch_deg)

    def to_json(self) -> dict[str, Any]:
        """Convert to plain JSON data."""
        return self.__dict__ | {
            "path": str(self.path),
            "noise": self.noise.model_dump(),
            "lens": self.lens.__dict__,
            "taken": self.taken and self.taken.isoformat(),
            "date": self.date and self.date.isoformat(),
            "remarks": [[str(remark), Reason.json_of(remark)] for remark in self.remarks],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Restore from the data of :meth:`to_json`."""
        lens = data["lens"]
        return cls(
            **data
            | {
                "path": Path(data["path"]),
                "noise": Noise(**data["noise"]),
                "lens": Lens(**lens | {"distortion": tuple(lens["distortion"])}),
                "taken": data["taken"] and dt.datetime.fromisoformat(data["taken"]),
                "date": data["date"] and dt.date.fromisoformat(data["date"]),
                "remarks": tuple(Reason.from_json(words, details) for words, details in data["remarks"]),
            }
        )


def is_photo(file: SafeFile, file_format: Format) -> bool:
    """Whether a file without coordinates is a photo taken by a camera. Its tags may still lack the position.

    Raises:
        ImageError: its tags cannot be read.
    """
    return file_format == JPEG and read_tags(file).from_camera


def read_photo(
    file: SafeFile,
    layout: RasterLayout,
    settings: DroneSettings,
    *,
    today: dt.date,
    default_date: dt.date | None = None,
    sha256: str = "",
) -> Photo:
    """Read position, attitude and lens of a photo.

    Args:
        file: a JPEG file; its name is the display name, folders included.
        layout: its size in pixels.
        settings: of ``configs/drone.yaml``.
        today: later dates are rejected.
        default_date: acquisition date to use where neither the satellites nor the clock give a plausible one.
        sha256: of the file, if known.

    Raises:
        ImageError: no position, no focal length, oblique, a panorama, or a thermal photo.
    """
    tags, name = read_tags(file), file.name
    _reject_panorama(tags, layout, settings, name)
    if any(word in tags.dji.get("ImageSource", "").lower() for word in ("infrared", "thermal")):
        words = f"{name} is a thermal photo: it shows temperatures, not the ground's appearance"
        raise ImageError(words, "kind.thermal_photo", name=name)
    if tags.latitude is None or tags.longitude is None:
        why = tags.position_fault or Reason("it holds no position", "photo.none_told")
        raise ImageError(
            f"{name} cannot be placed: {why}. Take photos with the drone's satellite positioning on, or make an "
            "orthophoto of them and pass that.",
            "photo.no_position",
            name=name,
            why=why,
        )
    sensors = settings.sensors
    by_dji = parse_number(tags.dji.get("GimbalPitchDegree")) is not None
    noise = sensors.dji if by_dji else sensors.other if tags.attitude else sensors.exif
    pitch, roll, yaw, remarks = _attitude(tags, by_dji)
    if abs(90 + pitch) > settings.max_off_nadir_deg:
        raise ImageError(
            f"{name} is oblique: the camera looked {abs(90 + pitch):.0f}° away from straight down, and up to "
            f"{settings.max_off_nadir_deg:g}° are accepted. Fly with the camera pointing straight down (gimbal −90°).",
            "photo.oblique",
            name=name,
            angle=round(abs(90 + pitch)),
            limit=settings.max_off_nadir_deg,
        )
    height = parse_number(tags.dji.get("RelativeAltitude"))
    if height is not None and height < _MIN_HEIGHT_M:
        words = (
            f"by its tags {height:g} m above the take-off point, which is not its height above the ground: that is "
            "estimated from its neighbours"
        )
        remarks = [*remarks, Reason(words, "photo.height_unknown", height=height)]
        height = None
    lens, lens_remarks = _lens(tags, layout, settings, name)
    date, date_source, doubts = _acquisition_date(tags, name, today, default_date)
    return Photo(
        name=name,
        path=file.path,
        sha256=sha256,
        longitude=tags.longitude,
        latitude=tags.latitude,
        altitude_m=parse_number(tags.dji.get("AbsoluteAltitude")) or tags.altitude_m,
        height_m=height,
        yaw_deg=yaw,
        pitch_deg=pitch,
        roll_deg=roll,
        noise=_with_rtk_accuracy(tags, noise),
        lens=lens,
        taken=tags.taken,
        date=date,
        date_source=date_source,
        camera=" ".join(part for part in (tags.model, tags.serial) if part) or "unknown camera",
        remarks=(*remarks, *lens_remarks, *doubts),
        has_attitude=by_dji or tags.attitude is not None,
    )


def _reject_panorama(tags: Tags, layout: RasterLayout, settings: DroneSettings, name: str) -> None:
    aspect = max(layout.width, layout.height) / min(layout.width, layout.height)
    if tags.panorama or aspect > settings.max_aspect:
        kind = "a vertical panorama" if layout.height > layout.width else "a panorama"
        raise ImageError(
            f"{name} is {kind} ({layout.width} × {layout.height} pixels), stitched from several views, without a "
            "single camera geometry. Pass the single photos, taken straight down.",
            "photo.panorama",
            name=name,
            width=layout.width,
            height=layout.height,
        )


def _attitude(tags: Tags, by_dji: bool) -> tuple[float, float, float | None, list[str]]:
    """Pitch, roll and yaw in degrees, and remarks."""
    if not by_dji:
        if tags.attitude is None:
            return -90.0, 0.0, tags.heading_deg, [_NO_ATTITUDE]
        by_others = tags.attitude
        return by_others[0], by_others[2], tags.heading_deg if by_others[1] is None else by_others[1], []
    pitch, roll, yaw = (parse_number(tags.dji.get(f"Gimbal{part}Degree")) for part in ("Pitch", "Roll", "Yaw"))
    if yaw is None:
        yaw = parse_number(tags.dji.get("FlightYawDegree"))
    return -90.0 if pitch is None else pitch, roll or 0.0, yaw, []


def _with_rtk_accuracy(tags: Tags, noise: Noise) -> Noise:
    """Replace the position's standard deviation by the photo's own where it has a fixed RTK solution."""
    if parse_number(tags.dji.get("RtkFlag")) != _RTK_FIXED:
        return noise
    deviations = [parse_number(tags.dji.get(f"RtkStd{part}")) for part in ("Lon", "Lat")]
    known = [value for value in deviations if value is not None]
    return noise.model_copy(update={"position_m": max(_RTK_MIN_SIGMA_M, *known)}) if known else noise


def _lens(tags: Tags, layout: RasterLayout, settings: DroneSettings, name: str) -> tuple[Lens, list[Reason]]:
    """Interior orientation by DJI's calibration, the table of cameras, or the 35 mm equivalent; and remarks.

    A calibration holds for the size of the photo as it was taken. The table and the 35 mm equivalent hold for any size:
    where they contradict a calibration, the photo was made smaller and its tags were kept.
    """
    width, height, noise = layout.width, layout.height, settings.sensors.focal
    long_side = max(width, height)
    model = settings.cameras.get(tags.model)
    distortion = model.distortion if model else _NO_DISTORTION
    by_size, source, sigma = _focal_of_any_size(tags, model, long_side, settings)
    scale, remarks = _reduction(tags, layout)
    calibrated = _dewarp_data(tags.dji.get("DewarpData", ""))
    nominal = parse_number(tags.dji.get("CalibratedFocalLength"))
    focal = calibrated[0] * scale if calibrated else nominal * scale if nominal else None
    if focal is not None and (calibrated or 0.3 * long_side < focal < 20 * long_side):
        if by_size is None or abs(focal / by_size - 1) <= _FOCAL_AGREEMENT:
            if calibrated is None:
                lens = Lens(width, height, focal, noise.table, distortion=distortion, source="CalibratedFocalLength")
                return lens, remarks
            _, centre_x, centre_y, distortion = calibrated
            if parse_number(tags.dji.get("DewarpFlag")) == 1:  # the drone has undistorted the photo already
                distortion = _NO_DISTORTION
            return Lens(
                width, height, focal, noise.calibrated, centre_x * scale, centre_y * scale, distortion, "DewarpData"
            ), remarks
        words = "its calibrated focal length does not fit its lens (was the photo resized?): that of the lens is used"
        remarks = [*remarks, Reason(words, "photo.calibration_unfit")]
        sigma = noise.contradictory
    if by_size is not None:
        table_distortion = distortion if source == "camera table" else _NO_DISTORTION
        return Lens(width, height, by_size, sigma, distortion=table_distortion, source=source), remarks
    raise ImageError(
        f"{name} has no focal length in its tags, and {tags.model or 'its camera'} is not in configs/drone.yaml. "
        "Add the width of its sensor there, or pass photos with complete EXIF.",
        "photo.no_focal",
        name=name,
        camera=tags.model,
    )


def _focal_of_any_size(
    tags: Tags, model: CameraModel | None, long_side: int, settings: DroneSettings
) -> tuple[float | None, str, float]:
    """Focal length in pixels by the table of cameras or the 35 mm equivalent, its source and its relative noise."""
    noise = settings.sensors.focal
    if model is not None and tags.focal_mm is not None:
        return tags.focal_mm / model.sensor_width_mm * long_side * tags.digital_zoom, "camera table", noise.table
    if tags.focal_35_mm is not None:
        return tags.focal_35_mm / _FULL_FRAME_MM * long_side, "35 mm equivalent", noise.equivalent
    return None, "", noise.equivalent


def _reduction(tags: Tags, layout: RasterLayout) -> tuple[float, list[Reason]]:
    """Factor by which a photo was made smaller after it was taken, by its EXIF, and a remark on it."""
    if tags.original_size is None:
        return 1.0, []
    width, height = tags.original_size
    if (layout.height > layout.width) != (height > width):  # the photo was turned
        width, height = height, width
    scale = layout.width / width
    if scale == 1.0 or abs(layout.height / height / scale - 1) > _SAME_ASPECT:
        return 1.0, []
    words = (
        f"its size is {layout.width} × {layout.height} pixels, and it was taken with {width} × {height}: its focal "
        "length was scaled"
    )
    remark = Reason(
        words,
        "photo.resized",
        width=layout.width,
        height=layout.height,
        original_width=width,
        original_height=height,
    )
    return scale, [remark]


def _dewarp_data(text: str) -> tuple[float, float, float, Distortion] | None:
    """Parse focal length, principal point and distortion of "date;fx,fy,cx,cy,k1,k2,p1,p2,k3" (DJI's calibration)."""
    values = [parse_number(part) for part in text.rpartition(";")[2].split(",")]
    if len(values) != 9 or any(value is None for value in values):
        return None
    fx, fy, cx, cy, k1, k2, p1, p2, k3 = (value or 0.0 for value in values)
    if fx <= 0 or fy <= 0 or abs(fx / fy - 1) > 0.05 or max(abs(k) for k in (k1, k2, p1, p2, k3)) > 2:
        return None
    return math.sqrt(fx * fy), cx, cy, (k1, k2, p1, p2, k3)


def _acquisition_date(
    tags: Tags, name: str, today: dt.date, default: dt.date | None
) -> tuple[dt.date | None, str, tuple[str, ...]]:
    """Return the date, its source, and remarks on rejected dates.

    Satellite time is preferred to the clock, the clock to ``default`` and the file or folder name.
    """
    clock = tags.taken.date() if tags.taken else None
    plausible = clock is not None and clock.year >= _FIRST_YEAR and clock <= today + dt.timedelta(days=1)
    satellites = tags.gps_date if tags.gps_date and _FIRST_YEAR <= tags.gps_date.year <= today.year + 1 else None
    if satellites is not None and satellites <= today + dt.timedelta(days=1):
        if clock is None or abs((clock - satellites).days) <= _CLOCK_TOLERANCE_DAYS:
            return clock or satellites, "camera's clock", ()
        words = f"the camera's clock says {clock}, satellite time says {satellites}"
        return satellites, "satellites", (Reason(words, "photo.clock_satellites", clock=clock, satellites=satellites),)
    named = _date_in_name(name, today)
    other, source = (default, "given") if default is not None else (named, "file or folder name")
    if not plausible:
        if clock:
            remark = Reason(f"the camera's clock says {clock}, which is impossible", "photo.clock_wrong", clock=clock)
        else:
            remark = Reason("the photo has no time of capture", "photo.no_clock")
        return other, source if other else "unknown", (remark,)
    assert clock is not None
    if other is not None and abs((clock - other).days) > _MAX_CLOCK_DIFFERENCE_DAYS:
        words = f"the camera's clock says {clock}, but the other date ({source}) is {other}: is the clock right?"
        return other, source, (Reason(words, "photo.clock_doubt", clock=clock, other=other),)
    return clock, "camera's clock", ()


def _date_in_name(name: str, today: dt.date) -> dt.date | None:
    for part in (PurePosixPath(name).name, *(folder.name for folder in PurePosixPath(name).parents)):
        date, _ = acquisition_date({}, part, today)
        if date is not None:
            return date
    return None
