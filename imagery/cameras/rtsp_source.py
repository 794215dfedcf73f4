"""Read frames of an RTSP stream with the FFmpeg of OpenCV."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

os.environ.setdefault(
    "OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp"
)  # read once at import; UDP loses parts of frames

import cv2

from errors import CameraError
from imagery.cameras.address import address_with_credentials
from imagery.cameras.camera import Frame, Stream
from imagery.cameras.camera_errors import status_error, timeout_error, unreachable_error
from imagery.cameras.settings import CaptureSettings

_PROBE_TIMEOUT_S = 5.0


def rtsp_frames(stream: Stream, settings: CaptureSettings) -> Iterator[Frame]:
    """Yield frames as they arrive, until the stream ends. The library may hang, so run it in a process of its own.

    Raises:
        CameraError: it cannot be opened.
    """
    timeout_ms = int(settings.limit_s * 1000)
    parameters = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]
    video = cv2.VideoCapture(address_with_credentials(stream), cv2.CAP_FFMPEG, parameters)
    try:
        if not video.isOpened():
            raise _probe_error(stream, min(settings.limit_s, _PROBE_TIMEOUT_S))
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


def _probe_error(stream: Stream, timeout_s: float) -> CameraError:
    """Send a DESCRIBE request without password to find the cause of a failure, which FFmpeg does not report."""
    parts = urlsplit(stream.address)
    request = f"DESCRIBE {stream.address} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    try:
        with socket.create_connection((stream.ip or parts.hostname, parts.port or 554), timeout_s) as connection:
            connection.sendall(request.encode())
            response = connection.recv(100)
    except TimeoutError:
        return timeout_error(stream)
    except OSError:
        return unreachable_error(stream)
    status = re.match(rb"RTSP/\d\.\d (\d{3})", response)
    if status is not None and status[1] != b"200":
        return status_error(stream, int(status[1]))
    return CameraError(
        f"{stream.host} has no readable RTSP stream. Check its address and video codec.",
        "stream.no_rtsp",
        host=stream.host,
    )
