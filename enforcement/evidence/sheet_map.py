"""The location map of an evidence sheet: boundaries of villages, townships and counties, drawn as lines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from reportlab.lib.colors import Color, black, white
from reportlab.platypus import Flowable
from shapely.geometry.base import BaseGeometry

from enforcement.areas import LEVELS, NamedArea
from enforcement.evidence.sheet_drawing import GREY, RED, draw_bar, draw_north
from enforcement.evidence.sheet_fonts import draw_text, printable, width
from enforcement.units import METRES_PER_DEGREE

_MARGIN = 0.06  # of a panel, around what it shows
_LEAST_M = 300.0  # a panel shows at least this much ground
_LINES = {"village": (0.35, GREY), "township": (0.7, Color(0.2, 0.2, 0.2)), "county": (1.3, black)}
_TONE = Color(0.98, 0.93, 0.80)
_LONGEST_NAME = 14
_NAME_PT = 6.5


@dataclass(frozen=True)
class _Panel:
    """One map in the making: its box in points, what it shows, and the way from degrees to points."""

    left: float
    width: float
    height: float
    centre: tuple[float, float]
    points_per_metre: float

    def place(self, outline: BaseGeometry) -> BaseGeometry:
        """From longitude, latitude to points of the page."""
        lon, lat = self.centre
        shrink = np.array([math.cos(math.radians(lat)), 1.0]) * METRES_PER_DEGREE * self.points_per_metre
        middle = np.array([self.left + self.width / 2, self.height / 2])
        return shapely.transform(outline, lambda lonlat: (lonlat - (lon, lat)) * shrink + middle)

    def cut(self, shape: BaseGeometry) -> BaseGeometry:
        """What of a shape in points lies in the panel."""
        return shapely.clip_by_rect(shape, self.left, 0, self.left + self.width, self.height)


class LocationMap(Flowable):  # type: ignore[misc]  # reportlab has no types
    """Where an alert lies: in the largest and in the smallest area that answer for it, as far as they are loaded."""

    def __init__(
        self,
        outline: BaseGeometry,
        areas: Sequence[NamedArea],
        codes: Sequence[str],
        size: tuple[float, float],
        gap: float,
        north: str,
    ) -> None:
        """Prepare the map.

        Args:
            outline: of the alert, longitude, latitude.
            areas: those that are drawn.
            codes: administrative codes that answer for the alert.
            size: width and height of the whole map, points.
            gap: between two panels, points.
            north: word at the arrow.
        """
        super().__init__()
        self._outline, self._areas, self._gap, self._north = outline, areas, gap, north
        self.width, self.height = size
        answering = [area for area in areas if area.code in codes and not area.outline.is_empty]
        answering.sort(key=lambda area: len(area.code))
        self._shown = answering[:1] + ([answering[-1]] if len(answering) > 1 else [])

    def wrap(self, *_: float) -> tuple[float, float]:
        """Its size in points, whatever there is room for."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw the panels."""
        count = max(1, len(self._shown))
        wide = (self.width - (count - 1) * self._gap) / count
        for index in range(count):
            shown = self._shown[index] if self._shown else None
            self._draw_panel(_around(shown, self._outline, index * (wide + self._gap), wide, self.height), shown)

    def _draw_panel(self, panel: _Panel, shown: NamedArea | None) -> None:
        canvas = self.canv
        canvas.saveState()
        frame = canvas.beginPath()
        frame.rect(panel.left, 0, panel.width, panel.height)
        canvas.clipPath(frame, stroke=0, fill=0)
        areas = self._drawn(panel, shown)
        if shown is not None:
            canvas.setFillColor(_TONE)
            _fill(canvas, panel.cut(panel.place(shown.outline)))
        for area, shape in areas:
            line, color = _LINES[area.level]
            canvas.setStrokeColor(color)
            canvas.setLineWidth(line)
            for points in _lines(panel.cut(shape.boundary)):
                _stroke(canvas, points)
        x, y = self._draw_alert(panel)
        taken = [(x - 7, y - 7, x + 7, y + 7), (panel.left, 0, panel.left + 60, 24)]
        taken.append((panel.left + panel.width - 24, panel.height - 32, panel.left + panel.width, panel.height))
        if shown is not None:
            taken.append(_title(canvas, panel, shown.name))
        lowest = (
            areas[0][0].level if areas else ""
        )  # smallest first; the names of larger ones would stand across theirs
        for area, shape in areas:
            if area.level == lowest and (shown is None or area.code != shown.code):
                _name(canvas, panel, area.name, shape, taken)
        canvas.restoreState()
        canvas.setStrokeColor(GREY)
        canvas.setLineWidth(0.5)
        canvas.rect(panel.left, 0, panel.width, panel.height)
        draw_bar(canvas, panel.left + 4, 4, 0.25 * panel.width, panel.points_per_metre)
        draw_north(canvas, panel.left + panel.width - 12, panel.height - 27, self._north)

    def _drawn(self, panel: _Panel, shown: NamedArea | None) -> list[tuple[NamedArea, BaseGeometry]]:
        """Areas to be drawn, in points: the level below the one that is shown and all above; smallest first."""
        deepest = min(3, list(LEVELS).index(shown.level) + 2) if shown else 3
        found = []
        for level in reversed(list(LEVELS)[:deepest]):
            for area in sorted((area for area in self._areas if area.level == level), key=lambda area: area.code):
                shape = shapely.simplify(panel.place(area.outline), 0.25)
                if not panel.cut(shape).is_empty:
                    found.append((area, shape))
        return found

    def _draw_alert(self, panel: _Panel) -> tuple[float, float]:
        canvas, outline = self.canv, panel.place(self._outline)
        canvas.setFillColor(RED)
        canvas.setStrokeColor(RED)
        _fill(canvas, outline)
        middle = outline.representative_point()
        for color, line in ((white, 2.6), (RED, 1.2)):
            canvas.setStrokeColor(color)
            canvas.setLineWidth(line)
            canvas.circle(middle.x, middle.y, 5.5, stroke=1, fill=0)
        canvas.circle(middle.x, middle.y, 1.2, stroke=0, fill=1)
        return float(middle.x), float(middle.y)


def _around(shown: NamedArea | None, outline: BaseGeometry, left: float, wide: float, tall: float) -> _Panel:
    """A panel that shows an area and the alert, or the alert's surroundings only."""
    west, south, east, north = (
        shapely.union(shown.outline.envelope, outline.envelope).bounds if shown else outline.bounds
    )
    lat = (south + north) / 2
    across = max((east - west) * METRES_PER_DEGREE * math.cos(math.radians(lat)), _LEAST_M)
    along = max((north - south) * METRES_PER_DEGREE, _LEAST_M)
    scale = (1 - 2 * _MARGIN) * min(wide / across, tall / along)
    return _Panel(left, wide, tall, ((west + east) / 2, lat), scale)


def _lines(shape: BaseGeometry) -> Iterator[NDArray[np.float64]]:
    for part in shapely.get_parts(shape):
        if part.geom_type in ("LineString", "LinearRing") and not part.is_empty:
            yield np.asarray(part.coords, np.float64)
        elif part.geom_type in ("MultiLineString", "GeometryCollection"):
            yield from _lines(part)


def _stroke(canvas: Any, points: NDArray[np.float64]) -> None:
    path = canvas.beginPath()
    for index, (x, y) in enumerate(points.tolist()):
        (path.lineTo if index else path.moveTo)(x, y)
    canvas.drawPath(path)


def _fill(canvas: Any, shape: BaseGeometry) -> None:
    path = canvas.beginPath()
    for part in shapely.get_parts(shape):
        if part.geom_type == "Polygon":
            for ring in (part.exterior, *part.interiors):
                for index, (x, y) in enumerate(ring.coords):
                    (path.lineTo if index else path.moveTo)(x, y)
                path.close()
    canvas.drawPath(path, stroke=0, fill=1, fillMode=0)  # even-odd: holes stay holes


Box = tuple[float, float, float, float]


def _title(canvas: Any, panel: _Panel, name: str) -> Box:
    text = _short(name, 2 * _LONGEST_NAME)
    box = (panel.left, panel.height - 14, panel.left + width(text, 8) + 10, panel.height)
    canvas.setFillColor(Color(1, 1, 1, alpha=0.85))
    canvas.rect(box[0], box[1], box[2] - box[0], 14, stroke=0, fill=1)
    canvas.setFillColor(black)
    draw_text(canvas, panel.left + 5, panel.height - 10.5, text, 8)
    return box


def _name(canvas: Any, panel: _Panel, name: str, shape: BaseGeometry, taken: list[Box]) -> None:
    """Write an area's name within it, unless another thing is there already."""
    seen = panel.cut(shape)
    if seen.is_empty or not seen.area:
        return
    text = _short(name, _LONGEST_NAME)
    half = width(text, _NAME_PT) / 2 + 1
    centres = [seen.centroid] if seen.contains(seen.centroid) else []
    for middle in (*centres, seen.representative_point()):
        box = (middle.x - half, middle.y - 4, middle.x + half, middle.y + 5)
        inside = panel.left < box[0] and box[2] < panel.left + panel.width and box[1] > 0 and box[3] < panel.height
        if inside and not any(_meet(box, other) for other in taken):
            canvas.setFillColor(black)
            draw_text(canvas, middle.x, middle.y - 2, text, _NAME_PT, align=0.5)
            taken.append(box)
            return


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _short(name: str, most: int) -> str:
    text = printable(name)
    return text if len(text) <= most else f"{text[: most - 1]}…"
