"""Decode the images that cameras send, and compute the temporal median of several frames."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np

from errors import CameraError, ImageError
from imagery.cameras.camera import Frame
from imagery.files.formats import HEAD_BYTES, JPEG, PNG, WEBP, detect_format
from imagery.files.header_limits import check_header_limits, read_raster_layout
from imagery.limits import Limits

_STRIP_ROWS = 64


def decode_frame(data: bytes, max_pixels: int, name: str) -> Frame:
    """Decode a JPEG, PNG or WebP.

    Args:
        data: the complete file.
        max_pixels: limit on the size in its header, which is checked before decoding.
        name: for messages.

    Raises:
        CameraError: another format, damaged, truncated or too large.
    """
    try:
        file_format = detect_format(data[:HEAD_BYTES], name)
        if file_format not in (JPEG, PNG, WEBP):
            raise ImageError(
                f"{name} sent {file_format.name}, and JPEG, PNG or WebP was expected.",
                "stream.format",
                host=name,
                found=file_format.name,
            )
        check_header_limits(
            read_raster_layout(io.BytesIO(data), file_format, name), len(data), name, Limits(max_pixels=max_pixels)
        )
    except ImageError as error:
        raise CameraError(error.reason) from None
    if file_format == JPEG and b"\xff\xd9" not in data[-1024:]:
        raise CameraError(
            f"An image of {name} is truncated. Check the connection to the camera.", "stream.cut_off", host=name
        )
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise CameraError(f"An image of {name} is damaged and cannot be decoded.", "stream.damaged", host=name)
    return np.asarray(image, np.uint8)


def median_frame(frames: Sequence[Frame]) -> Frame:
    """Temporal median of frames of one shape, in which objects present in less than half of them vanish.

    For an even number of frames the lower of the two middle values, so that every value occurred. Computed in strips,
    because sorting nine 4K frames at once would need gigabytes.
    """
    if len(frames) == 1:
        return frames[0]
    out = np.empty_like(frames[0])
    middle = (len(frames) - 1) // 2
    for top in range(0, out.shape[0], _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        out[rows] = np.partition(np.stack([frame[rows] for frame in frames]), middle, axis=0)[middle]
    return out
