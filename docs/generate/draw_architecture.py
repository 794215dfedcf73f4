"""Draw the rooms and their imports: ``python docs/generate/draw_architecture.py`` writes docs/architecture.svg."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from rooms import FOUNDATION, LAYERS, ROOT, all_rooms, top_imports, transitive_reduction

OUT = ROOT / "docs" / "architecture.svg"

WIDTH = 1000
TOP, GAP = 56, 44
PAD, TITLE, CHIP, CHIP_GAP = 12, 46, 24, 6
CHARACTER_WIDTH = 7.3
"""Width in pixels of a character of a chip label: monospaced, 12 px."""

PLACEMENTS: dict[str, tuple[float, float, str]] = {
    "web": (0.00, 0.34, "pages and HTTP API"),
    "workers": (0.36, 0.58, "Celery: jobs, schedule"),
    "tuban": (0.60, 0.77, "Python API"),
    "cli": (0.79, 1.00, "command line"),
    "service": (0.00, 0.58, "shared by pages, commands and workers"),
    "store": (0.00, 0.52, "tables, migrations, object files"),
    "inference": (0.30, 0.69, "two dates of one place → changes"),
    "training": (0.71, 1.00, "labelled pairs → weights"),
    "enforcement": (0.00, 0.45, "the life of an alert"),
    "imagery": (0.00, 0.48, "files, photos, cameras → scenes"),
    "model": (0.54, 1.00, "network, weights, runtimes"),
    "configs": (0.00, 0.49, "every setting"),
    "errors": (0.51, 1.00, "the error tree"),
}
"""Room → its left and right edge within its layer, as fractions of the width, and a short description."""

STYLE = """
.architecture { --line: #54616e; --box: #ffffff; --edge: #93a1ae; --chip: #e8eef4; --text: #1b242c; --soft: #54616e;
  --base: #f1ece1; font-family: system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { .architecture { --line: #9fb0bf; --box: #1d2730; --edge: #566673; --chip: #2c3a46;
  --text: #e8eef3; --soft: #a9b7c3; --base: #332f26; } }
[data-md-color-scheme=default] .architecture { --line: #54616e; --box: #ffffff; --edge: #93a1ae; --chip: #e8eef4;
  --text: #1b242c; --soft: #54616e; --base: #f1ece1; }
[data-md-color-scheme=slate] .architecture { --line: #9fb0bf; --box: #1d2730; --edge: #566673; --chip: #2c3a46;
  --text: #e8eef3; --soft: #a9b7c3; --base: #332f26; }
.architecture .room { fill: var(--box); stroke: var(--edge); stroke-width: 1.5; }
.architecture .base { fill: var(--base); }
.architecture .chip { fill: var(--chip); }
.architecture .name { fill: var(--text); font: 600 17px ui-monospace, monospace; }
.architecture .what { fill: var(--soft); font-size: 13px; }
.architecture .inner { fill: var(--text); font: 12px ui-monospace, monospace; }
.architecture .arrow { fill: none; stroke: var(--line); stroke-width: 1.6; }
.architecture .tip { fill: var(--line); }
"""


@dataclass
class Box:
    """Rectangle of one room in pixels; y grows downward."""

    name: str
    layer: int
    left: float
    right: float
    top: float = 0
    bottom: float = 0
    chips: tuple[tuple[str, float, float, float], ...] = ()

    def covers(self, x: float) -> bool:
        """Return whether a vertical line at ``x`` would touch the box."""
        return self.left - 9 < x < self.right + 9


@dataclass(frozen=True)
class Drawing:
    """All boxes, and for each layer the y of the middle of the gap above it."""

    boxes: dict[str, Box]
    gaps: tuple[float, ...]
    height: float


def lay_out() -> Drawing:
    """Compute the box of every room.

    Raises:
        KeyError: a room is missing in :data:`PLACEMENTS`.
    """
    inner: dict[str, list[str]] = {}
    for room in all_rooms():
        inner.setdefault(room.top, [])
        if room.name.count(".") == 1:
            inner[room.top].append(room.name.partition(".")[2])
    boxes: dict[str, Box] = {}
    gaps = []
    y: float = TOP
    for number, layer in enumerate(LAYERS):
        gaps.append(y - GAP / 2)
        row = [_box(name, number, inner[name]) for name in layer if name in inner]
        tallest = max((box.bottom for box in row), default=0)
        for box in row:
            box.top, box.bottom = y, y + tallest
            boxes[box.name] = box
        y += tallest + GAP if row else 0
    return Drawing(boxes, tuple(gaps), y - GAP + 14)


def _box(name: str, layer: int, inner: list[str]) -> Box:
    left, right, _ = PLACEMENTS[name]
    box = Box(name, layer, 4 + left * (WIDTH - 8), 4 + right * (WIDTH - 8))
    chips, x, y = [], box.left + PAD, float(TITLE + 10)
    for chip in inner:
        width = len(chip) * CHARACTER_WIDTH + 14
        if x + width > box.right - PAD:
            x, y = box.left + PAD, y + CHIP + CHIP_GAP
        chips.append((chip, x, y, width))
        x += width + CHIP_GAP
    box.chips = tuple(chips)
    box.bottom = y + CHIP + PAD if inner else TITLE + 14
    return box


def _path(drawing: Drawing, source: Box, target: Box, occupied: list[float]) -> list[tuple[float, float]]:
    """Return the corners of an arrow that crosses no box between its ends."""
    if source.layer == target.layer:
        return _path_in_layer(drawing, source, target, occupied)
    between = [box for box in drawing.boxes.values() if source.layer < box.layer < target.layer]
    straight = _free_x(max(source.left, target.left), min(source.right, target.right), between, occupied)
    if straight is not None:
        occupied.append(straight)
        return [(straight, source.bottom), (straight, target.top)]
    for bend in range(target.layer, source.layer, -1):
        above = [box for box in between if box.layer < bend]
        below = [box for box in between if box.layer >= bend]
        start = _free_x(source.left, source.right, above, occupied)
        end = _free_x(target.left, target.right, below, occupied)
        if start is not None and end is not None:
            occupied += [start, end]
            y = drawing.gaps[bend]
            return [(start, source.bottom), (start, y), (end, y), (end, target.top)]
    raise ValueError(f"There is no space for the arrow from {source.name} to {target.name}; change PLACEMENTS.")


def _path_in_layer(drawing: Drawing, source: Box, target: Box, occupied: list[float]) -> list[tuple[float, float]]:
    """Return the corners of an arrow within one layer: straight to a neighbour, above the boxes to any other room."""
    row = [box for box in drawing.boxes.values() if box.layer == source.layer]
    left, right = sorted((source, target), key=lambda box: box.left)
    if not any(left.right < box.left < right.left for box in row):
        y = source.top + 20
        return [(source.left, y), (target.right, y)] if source is right else [(source.right, y), (target.left, y)]
    rise = 12 + 12 * sum(1 for x in occupied if x == -1)
    occupied.append(-1)
    start, end = (source.left + source.right) / 2 + rise, (target.left + target.right) / 2
    return [(start, source.top), (start, source.top - rise), (end, source.top - rise), (end, target.top)]


def _free_x(left: float, right: float, others: Iterable[Box], occupied: list[float]) -> float | None:
    """Return the x nearest to the middle that touches no other box and no arrow; None: there is none."""
    middle = (left + right) / 2
    steps = int((right - left - 32) // 4)  # negative where the boxes do not overlap
    candidates = sorted((left + 16 + 4 * n for n in range(steps + 1)), key=lambda x: abs(x - middle))
    for x in candidates:
        if not any(box.covers(x) for box in others) and all(abs(x - used) > 16 for used in occupied):
            return x
    return None


def draw() -> str:
    """Return the diagram as SVG, deterministic for given imports."""
    drawing = lay_out()
    graph = {name: targets - set(FOUNDATION) for name, targets in top_imports().items()}
    edges = transitive_reduction(
        {name: targets & set(graph) for name, targets in graph.items() if name not in FOUNDATION}
    )
    parts = [
        f'<svg class="architecture" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {drawing.height:.0f}" '
        'role="img" aria-labelledby="architecture-title">',
        '<title id="architecture-title">Rooms of the repository in layers; an arrow points to an imported room</title>',
        f"<style>{STYLE}</style>",
    ]
    occupied: list[float] = []
    for source, target in sorted(edges, key=lambda edge: _edge_order(drawing, edge)):
        parts += _arrow_svg(_path(drawing, drawing.boxes[source], drawing.boxes[target], occupied), source, target)
    for box in drawing.boxes.values():
        parts += _box_svg(box)
    return "\n".join([*parts, "</svg>\n"])


def _edge_order(drawing: Drawing, edge: tuple[str, str]) -> tuple[int, str]:
    source, target = (drawing.boxes[name] for name in edge)
    return target.layer - source.layer, "→".join(edge)


def _arrow_svg(corners: list[tuple[float, float]], source: str, target: str) -> list[str]:
    (x0, y0), (x1, y1) = corners[-2:]
    across, down = (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
    back = (x1 - 8 * across, y1 - 8 * down)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*corners[:-1], back])
    tip = f"{x1:.1f},{y1:.1f} {back[0] - 5 * down:.1f},{back[1] - 5 * across:.1f} "
    tip += f"{back[0] + 5 * down:.1f},{back[1] + 5 * across:.1f}"
    return [
        f"<g><title>{source} imports {target}</title>",
        f'<polyline class="arrow" points="{line}"/><polygon class="tip" points="{tip}"/></g>',
    ]


def _box_svg(box: Box) -> list[str]:
    base = " base" if box.name in FOUNDATION else ""
    x = box.left + PAD
    size = f'width="{box.right - box.left:.1f}" height="{box.bottom - box.top:.1f}"'
    parts = [
        f'<rect class="room{base}" x="{box.left:.1f}" y="{box.top:.1f}" {size} rx="6"/>',
        f'<text class="name" x="{x:.1f}" y="{box.top + 25:.1f}">{box.name}</text>',
        f'<text class="what" x="{x:.1f}" y="{box.top + 44:.1f}">{escape(PLACEMENTS[box.name][2])}</text>',
    ]
    for name, left, down, width in box.chips:
        top = box.top + down
        parts.append(f'<rect class="chip" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{CHIP}" rx="4"/>')
        parts.append(f'<text class="inner" x="{left + 7:.1f}" y="{top + 16:.1f}">{name}</text>')
    return parts


def write(path: Path = OUT) -> None:
    """Write the diagram only if it has changed, because `mkdocs serve` watches the folder and would rebuild forever."""
    svg = draw()
    if not path.exists() or path.read_text("utf-8") != svg:
        path.write_text(svg, "utf-8")


if __name__ == "__main__":
    write()
