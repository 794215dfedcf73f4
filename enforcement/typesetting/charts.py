"""Charts of reports as vector drawings: bars, or lines of different dashes where bars are too many."""

from __future__ import annotations

import math

import numpy as np

from enforcement.reports.bulletin import Chart
from enforcement.typesetting.drawing import Drawing, text_width

_HEIGHT = 150.0
_LEFT, _BOTTOM, _TOP = 34.0, 26.0, 26.0
_MOST_BARS = 48
_COLORS = ("#1f5c99", "#e08a1e", "#6b9b37", "#8a4f9e", "#7f7f7f")
_DASHES = ("", "5 2", "2 2", "7 2 2 2", "1 2")
_GRID, _INK = "#d9d9d9", "#333333"
_STEPS = 4
_WIDEST = 42.0
"""Of a label of the horizontal axis, points; longer ones are shortened."""


def draw_chart(chart: Chart, width: float) -> Drawing:
    """Draw a chart ``width`` points wide, with its values above the bars where there is room."""
    drawing = Drawing(width, _HEIGHT, alt=_in_words(chart))
    values = [value for series in chart.series for value in series.values if value is not None]
    top = round_up(max([*values, 0.0]))
    scale = (_HEIGHT - _BOTTOM - _TOP) / top
    _draw_axes(drawing, chart, top, scale)
    slot = (width - _LEFT) / max(1, len(chart.labels))
    if len(chart.labels) * len(chart.series) <= _MOST_BARS:
        _draw_bars(drawing, chart, slot, scale)
    else:
        _draw_lines(drawing, chart, slot, scale)
    _draw_labels(drawing, chart, slot)
    _draw_legend(drawing, chart)
    return drawing


def round_up(value: float) -> float:
    """Return the end of an axis, at least ``value`` and 4, so that whole numbers stand at its four steps."""
    if value <= _STEPS:
        return float(_STEPS)
    power = 10.0 ** math.floor(math.log10(value))
    ends = (power * digit for digit in (1.2, 1.6, 2, 2.4, 4, 6, 8, 12))
    return next(round(end) for end in ends if end >= value and round(end) % _STEPS == 0)


def _draw_axes(drawing: Drawing, chart: Chart, top: float, scale: float) -> None:
    for step in range(_STEPS + 1):
        value = top * step / _STEPS
        y = _BOTTOM + value * scale
        color = _INK if step == 0 else _GRID
        drawing.path([np.array([(_LEFT, y), (drawing.width, y)])], closed=False, stroke=color, stroke_width=0.5)
        drawing.text(_LEFT - 4, y - 2.5, f"{value:,g}", 7, align=1.0, color=_INK)
    if chart.unit:
        drawing.text(_LEFT - 4, _HEIGHT - _TOP + 8, chart.unit, 7, align=1.0, color=_INK)


def _draw_bars(drawing: Drawing, chart: Chart, slot: float, scale: float) -> None:
    count = len(chart.series)
    wide = min(slot * 0.72 / count, 26.0)
    written = wide >= 11  # points, the least for a number above a bar
    for place in range(len(chart.labels)):
        left = _LEFT + slot * (place + 0.5) - wide * count / 2
        for number, series in enumerate(chart.series):
            value = series.values[place]
            if value is None:
                continue
            x, high = left + number * wide, value * scale
            drawing.rect(x + 0.5, _BOTTOM, wide - 1, max(high, 0.0), fill=_COLORS[number % len(_COLORS)])
            if written:
                drawing.text(x + wide / 2, _BOTTOM + max(high, 0.0) + 2, f"{value:,g}", 6, align=0.5, color=_INK)


def _draw_lines(drawing: Drawing, chart: Chart, slot: float, scale: float) -> None:
    for number, series in enumerate(chart.series):
        color, dash = _COLORS[number % len(_COLORS)], _DASHES[number % len(_DASHES)]
        run: list[tuple[float, float]] = []
        runs = [run]
        for place, value in enumerate(series.values):
            if value is None:
                run = []
                runs.append(run)
            else:
                run.append((_LEFT + slot * (place + 0.5), _BOTTOM + value * scale))
        lines = [np.array(each) for each in runs if each]
        drawing.path(
            lines, closed=False, stroke=color, stroke_width=1.4, **({"stroke_dasharray": dash} if dash else {})
        )


def _draw_labels(drawing: Drawing, chart: Chart, slot: float) -> None:
    """Write the labels of the horizontal axis, shortened to their slots, and of many every second, third, …"""
    widest = max((text_width(label, 7) for label in chart.labels), default=0.0)
    every = max(1, math.ceil((min(widest, _WIDEST) + 3) / slot))
    for place in range(0, len(chart.labels), every):
        label = _shortened(chart.labels[place], slot * every - 2)
        drawing.text(_LEFT + slot * (place + 0.5), _BOTTOM - 9, label, 7, align=0.5, color=_INK)


def _shortened(label: str, width: float) -> str:
    if text_width(label, 7) <= width:
        return label
    while len(label) > 1 and text_width(label + "…", 7) > width:
        label = label[:-1]
    return label + "…"


def _draw_legend(drawing: Drawing, chart: Chart) -> None:
    names = [series.name for series in chart.series]
    if not any(names):
        return
    x = drawing.width - sum(text_width(name, 7.5) + 22 for name in names)
    for number, name in enumerate(names):
        drawing.rect(x, _HEIGHT - 10, 10, 6, fill=_COLORS[number % len(_COLORS)])
        drawing.text(x + 13, _HEIGHT - 10, name, 7.5, color=_INK)
        x += text_width(name, 7.5) + 22


def _in_words(chart: Chart) -> str:
    """Return title and values, for screen readers."""
    values = (
        f"{series.name} {label} {value:g}".strip()
        for series in chart.series
        for label, value in zip(chart.labels, series.values, strict=False)
        if value is not None
    )
    return f"{chart.title}: {'; '.join(values)}"
