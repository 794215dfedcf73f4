"""Pictures of an evidence sheet: both at one scale, with the outline, a scale bar and a north arrow."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enforcement.alert import AlertImage
from enforcement.typesetting.drawing import Drawing
from enforcement.typesetting.map_marks import draw_north_arrow, draw_scale_bar
from errors import TubanError

RED, GREY = "#d61a1a", "#737373"
MM = 72 / 25.4
"""Points of a millimetre."""
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


class PicturePair:
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
        self._pictures, self._side, self._gap, self._missing, self._north = pictures, side, gap, missing, north
        sides = [length for picture in pictures if picture for length in picture.ground]
        self._points_per_metre = side / max(sides) if sides else 0.0
        self.scale = 1 / (self._points_per_metre * _POINT_M) if sides else 0.0
        heights = [picture.ground[1] * self._points_per_metre for picture in pictures if picture]
        self._size = (2 * side + gap, max(heights, default=30 * MM))

    def draw(self, alt: str) -> Drawing:
        """Draw both pictures; ``alt`` describes them."""
        drawing = Drawing(*self._size, alt=alt)
        for index, picture in enumerate(self._pictures):
            left = index * (self._side + self._gap)
            if picture is None:
                drawing.rect(left, 0, self._side, drawing.height, stroke=GREY, stroke_width=1)
                middle = (left + self._side / 2, drawing.height / 2)
                drawing.text(*middle, self._missing, 9, align=0.5, color=GREY)
            else:
                self._draw_picture(drawing, picture, left)
        return drawing

    def _draw_picture(self, drawing: Drawing, picture: SheetPicture, left: float) -> None:
        scale = self._points_per_metre
        width, height = (length * scale for length in picture.ground)
        left += (self._side - width) / 2
        bottom = drawing.height - height
        drawing.picture(_encode_jpeg(picture.pixels), (left, bottom, left + width, drawing.height))
        step = picture.metre_px * scale

        def on_page(ring: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.array([left, bottom + height]) + ring * (step, -step)

        with drawing.clipped(left, bottom, width, height):
            for color, line in (("#ffffff", 2.4), (RED, 1.1)):  # white halo for contrast on dark ground
                for ring in picture.rings:
                    drawing.path([on_page(ring)], stroke=color, stroke_width=line, stroke_linejoin="round")
            if picture.ellipse is not None:
                drawing.path([on_page(picture.ellipse)], stroke="#ffffff", stroke_width=1.1, stroke_dasharray="4 3")
        drawing.rect(left, bottom, width, height, stroke=GREY, stroke_width=0.5)
        draw_scale_bar(drawing, left + 5, bottom + 5, 0.4 * width, scale)
        draw_north_arrow(drawing, left + width - 13, bottom + height - 27, self._north)


def _encode_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((_MAX_SIDE_PX, _MAX_SIDE_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling="4:4:4")
    return buffer.getvalue()
