"""Draw the rooms and what they import: ``python docs/generate/draw_architecture.py`` writes docs/architecture.svg."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from rooms import FLOORS, FOUNDATION, ROOT, all_rooms, top_imports, without_shortcuts

OUT = ROOT / "docs" / "architecture.svg"

WIDTH = 1000
TOP, GAP = 56, 44
PAD, TITLE, CHIP, CHIP_GAP = 12, 46, 24, 6
LETTER = 7.3
"""Width of a letter of a chip: a monospaced one of 12 px."""

PLACES: dict[str, tuple[float, float, str]] = {
    "web": (0.00, 0.34, "pages and HTTP API"),
    "workers": (0.36, 0.58, "Celery: jobs, schedule"),
    "tuban": (0.60, 0.77, "Python API"),
    "cli": (0.79, 1.00, "command line"),
    "service": (0.00, 0.58, "what pages, commands and workers share"),
    "store": (0.00, 0.52, "tables, migrations, object files"),
    "inference": (0.30, 0.62, "two dates of one place → changes"),
    "training": (0.65, 1.00, "labelled pairs → weights"),
    "enforcement": (0.00, 0.45, "the life of an alert"),
    "imagery": (0.00, 0.48, "files, photos, cameras → scenes"),
    "model": (0.54, 1.00, "network, weights, runtimes"),
    "configs": (0.00, 0.49, "every setting"),
    "errors": (0.51, 1.00, "the error tree"),
}
"""Room → where it begins and ends on its floor, as shares of the width, and what it is for in a few words."""

STYLE = """
.house { --line: #54616e; --box: #ffffff; --edge: #93a1ae; --chip: #e8eef4; --text: #1b242c; --soft: #54616e;
  --base: #f1ece1; font-family: system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { .house { --line: #9fb0bf; --box: #1d2730; --edge: #566673; --chip: #2c3a46;
  --text: #e8eef3; --soft: #a9b7c3; --base: #332f26; } }
[data-md-color-scheme=default] .house { --line: #54616e; --box: #ffffff; --edge: #93a1ae; --chip: #e8eef4;
  --text: #1b242c; --soft: #54616e; --base: #f1ece1; }
[data-md-color-scheme=slate] .house { --line: #9fb0bf; --box: #1d2730; --edge: #566673; --chip: #2c3a46;
  --text: #e8eef3; --soft: #a9b7c3; --base: #332f26; }
.house .room { fill: var(--box); stroke: var(--edge); stroke-width: 1.5; }
.house .base { fill: var(--base); }
.house .chip { fill: var(--chip); }
.house .name { fill: var(--text); font: 600 17px ui-monospace, monospace; }
.house .what { fill: var(--soft); font-size: 13px; }
.house .inner { fill: var(--text); font: 12px ui-monospace, monospace; }
.house .arrow { fill: none; stroke: var(--line); stroke-width: 1.6; }
.house .tip { fill: var(--line); }
"""


@dataclass
class Box:
    """One room as it is drawn, in pixels; y grows downward."""

    name: str
    floor: int
    left: float
    right: float
    top: float = 0
    bottom: float = 0
    chips: tuple[tuple[str, float, float, float], ...] = ()

    def covers(self, x: float) -> bool:
        """Whether a vertical line at ``x`` would touch it."""
        return self.left - 9 < x < self.right + 9


@dataclass(frozen=True)
class Drawing:
    """All boxes, and the y of the middle of the gap above each floor."""

    boxes: dict[str, Box]
    gaps: tuple[float, ...]
    height: float


def lay_out() -> Drawing:
    """Place every room that exists.

    Raises:
        KeyError: a room has no place in :data:`PLACES`.
    """
    inner: dict[str, list[str]] = {}
    for room in all_rooms():
        inner.setdefault(room.top, [])
        if room.name.count(".") == 1:
            inner[room.top].append(room.name.partition(".")[2])
    boxes: dict[str, Box] = {}
    gaps = []
    y: float = TOP
    for number, floor in enumerate(FLOORS):
        gaps.append(y - GAP / 2)
        row = [_box(name, number, inner[name]) for name in floor if name in inner]
        tallest = max((box.bottom for box in row), default=0)
        for box in row:
            box.top, box.bottom = y, y + tallest
            boxes[box.name] = box
        y += tallest + GAP if row else 0
    return Drawing(boxes, tuple(gaps), y - GAP + 14)


def _box(name: str, floor: int, inner: list[str]) -> Box:
    left, right, _ = PLACES[name]
    box = Box(name, floor, 4 + left * (WIDTH - 8), 4 + right * (WIDTH - 8))
    chips, x, y = [], box.left + PAD, float(TITLE + 10)
    for chip in inner:
        width = len(chip) * LETTER + 14
        if x + width > box.right - PAD:
            x, y = box.left + PAD, y + CHIP + CHIP_GAP
        chips.append((chip, x, y, width))
        x += width + CHIP_GAP
    box.chips = tuple(chips)
    box.bottom = y + CHIP + PAD if inner else TITLE + 14
    return box


def _path(drawing: Drawing, source: Box, target: Box, taken: list[float]) -> list[tuple[float, float]]:
    """Corners of an arrow that crosses no box between its ends."""
    if source.floor == target.floor:
        return _along(drawing, source, target, taken)
    between = [box for box in drawing.boxes.values() if source.floor < box.floor < target.floor]
    both = _free(max(source.left, target.left), min(source.right, target.right), between, taken)
    if both is not None:
        taken.append(both)
        return [(both, source.bottom), (both, target.top)]
    for turn in range(target.floor, source.floor, -1):
        over = [box for box in between if box.floor < turn]
        under = [box for box in between if box.floor >= turn]
        down = _free(source.left, source.right, over, taken)
        on = _free(target.left, target.right, under, taken)
        if down is not None and on is not None:
            taken += [down, on]
            y = drawing.gaps[turn]
            return [(down, source.bottom), (down, y), (on, y), (on, target.top)]
    raise ValueError(f"There is no room for the arrow from {source.name} to {target.name}; change PLACES.")


def _along(drawing: Drawing, source: Box, target: Box, taken: list[float]) -> list[tuple[float, float]]:
    """An arrow on one floor: straight to a neighbour, over the roofs to any other."""
    row = [box for box in drawing.boxes.values() if box.floor == source.floor]
    left, right = sorted((source, target), key=lambda box: box.left)
    if not any(left.right < box.left < right.left for box in row):
        y = source.top + 20
        return [(source.left, y), (target.right, y)] if source is right else [(source.right, y), (target.left, y)]
    rise = 12 + 12 * sum(1 for x in taken if x == -1)
    taken.append(-1)
    start, end = (source.left + source.right) / 2 + rise, (target.left + target.right) / 2
    return [(start, source.top), (start, source.top - rise), (end, source.top - rise), (end, target.top)]


def _free(left: float, right: float, others: Iterable[Box], taken: list[float]) -> float | None:
    """The x nearest to the middle that touches no other box and no arrow."""
    middle = (left + right) / 2
    tried = sorted(
        (left + 16 + 4 * n for n in range(int(max(0, right - left - 32) / 4) + 1)), key=lambda x: abs(x - middle)
    )
    for x in tried:
        if not any(box.covers(x) for box in others) and all(abs(x - used) > 16 for used in taken):
            return x
    return None


def draw() -> str:
    """The picture as SVG text, the same for the same imports."""
    drawing = lay_out()
    graph = {name: targets - set(FOUNDATION) for name, targets in top_imports().items()}
    edges = without_shortcuts({name: targets & set(graph) for name, targets in graph.items() if name not in FOUNDATION})
    parts = [
        f'<svg class="house" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {drawing.height:.0f}" role="img" '
        'aria-labelledby="house-title">',
        '<title id="house-title">Rooms of the repository from the top floor to the ground; arrows say who imports '
        "whom</title>",
        f"<style>{STYLE}</style>",
    ]
    taken: list[float] = []
    for source, target in sorted(edges, key=lambda edge: _length(drawing, edge)):
        parts += _arrow(_path(drawing, drawing.boxes[source], drawing.boxes[target], taken), source, target)
    for box in drawing.boxes.values():
        parts += _drawn(box)
    return "\n".join([*parts, "</svg>\n"])


def _length(drawing: Drawing, edge: tuple[str, str]) -> tuple[int, str]:
    source, target = (drawing.boxes[name] for name in edge)
    return target.floor - source.floor, "→".join(edge)


def _arrow(corners: list[tuple[float, float]], source: str, target: str) -> list[str]:
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


def _drawn(box: Box) -> list[str]:
    base = " base" if box.name in FOUNDATION else ""
    x = box.left + PAD
    size = f'width="{box.right - box.left:.1f}" height="{box.bottom - box.top:.1f}"'
    parts = [
        f'<rect class="room{base}" x="{box.left:.1f}" y="{box.top:.1f}" {size} rx="6"/>',
        f'<text class="name" x="{x:.1f}" y="{box.top + 25:.1f}">{box.name}</text>',
        f'<text class="what" x="{x:.1f}" y="{box.top + 44:.1f}">{escape(PLACES[box.name][2])}</text>',
    ]
    for name, left, down, width in box.chips:
        top = box.top + down
        parts.append(f'<rect class="chip" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{CHIP}" rx="4"/>')
        parts.append(f'<text class="inner" x="{left + 7:.1f}" y="{top + 16:.1f}">{name}</text>')
    return parts


def write(path: Path = OUT) -> None:
    """Write the picture, only if it changed: a server that watches the folder would build for ever."""
    picture = draw()
    if not path.exists() or path.read_text("utf-8") != picture:
        path.write_text(picture, "utf-8")


if __name__ == "__main__":
    write()
