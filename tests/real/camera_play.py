"""A service with a calibrated camera, and its captures made from two real frames of one construction site."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from sqlalchemy import select

from imagery.cameras.camera import Capture, ControlPoint, Stream
from model.detector import Detector
from service.cameras.captures import assess_capture, store_frame
from store.cameras.cameras import add_camera
from store.cameras.presets import create_preset, list_presets, set_calibration
from store.cameras.secrets import camera_key
from store.schema.camera_tables import CaptureRow
from tests.inference.scenes import ORIGIN, Image
from tests.workers.embedded import clock_of
from tests.workers.scan_service import VILLAGE, ScanService
from workers.cameras.captures import record_capture

WIDTH, HEIGHT = 480, 320
ZONE = dt.timezone(dt.timedelta(hours=8))
START = dt.datetime(2026, 11, 1, 10, tzinfo=ZONE)
YARD = (
    ((245, 262), (300, 258), (318, 300), (240, 306)),
    ((212, 250), (300, 240), (334, 306), (206, 314)),
)
"""Outline of the works in the frame in two stages, (x, y)."""

TRUCK = np.s_[280:304, 186:214]
"""A truck in the earlier frame."""

_FOCAL_PX, _PITCH, _MAST_M = 350.0, np.radians(6.5), 45.0
_TO_DEGREES = Transformer.from_crs("EPSG:32650", "EPSG:4490", always_xy=True).transform


@dataclass(frozen=True)
class RealFrames:
    """Frames of both dates, H×W×3 RGB."""

    before: Image
    after: Image

    def show(self, stage: int, truck: tuple[int, int] | None, day: int) -> Image:
        """Return a frame with works of a stage (0: none) and a truck at a place, in the light of a day."""
        frame = self.before.astype(np.float32)
        if stage:
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            cv2.fillPoly(mask, [np.array(YARD[stage - 1], np.int32)], 1)
            share = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)[..., None]
            frame = frame * (1 - share) + self.after * share
        if truck is not None:
            left, top = truck
            frame[top : top + 24, left : left + 28] = self.before[TRUCK]
        return lit(frame, START.hour, np.random.default_rng(24 * day))


def real_frames(imagery: Path) -> RealFrames:
    """Read both dates of a site, cut to size."""
    before, after = (
        cv2.resize(
            cv2.imread(str(imagery / "cctv" / "site_1" / f"{name}.jpg")), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA
        )[:, :, ::-1]
        for name in ("before", "after")
    )
    return RealFrames(np.ascontiguousarray(before), np.ascontiguousarray(after))


def lit(frame: NDArray[np.float32], hour: int, noise: np.random.Generator) -> Image:
    """Return a frame in other light: brightness, a ramp across the view, warmth of the hour, and sensor noise."""
    gain = noise.uniform(0.75, 1.15) * (1 - 0.03 * abs(hour - 12))
    warmth = np.array([1 + 0.02 * (hour - 12), 1, 1 - 0.02 * (hour - 12)])
    ramp = np.linspace(noise.uniform(0.85, 1), noise.uniform(0.85, 1.05), WIDTH)[None, :, None]
    out: Image = np.clip(frame * gain * warmth * ramp + noise.normal(0, 3, frame.shape), 0, 255).astype(np.uint8)
    return out


class CameraService(ScanService):
    """A service with one calibrated camera.

    Args:
        folder: of the service.
        first: the reference frame of its view, captured at ``start``.
        points: its control points.
        region: of the watched ground in the frame; []: all.
        start: time of the first capture.
    """

    def __init__(
        self,
        folder: Path,
        first: Image,
        points: list[ControlPoint],
        region: list[tuple[float, float]],
        start: dt.datetime = START,
    ) -> None:
        super().__init__(folder)
        self.use_detector(Detector("fast"))
        with self.context.database.write() as session:
            key = camera_key(self.context.settings)
            stream = Stream("folder", str(folder))
            add_camera(
                session, name="mast", area_code=VILLAGE, stream=stream, times=["10:00"], key=key, who="test", now=start
            )
        self.take(first, start)
        with self.context.database.write() as session:
            capture = session.scalars(select(CaptureRow)).one()
            height, width = first.shape[:2]
            preset = create_preset(session, capture, "south", (width, height))
            set_calibration(preset, points, region, 400.0, area=None, who="test", now=start)

    def take(self, frame: Image, taken_at: dt.datetime) -> None:
        """Record a capture as its job does, and compare it."""
        clock_of(self.context).now = taken_at.astimezone(dt.UTC)
        capture = Capture(frame, taken_at, sha256=hashlib.sha256(frame.tobytes()).hexdigest())
        with self.context.database.read() as session:
            presets = list_presets(session, 1)
        assessed = assess_capture(self.context, capture, presets)
        assert assessed.capture.quality is not None
        assert assessed.capture.quality.usable, assessed.capture.quality
        key = store_frame(self.context, assessed.capture.frame)
        with self.context.database.write() as session:
            record_capture(session, 1, assessed, key, self.context.clock())
        assert set(self.run_jobs()) <= {"done"}


def control_points() -> list[ControlPoint]:
    """Return six control points on the plane, as clicked by a user."""
    points = []
    for x, y in ((20, 300), (450, 300), (240, 310), (60, 215), (430, 215), (300, 240)):
        across, down = (x - WIDTH / 2) / _FOCAL_PX, (y - HEIGHT / 2) / _FOCAL_PX
        distance = _MAST_M / (np.sin(_PITCH) + down * np.cos(_PITCH))
        east, north = across * distance, (np.cos(_PITCH) - down * np.sin(_PITCH)) * distance
        points.append(ControlPoint(x, y, *_TO_DEGREES(ORIGIN[0] + 150 + east, ORIGIN[1] - 200 + north)))
    return points
