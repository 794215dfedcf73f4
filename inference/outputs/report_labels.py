"""Placement of number labels beside outlines on the overview of a report, without overlaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""

FONT_PX = 26
"""Font size of a number in pixels of the overview."""

_SMALL_FONT_PX = 20  # font size if there are more than _MANY marks
_MANY = 60
_CAPTION_PX = (260.0, 52.0)
_SQUARE_PX = 64  # side of the squares by which overlapping labels are found
_DOT_PX = 14  # smaller outlines look like a dot and get a ring around them


@dataclass(frozen=True)
class Mark:
    """An outline on the overview; positions (x, y) in its pixels.

    Attributes:
        number, kind, area_m2: of the change.
        ring: outer ring (n, 2).
    """

    number: int
    kind: str
    ring: NDArray[np.float64]
    area_m2: float


@dataclass(frozen=True)
class Label:
    """Number label of a mark.

    Attributes:
        number, kind: of the change.
        x, y: left end of the baseline.
        font: font size in pixels.
        shown: False if it would overlap another label; it then appears when the pointer is over its outline.
        dot: (x, y, radius) of a ring around an outline that is too small to see, or None.
    """

    number: int
    kind: str
    x: float
    y: float
    font: int
    shown: bool
    dot: tuple[float, float, float] | None


def place_labels(marks: list[Mark], width: int, height: int) -> list[Label]:
    """Place the labels of all marks, largest changes first, each at the first free position beside its outline."""
    font = FONT_PX if len(marks) <= _MANY else _SMALL_FONT_PX
    occupied = _Boxes()
    for reserved in _reserved_boxes(width, height):
        occupied.add(reserved)
    labels: dict[int, Label] = {}
    for mark in sorted(marks, key=lambda mark: (-mark.area_m2, mark.number)):
        label_width, label_height = 0.6 * font * len(str(mark.number)), 0.8 * font
        (left, top), (right, bottom) = mark.ring.min(axis=0), mark.ring.max(axis=0)
        dot = None
        if max(right - left, bottom - top) < _DOT_PX:
            x, y = (left + right) / 2, (top + bottom) / 2
            dot = (float(x), float(y), _DOT_PX / 2 + 2.0)
            left, top, right, bottom = x - dot[2], y - dot[2], x + dot[2], y + dot[2]
        corners = [
            (right + 4, top + label_height),
            (left - 4 - label_width, top + label_height),
            (right + 4, bottom),
            (left - 4 - label_width, bottom),
            ((left + right - label_width) / 2, top - 5),
            ((left + right - label_width) / 2, bottom + label_height + 5),
        ]
        boxes = [_inside(x, y, label_width, label_height, width, height) for x, y in corners]
        free = next((box for box in boxes if not occupied.overlaps(box)), None)
        box = free or boxes[0]
        if free:
            occupied.add(free)
        labels[mark.number] = Label(mark.number, mark.kind, float(box[0]), float(box[3]), font, free is not None, dot)
    return [labels[mark.number] for mark in marks]


class _Boxes:
    """Boxes, found by the squares that they touch."""

    def __init__(self) -> None:
        self._squares: dict[tuple[int, int], list[Box]] = {}

    def add(self, box: Box) -> None:
        """Add a box."""
        for square in self._touched(box):
            self._squares.setdefault(square, []).append(box)

    def overlaps(self, box: Box) -> bool:
        """Whether a box overlaps any of those added."""
        return any(_overlap(box, other) for square in self._touched(box) for other in self._squares.get(square, ()))

    @staticmethod
    def _touched(box: Box) -> list[tuple[int, int]]:
        left, top, right, bottom = (int(side // _SQUARE_PX) for side in box)
        return [(x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)]


def _reserved_boxes(width: int, height: int) -> list[Box]:
    """Return the boxes of captions, north arrow and scale bar."""
    label_width, label_height = _CAPTION_PX
    return [
        (0.0, 0.0, label_width, label_height),
        (width - label_width, 0.0, width, label_height),
        (0.0, height - 90.0, 60.0, height),
        (width * 5 / 6 - 30, height - 70.0, width, height),
    ]


def _inside(x: float, y: float, label_width: float, label_height: float, width: int, height: int) -> Box:
    """Return the box of a label with its baseline at (x, y), moved into the picture."""
    x = min(max(x, 3.0), max(3.0, width - label_width - 3))
    y = min(max(y, label_height + 3), max(label_height + 3, height - 3.0))
    return x, y - label_height, x + label_width, y


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
