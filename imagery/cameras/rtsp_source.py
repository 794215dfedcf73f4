"""Frames of an RTSP stream, by the FFmpeg that OpenCV brings."""

from __future__ import annotations

import os
from collections.abc import Iterator

os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")  # read once; UDP loses lines of the image

import cv2

from errors import CameraError
from imagery.cameras.address import with_credentials
from imagery.cameras.camera import Frame, Stream
from imagery.cameras.settings import CaptureSettings


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
            raise CameraError(
                f"{stream.host} gives no RTSP stream. Check that it is on, and its address, user name and password."
            )
        if video.get(cv2.CAP_PROP_FRAME_WIDTH) * video.get(cv2.CAP_PROP_FRAME_HEIGHT) > settings.max_pixels:
            raise CameraError(f"The frames of {stream.host} have more than {settings.max_pixels:,} pixels.")
        while True:
            received, image = video.read()
            if not received or image is None:
                return
            yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    finally:
        video.release()
