"""Request and response models of the camera API."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from imagery.cameras.camera import ControlPoint
from store.cameras.presets import MAX_CONTROL_POINTS

State = Literal[
    "new",
    "ok",
    "no_answer",
    "locked",
    "dark",
    "overexposed",
    "blurred",
    "fogged",
    "blocked",
    "frozen",
    "moved",
    "size",
]


class CameraDetail(BaseModel):
    """A camera. Its address and password are never part of a response."""

    id: int
    name: str
    area_code: str
    kind: Literal["rtsp", "mjpeg", "still", "folder"]
    host: Annotated[str, Field(description="Host and port, or the name of the folder.")]
    active: Annotated[bool, Field(description="False: it is switched off.")]
    state: State
    state_since: dt.datetime | None
    error: str
    times: Annotated[list[str], Field(description="Local times of the daily captures.")]
    captured_at: dt.datetime | None
    next_capture: dt.datetime | None


class CameraList(BaseModel):
    """The cameras that the user may see, by name."""

    cameras: list[CameraDetail]


class ControlPointInput(BaseModel):
    """A control point: pixels of the frame, degrees of EPSG:4490."""

    x: Annotated[float, Field(ge=0, le=100_000)]
    y: Annotated[float, Field(ge=0, le=100_000)]
    lon: Annotated[float, Field(ge=-180, le=180)]
    lat: Annotated[float, Field(ge=-180, le=180, description="Values over 90 are reported as swapped coordinates.")]

    def point(self) -> ControlPoint:
        """Return the control point as a plain data object."""
        return ControlPoint(self.x, self.y, self.lon, self.lat)


class CalibrationInput(BaseModel):
    """Control points and limits of a view."""

    model_config = ConfigDict(extra="forbid")
    points: Annotated[list[ControlPointInput], Field(max_length=MAX_CONTROL_POINTS)]
    region: Annotated[
        list[tuple[float, float]], Field(max_length=500, description="Corners (x, y) of the outline of the ground.")
    ] = []
    range_m: Annotated[float, Field(ge=10, le=10_000)] = 800
    save: Annotated[bool, Field(description="Whether to store the calibration; otherwise it is only tested.")] = False


class CalibrationResult(BaseModel):
    """The accuracy of a calibration, or why the points are unusable."""

    residuals_m: Annotated[list[float], Field(description="Residual of each point in metres.")]
    rms_m: float | None
    warnings: list[str]
    fault: Annotated[str, Field(description='Why the points are unusable; "" if they are usable.')]
    point: Annotated[int | None, Field(description="Index, from 0, of the faulty point.")]
    saved: bool
