"""Capture one image of a camera: the temporal median of several frames.

A sandboxed process (:mod:`imagery.cameras.capture_process`) reads and decodes the stream, so a stream that hangs or
crashes its decoder becomes a :class:`errors.CameraError`.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from errors import CameraError, ImageError, OutputError
from imagery.cameras.camera import Capture, Fault, Quality, Stream
from imagery.cameras.settings import CaptureSettings
from imagery.sandbox import ResourceLimits, SandboxError, run_sandboxed

_STARTUP_SECONDS = 30.0  # a busy machine may take this long to start a process and load its libraries
_MEMORY_BYTES = 6 * 1024**3  # address space; the decoder's threads reserve much of it and use little
FROZEN = Fault("frozen", "The stream is frozen: its images are identical bit for bit. Restart the camera.")
STALE = Fault("frozen", "The newest image is old: the camera has stopped sending. Check it.")


def capture(stream: Stream, settings: CaptureSettings, now: dt.datetime) -> Capture:
    """Fetch several frames and return their temporal median, in which moving objects vanish.

    Args:
        stream: source of the frames.
        settings: number of frames, duration and timeouts.
        now: current time with time zone. Images of a folder have their own time.

    Returns:
        the capture before the quality check; with the fault ``frozen`` if all frames are identical bit for bit.

    Raises:
        CameraError: the camera does not answer, denies access, or sends no image. The message never contains user name
            or password.
    """
    with tempfile.TemporaryDirectory(prefix="tuban-camera-", ignore_cleanup_errors=True) as folder:
        out = Path(folder) / "frame.npy"
        task = {
            "stream": asdict(stream),
            "settings": asdict(settings),
            "out": str(out),
            "now": now.isoformat(),
        }
        answer = _run_sandboxed(task, Path(folder), settings, stream.host)
        frame = np.load(out, allow_pickle=False)
    result = Capture(
        frame, dt.datetime.fromisoformat(answer["taken_at"]), frames=answer["frames"], sha256=answer["sha256"]
    )
    faults = tuple(fault for name, fault in (("frozen", FROZEN), ("stale", STALE)) if answer[name])
    return replace(result, quality=Quality(faults[:1])) if faults else result


def _run_sandboxed(task: dict[str, Any], folder: Path, settings: CaptureSettings, host: str) -> dict[str, Any]:
    limits = ResourceLimits(
        wall_seconds=_STARTUP_SECONDS + 2 * settings.limit_s + settings.seconds, memory_bytes=_MEMORY_BYTES
    )
    try:
        answer = run_sandboxed("imagery.cameras.capture_process:capture_frames", task, limits=limits, workdir=folder)
    except (SandboxError, ImageError, OutputError):
        raise CameraError(
            f"{host} sent nothing usable in time, or a stream that crashes its decoder. Check it.",
            "stream.hangs",
            host=host,
        ) from None
    return dict(answer)
