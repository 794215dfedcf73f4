"""Thumbnails: picture of one change on one date with outline, caption and scale bar."""

from __future__ import annotations

import io
from datetime import date

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from shapely.geometry import Polygon

from inference.changes import Kind
from inference.outputs.crop_evidence import View

SIDE_PX = 512
QUALITY = 88

COLOURS: dict[Kind, tuple[int, int, int]] = {
    "construction": (255, 92, 32),
    "ground": (240, 228, 66),
    "demolition": (86, 180, 233),
}
"""Based on vermilion, yellow and sky blue of Okabe and Ito (2008), which are distinguishable with every common colour
blindness; vermilion is brighter here, so that a thin line stands out on dark ground. The report also dashes lines by
kind."""

_CASING = (16, 16, 16)
_FOOT_PX, _FOOT, _INK = 34, (247, 247, 245), (28, 30, 33)
_FRACTION_BITS = 4


def thumbnail(
    picture: NDArray[np.uint8], view: View, outline: Polygon, kind: Kind, number: int, when: str, day: date | None
) -> bytes:
    """Return a JPEG of a picture (H×W×3) with an outline, above a caption strip with number, date and scale bar.

    The strip has no words, so that it suits pages in any language: of two squares, the first is filled on the earlier
    picture (``when`` is "before"), the second on the later one.
    """
    drawn = with_outline(picture, view, outline, COLOURS[kind])
    height, width = drawn.shape[:2]
    page = Image.new("RGB", (width, height + _FOOT_PX), _FOOT)
    page.paste(Image.fromarray(drawn), (0, 0))
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(15)
    middle = height + _FOOT_PX // 2
    pen.text((12, middle), str(number), _INK, font, anchor="lm")
    left = draw_order(pen, 12 + pen.textlength(str(number), font) + 16, middle, when) + 10
    pen.text((left, middle), day.isoformat() if day else "?", _INK, font, anchor="lm")
    length, label = view.scale_bar(width / 4)
    right = width - 12
    pen.text((right - length - 10, middle), label, _INK, font, anchor="rm")
    ends = [(right - length, middle - 4), (right - length, middle + 4), (right, middle + 4), (right, middle - 4)]
    pen.line(ends, _INK, 2)
    return jpeg(np.asarray(page), QUALITY)


def draw_order(pen: ImageDraw.ImageDraw, left: float, middle: float, when: str) -> float:
    """Draw two squares, the first filled for "before" and the second for "after"; return their right end."""
    for name in ("before", "after"):
        pen.rectangle((left, middle - 5, left + 10, middle + 5), _INK if when == name else None, _INK)
        left += 14
    return left - 4


def with_outline(
    picture: NDArray[np.uint8], view: View, outline: Polygon, colour: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Draw an outline and its holes: a thin line in ``colour`` with a dark casing, visible on any background."""
    drawn = picture.copy()
    # the origin of cv2 is the centre of the first pixel, that of rings is its corner
    scale = 1 << _FRACTION_BITS
    rings = [np.round((ring - 0.5) * scale).astype(np.int32)[:, None] for ring in view.rings(outline)]
    for stroke, thickness in ((_CASING, 4), (colour, 2)):
        cv2.polylines(drawn, rings, True, stroke, thickness, cv2.LINE_AA, _FRACTION_BITS)
    return drawn


def jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """Encode H×W×3 as JPEG without metadata, so that the same picture gives the same bytes."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality, optimize=True, subsampling="4:2:0")
    return out.getvalue()


def jpeg_within(picture: NDArray[np.uint8], side: int, most_bytes: int) -> bytes:
    """Encode H×W×3 with a longer side of at most ``side``, at the best quality that stays within ``most_bytes``."""
    height, width = picture.shape[:2]
    while True:
        shrink = min(1.0, side / max(height, width))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        for quality in (82, 74, 64, 52):
            data = jpeg(small, quality)
            if len(data) <= most_bytes or side <= 32:
                return data
        side = side * 3 // 4
