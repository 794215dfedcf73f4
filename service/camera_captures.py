"""Captures of cameras: fetched, judged against the views of their camera, and stored as frames."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from configs.service import CameraSettings
from errors import TubanError
from imagery.cameras.camera import Capture, Frame
from imagery.cameras.capture import capture
from imagery.cameras.quality_check import check_quality
from imagery.cameras.settings import CaptureSettings
from service.context import Context
from store.cameras.cameras import camera_stream
from store.cameras.secrets import camera_key
from store.schema.camera_tables import CameraRow, CaptureRow, PresetRow

_LOSSLESS = 101  # for WebP


@dataclass(frozen=True)
class AssessedCapture:
    """A capture held against the views of its camera.

    Attributes:
        capture: after the gate.
        preset_id: the view that it shows; None: none.
    """

    capture: Capture
    preset_id: int | None


def fetch(context: Context, camera: CameraRow) -> Capture:
    """One capture as it was fetched, in local time.

    Raises:
        CameraError: it does not answer, refuses, sends no image, or was encrypted with another key.
    """
    settings = context.settings
    stream = camera_stream(camera, camera_key(settings))
    return capture(stream, capture_settings(settings.cameras), context.clock().astimezone(settings.zone))


def capture_settings(settings: CameraSettings) -> CaptureSettings:
    """What captures are made with."""
    return CaptureSettings(
        frames=settings.frames,
        seconds=settings.seconds,
        limit_s=settings.limit_seconds,
        stale_hours=settings.stale_hours,
        loopback=settings.loopback,
    )


def assess_capture(
    context: Context, made: Capture, presets: Sequence[PresetRow], last: CaptureRow | None = None
) -> AssessedCapture:
    """Hold a capture against each view of its camera; it belongs to the first that it shows.

    Args:
        context: where the reference frames are.
        made: as it was fetched.
        presets: of the camera; none: only what a single image tells is asked.
        last: the capture before, which shows by its checksum that a stream stands still.
    """
    before = last.sha256 if last is not None else ""
    if not presets:
        return AssessedCapture(check_quality(made, None, before), None)
    tried = [
        AssessedCapture(check_quality(made, read_frame(context, preset.reference_key), before), preset.id)
        for preset in presets
    ]
    shown = next((one for one in tried if not _elsewhere(one.capture)), None)
    return shown or replace(tried[0], preset_id=None)


def store_frame(context: Context, frame: Frame) -> str:
    """Keep a frame among the objects, lossless, by what is in it; returns its key."""
    encoded, data = cv2.imencode(".webp", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS])
    if not encoded:
        raise TubanError("The frame of the camera cannot be encoded.")
    name = hashlib.sha256(data.tobytes()).hexdigest()
    key = f"cameras/{name[:2]}/{name}.webp"
    context.objects.put(key, data.tobytes())
    return key


def read_frame(context: Context, key: str) -> Frame:
    """A frame of ours.

    Raises:
        ObjectNotFound: it is not there any more.
    """
    found = cv2.imdecode(np.frombuffer(context.objects.read(key), np.uint8), cv2.IMREAD_COLOR_RGB)
    if found is None:
        raise TubanError(f"The stored frame {key} cannot be decoded.")
    return np.asarray(found, np.uint8)


def _elsewhere(made: Capture) -> bool:
    return made.quality is not None and any(fault.code in ("moved", "size") for fault in made.quality.faults)
