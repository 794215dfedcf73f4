"""Record of a photo of a check on the ground: where, when, in which direction, and what speaks against it.

Browsers remove the position from photos before a page sees them, so the page records its own: the position at the
shutter with accuracy and age, the compass with its source, and the clocks of the phone, of the satellites and of the
server.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import shapely
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from shapely.geometry.base import BaseGeometry

from errors import Reason

_METRES_PER_DEGREE = math.pi * 6378137.0 / 180
_MAX_DAYS = 3650.0

Seconds = Annotated[float, Field(ge=-86400 * _MAX_DAYS, le=86400 * _MAX_DAYS, allow_inf_nan=False)]


class PhotoRecord(BaseModel):
    """What the page recorded about a photo; None: unknown.

    Attributes:
        shot: kind of photo, of ``configs/field.yaml``.
        source: ``camera``: taken now, from the page; ``gallery``: chosen among existing files.
        lon, lat: position in degrees (WGS 84, which EPSG:4490 equals here), of the camera at the shutter; of a photo
            from the gallery that of the phone when it was chosen.
        accuracy_m: radius of 68 % (browsers: 95 %) in metres.
        fix_age_s: time between the fix and the shutter.
        altitude_m: above the ellipsoid.
        heading_deg: of the camera, clockwise from north, 0 to 360.
        heading_source: ``deviceorientationabsolute``, ``webkitCompassHeading`` or ``unknown``.
        heading_north: which north that is, as far as the source says.
        device_time: of the shutter, by the clock of the phone.
        file_time: of the last change of the file, by the clock of the phone.
        gps_time: of the fix.
        clock_offset_s: server time minus device time, as last measured.
        clock_measured_at: device time of that measurement.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shot: Annotated[str, Field(max_length=20)]
    source: Literal["camera", "gallery"]
    lon: Annotated[float | None, Field(ge=-180, le=180)] = None
    lat: Annotated[float | None, Field(ge=-90, le=90)] = None
    accuracy_m: Annotated[float | None, Field(ge=0, le=1e7)] = None
    fix_age_s: Seconds | None = None
    altitude_m: Annotated[float | None, Field(ge=-1e4, le=1e5)] = None
    heading_deg: Annotated[float | None, Field(ge=0, le=360)] = None
    heading_source: Literal["deviceorientationabsolute", "webkitCompassHeading", "unknown"] = "unknown"
    heading_north: Literal["magnetic", "true", ""] = ""
    device_time: AwareDatetime
    file_time: AwareDatetime | None = None
    gps_time: AwareDatetime | None = None
    clock_offset_s: Seconds | None = None
    clock_measured_at: AwareDatetime | None = None

    def taken_at(self, offset_s: float | None) -> dt.datetime:
        """Return the best known time: the phone's clock, corrected by its offset from the server's.

        Args:
            offset_s: measured when the photo was announced; None: the one that the phone knew.
        """
        seconds = offset_s if offset_s is not None else (self.clock_offset_s or 0.0)
        time = self.file_time if self.source == "gallery" and self.file_time else self.device_time
        try:
            return time + dt.timedelta(seconds=seconds)
        except OverflowError:  # a clock beyond the calendar
            return time


@dataclass(frozen=True)
class ExifValues:
    """What the photo itself says, which is usually nothing: position in degrees, local time of the camera."""

    lon: float | None = None
    lat: float | None = None
    time: dt.datetime | None = None


@dataclass(frozen=True)
class RecordLimits:
    """Limits of the chain settings ``field.…`` in metres and seconds."""

    accuracy_m: float
    distance_m: float
    fix_age_s: float
    clock_s: float
    exif_m: float


def distance_to_outline_m(outline: BaseGeometry, lon: float, lat: float) -> float:
    """Return the distance in metres from a place to an outline, 0 inside.

    Both are in degrees. The local plane is exact to 1 % within some kilometres, which is enough for a warning.
    """
    scale = np.array([_METRES_PER_DEGREE * math.cos(math.radians(lat)), _METRES_PER_DEGREE])
    local = shapely.transform(outline, lambda places: (places - (lon, lat)) * scale)
    return float(shapely.distance(local, shapely.Point(0, 0)))


def doubts_about(
    record: PhotoRecord,
    exif: ExifValues,
    outline: BaseGeometry,
    limits: RecordLimits,
    offset_s: float | None,
    zone: dt.tzinfo,
) -> list[Reason]:
    """List what speaks against a photo; a missing position in the file is normal and no doubt.

    Args:
        record: of the page.
        exif: of the file.
        outline: of the alert, in degrees.
        limits: of the chain settings.
        offset_s: server time minus device time, measured when the photo was announced.
        zone: time zone of camera times.
    """
    found = []
    placed = record.lon is not None and record.lat is not None
    if not placed:
        found.append(Reason("No position was recorded.", "field.no_position"))
    else:
        assert record.lon is not None
        assert record.lat is not None
        accuracy = record.accuracy_m or 0.0
        if accuracy > limits.accuracy_m:
            words = f"The position is accurate to {accuracy:.0f} m only."
            found.append(Reason(words, "field.inaccurate", metres=round(accuracy), most=round(limits.accuracy_m)))
        distance = distance_to_outline_m(outline, record.lon, record.lat)
        if distance - accuracy > limits.distance_m:
            words = f"The position is {distance:.0f} m from the outline."
            found.append(Reason(words, "field.far_away", metres=round(distance), most=round(limits.distance_m)))
        if record.source == "camera" and abs(record.fix_age_s or 0.0) > limits.fix_age_s:
            age = abs(record.fix_age_s or 0.0)
            found.append(Reason(f"The position is {age:.0f} s old.", "field.old_fix", seconds=round(age)))
    offset = offset_s if offset_s is not None else record.clock_offset_s
    if offset is not None and abs(offset) > limits.clock_s:
        words = f"The clock of the phone is {abs(offset) / 60:.0f} minutes off."
        found.append(Reason(words, "field.clock_off", minutes=round(abs(offset) / 60)))
    return found + _contradictions(record, exif, limits, zone)


def _contradictions(record: PhotoRecord, exif: ExifValues, limits: RecordLimits, zone: dt.tzinfo) -> list[Reason]:
    found = []
    if None not in (exif.lon, exif.lat, record.lon, record.lat) and record.source == "camera":
        place = shapely.Point(exif.lon or 0.0, exif.lat or 0.0)
        distance = distance_to_outline_m(place, record.lon or 0.0, record.lat or 0.0)
        if distance - (record.accuracy_m or 0.0) > limits.exif_m:
            words = f"The file says it was taken {distance:.0f} m from the recorded position."
            found.append(Reason(words, "field.exif_place", metres=round(distance)))
    if exif.time is not None and record.source == "camera":
        seconds = abs((exif.time.replace(tzinfo=zone) - record.device_time).total_seconds())
        if seconds > max(limits.clock_s, 120):
            words = f"The file says it was taken {seconds / 60:.0f} minutes before or after the recorded time."
            found.append(Reason(words, "field.exif_time", minutes=round(seconds / 60)))
    return found


def parse_record(values: Any) -> PhotoRecord:
    """Return a valid record.

    Raises:
        pydantic.ValidationError: a value is missing or out of range.
    """
    return PhotoRecord.model_validate(values)
