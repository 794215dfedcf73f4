"""Charts as SVG text: a trend of several series, and a map of areas in classes.

They have classes instead of colours, so that they follow the theme of the page and print. Beside each the page shows
the numbers as a table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import shapely
from shapely.geometry.base import BaseGeometry

WIDTH, HEIGHT = 360, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 8, 8, 22
CLASSES = 5
_MARKS = ("circle", "square", "triangle", "diamond")
_MAX_NAMES = 16
_MAX_HEIGHT = 420


@dataclass(frozen=True)
class Series:
    """A line of a trend: its name, and one number per label."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class MapArea:
    """An area of the map.

    Attributes:
        name: of the area.
        outline: longitude, latitude.
        value: None: there is none, which is hatched.
        words: value in words.
        link: address of the page of the area.
    """

    name: str
    outline: BaseGeometry
    value: float | None
    words: str
    link: str


def trend_chart(title: str, labels: Sequence[str], series: Sequence[Series]) -> str:
    """Return lines over labels, told apart by colour, dashes and marks; the y axis begins at 0."""
    step = _round_step(max((value for one in series for value in one.values), default=0) / 4)
    top = max(step * 4, 1)
    width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def x(number: int) -> float:
        return _LEFT + width * (number + 0.5) / max(len(labels), 1)

    def y(value: float) -> float:
        return _TOP + height * (1 - value / top)

    parts = [
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(step * n):.1f}" y2="{y(step * n):.1f}"/>'
        f'<text class="axis end" x="{_LEFT - 4}" y="{y(step * n) + 3.5:.1f}">{step * n:g}</text>'
        for n in range(5)
    ]
    every = 1 if len(labels) <= 6 else 2
    parts += [
        f'<text class="axis middle" x="{x(n):.1f}" y="{HEIGHT - 6}">{escape(label)}</text>'
        for n, label in enumerate(labels)
        if (len(labels) - 1 - n) % every == 0
    ]
    for number, one in enumerate(series):
        points = " ".join(f"{x(n):.1f},{y(value):.1f}" for n, value in enumerate(one.values))
        parts.append(f'<polyline class="line s{number}" points="{points}"/>')
        parts += [
            f'<path class="mark s{number}" d="{mark_path(number, x(n), y(value))}">'
            f"<title>{escape(f'{labels[n]} {one.name}: {value:g}')}</title></path>"
            for n, value in enumerate(one.values)
        ]
    return _svg(title, WIDTH, HEIGHT, parts)


def mark_path(number: int, x: float, y: float, size: float = 3.2) -> str:
    """Return the mark of a series as the data of a path."""
    mark = _MARKS[number % len(_MARKS)]
    if mark == "circle":
        return f"M{x - size:.1f} {y:.1f}a{size} {size} 0 1 0 {2 * size} 0a{size} {size} 0 1 0 {-2 * size} 0"
    corners = {
        "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "triangle": ((0, -1.2), (1.2, 1), (-1.2, 1)),
        "diamond": ((0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)),
    }[mark]
    return "M" + "L".join(f"{x + dx * size:.1f} {y + dy * size:.1f}" for dx, dy in corners) + "Z"


def class_of(value: float | None, most: float) -> int | None:
    """Return the class of a value, 0…4, of equal width from 0 to ``most``; None: it has no value."""
    if value is None:
        return None
    return 0 if most <= 0 else min(CLASSES - 1, max(0, math.ceil(value / most * CLASSES) - 1))


def area_map(title: str, areas: Sequence[MapArea], most: float) -> str:
    """Return areas filled by class, each a link; names are written where few areas are shown. Empty: ""."""
    shown = [area for area in areas if not area.outline.is_empty]
    if not shown:
        return ""
    west, south, east, north = shapely.total_bounds([area.outline for area in shown])
    squeeze = math.cos(math.radians((south + north) / 2))
    scale = min(WIDTH / max((east - west) * squeeze, 1e-9), _MAX_HEIGHT / max(north - south, 1e-9))
    width, height = (east - west) * squeeze * scale, (north - south) * scale

    def placed(outline: BaseGeometry) -> BaseGeometry:
        moved = shapely.transform(outline, lambda xy: (xy - (west, north)) * (squeeze * scale, -scale))
        return moved.simplify(0.4)

    parts = ['<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse">']
    parts.append('<path class="hatch" d="M0 6L6 0"/></pattern></defs>')
    names = []
    for area in shown:
        outline = placed(area.outline)
        found = class_of(area.value, most)
        words = escape(f"{area.name}: {area.words}")
        parts.append(
            f'<a href="{escape(area.link)}" aria-label="{words}"><path class="area '
            f'{"none" if found is None else f"q{found}"}" d="{_path(outline)}"><title>{words}</title></path></a>'
        )
        if len(shown) <= _MAX_NAMES:
            point = outline.representative_point()
            names.append(f'<text class="name" x="{point.x:.1f}" y="{point.y:.1f}">{escape(area.name[:12])}</text>')
    return _svg(title, width, height, [*parts, *names], margin=2)


def _path(outline: BaseGeometry) -> str:
    polygons = [part for part in getattr(outline, "geoms", [outline]) if part.geom_type == "Polygon"]
    rings = [ring for polygon in polygons for ring in (polygon.exterior, *polygon.interiors)]
    return "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring.coords[:-1]) + "Z" for ring in rings)


def _svg(title: str, width: float, height: float, parts: Sequence[str], margin: float = 0) -> str:
    box = f"{-margin} {-margin} {width + 2 * margin:.0f} {height + 2 * margin:.0f}"
    return (
        f'<svg class="chart" viewBox="{box}" role="group" aria-label="{escape(title)}"'
        f' xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _round_step(step: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20 … not below a step."""
    power = 10 ** math.floor(math.log10(step)) if step > 1 else 1
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step)
