"""Drawings of typeset documents: pictures, then vector shapes, then texts, in points from the lower left corner."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

Points = NDArray[np.float64]
"""(n, 2) as (x, y) in points, y upwards."""


@dataclass
class Drawing:
    """A drawing of a fixed size.

    Attributes:
        width, height: points.
        alt: what it shows, for screen readers.
    """

    width: float
    height: float
    alt: str = ""
    _pictures: list[dict[str, Any]] = field(default_factory=list)
    _shapes: list[str] = field(default_factory=list)
    _texts: list[dict[str, Any]] = field(default_factory=list)

    def picture(self, data: bytes, box: Sequence[float]) -> None:
        """Place a picture (JPEG, PNG) into (left, bottom, right, top)."""
        left, bottom, right, top = box
        self._pictures.append(
            {"file": data, "x": left, "y": self.height - top, "width": right - left, "height": top - bottom}
        )

    def path(self, rings: Sequence[Points], *, closed: bool = True, **style: str | float) -> None:
        """Draw lines through points; of several rings, those inside others are holes.

        Args:
            rings: points of each ring or line.
            closed: whether each ends where it began.
            style: SVG presentation attributes, with ``_`` for ``-``, as ``stroke="#d61a1a"``, ``stroke_width=1``.
        """
        end = "Z" if closed else ""
        steps = "".join(f"M{self._along(points)}{end}" for points in rings if len(points))
        if steps:
            self._shapes.append(f'<path d="{steps}" fill-rule="evenodd"{_attributes(style)}/>')

    def polygons(self, shape: BaseGeometry, **style: str | float) -> None:
        """Draw the polygons of a shape with their holes."""
        for part in getattr(shape, "geoms", [shape]):
            if part.geom_type == "Polygon" and not part.is_empty:
                rings = [np.asarray(ring.coords, np.float64) for ring in (part.exterior, *part.interiors)]
                self.path(rings, closed=True, **style)

    def rect(self, left: float, bottom: float, width: float, height: float, **style: str | float) -> None:
        """Draw a rectangle."""
        self._shapes.append(
            f'<rect x="{_n(left)}" y="{_n(self.height - bottom - height)}" width="{_n(width)}" height="{_n(height)}"'
            f"{_attributes(style)}/>"
        )

    def circle(self, x: float, y: float, radius: float, **style: str | float) -> None:
        """Draw a circle."""
        self._shapes.append(f'<circle cx="{_n(x)}" cy="{_n(self.height - y)}" r="{_n(radius)}"{_attributes(style)}/>')

    @contextmanager
    def clipped(self, left: float, bottom: float, width: float, height: float) -> Iterator[None]:
        """Clip the shapes that are drawn in this context to a rectangle."""
        name = f"clip{len(self._shapes)}"
        self._shapes.append(f'<clipPath id="{name}">')
        self.rect(left, bottom, width, height)
        self._shapes.append(f'</clipPath><g clip-path="url(#{name})">')
        yield
        self._shapes.append("</g>")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        align: float = 0.0,
        bold: bool = False,
        color: str = "#000000",
        background: bool = False,
    ) -> None:
        """Write a line with its baseline at ``y``; ``x`` is its left end (``align`` 0), middle (0.5) or right end (1).

        Args:
            x, y: points.
            text: may be untrusted.
            size: of the font, points.
            align: see above.
            bold: weight of the font.
            color: as ``#000000``.
            background: write it on a light ground.
        """
        place = {"x": x, "y": self.height - y, "text": text, "size": size, "align": align}
        self._texts.append(place | {"bold": bold, "color": color, "background": background})

    def to_data(self) -> dict[str, Any]:
        """Return the drawing as data of a template, for ``draw`` in ``drawing.typ``."""
        width, height = _n(self.width + 2), _n(self.height + 2)  # half a line may lie outside
        size = f'width="{width}pt" height="{height}pt" viewBox="-1 -1 {width} {height}"'
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(self._shapes)}</svg>'
        return {
            "width": self.width,
            "height": self.height,
            "alt": self.alt,
            "pictures": self._pictures,
            "shapes": svg.encode() if self._shapes else None,
            "texts": self._texts,
        }

    def _along(self, points: Points) -> str:
        return "L".join(f"{_n(x)} {_n(self.height - y)}" for x, y in points.tolist())


def text_width(text: str, size: float) -> float:
    """Estimate the width of text in points, somewhat too wide: full-width characters 1 em, others 0.6 em."""
    return size * sum(1.0 if unicodedata.east_asian_width(character) in "FWA" else 0.6 for character in text)


def _attributes(style: dict[str, str | float]) -> str:
    values: dict[str, str | float] = {"fill": "none", **style}
    return "".join(f' {name.replace("_", "-")}="{value}"' for name, value in values.items())


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
