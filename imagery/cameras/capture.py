"""One capture of a camera: several frames over some seconds, and their temporal median."""

from __future__ import annotations

import datetime as dt

from imagery.cameras.camera import Capture, Stream
from imagery.cameras.settings import CaptureSettings


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
    raise NotImplementedError
