"""Thumbnails of a change seen by a camera: the frame before and after, with the outline of the change."""

from __future__ import annotations

import datetime as dt

import cv2
import numpy as np
from PIL import Image, ImageDraw
from shapely.geometry import Polygon

from imagery.cameras.camera import Frame
from inference.changes import Kind
from inference.outputs.thumbnails import COLOURS, QUALITY, caption_font, draw_order, jpeg

_CONTEXT = 3.0  # side of the crop relative to the bounding box of the outline
_MIN_CROP_PX = 320
_MAX_WIDTH_PX = 960
_FOOTER_PX, _FOOTER_COLOUR, _TEXT_COLOUR, _CASING_COLOUR = 34, (247, 247, 245), (28, 30, 33), (16, 16, 16)
_FRACTION_BITS = 4  # of the fixed-point coordinates of cv2.polylines


def camera_thumbnail(frame: Frame, outline: Polygon, kind: Kind, when: str, taken_at: dt.datetime) -> bytes:
    """Return a JPEG of the frame around a change, with its outline and a footer with the capture time.

    Args:
        frame: H×W×3, aligned with the reference frame.
        outline: pixel coordinates (x, y) in the frame.
        kind: selects the colour of the outline.
        when: "before" or "after", drawn without words.
        taken_at: local time.
    """
    left, top, right, bottom = _crop_box(frame, outline)
    crop = frame[top:bottom, left:right]
    scale = min(2.0, _MAX_WIDTH_PX / crop.shape[1])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    drawing = np.ascontiguousarray(cv2.resize(crop, None, fx=scale, fy=scale, interpolation=interpolation))
    for ring in (outline.exterior, *outline.interiors):
        corners = (np.asarray(ring.coords)[:, :2] - (left, top)) * scale - 0.5
        fixed_point = np.round(corners * 2**_FRACTION_BITS).astype(np.int32)
        for colour, width in ((_CASING_COLOUR, 4), (COLOURS[kind], 2)):
            cv2.polylines(drawing, [fixed_point], True, colour, width, cv2.LINE_AA, _FRACTION_BITS)
    page = Image.new("RGB", (drawing.shape[1], drawing.shape[0] + _FOOTER_PX), _FOOTER_COLOUR)
    page.paste(Image.fromarray(drawing), (0, 0))
    pen, middle = ImageDraw.Draw(page), drawing.shape[0] + _FOOTER_PX // 2
    end = draw_order(pen, 12, middle, when)
    pen.text((end + 10, middle), f"{taken_at:%Y-%m-%d %H:%M}", _TEXT_COLOUR, caption_font(), anchor="lm")
    return jpeg(np.asarray(page), QUALITY)


def _crop_box(frame: Frame, outline: Polygon) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a 4:3 crop around the outline, within the frame."""
    frame_height, frame_width = frame.shape[:2]
    west, north, east, south = outline.bounds
    width = min(frame_width, max(_CONTEXT * (east - west), _CONTEXT * (south - north) * 4 / 3, _MIN_CROP_PX))
    height = min(frame_height, width * 3 / 4)
    left = int(min(max((west + east - width) / 2, 0), frame_width - width))
    top = int(min(max((north + south - height) / 2, 0), frame_height - height))
    return left, top, int(left + width), int(top + height)
