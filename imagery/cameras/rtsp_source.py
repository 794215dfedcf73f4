"""Frames of an RTSP stream, by the FFmpeg that OpenCV brings."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")  # read once; UDP loses lines of the image

import cv2

from errors import CameraError
from imagery.cameras.address import with_credentials
from imagery.cameras.camera import Frame, Stream
from imagery.cameras.camera_errors import refusal, silent, unreachable
from imagery.cameras.settings import CaptureSettings

_ASK_S = 5.0


def rtsp(stream: Stream, settings: CaptureSettings) -> Iterator[Frame]:
    """Frames as they arrive, until the stream ends. May hang in the library: run it apart.

    Raises:
        CameraError: it cannot be opened.
    """
    wait = int(settings.limit_s * 1000)
    parameters = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait]
    video = cv2.VideoCapture(with_credentials(stream), cv2.CAP_FFMPEG, parameters)
    try:
        if not video.isOpened():
            raise _why_not(stream, min(settings.limit_s, _ASK_S))
        if video.get(cv2.CAP_PROP_FRAME_WIDTH) * video.get(cv2.CAP_PROP_FRAME_HEIGHT) > settings.max_pixels:
            raise CameraError(
                f"The frames of {stream.host} have more than {settings.max_pixels:,} pixels.",
                "stream.too_many_pixels",
                host=stream.host,
                most=settings.max_pixels,
            )
        while True:
            received, image = video.read()
            if not received or image is None:
                return
            yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    finally:
        video.release()


def _why_not(stream: Stream, limit_s: float) -> CameraError:
    """Ask once more by hand, without a password, as FFmpeg does not tell what was wrong."""
    parts = urlsplit(stream.address)
    asked = f"DESCRIBE {stream.address} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    try:
        with socket.create_connection((parts.hostname, parts.port or 554), limit_s) as line:
            line.sendall(asked.encode())
            said = line.recv(100)
    except TimeoutError:
        return silent(stream)
    except OSError:
        return unreachable(stream)
    status = re.match(rb"RTSP/\d\.\d (\d{3})", said)
    if status is not None and status[1] != b"200":
        return refusal(stream, int(status[1]))
    return CameraError(
        f"{stream.host} gives no RTSP stream that can be read. Check its address and the format of its images.",
        "stream.no_rtsp",
        host=stream.host,
    )
