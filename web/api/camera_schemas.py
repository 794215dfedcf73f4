"""What the API tells of cameras, and what a person sends to calibrate one."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, Field

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


class CameraAnswer(BaseModel):
    """A camera. Its address and password are never told."""

    id: int
    name: str
    area_code: str
    kind: Literal["rtsp", "mjpeg", "still", "folder"]
    host: Annotated[str, Field(description="Host and port, or the name of the folder.")]
    active: Annotated[bool, Field(description="False: it was switched off.")]
    state: State
    state_since: dt.datetime | None
    error: str
    times: Annotated[list[str], Field(description="Local times of captures.")]
    captured_at: dt.datetime | None
    next_capture: dt.datetime | None


class CameraList(BaseModel):
    """The person's cameras, by name."""

    cameras: list[CameraAnswer]


class PointSent(BaseModel):
    """A control point: pixels of the frame, degrees of EPSG:4490."""

    x: Annotated[float, Field(ge=0, le=100_000)]
    y: Annotated[float, Field(ge=0, le=100_000)]
    lon: Annotated[float, Field(ge=-180, le=180)]
    lat: Annotated[float, Field(ge=-180, le=180, description="Beyond 90 it was exchanged, and the answer says so.")]

    def point(self) -> ControlPoint:
        """As plain data."""
        return ControlPoint(self.x, self.y, self.lon, self.lat)


class CalibrationSent(BaseModel):
    """What a person set."""

    points: Annotated[list[PointSent], Field(max_length=MAX_CONTROL_POINTS)]
    region: Annotated[
        list[tuple[float, float]], Field(max_length=500, description="Corners (x, y) of what is ground.")
    ] = []
    range_m: Annotated[float, Field(ge=10, le=10_000)] = 800
    save: Annotated[bool, Field(description="Keep it; else it is only tried.")] = False


class CalibrationAnswer(BaseModel):
    """What the points make, or why they cannot be used."""

    residuals_m: Annotated[list[float], Field(description="Of each point, metres.")]
    rms_m: float | None
    warnings: list[str]
    fault: Annotated[str, Field(description='Why they cannot be used, "" when they can.')]
    point: Annotated[int | None, Field(description="Number, from 0, of the point at fault.")]
    saved: bool
