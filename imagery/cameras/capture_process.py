"""Read the frames of one capture in a sandboxed process and save their median.

Run by :func:`imagery.cameras.capture.capture`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from errors import CameraError
from imagery.cameras.address import resolve_host
from imagery.cameras.camera import Credentials, Frame, Stream
from imagery.cameras.folder_source import newest_frames
from imagery.cameras.frames import median_frame
from imagery.cameras.http_source import mjpeg_frames, still_frames
from imagery.cameras.rtsp_source import rtsp_frames
from imagery.cameras.settings import CaptureSettings

_MIN_FRAMES = 3  # a stream that breaks off earlier gives no capture


def capture_frames(task: dict[str, Any]) -> dict[str, Any]:
    """Read several frames and save their median as ``.npy``.

    Args:
        task: ``stream`` and ``settings`` as dictionaries, ``now`` (ISO 8601) and the file to write, ``out``.

    Returns:
        number of ``frames``, whether the stream is ``frozen`` or ``stale``, ``taken_at`` (ISO 8601) and ``sha256``.

    Raises:
        CameraError: the camera does not answer, denies access, or sends no image.
    """
    secret = task["stream"].pop("credentials")
    stream = Stream(**task["stream"], credentials=Credentials(**secret) if secret else None)
    settings = CaptureSettings(**task["settings"])
    now = taken = dt.datetime.fromisoformat(task["now"])
    stale = False
    if stream.kind == "folder":
        frames, taken = newest_frames(stream, settings)
        taken = taken.astimezone(now.tzinfo)
        stale = now - taken > dt.timedelta(hours=settings.stale_hours)
    else:
        stream = resolve_host(stream, settings.loopback)
        if stream.kind == "still":
            images = list(still_frames(stream, settings))
            frames, stale = [frame for frame, _ in images], all(is_stale for _, is_stale in images)
        else:
            source = rtsp_frames if stream.kind == "rtsp" else mjpeg_frames
            frames = _evenly_spaced(source(stream, settings), settings.frames, settings.seconds)
            if len(frames) < min(_MIN_FRAMES, settings.frames):
                raise CameraError(
                    f"{stream.host} broke off after {len(frames)} frames. Check the connection to it.",
                    "stream.broke_off",
                    host=stream.host,
                    frames=len(frames),
                )
    frames = [frame for frame in frames if frame.shape == frames[0].shape]
    frame = median_frame(frames)
    np.save(task["out"], frame)
    identical = all(np.array_equal(frames[0], other) for other in frames[1:])
    return {
        "frames": len(frames),
        # a still image may be renewed only once a minute: it is compared with the previous capture by its sha256
        "frozen": stream.kind in ("rtsp", "mjpeg") and len(frames) > 1 and identical,
        "stale": stale,
        "taken_at": taken.isoformat(),
        "sha256": hashlib.sha256(frame.tobytes()).hexdigest(),
    }


def _evenly_spaced(source: Iterator[Frame], count: int, seconds: float) -> list[Frame]:
    """Return frames evenly spaced over ``seconds`` from the first one; fewer if the stream breaks off."""
    frames: list[Frame] = []
    started = 0.0
    try:
        for frame in source:
            now = time.monotonic()
            started = started if frames else now
            if now - started >= seconds * len(frames) / max(count - 1, 1):
                frames.append(frame)
            if len(frames) == count:
                break
    except CameraError:
        if not frames:
            raise
    return frames
