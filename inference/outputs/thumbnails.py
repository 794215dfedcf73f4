"""Thumbnails: picture of one change on one date with outline, caption and scale bar."""

from __future__ import annotations

import math
from datetime import date
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from shapely.geometry import Polygon

from inference.changes import Kind
from inference.outputs.crop_evidence import View

SIDE_PX = 512
QUALITY = 88

FOOT_PX = 34
"""Height of the caption strip below a picture."""

COLOURS: dict[Kind, tuple[int, int, int]] = {
    "construction": (255, 92, 32),
    "ground": (240, 228, 66),
    "demolition": (86, 180, 233),
}
"""Based on vermilion, yellow and sky blue of Okabe and Ito (2008), which are distinguishable with every common colour
blindness; vermilion is brighter here, so that a thin line stands out on dark ground. The report also dashes lines by
kind."""

_CASING = (16, 16, 16)
_GAP_PX = 12
_FOOT, _INK = (247, 247, 245), (28, 30, 33)
_FRACTION_BITS = 4
_SUBSAMPLING = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420  # of colour; the usual one of photos


def thumbnail(
    picture: NDArray[np.uint8], view: View, outline: Polygon, kind: Kind, number: int, when: str, day: date | None
) -> bytes:
    """Return a JPEG of a picture (H×W×3) with an outline, above a caption strip with number, date and scale bar.

    The strip has no words, so that it suits pages in any language: of two squares, the first is filled on the earlier
    picture (``when`` is "before"), the second on the later one.
    """
    height, width = picture.shape[:2]
    page = np.empty((height + FOOT_PX, width, 3), np.uint8)
    page[:height] = picture
    _draw_outline(page[:height], view, outline, COLOURS[kind])
    page[height:] = _caption(width, number, when, day, view.scale_bar(width / 4))
    return jpeg(page, QUALITY)


@cache
def caption_font() -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Return the font of captions, decoded once."""
    return ImageFont.load_default(15)


def _caption(width: int, number: int, when: str, day: date | None, bar: tuple[int, str]) -> NDArray[np.uint8]:
    """Return the caption strip: number, order, date and scale bar (length in pixels and label)."""
    strip = np.full((FOOT_PX, width, 3), _FOOT, np.uint8)
    left = 12
    for part in (_text(str(number)), _order(when), _text(day.isoformat() if day else "?")):
        shown = part[:, : max(0, width - left)]
        strip[:, left : left + shown.shape[1]] = shown
        left += part.shape[1] + _GAP_PX
    length, label = bar
    right, middle, name = width - 12, FOOT_PX // 2, _text(label)
    start = max(0, right - length - 10 - name.shape[1])
    strip[:, start : start + name.shape[1]] = name[:, : width - start]
    strip[middle + 3 : middle + 5, right - length : right + 1] = _INK
    for end in (right - length, right - 1):
        strip[middle - 4 : middle + 5, end : end + 2] = _INK
    return strip


@lru_cache(maxsize=64)
def _text(text: str) -> NDArray[np.uint8]:
    """Return a text on the caption's background, as high as the strip."""
    font = caption_font()
    part = Image.new("RGB", (max(1, math.ceil(font.getlength(text))), FOOT_PX), _FOOT)
    ImageDraw.Draw(part).text((0, FOOT_PX // 2), text, _INK, font, anchor="lm")
    return np.asarray(part)


@cache
def _order(when: str) -> NDArray[np.uint8]:
    """Return the two squares of :func:`draw_order` as a part of the caption."""
    part = Image.new("RGB", (25, FOOT_PX), _FOOT)
    draw_order(ImageDraw.Draw(part), 0, FOOT_PX // 2, when)
    return np.asarray(part)


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
    _draw_outline(drawn, view, outline, colour)
    return drawn


def _draw_outline(picture: NDArray[np.uint8], view: View, outline: Polygon, colour: tuple[int, int, int]) -> None:
    """Draw an outline on a picture; see :func:`with_outline`."""
    # the origin of cv2 is the centre of the first pixel, that of rings is its corner
    scale = 1 << _FRACTION_BITS
    rings = [np.round((ring - 0.5) * scale).astype(np.int32)[:, None] for ring in view.rings(outline)]
    for stroke, thickness in ((_CASING, 4), (colour, 2)):
        cv2.polylines(picture, rings, True, stroke, thickness, cv2.LINE_AA, _FRACTION_BITS)


def jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """Encode H×W×3 as JPEG without metadata, so that the same picture gives the same bytes."""
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SUBSAMPLING]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), parameters)
    return data.tobytes()


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
