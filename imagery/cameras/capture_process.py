"""The program that runs apart for each capture: a task as JSON on standard input, the median as a file.

It gives itself limits before it imports anything that decodes images.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imagery.cameras.camera import Frame

_REFUSED = 3
_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_MEMORY = 6 * 1024**3  # of addresses; the decoder's threads reserve much and use little
_LEAST = 3  # frames without which a stream that broke off is no capture


def main() -> int:
    """Make one capture. 0: done, and standard output tells of it; 3: it says why not."""
    import resource

    task = json.load(sys.stdin)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_END_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != task["parent"]:  # it was gone before we asked
        return 1
    for limit, value in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (value, value))
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from errors import CameraError

    try:
        answer: Any = _capture(task)
        code = 0
    except CameraError as error:
        answer, code = {"words": str(error), "told": error.reason.told()}, _REFUSED
    json.dump(answer, sys.stdout)
    return code


def _capture(task: dict[str, Any]) -> dict[str, Any]:
    import hashlib

    import numpy as np

    from errors import CameraError
    from imagery.cameras.address import check_host
    from imagery.cameras.camera import Credentials, Stream
    from imagery.cameras.folder_source import newest
    from imagery.cameras.frames import median
    from imagery.cameras.http_source import mjpeg, still
    from imagery.cameras.rtsp_source import rtsp
    from imagery.cameras.settings import CaptureSettings

    secret = task["stream"].pop("credentials")
    stream = Stream(**task["stream"], credentials=Credentials(**secret) if secret else None)
    settings = CaptureSettings(**task["settings"])
    now = taken = dt.datetime.fromisoformat(task["now"])
    stale = False
    if stream.kind == "folder":
        frames, taken = newest(stream, settings)
        taken = taken.astimezone(now.tzinfo)
        stale = now - taken > dt.timedelta(hours=settings.stale_hours)
    else:
        check_host(stream, settings.loopback)
        if stream.kind == "still":
            seen = list(still(stream, settings))
            frames, stale = [frame for frame, _ in seen], all(old for _, old in seen)
        else:
            source = rtsp if stream.kind == "rtsp" else mjpeg
            frames = _spread(source(stream, settings), settings.frames, settings.seconds)
            if len(frames) < min(_LEAST, settings.frames):
                raise CameraError(
                    f"{stream.host} broke off after {len(frames)} frames. Check the line to it.",
                    "stream.broke_off",
                    host=stream.host,
                    frames=len(frames),
                )
    frames = [frame for frame in frames if frame.shape == frames[0].shape]
    frame = median(frames)
    np.save(task["out"], frame)
    alike = all(np.array_equal(frames[0], other) for other in frames[1:])
    return {
        "frames": len(frames),
        # an address may renew its image once a minute only: there the capture before tells, by its sha256
        "frozen": stream.kind in ("rtsp", "mjpeg") and len(frames) > 1 and alike,
        "stale": stale,
        "taken_at": taken.isoformat(),
        "sha256": hashlib.sha256(frame.tobytes()).hexdigest(),
    }


def _spread(source: Iterator[Frame], count: int, seconds: float) -> list[Frame]:
    """Frames evenly spread over the seconds from the first one on; what came until then if the stream breaks off."""
    import time

    from errors import CameraError

    frames: list[Frame] = []
    begun = 0.0
    try:
        for frame in source:
            now = time.monotonic()
            begun = begun if frames else now
            if now - begun >= seconds * len(frames) / max(count - 1, 1):
                frames.append(frame)
            if len(frames) == count:
                break
    except CameraError:
        if not frames:
            raise
    return frames


if __name__ == "__main__":
    sys.exit(main())
