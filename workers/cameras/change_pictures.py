"""What a camera's change looks like: the frame before and after, with its outline."""

from __future__ import annotations

import datetime as dt

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from shapely.geometry import Polygon

from imagery.cameras.camera import Frame
from inference.changes import Kind
from inference.outputs.thumbnails import COLOURS, QUALITY, jpeg

_SHOWN = 3.0  # side of the window over that of the outline
_LEAST_PX = 320
_WIDEST_PX = 960
_FOOT_PX, _FOOT, _INK, _CASING = 34, (247, 247, 245), (28, 30, 33), (16, 16, 16)
_FRACTION_BITS = 4


def camera_picture(frame: Frame, outline: Polygon, kind: Kind, when: str, taken_at: dt.datetime) -> bytes:
    """JPEG of the part of a frame around a change, with its outline and a foot that says when it was taken.

    Args:
        frame: H×W×3, as the reference frame lies.
        outline: in the frame, (x, y).
        kind: decides the colour of the outline.
        when: "before" or "after".
        taken_at: local time.
    """
    left, top, right, bottom = _window(frame, outline)
    part = frame[top:bottom, left:right]
    scale = min(2.0, _WIDEST_PX / part.shape[1])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    drawn = np.ascontiguousarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=way))
    for ring in (outline.exterior, *outline.interiors):
        corners = (np.asarray(ring.coords)[:, :2] - (left, top)) * scale - 0.5
        fixed = np.round(corners * 2**_FRACTION_BITS).astype(np.int32)
        for colour, width in ((_CASING, 4), (COLOURS[kind], 2)):
            cv2.polylines(drawn, [fixed], True, colour, width, cv2.LINE_AA, _FRACTION_BITS)
    page = Image.new("RGB", (drawn.shape[1], drawn.shape[0] + _FOOT_PX), _FOOT)
    page.paste(Image.fromarray(drawn), (0, 0))
    words = f"{when}  {taken_at:%Y-%m-%d %H:%M}"
    ImageDraw.Draw(page).text(
        (12, drawn.shape[0] + _FOOT_PX // 2), words, _INK, ImageFont.load_default(15), anchor="lm"
    )
    return jpeg(np.asarray(page), QUALITY)


def _window(frame: Frame, outline: Polygon) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is shown, four to three and within the frame."""
    height, width = frame.shape[:2]
    west, north, east, south = outline.bounds
    across = min(width, max(_SHOWN * (east - west), _SHOWN * (south - north) * 4 / 3, _LEAST_PX))
    down = min(height, across * 3 / 4)
    left = int(min(max((west + east - across) / 2, 0), width - across))
    top = int(min(max((north + south - down) / 2, 0), height - down))
    return left, top, int(left + across), int(top + down)
