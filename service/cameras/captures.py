"""Camera captures: fetch one, assess its quality and view, and store its frame."""

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

_LOSSLESS = 101  # WebP quality above 100 selects lossless compression


@dataclass(frozen=True)
class AssessedCapture:
    """A capture with its quality and the view it shows.

    Attributes:
        capture: with ``quality`` set.
        preset_id: the view; None: no known view.
    """

    capture: Capture
    preset_id: int | None


def fetch_capture(context: Context, camera: CameraRow) -> Capture:
    """Fetch one capture, timestamped in local time; its quality is not assessed yet.

    Raises:
        CameraError: the camera does not answer, refuses, sends no image, or its address was encrypted with another
            key.
    """
    settings = context.settings
    stream = camera_stream(camera, camera_key(settings))
    return capture(stream, capture_settings(settings.cameras), context.clock().astimezone(settings.zone))


def capture_settings(settings: CameraSettings) -> CaptureSettings:
    """Return the capture options of the camera settings."""
    return CaptureSettings(
        frames=settings.frames,
        seconds=settings.seconds,
        limit_s=settings.limit_seconds,
        stale_hours=settings.stale_hours,
        loopback=settings.loopback,
    )


def assess_capture(
    context: Context, fetched: Capture, presets: Sequence[PresetRow], last: CaptureRow | None = None
) -> AssessedCapture:
    """Check a capture against each view of its camera and assign it to the first one that matches.

    Args:
        context: gives access to the reference frames.
        fetched: capture without ``quality``.
        presets: views of the camera; empty: only checks that need no reference frame are made.
        last: the previous capture; an equal checksum means that the stream is frozen.
    """
    last_sha256 = last.sha256 if last is not None else ""
    if not presets:
        return AssessedCapture(check_quality(fetched, None, last_sha256), None)
    assessed = [
        AssessedCapture(check_quality(fetched, read_frame(context, preset.reference_key), last_sha256), preset.id)
        for preset in presets
    ]
    match = next((one for one in assessed if not _shows_other_view(one.capture)), None)
    return match or replace(assessed[0], preset_id=None)


def store_frame(context: Context, frame: Frame) -> str:
    """Store a frame losslessly under a key derived from its content; return the key."""
    encoded, data = cv2.imencode(".webp", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS])
    if not encoded:
        raise TubanError("The frame of the camera cannot be encoded.")
    name = hashlib.sha256(data.tobytes()).hexdigest()
    key = f"cameras/{name[:2]}/{name}.webp"
    context.objects.put(key, data.tobytes())
    return key


def read_frame(context: Context, key: str) -> Frame:
    """Read a stored frame, H×W×3 uint8 RGB.

    Raises:
        ObjectNotFound: it was deleted.
    """
    frame = cv2.imdecode(np.frombuffer(context.objects.read(key), np.uint8), cv2.IMREAD_COLOR_RGB)
    if frame is None:
        raise TubanError(f"The stored frame {key} cannot be decoded.")
    return np.asarray(frame, np.uint8)


def _shows_other_view(capture: Capture) -> bool:
    return capture.quality is not None and any(fault.code in ("moved", "size") for fault in capture.quality.faults)
