"""Read frames of an RTSP stream with the FFmpeg of OpenCV."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urljoin, urlsplit, urlunsplit

os.environ.setdefault(
    "OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp"
)  # read once at import; UDP loses parts of frames

import cv2

from errors import CameraError
from imagery.cameras.address import address_with_credentials, pinned_address
from imagery.cameras.camera import Frame, Stream
from imagery.cameras.camera_errors import elsewhere_error, status_error, timeout_error, unreachable_error
from imagery.cameras.rtsp_relay import RtspRelay
from imagery.cameras.settings import CaptureSettings

_PROBE_TIMEOUT_S = 5.0
_MAX_REDIRECTS = 3
_PORT = 554


def rtsp_frames(stream: Stream, settings: CaptureSettings) -> Iterator[Frame]:
    """Yield frames as they arrive, until the stream ends. The library may hang, so run it in a process of its own.

    Redirects are followed on the same host and port only.

    Raises:
        CameraError: it cannot be opened.
    """
    for _ in range(_MAX_REDIRECTS + 1):
        parts = urlsplit(stream.address)
        server = (stream.ip or parts.hostname or "", parts.port or _PORT)
        with RtspRelay(*server, settings.limit_s) as relay:
            local = parts._replace(netloc=f"127.0.0.1:{relay.port}")
            video = _open(replace(stream, address=urlunsplit(local), ip=""), settings)
            try:
                if video.isOpened():
                    yield from _read(video, stream, settings)
                    return
            finally:
                video.release()
            if relay.redirect is None:
                raise _probe_error(stream, min(settings.limit_s, _PROBE_TIMEOUT_S))
            stream = _redirected(stream, urlunsplit(local), relay.redirect)
    raise CameraError(f"{stream.host} redirects endlessly.", "stream.circles", host=stream.host)


def _open(stream: Stream, settings: CaptureSettings) -> cv2.VideoCapture:
    timeout_ms = int(settings.limit_s * 1000)
    parameters = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]
    return cv2.VideoCapture(address_with_credentials(stream), cv2.CAP_FFMPEG, parameters)


def _read(video: cv2.VideoCapture, stream: Stream, settings: CaptureSettings) -> Iterator[Frame]:
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


def _redirected(stream: Stream, local: str, location: str) -> Stream:
    """Return the stream that a redirect names, if it is on the same host and port, by its name or the relay's."""
    try:
        target = urlsplit(urljoin(local, location))
        here = [urlsplit(address) for address in (local, stream.address, pinned_address(stream))]
        same = target.scheme == "rtsp" and (target.hostname, target.port or _PORT) in [
            (own.hostname, own.port or _PORT) for own in here
        ]
    except ValueError:
        same = False
    if not location or not same:
        raise elsewhere_error(stream)
    own = urlsplit(stream.address)
    return replace(stream, address=urlunsplit(own._replace(path=target.path or "/", query=target.query)))


def _probe_error(stream: Stream, timeout_s: float) -> CameraError:
    """Send a DESCRIBE request without password to find the cause of a failure, which FFmpeg does not report."""
    parts = urlsplit(stream.address)
    request = f"DESCRIBE {stream.address} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    try:
        with socket.create_connection((stream.ip or parts.hostname, parts.port or _PORT), timeout_s) as connection:
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
