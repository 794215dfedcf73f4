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
FROZEN = Fault("frozen", "The stream stands still: its images are the same bit for bit. Restart the camera.")
STALE = Fault("frozen", "The newest image is old: the camera has stopped sending. Check it.")


def capture(stream: Stream, settings: CaptureSettings, now: dt.datetime) -> Capture:
    """Fetch a few frames and return their median, in which what moves has vanished.

    Args:
        stream: where from.
        settings: how many frames, over how long, and after what time a camera is given up.
        now: this moment, with its time zone. The image of a folder carries its own.

    Returns:
        the capture, not judged yet; with the fault ``frozen`` when all frames are the same bit for bit.

    Raises:
        CameraError: it does not answer, refuses, or sends no image; the words hold neither user name nor password.
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
    made = Capture(
        frame, dt.datetime.fromisoformat(answer["taken_at"]), frames=answer["frames"], sha256=answer["sha256"]
    )
    faults = tuple(fault for name, fault in (("frozen", FROZEN), ("stale", STALE)) if answer[name])
    return replace(made, quality=Quality(faults[:1])) if faults else made


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
