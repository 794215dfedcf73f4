"""Location map of an evidence sheet: boundaries of villages, townships and counties."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from enforcement.areas import LEVELS, NamedArea
from enforcement.evidence.sheet_drawing import GREY, RED
from enforcement.typesetting.drawing import Drawing, text_width
from enforcement.typesetting.map_marks import draw_north_arrow, draw_scale_bar
from enforcement.units import METRES_PER_DEGREE
from imagery.set_operations import union

_MARGIN = 0.06  # of a panel, around the area
_MIN_EXTENT_M = 300.0  # of a panel on the ground
_LINES = {"village": (0.35, GREY), "township": (0.7, "#333333"), "county": (1.3, "#000000")}
_AREA_FILL = "#faedcc"
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


class LocationMap:
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
        self._outline, self._areas, self._gap, self._north, self._size = outline, areas, gap, north, size
        responsible = [area for area in areas if area.code in codes and not area.outline.is_empty]
        responsible.sort(key=lambda area: len(area.code))
        self._panel_areas = responsible[:1] + ([responsible[-1]] if len(responsible) > 1 else [])

    def draw(self, alt: str) -> Drawing:
        """Draw the panels; ``alt`` describes them."""
        drawing = Drawing(*self._size, alt=alt)
        count = max(1, len(self._panel_areas))
        width = (drawing.width - (count - 1) * self._gap) / count
        for index in range(count):
            area = self._panel_areas[index] if self._panel_areas else None
            panel = _fit_panel(area, self._outline, index * (width + self._gap), width, drawing.height)
            self._draw_panel(drawing, panel, area)
        return drawing

    def _draw_panel(self, drawing: Drawing, panel: _Panel, panel_area: NamedArea | None) -> None:
        areas = self._visible_areas(panel, panel_area)
        with drawing.clipped(panel.left, 0, panel.width, panel.height):
            if panel_area is not None:
                drawing.polygons(panel.clip(panel.project(panel_area.outline)), fill=_AREA_FILL)
            for area, shape in areas:
                line, color = _LINES[area.level]
                lines = list(_lines(panel.clip(shape.boundary)))
                drawing.path(lines, closed=False, stroke=color, stroke_width=line)
            x, y = self._draw_alert(drawing, panel)
        marker, scale_bar = (x - 7, y - 7, x + 7, y + 7), (panel.left, 0, panel.left + 60, 24)
        north_arrow = (panel.left + panel.width - 24, panel.height - 32, panel.left + panel.width, panel.height)
        occupied: list[Box] = [marker, scale_bar, north_arrow]
        if panel_area is not None:
            occupied.append(_draw_title(drawing, panel, panel_area.name))
        lowest = areas[0][0].level if areas else ""  # names of higher levels would overlap those of the lowest
        for area, shape in areas:
            if area.level == lowest and (panel_area is None or area.code != panel_area.code):
                _draw_name(drawing, panel, area.name, shape, occupied)
        drawing.rect(panel.left, 0, panel.width, panel.height, stroke=GREY, stroke_width=0.5)
        draw_scale_bar(drawing, panel.left + 4, 4, 0.25 * panel.width, panel.points_per_metre)
        draw_north_arrow(drawing, panel.left + panel.width - 12, panel.height - 27, self._north)

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

    def _draw_alert(self, drawing: Drawing, panel: _Panel) -> tuple[float, float]:
        outline = panel.project(self._outline)
        drawing.polygons(outline, fill=RED)
        middle = outline.representative_point()
        for color, line in (("#ffffff", 2.6), (RED, 1.2)):
            drawing.circle(middle.x, middle.y, 5.5, stroke=color, stroke_width=line)
        drawing.circle(middle.x, middle.y, 1.2, fill=RED)
        return float(middle.x), float(middle.y)


def _fit_panel(area: NamedArea | None, outline: BaseGeometry, left: float, width: float, height: float) -> _Panel:
    """Fit a panel to an area and the alert; without an area to the alert's surroundings."""
    shown = union(area.outline.envelope, outline.envelope) if area else outline
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


Box = tuple[float, float, float, float]


def _draw_title(drawing: Drawing, panel: _Panel, name: str) -> Box:
    text = _truncate(name, 2 * _MAX_NAME)
    drawing.text(panel.left + 5, panel.height - 10.5, text, 8, background=True)
    return panel.left, panel.height - 14, panel.left + text_width(text, 8) + 10, panel.height


def _draw_name(drawing: Drawing, panel: _Panel, name: str, shape: BaseGeometry, occupied: list[Box]) -> None:
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
            drawing.text(middle.x, middle.y - 2, text, _NAME_PT, align=0.5)
            occupied.append(box)
            return


def _intersect(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _truncate(name: str, limit: int) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1]}…"
