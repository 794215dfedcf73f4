"""``configs/drone.yaml``: when photos are taken, how well their sensors are believed, and what their cameras are."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configs import faults_in, read_yaml
from errors import SettingsError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Noise(_Strict):
    """Standard deviations of what a drone says of itself; tilt is that of the camera's axis, in two directions."""

    position_m: float = Field(gt=0)
    height_m: float = Field(gt=0)
    yaw_deg: float = Field(gt=0)
    tilt_deg: float = Field(gt=0)


class FocalNoise(_Strict):
    """Standard deviations of a focal length, as a share of it, by where it comes from."""

    calibrated: float = Field(gt=0)
    table: float = Field(gt=0)
    equivalent: float = Field(gt=0)


class Sensors(_Strict):
    """Noise of drones that tell their attitude, of those that do not, and of focal lengths."""

    dji: Noise
    exif: Noise
    focal: FocalNoise


class CameraFacts(_Strict):
    """What is known of a camera model."""

    sensor_width_mm: float = Field(gt=0)
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)


class DroneSettings(_Strict):
    """The whole file; each value is told in it."""

    max_off_nadir_deg: float = Field(gt=0, lt=80)
    max_aspect: float = Field(gt=1)
    flight_gap_minutes: float = Field(gt=0)
    flight_gap_m: float = Field(gt=0)
    finest_gsd_m: float = Field(gt=0)
    coarse_limit_m: float = Field(gt=0)
    anchors: int = Field(ge=1)
    neighbours: int = Field(ge=1)
    ground_rise: float = Field(ge=0)
    sensors: Sensors
    cameras: dict[str, CameraFacts]


@cache
def drone_settings(path: Path = Path("drone.yaml")) -> DroneSettings:
    """Read and check the file.

    Raises:
        SettingsError: a name or a value is not what the file has; the message lists each.
    """
    try:
        return DroneSettings.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(f"The settings file {path} cannot be used: {faults_in(error)}") from error
