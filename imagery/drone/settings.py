"""``configs/drone.yaml``: acceptance limits for photos, accuracy of drone sensors, and camera models."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configs import format_validation_errors, read_yaml
from errors import SettingsError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Noise(_Strict):
    """Standard deviations of a drone's sensors; tilt is that of the camera's axis, in each of two directions."""

    position_m: float = Field(gt=0)
    height_m: float = Field(gt=0)
    yaw_deg: float = Field(gt=0)
    tilt_deg: float = Field(gt=0)


class FocalNoise(_Strict):
    """Standard deviations of a focal length, as a fraction of it, by its source."""

    calibrated: float = Field(gt=0)
    table: float = Field(gt=0)
    equivalent: float = Field(gt=0)
    contradictory: float = Field(gt=0)


class Sensors(_Strict):
    """Noise of photos with attitude (DJI, other makers), of photos with EXIF only, and of focal lengths."""

    dji: Noise
    other: Noise
    exif: Noise
    focal: FocalNoise


class CameraModel(_Strict):
    """Sensor width and lens distortion of a camera model."""

    sensor_width_mm: float = Field(gt=0)
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)


class DroneSettings(_Strict):
    """The complete file; each value is documented there."""

    max_off_nadir_deg: float = Field(gt=0, lt=80)
    max_tilt_difference_deg: float = Field(gt=0, lt=80)
    max_aspect: float = Field(gt=1)
    flight_gap_minutes: float = Field(gt=0)
    flight_gap_m: float = Field(gt=0)
    finest_gsd_m: float = Field(gt=0)
    coarse_limit_m: float = Field(gt=0)
    anchors: int = Field(ge=1)
    neighbours: int = Field(ge=1)
    ground_rise: float = Field(ge=0)
    relief_m: float = Field(ge=0)
    sensors: Sensors
    cameras: dict[str, CameraModel]


@cache
def drone_settings(path: Path = Path("drone.yaml")) -> DroneSettings:
    """Read and validate the file.

    Raises:
        SettingsError: names or values in it are invalid; the message lists each.
    """
    try:
        return DroneSettings.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(f"The settings file {path} cannot be used: {format_validation_errors(error)}") from error
