"""One capture of a camera: several frames over some seconds, and their temporal median.

It is made by a process of its own (:mod:`imagery.cameras.capture_process`): what a stream does to that process, or to the
library that reads it, is an answer and not an accident, and one that hangs is ended.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from errors import CameraError, Reason
from imagery.cameras.camera import Capture, Fault, Quality, Stream
from imagery.cameras.settings import CaptureSettings
from imagery.gdal_environment import ENVIRONMENT

_START_S = 30.0  # a busy machine may take so long to start a process and load its libraries
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
            "parent": os.getpid(),
        }
        told = _apart(task, Path(folder), settings, stream.host)
        frame = np.load(out, allow_pickle=False)
    made = Capture(frame, dt.datetime.fromisoformat(told["taken_at"]), frames=told["frames"], sha256=told["sha256"])
    faults = tuple(fault for name, fault in (("frozen", FROZEN), ("stale", STALE)) if told[name])
    return replace(made, quality=Quality(faults[:1])) if faults else made


def _apart(task: dict[str, object], folder: Path, settings: CaptureSettings, name: str) -> dict[str, Any]:
    # nothing of the parent's environment; what is secret goes by standard input, which no other process sees
    environment = ENVIRONMENT | {"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8", "TMPDIR": str(folder)}
    child = subprocess.Popen(
        [sys.executable, "-I", str(Path(__file__).with_name("capture_process.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # FFmpeg prints whole addresses
        text=True,
        errors="replace",
        env=environment,
        cwd=folder,
        start_new_session=True,
    )
    try:
        told, _ = child.communicate(json.dumps(task), timeout=_START_S + 2 * settings.limit_s + settings.seconds)
    except subprocess.TimeoutExpired:
        told = ""
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    try:
        answer = json.loads(told)
    except ValueError:
        raise CameraError(
            f"{name} sent nothing usable in time, or what brings down its reader. Check it.", "stream.hangs", host=name
        ) from None
    if child.returncode != 0:
        raise CameraError(Reason.of(answer["words"], answer["told"]))
    return dict(answer)
