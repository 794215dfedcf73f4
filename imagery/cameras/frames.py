"""Bytes that a camera sent → pixels, and many frames → one."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np

from errors import CameraError, ImageError
from imagery.cameras.camera import Frame
from imagery.files.formats import HEAD_BYTES, JPEG, PNG, WEBP, detect_format
from imagery.files.header_limits import check_header_limits, read_raster_layout
from imagery.files.limits import Limits

_STRIP_ROWS = 64


def decoded(data: bytes, max_pixels: int, name: str) -> Frame:
    """Decode a JPEG, PNG or WebP.

    Args:
        data: all of its bytes.
        max_pixels: by its header, before a library sees it.
        name: for messages.

    Raises:
        CameraError: another format, damaged, cut off or too large.
    """
    try:
        found = detect_format(data[:HEAD_BYTES], name)
        if found not in (JPEG, PNG, WEBP):
            raise ImageError(
                f"{name} sent {found.name}, and JPEG, PNG or WebP was expected.",
                "stream.format",
                host=name,
                found=found.name,
            )
        check_header_limits(read_raster_layout(io.BytesIO(data), found, name), len(data), name, Limits(max_pixels=max_pixels))
    except ImageError as error:
        raise CameraError(error.reason) from None
    if found == JPEG and b"\xff\xd9" not in data[-1024:]:
        raise CameraError(f"An image of {name} was cut off. Check the line to the camera.", "stream.cut_off", host=name)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise CameraError(f"An image of {name} is damaged and cannot be decoded.", "stream.damaged", host=name)
    return np.asarray(image, np.uint8)


def median(frames: Sequence[Frame]) -> Frame:
    """Temporal median of frames of one shape: what is there in less than half of them vanishes.

    Of an even number the lower one of the middle two, so that every value was seen. Strip by strip: nine frames of 4K
    would otherwise be sorted in gigabytes.
    """
    if len(frames) == 1:
        return frames[0]
    out = np.empty_like(frames[0])
    middle = (len(frames) - 1) // 2
    for top in range(0, out.shape[0], _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        out[rows] = np.partition(np.stack([frame[rows] for frame in frames]), middle, axis=0)[middle]
    return out
