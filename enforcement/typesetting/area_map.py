"""Map of areas filled by value, as a vector drawing with names, values, legend, scale bar and north arrow."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from shapely import unary_union
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from enforcement.reports.bulletin import AreaMap, MapArea
from enforcement.typesetting.charts import round_up
from enforcement.typesetting.drawing import Drawing, Points
from enforcement.typesetting.map_marks import draw_north_arrow, draw_scale_bar
from enforcement.units import METRES_PER_DEGREE

_FILLS = ("#ffffff", "#dbe7f3", "#b3cde6", "#7fabd4", "#4784bd")
"""None, then quarters of the largest value; light enough for black labels."""
_MOST_HEIGHT = 260.0
_EDGE = 8.0
_LEGEND = 70.0
_INK = "#333333"


def draw_area_map(area_map: AreaMap, width: float, north: str) -> Drawing | None:
    """Draw a map ``width`` points wide; None: no area has an outline.

    Args:
        area_map: areas with values.
        width: points.
        north: label of the north arrow.
    """
    shapes = [(area, shape) for area in area_map.areas if (shape := _shape(area)) is not None]
    if not shapes:
        return None
    west, south, east, north_lat = unary_union([shape for _, shape in shapes]).bounds
    squeeze = math.cos(math.radians((south + north_lat) / 2))
    wide, high = max((east - west) * squeeze, 1e-6), max(north_lat - south, 1e-6)
    scale = min((width - _LEGEND - 2 * _EDGE) / wide, (_MOST_HEIGHT - 2 * _EDGE) / high)  # points per degree
    drawing = Drawing(width, high * scale + 2 * _EDGE, alt=_in_words(area_map))
    left = _EDGE + (width - _LEGEND - 2 * _EDGE - wide * scale) / 2

    def on_page(ring: Sequence[tuple[float, float]]) -> Points:
        degrees = np.asarray(ring, np.float64)
        placed: Points = (degrees - np.array([west, south])) * np.array([squeeze, 1.0]) * scale + np.array(
            [left, _EDGE]
        )
        return placed

    top = round_up(max(area.value for area, _ in shapes))
    for area, shape in shapes:
        for part in getattr(shape, "geoms", [shape]):
            rings = [on_page(list(ring.coords)) for ring in (part.exterior, *part.interiors)]
            drawing.path(rings, fill=_fill(area.value, top), stroke=_INK, stroke_width=0.6)
    for area, shape in shapes:
        point = on_page([(shape.representative_point().x, shape.representative_point().y)])[0]
        _draw_label(drawing, area, float(point[0]), float(point[1]))
    _draw_legend(drawing, area_map, top)
    draw_scale_bar(drawing, width - _LEGEND, 0, 0.75 * _LEGEND, scale / METRES_PER_DEGREE)
    draw_north_arrow(drawing, width - 12, drawing.height - 24, north)
    return drawing


def _shape(area: MapArea) -> BaseGeometry | None:
    """Return the outline of an area; rings inside others are holes."""
    rings = [Polygon(ring) for ring in area.outline if len(ring) >= 4]
    outer = [ring for ring in rings if not any(other.contains(ring) for other in rings if other is not ring)]
    if not outer:
        return None
    holes = [ring for ring in rings if ring not in outer]
    parts = [
        Polygon(ring.exterior, [hole.exterior for hole in holes if ring.contains(hole)])
        for ring in outer
    ]  # fmt: skip
    return MultiPolygon(parts)


def _fill(value: float, top: float) -> str:
    if value <= 0:
        return _FILLS[0]
    return _FILLS[min(len(_FILLS) - 1, max(1, math.ceil(value / top * (len(_FILLS) - 1))))]


def _draw_label(drawing: Drawing, area: MapArea, x: float, y: float) -> None:
    drawing.text(x, y + 1, area.name, 7, align=0.5)
    drawing.text(x, y - 7, f"{area.value:,g}", 7, align=0.5, bold=True)


def _draw_legend(drawing: Drawing, area_map: AreaMap, top: float) -> None:
    x, y = drawing.width - _LEGEND, drawing.height - 44
    if area_map.unit:
        drawing.text(x, y + 12, area_map.unit, 7, color=_INK)
    count = len(_FILLS) - 1
    for number in range(count, -1, -1):
        low, high = top * (number - 1) / count, top * number / count
        words = "0" if number == 0 else f"≤ {high:,g}" if number == 1 else f"{low:,g} – {high:,g}"
        drawing.rect(x, y, 12, 8, fill=_FILLS[number], stroke=_INK, stroke_width=0.4)
        drawing.text(x + 16, y + 1, words, 7, color=_INK)
        y -= 11


def _in_words(area_map: AreaMap) -> str:
    return f"{area_map.title}: {'; '.join(f'{area.name} {area.value:g}' for area in area_map.areas)}"
