"""Scale bar and north arrow of maps and pictures."""

from __future__ import annotations

import numpy as np

from enforcement.typesetting.drawing import Drawing, text_width
from enforcement.units import format_length, round_length

_LIGHT: dict[str, str | float] = {"fill": "#ffffff", "fill_opacity": 0.85}


def draw_scale_bar(drawing: Drawing, left: float, bottom: float, max_length: float, points_per_metre: float) -> None:
    """Draw a scale bar of a round length on a light background.

    Args:
        drawing: to draw on.
        left, bottom: lower left corner of the background, points.
        max_length: maximum length of the bar, points.
        points_per_metre: scale of the drawing.
    """
    metres = round_length(max_length / points_per_metre)
    label = format_length(metres)
    bar = metres * points_per_metre
    background = max(bar, text_width(label, 7)) + 8
    drawing.rect(left, bottom, background, 17, **_LIGHT)
    start = left + (background - bar) / 2
    drawing.rect(start, bottom + 3, bar / 2, 2.5, fill="#000000", stroke="#000000", stroke_width=0.4)
    drawing.rect(start + bar / 2, bottom + 3, bar / 2, 2.5, stroke="#000000", stroke_width=0.4)
    drawing.text(left + background / 2, bottom + 8.5, label, 7, align=0.5)


def draw_north_arrow(drawing: Drawing, middle: float, bottom: float, label: str) -> None:
    """Draw an arrow that points up, with its label below; 22 points tall."""
    drawing.rect(middle - 8, bottom - 1, 16, 24, rx=2, **_LIGHT)
    shape = np.array([(0.0, 21.0), (4.5, 8.0), (0.0, 11.0), (-4.5, 8.0)])
    drawing.path([shape + np.array([middle, bottom])], fill="#000000")
    drawing.text(middle, bottom + 1, label, 7, align=0.5)
