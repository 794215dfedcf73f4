"""Details of building sites: ragged outlines, heaps, machine tracks and machines."""

from __future__ import annotations

import numpy as np

from training.synthetic.landscape.contents import Contents, Earthwork, Vehicle
from training.synthetic.landscape.layout import Line, Rect, Warp
from training.synthetic.raster_window import Points
from training.synthetic.season import reflectance

_DIGGER = [reflectance(214, 160, 44), reflectance(206, 120, 52), reflectance(196, 172, 70)]


def random_rectangle(rng: np.random.Generator, rect: Rect, least: float, most: float) -> Rect:
    """Draw a rectangle of ``least`` to ``most`` metres a side inside ``rect``."""
    size = [min(float(rng.uniform(least, most)), side) for side in rect.size]
    u = rect.u0 + float(rng.uniform(0, rect.size[0] - size[0]))
    v = rect.v0 + float(rng.uniform(0, rect.size[1] - size[1]))
    return Rect(u, v, u + size[0], v + size[1])


def random_key(rng: np.random.Generator) -> int:
    """Draw a number that seeds the look of one object."""
    return int(rng.integers(1 << 30))


def strips(
    rng: np.random.Generator, lot: Rect, least: float, most: float, gap: float = 7.0
) -> list[tuple[float, float]]:
    """Divide the lot into one to three strips: (v0, v1) from north to south, metres of the plan."""
    rows: list[tuple[float, float]] = []
    v = lot.v0
    while len(rows) < 3:
        deep = float(rng.uniform(least, most))
        if v + deep > lot.v1:
            break
        rows.append((v, v + deep))
        v += deep + gap
    return rows or [(lot.v0, lot.v1)]


def ragged_outline(rng: np.random.Generator, rect: Rect, rough: float) -> Points:
    """Return a rectangle's outline with irregular edges, as earth-moving machines leave it."""
    outline = rect.inset(rough).outline(5.0)
    noise = rng.normal(0, rough / 2, outline.shape)
    smooth = (noise + np.roll(noise, 1, 0) + np.roll(noise, -1, 0)) / 2
    out: Points = outline + smooth
    return out


def blob_outline(rng: np.random.Generator, u: float, v: float, radius: float) -> Points:
    """Return an irregular round outline about (u, v)."""
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    reach = radius * (1 + 0.12 * np.sin(2 * angle + rng.uniform(0, 6)) + 0.08 * np.sin(3 * angle + rng.uniform(0, 6)))
    out: Points = np.stack([u + reach * np.cos(angle), v + reach * np.sin(angle)], 1)
    return out


def ribbon(line: Points, width: float) -> Points:
    """Return the outline of a line of ``width`` metres."""
    tangent = np.gradient(line, axis=0)
    tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    side = np.stack([-tangent[:, 1], tangent[:, 0]], 1) * width / 2
    out: Points = np.concatenate([line + side, (line - side)[::-1]])
    return out


def add_heap(rng: np.random.Generator, warp: Warp, plot: Rect, contents: Contents, radius: float) -> None:
    """Add a spoil heap at an edge of the plot."""
    radius = min(radius, 0.16 * min(plot.size))
    side = int(rng.integers(4))
    share = float(rng.uniform(0.2, 0.8))
    margin = radius + 2.0
    u = (plot.u0 + share * plot.size[0], plot.u1 - margin, plot.u0 + share * plot.size[0], plot.u0 + margin)[side]
    v = (plot.v0 + margin, plot.v0 + share * plot.size[1], plot.v1 - margin, plot.v0 + share * plot.size[1])[side]
    contents.earthworks.append(Earthwork(warp(blob_outline(rng, u, v, radius)), radius * 0.42, 0.65, random_key(rng)))


def add_tracks(rng: np.random.Generator, warp: Warp, plot: Rect, contents: Contents, count: int) -> None:
    """Add curved wheel or crawler tracks between the gate and the work."""
    gate = np.array([plot.u0 + float(rng.uniform(0.2, 0.8)) * plot.size[0], plot.v1 - 2.5])
    lot = plot.inset(3.0)
    for _ in range(count):
        ends = rng.uniform((lot.u0, lot.v0), (lot.u1, lot.v1), (2, 2))
        start = gate if rng.random() < 0.6 else ends[1]
        t = np.linspace(0, 1, 16)[:, None]
        middle = (start + ends[0]) / 2 + rng.normal(0, 0.12, 2) * plot.size
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * ends[0]
        curve = np.clip(curve, (plot.u0 + 1.5, plot.v0 + 1.5), (plot.u1 - 1.5, plot.v1 - 1.5))
        contents.lines.append(Line(warp(curve), 0.55, "wheels"))


def add_machines(rng: np.random.Generator, warp: Warp, plot: Rect, contents: Contents) -> None:
    """Add one to three excavators or trucks."""
    lot = plot.inset(5.0)
    for _ in range(int(rng.integers(1, 4))):
        x, y = warp(rng.uniform((lot.u0, lot.v0), (lot.u1, lot.v1)))
        digger = rng.random() < 0.6
        colour = _DIGGER[int(rng.integers(3))]
        size = (5.2, 2.8, 2.8) if digger else (8.0, 2.6, 3.0)
        contents.vehicles.append(Vehicle(float(x), float(y), *size, float(rng.uniform(0, 6.28)), colour))
