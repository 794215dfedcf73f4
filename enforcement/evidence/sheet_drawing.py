"""The two pictures of an evidence sheet: one scale, the outline drawn on both, scale bar and north arrow."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from reportlab.lib.colors import Color, black, white
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.platypus import Flowable

from enforcement.alert import AlertImage
from enforcement.evidence.sheet_fonts import draw_text, width
from enforcement.units import format_length, round_length
from errors import TubanError

RED = Color(0.84, 0.10, 0.10)
GREY = Color(0.45, 0.45, 0.45)
_POINT_M = 0.0254 / 72
_LONGEST_PX = 1400  # 400 dots per inch over half a page: more is not seen on paper
_QUALITY = 90


@dataclass(frozen=True)
class SheetPicture:
    """A picture of the place on one date, north up.

    Attributes:
        pixels: uint8 H×W×3, the first row in the north.
        metre_px: side of a pixel on the ground, metres.
        rings: outline in the picture's pixels: (n, 2) as (x, y), corners of pixels at whole numbers; holes are rings
            too.
        image: what it was cut from: date, source, ground sample distance, sha256; None: not known.
    """

    pixels: NDArray[np.uint8]
    metre_px: float
    rings: Sequence[NDArray[np.float64]]
    image: AlertImage | None

    def __post_init__(self) -> None:
        """Refuse what could not be drawn to scale.

        Raises:
            TubanError: the pixels are no uint8 H×W×3, or their size is no length.
        """
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise TubanError(
                f"A picture of a sheet is uint8 H×W×3, not {self.pixels.dtype} {'×'.join(map(str, shape))}."
            )
        if not (math.isfinite(self.metre_px) and self.metre_px > 0):
            raise TubanError(f"A pixel of a sheet's picture is {self.metre_px} m wide: expected a length above 0.")

    @property
    def ground(self) -> tuple[float, float]:
        """Width and height on the ground, metres."""
        return self.pixels.shape[1] * self.metre_px, self.pixels.shape[0] * self.metre_px


class PicturePair(Flowable):  # type: ignore[misc]  # reportlab has no types
    """Two pictures beside each other; what is missing is a box that says so.

    Attributes:
        scale: denominator of the scale in print; 0: there is no picture.
    """

    def __init__(
        self, pictures: Sequence[SheetPicture | None], side: float, gap: float, missing: str, north: str
    ) -> None:
        """Lay them out.

        Args:
            pictures: before, after.
            side: of the square that each picture is fitted into, points.
            gap: between them, points.
            missing: word for a picture that is not there.
            north: word at the arrow.
        """
        super().__init__()
        self._pictures, self._side, self._gap, self._missing, self._north = pictures, side, gap, missing, north
        sides = [length for picture in pictures if picture for length in picture.ground]
        self._points_per_metre = side / max(sides) if sides else 0.0
        self.scale = 1 / (self._points_per_metre * _POINT_M) if sides else 0.0
        tall = [picture.ground[1] * self._points_per_metre for picture in pictures if picture]
        self.width, self.height = 2 * side + gap, max(tall, default=30 * mm)

    def wrap(self, *_: float) -> tuple[float, float]:
        """Its size in points, whatever there is room for."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw both on the page."""
        for index, picture in enumerate(self._pictures):
            left = index * (self._side + self._gap)
            if picture is None:
                self.canv.setStrokeColor(GREY)
                self.canv.rect(left, 0, self._side, self.height)
                self.canv.setFillColor(GREY)
                draw_text(self.canv, left + self._side / 2, self.height / 2, self._missing, 9, align=0.5)
            else:
                self._draw_picture(picture, left)

    def _draw_picture(self, picture: SheetPicture, left: float) -> None:
        canvas, scale = self.canv, self._points_per_metre
        wide, tall = (length * scale for length in picture.ground)
        left += (self._side - wide) / 2
        bottom = self.height - tall
        canvas.saveState()
        frame = canvas.beginPath()
        frame.rect(left, bottom, wide, tall)
        canvas.clipPath(frame, stroke=0, fill=0)
        canvas.drawImage(_encoded(picture.pixels), left, bottom, wide, tall)
        step = picture.metre_px * scale
        for color, line in ((white, 2.4), (RED, 1.1)):  # light below, so that it is seen on dark ground
            canvas.setStrokeColor(color)
            canvas.setLineWidth(line)
            canvas.setLineJoin(1)
            for ring in picture.rings:
                path = canvas.beginPath()
                for index, (x, y) in enumerate(ring.tolist()):
                    (path.lineTo if index else path.moveTo)(left + x * step, bottom + tall - y * step)
                path.close()
                canvas.drawPath(path)
        canvas.restoreState()
        canvas.setStrokeColor(GREY)
        canvas.setLineWidth(0.5)
        canvas.rect(left, bottom, wide, tall)
        draw_bar(canvas, left + 5, bottom + 5, 0.4 * wide, scale)
        draw_north(canvas, left + wide - 13, bottom + tall - 27, self._north)


def draw_bar(canvas: Any, left: float, bottom: float, longest: float, points_per_metre: float) -> None:
    """Draw a scale bar of a round length on a light ground.

    Args:
        canvas: of reportlab.
        left, bottom: lower left corner of its ground, points.
        longest: of the bar, points.
        points_per_metre: the scale.
    """
    metres = round_length(longest / points_per_metre)
    label = format_length(metres)
    bar = metres * points_per_metre
    ground = max(bar, width(label, 7)) + 8
    canvas.saveState()
    canvas.setFillColor(Color(1, 1, 1, alpha=0.85))
    canvas.rect(left, bottom, ground, 17, stroke=0, fill=1)
    canvas.setFillColor(black)
    canvas.setStrokeColor(black)
    canvas.setLineWidth(0.4)
    start = left + (ground - bar) / 2
    canvas.rect(start, bottom + 3, bar / 2, 2.5, stroke=1, fill=1)
    canvas.rect(start + bar / 2, bottom + 3, bar / 2, 2.5, stroke=1, fill=0)
    draw_text(canvas, left + ground / 2, bottom + 8.5, label, 7, align=0.5)
    canvas.restoreState()


def draw_north(canvas: Any, middle: float, bottom: float, word: str) -> None:
    """Draw an arrow to the north, which is up, with its word below; 22 points tall."""
    canvas.saveState()
    canvas.setFillColor(Color(1, 1, 1, alpha=0.85))
    canvas.roundRect(middle - 8, bottom - 1, 16, 24, 2, stroke=0, fill=1)
    canvas.setFillColor(black)
    arrow = canvas.beginPath()
    for index, (x, y) in enumerate(((0, 21), (4.5, 8), (0, 11), (-4.5, 8))):
        (arrow.lineTo if index else arrow.moveTo)(middle + x, bottom + y)
    arrow.close()
    canvas.drawPath(arrow, stroke=0, fill=1)
    draw_text(canvas, middle, bottom + 1, word, 7, align=0.5)
    canvas.restoreState()


def _encoded(pixels: NDArray[np.uint8]) -> ImageReader:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((_LONGEST_PX, _LONGEST_PX), Image.Resampling.LANCZOS)
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=_QUALITY, subsampling="4:4:4")
    held.seek(0)
    return ImageReader(held)
