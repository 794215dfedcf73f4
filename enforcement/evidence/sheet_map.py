"""Location map of an evidence sheet: boundaries of villages, townships and counties."""

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
from enforcement.evidence.sheet_drawing import GREY, RED, draw_north_arrow, draw_scale_bar
from enforcement.evidence.sheet_fonts import draw_text, printable, text_width
from enforcement.units import METRES_PER_DEGREE

_MARGIN = 0.06  # of a panel, around the area
_MIN_EXTENT_M = 300.0  # of a panel on the ground
_LINES = {"village": (0.35, GREY), "township": (0.7, Color(0.2, 0.2, 0.2)), "county": (1.3, black)}
_AREA_FILL = Color(0.98, 0.93, 0.80)
_MAX_NAME = 14
_NAME_PT = 6.5


@dataclass(frozen=True)
class _Panel:
    """One map: its box in points, and the transformation from degrees to points."""

    left: float
    width: float
    height: float
    centre: tuple[float, float]
    points_per_metre: float

    def project(self, outline: BaseGeometry) -> BaseGeometry:
        """Transform longitude, latitude to points of the page."""
        lon, lat = self.centre
        scale = np.array([math.cos(math.radians(lat)), 1.0]) * METRES_PER_DEGREE * self.points_per_metre
        middle = np.array([self.left + self.width / 2, self.height / 2])
        return shapely.transform(outline, lambda lonlat: (lonlat - (lon, lat)) * scale + middle)

    def clip(self, shape: BaseGeometry) -> BaseGeometry:
        """Clip a shape, in points, to the panel."""
        return shapely.clip_by_rect(shape, self.left, 0, self.left + self.width, self.height)


class LocationMap(Flowable):  # type: ignore[misc]  # reportlab has no types
    """Location of an alert in its largest and its smallest responsible area, if these are loaded."""

    def __init__(
        self,
        outline: BaseGeometry,
        areas: Sequence[NamedArea],
        codes: Sequence[str],
        size: tuple[float, float],
        gap: float,
        north: str,
    ) -> None:
        """Select the areas of the panels.

        Args:
            outline: outline of the alert, longitude, latitude.
            areas: areas to be drawn.
            codes: administrative codes of the responsible areas.
            size: width and height of the map, points.
            gap: distance between two panels, points.
            north: label of the north arrow.
        """
        super().__init__()
        self._outline, self._areas, self._gap, self._north = outline, areas, gap, north
        self.width, self.height = size
        responsible = [area for area in areas if area.code in codes and not area.outline.is_empty]
        responsible.sort(key=lambda area: len(area.code))
        self._panel_areas = responsible[:1] + ([responsible[-1]] if len(responsible) > 1 else [])

    def wrap(self, *_: float) -> tuple[float, float]:
        """Return the size in points, independent of the available space."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw the panels."""
        count = max(1, len(self._panel_areas))
        width = (self.width - (count - 1) * self._gap) / count
        for index in range(count):
            area = self._panel_areas[index] if self._panel_areas else None
            panel = _fit_panel(area, self._outline, index * (width + self._gap), width, self.height)
            self._draw_panel(panel, area)

    def _draw_panel(self, panel: _Panel, panel_area: NamedArea | None) -> None:
        canvas = self.canv
        canvas.saveState()
        frame = canvas.beginPath()
        frame.rect(panel.left, 0, panel.width, panel.height)
        canvas.clipPath(frame, stroke=0, fill=0)
        areas = self._visible_areas(panel, panel_area)
        if panel_area is not None:
            canvas.setFillColor(_AREA_FILL)
            _fill(canvas, panel.clip(panel.project(panel_area.outline)))
        for area, shape in areas:
            line, color = _LINES[area.level]
            canvas.setStrokeColor(color)
            canvas.setLineWidth(line)
            for points in _lines(panel.clip(shape.boundary)):
                _stroke(canvas, points)
        x, y = self._draw_alert(panel)
        marker, scale_bar = (x - 7, y - 7, x + 7, y + 7), (panel.left, 0, panel.left + 60, 24)
        north_arrow = (panel.left + panel.width - 24, panel.height - 32, panel.left + panel.width, panel.height)
        occupied: list[Box] = [marker, scale_bar, north_arrow]
        if panel_area is not None:
            occupied.append(_draw_title(canvas, panel, panel_area.name))
        lowest = areas[0][0].level if areas else ""  # names of higher levels would overlap those of the lowest
        for area, shape in areas:
            if area.level == lowest and (panel_area is None or area.code != panel_area.code):
                _draw_name(canvas, panel, area.name, shape, occupied)
        canvas.restoreState()
        canvas.setStrokeColor(GREY)
        canvas.setLineWidth(0.5)
        canvas.rect(panel.left, 0, panel.width, panel.height)
        draw_scale_bar(canvas, panel.left + 4, 4, 0.25 * panel.width, panel.points_per_metre)
        draw_north_arrow(canvas, panel.left + panel.width - 12, panel.height - 27, self._north)

    def _visible_areas(self, panel: _Panel, panel_area: NamedArea | None) -> list[tuple[NamedArea, BaseGeometry]]:
        """List visible areas and their shapes in points, up to the level below the panel's area; lowest level first."""
        levels = min(3, list(LEVELS).index(panel_area.level) + 2) if panel_area else 3
        visible = []
        for level in reversed(list(LEVELS)[:levels]):
            for area in sorted((area for area in self._areas if area.level == level), key=lambda area: area.code):
                shape = shapely.simplify(panel.project(area.outline), 0.25)
                if not panel.clip(shape).is_empty:
                    visible.append((area, shape))
        return visible

    def _draw_alert(self, panel: _Panel) -> tuple[float, float]:
        canvas, outline = self.canv, panel.project(self._outline)
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


def _fit_panel(area: NamedArea | None, outline: BaseGeometry, left: float, width: float, height: float) -> _Panel:
    """Fit a panel to an area and the alert; without an area to the alert's surroundings."""
    shown = shapely.union(area.outline.envelope, outline.envelope) if area else outline
    west, south, east, north = shown.bounds
    lat = (south + north) / 2
    width_m = max((east - west) * METRES_PER_DEGREE * math.cos(math.radians(lat)), _MIN_EXTENT_M)
    height_m = max((north - south) * METRES_PER_DEGREE, _MIN_EXTENT_M)
    scale = (1 - 2 * _MARGIN) * min(width / width_m, height / height_m)
    return _Panel(left, width, height, ((west + east) / 2, lat), scale)


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
    canvas.drawPath(path, stroke=0, fill=1, fillMode=0)  # even-odd rule, which leaves holes empty


Box = tuple[float, float, float, float]


def _draw_title(canvas: Any, panel: _Panel, name: str) -> Box:
    text = _truncate(name, 2 * _MAX_NAME)
    box = (panel.left, panel.height - 14, panel.left + text_width(text, 8) + 10, panel.height)
    canvas.setFillColor(Color(1, 1, 1, alpha=0.85))
    canvas.rect(box[0], box[1], box[2] - box[0], 14, stroke=0, fill=1)
    canvas.setFillColor(black)
    draw_text(canvas, panel.left + 5, panel.height - 10.5, text, 8)
    return box


def _draw_name(canvas: Any, panel: _Panel, name: str, shape: BaseGeometry, occupied: list[Box]) -> None:
    """Draw the name of an area inside it where no other label is."""
    visible = panel.clip(shape)
    if visible.is_empty or not visible.area:
        return
    text = _truncate(name, _MAX_NAME)
    half = text_width(text, _NAME_PT) / 2 + 1
    centroids = [visible.centroid] if visible.contains(visible.centroid) else []
    for middle in (*centroids, visible.representative_point()):
        box = (middle.x - half, middle.y - 4, middle.x + half, middle.y + 5)
        inside = panel.left < box[0] and box[2] < panel.left + panel.width and box[1] > 0 and box[3] < panel.height
        if inside and not any(_intersect(box, other) for other in occupied):
            canvas.setFillColor(black)
            draw_text(canvas, middle.x, middle.y - 2, text, _NAME_PT, align=0.5)
            occupied.append(box)
            return


def _intersect(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _truncate(name: str, limit: int) -> str:
    text = printable(name)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
