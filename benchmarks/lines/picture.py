"""Picture of the lines: a bar for each row, its ratio to the reference on a logarithmic scale."""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import escape

WIDTH, ROW, LEFT, BARS = 1060, 17, 520, 440
FROM, TO = 0.01, 100.0
COLOURS = {"a": "#4c78a8", "b": "#f58518", "c": "#54a24b", "d": "#e45756", "e": "#72b7b2", "f": "#b279a2",
           "g": "#9d755d", "h": "#bab0ac", "i": "#eeca3b"}  # fmt: skip


def draw(lines: dict[str, Any]) -> str:
    """Return an SVG of the rows of all lines.

    Args:
        lines: letter → ``title`` and ``rows`` with ``what``, ``ratio``, ``value`` and ``unit``.
    """
    parts, y = list[str](), 44
    for key, line in sorted(lines.items()):
        parts.append(f'<text x="8" y="{y}" font-weight="bold">({key}) {escape(line["title"])}</text>')
        y += ROW
        for row in line["rows"]:
            zero, end = _x(1.0), _x(row["ratio"])
            parts.append(f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">{escape(_short(row["what"]))}</text>')
            parts.append(
                f'<rect x="{min(zero, end):.1f}" y="{y - 10}" width="{max(1.5, abs(end - zero)):.1f}" height="12"'
                f' fill="{COLOURS.get(key, "#888")}"/>'
            )
            label = f"{row['ratio']:.2f} ({row['value']:,.3g} {row['unit']})"
            right = end >= zero
            x = end + 4 if right else end - 4
            parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="{"start" if right else "end"}">{label}</text>')
            y += ROW
        y += ROW // 2
    grid = "".join(
        f'<line x1="{_x(tick):.1f}" y1="24" x2="{_x(tick):.1f}" y2="{y}" stroke="#ccc"/>'
        f'<text x="{_x(tick):.1f}" y="18" text-anchor="middle">{tick:g}</text>'
        for tick in (0.01, 0.1, 1.0, 10.0, 100.0)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 8}" font-family="sans-serif" '
        f'font-size="12"><rect width="100%" height="100%" fill="#fff"/>{grid}{"".join(parts)}</svg>\n'
    )


def _x(ratio: float) -> float:
    """Return the place of a ratio on the scale, within its ends."""
    share = math.log(min(max(ratio, FROM), TO) / FROM) / math.log(TO / FROM)
    return LEFT + BARS * share


def _short(text: str) -> str:
    plain = text.replace("`", "")
    return plain if len(plain) <= 78 else plain[:77] + "…"
