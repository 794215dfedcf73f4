"""Numbers on the overview of a report: beside their outlines, and not over one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

FONT_PX = 26
"""Size of a number in pixels of the overview, where there is room."""

_SMALL_FONT_PX = 20  # from so many marks on that the picture would be all numbers
_MANY = 60
_CAPTION_PX = (260.0, 52.0)
_DOT_PX = 14  # an outline smaller than this is no more than a dot: it gets a ring around it


@dataclass(frozen=True)
class Mark:
    """One outline on the overview; positions (x, y) in its pixels.

    Attributes:
        number, kind, area_m2: of the change.
        ring: outer ring (n, 2).
    """

    number: int
    kind: str
    ring: NDArray[np.float64]
    area_m2: float


@dataclass(frozen=True)
class Placed:
    """A mark with its number's place.

    Attributes:
        number, kind: of the change.
        x, y: left end of the number's base line.
        font: size of the number in pixels.
        shown: False where it would cover another one's number; then it shows when its outline is pointed at.
        dot: (x, y, radius) of a ring around an outline that is too small to be seen, or None.
    """

    number: int
    kind: str
    x: float
    y: float
    font: int
    shown: bool
    dot: tuple[float, float, float] | None


def lay_marks(marks: list[Mark], width: int, height: int) -> list[Placed]:
    """Place the numbers of all marks, the largest changes first, each on the first free side of its outline."""
    font = FONT_PX if len(marks) <= _MANY else _SMALL_FONT_PX
    taken = _furniture(width, height)
    placed: dict[int, Placed] = {}
    for mark in sorted(marks, key=lambda mark: (-mark.area_m2, mark.number)):
        long, tall = 0.6 * font * len(str(mark.number)), 0.8 * font
        (left, top), (right, bottom) = mark.ring.min(axis=0), mark.ring.max(axis=0)
        dot = None
        if max(right - left, bottom - top) < _DOT_PX:
            x, y = (left + right) / 2, (top + bottom) / 2
            dot = (float(x), float(y), _DOT_PX / 2 + 2.0)
            left, top, right, bottom = x - dot[2], y - dot[2], x + dot[2], y + dot[2]
        corners = [
            (right + 4, top + tall),
            (left - 4 - long, top + tall),
            (right + 4, bottom),
            (left - 4 - long, bottom),
            ((left + right - long) / 2, top - 5),
            ((left + right - long) / 2, bottom + tall + 5),
        ]
        boxes = [_inside(x, y, long, tall, width, height) for x, y in corners]
        free = next((box for box in boxes if not any(_touch(box, other) for other in taken)), None)
        box = free or boxes[0]
        if free:
            taken.append(free)
        placed[mark.number] = Placed(mark.number, mark.kind, float(box[0]), float(box[3]), font, free is not None, dot)
    return [placed[mark.number] for mark in marks]


def _furniture(width: int, height: int) -> list[Box]:
    """Where captions, north arrow and scale bar are."""
    long, tall = _CAPTION_PX
    return [
        (0.0, 0.0, long, tall),
        (width - long, 0.0, width, tall),
        (0.0, height - 90.0, 60.0, height),
        (width * 5 / 6 - 30, height - 70.0, width, height),
    ]


def _inside(x: float, y: float, long: float, tall: float, width: int, height: int) -> Box:
    """Box of a number with its base line at (x, y), moved into the picture: left, top, right, bottom."""
    x = min(max(x, 3.0), max(3.0, width - long - 3))
    y = min(max(y, tall + 3), max(tall + 3, height - 3.0))
    return x, y - tall, x + long, y


def _touch(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
