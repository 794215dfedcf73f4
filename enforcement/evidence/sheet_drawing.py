"""Pictures of an evidence sheet: both at one scale, with the outline, a scale bar and a north arrow."""

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
from enforcement.evidence.sheet_fonts import draw_text, text_width
from enforcement.units import format_length, round_length
from errors import TubanError

RED = Color(0.84, 0.10, 0.10)
GREY = Color(0.45, 0.45, 0.45)
_POINT_M = 0.0254 / 72
_MAX_SIDE_PX = 1400  # 400 dots per inch over half a page; more is not visible on paper
_JPEG_QUALITY = 90


@dataclass(frozen=True)
class SheetPicture:
    """A picture of the place on one date, north up.

    Attributes:
        pixels: uint8 H×W×3, first row in the north.
        metre_px: ground size of a pixel, metres.
        rings: outline and holes in pixel coordinates: (n, 2) as (x, y), pixel corners at integers.
        image: the image that it is a crop of; None: unknown.
        ellipse: error ellipse of an oblique position, like a ring; None: the position is that of an orthophoto.
    """

    pixels: NDArray[np.uint8]
    metre_px: float
    rings: Sequence[NDArray[np.float64]]
    image: AlertImage | None
    ellipse: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Validate pixels and scale.

        Raises:
            TubanError: the pixels are not uint8 H×W×3, or the pixel size is not positive.
        """
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise TubanError(f"The picture is {self.pixels.dtype} {'×'.join(map(str, shape))}; expected uint8 H×W×3.")
        if not (math.isfinite(self.metre_px) and self.metre_px > 0):
            raise TubanError(f"The pixel size is {self.metre_px} m; expected a length above 0.")

    @property
    def ground(self) -> tuple[float, float]:
        """Width and height on the ground, metres."""
        return self.pixels.shape[1] * self.metre_px, self.pixels.shape[0] * self.metre_px


class PicturePair(Flowable):  # type: ignore[misc]  # reportlab has no types
    """Two pictures side by side, with a placeholder box for missing ones.

    Attributes:
        scale: denominator of the printed scale; 0 without pictures.
    """

    def __init__(
        self, pictures: Sequence[SheetPicture | None], side: float, gap: float, missing: str, north: str
    ) -> None:
        """Compute the common scale and the layout.

        Args:
            pictures: before, after; None: missing.
            side: side of the square that each picture is fitted into, points.
            gap: distance between them, points.
            missing: text of the placeholder.
            north: label of the north arrow.
        """
        super().__init__()
        self._pictures, self._side, self._gap, self._missing, self._north = pictures, side, gap, missing, north
        sides = [length for picture in pictures if picture for length in picture.ground]
        self._points_per_metre = side / max(sides) if sides else 0.0
        self.scale = 1 / (self._points_per_metre * _POINT_M) if sides else 0.0
        heights = [picture.ground[1] * self._points_per_metre for picture in pictures if picture]
        self.width, self.height = 2 * side + gap, max(heights, default=30 * mm)

    def wrap(self, *_: float) -> tuple[float, float]:
        """Return the size in points, independent of the available space."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw both pictures."""
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
        width, height = (length * scale for length in picture.ground)
        left += (self._side - width) / 2
        bottom = self.height - height
        canvas.saveState()
        frame = canvas.beginPath()
        frame.rect(left, bottom, width, height)
        canvas.clipPath(frame, stroke=0, fill=0)
        canvas.drawImage(_encode_jpeg(picture.pixels), left, bottom, width, height)
        step = picture.metre_px * scale
        for color, line in ((white, 2.4), (RED, 1.1)):  # white halo for contrast on dark ground
            canvas.setStrokeColor(color)
            canvas.setLineWidth(line)
            canvas.setLineJoin(1)
            for ring in picture.rings:
                canvas.drawPath(_path(canvas, ring * step, left, bottom + height))
        if picture.ellipse is not None:
            canvas.setStrokeColor(white)
            canvas.setDash(4, 3)
            canvas.drawPath(_path(canvas, picture.ellipse * step, left, bottom + height))
        canvas.restoreState()
        canvas.setStrokeColor(GREY)
        canvas.setLineWidth(0.5)
        canvas.rect(left, bottom, width, height)
        draw_scale_bar(canvas, left + 5, bottom + 5, 0.4 * width, scale)
        draw_north_arrow(canvas, left + width - 13, bottom + height - 27, self._north)


def _path(canvas: Any, ring: NDArray[np.float64], left: float, top: float) -> Any:
    path = canvas.beginPath()
    for index, (x, y) in enumerate(ring.tolist()):
        (path.lineTo if index else path.moveTo)(left + x, top - y)
    path.close()
    return path


def draw_scale_bar(canvas: Any, left: float, bottom: float, max_length: float, points_per_metre: float) -> None:
    """Draw a scale bar of a round length on a light background.

    Args:
        canvas: reportlab canvas.
        left, bottom: lower left corner of the background, points.
        max_length: maximum length of the bar, points.
        points_per_metre: scale of the drawing.
    """
    metres = round_length(max_length / points_per_metre)
    label = format_length(metres)
    bar = metres * points_per_metre
    background = max(bar, text_width(label, 7)) + 8
    canvas.saveState()
    canvas.setFillColor(Color(1, 1, 1, alpha=0.85))
    canvas.rect(left, bottom, background, 17, stroke=0, fill=1)
    canvas.setFillColor(black)
    canvas.setStrokeColor(black)
    canvas.setLineWidth(0.4)
    start = left + (background - bar) / 2
    canvas.rect(start, bottom + 3, bar / 2, 2.5, stroke=1, fill=1)
    canvas.rect(start + bar / 2, bottom + 3, bar / 2, 2.5, stroke=1, fill=0)
    draw_text(canvas, left + background / 2, bottom + 8.5, label, 7, align=0.5)
    canvas.restoreState()


def draw_north_arrow(canvas: Any, middle: float, bottom: float, label: str) -> None:
    """Draw an arrow that points up, with its label below; 22 points tall."""
    canvas.saveState()
    canvas.setFillColor(Color(1, 1, 1, alpha=0.85))
    canvas.roundRect(middle - 8, bottom - 1, 16, 24, 2, stroke=0, fill=1)
    canvas.setFillColor(black)
    arrow = canvas.beginPath()
    for index, (x, y) in enumerate(((0, 21), (4.5, 8), (0, 11), (-4.5, 8))):
        (arrow.lineTo if index else arrow.moveTo)(middle + x, bottom + y)
    arrow.close()
    canvas.drawPath(arrow, stroke=0, fill=1)
    draw_text(canvas, middle, bottom + 1, label, 7, align=0.5)
    canvas.restoreState()


def _encode_jpeg(pixels: NDArray[np.uint8]) -> ImageReader:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((_MAX_SIDE_PX, _MAX_SIDE_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling="4:4:4")
    buffer.seek(0)
    return ImageReader(buffer)
