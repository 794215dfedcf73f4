"""Division of the land: roads, tracks and canals cut the plain into tracts, each with one land use.

All planning happens in a rectilinear (u, v) plane, which one smooth map warps into the world. So roads curve, parcels
follow them, and areas that are disjoint in the plan stay disjoint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from training.synthetic.raster_window import Points


@dataclass(frozen=True)
class Warp:
    """Smooth map from the plan (u, v) to metres (x east, y south)."""

    centre: tuple[float, float]
    angle: float
    sway: tuple[float, float]
    length: tuple[float, float]
    phase: tuple[float, float]

    def __call__(self, plan: Points) -> Points:
        """Map N×2 (u, v) to N×2 (x, y)."""
        u, v = plan[..., 0], plan[..., 1]
        a = u + self.sway[0] * np.sin(v / self.length[0] + self.phase[0])
        b = v + self.sway[1] * np.sin(u / self.length[1] + self.phase[1])
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        out: Points = np.empty(plan.shape)
        out[..., 0] = self.centre[0] + cos * a - sin * b
        out[..., 1] = self.centre[1] + sin * a + cos * b
        return out

    def direction(self, u: float, v: float) -> float:
        """Return the angle of the plan's u axis in the world at a point, in radians from x towards y."""
        slope = self.sway[1] / self.length[1] * math.cos(u / self.length[1] + self.phase[1])
        return self.angle + math.atan(slope)


@dataclass(frozen=True)
class Rect:
    """Rectangle of the plan."""

    u0: float
    v0: float
    u1: float
    v1: float

    @property
    def size(self) -> tuple[float, float]:
        """Metres along u and along v."""
        return self.u1 - self.u0, self.v1 - self.v0

    @property
    def middle(self) -> tuple[float, float]:
        """Centre (u, v)."""
        return (self.u0 + self.u1) / 2, (self.v0 + self.v1) / 2

    def inset(self, margin: float) -> Rect:
        """Shrink by ``margin`` on each side; a side never gets shorter than 1 m."""
        du, dv = (min(margin, s / 2 - 0.5) for s in self.size)
        return Rect(self.u0 + du, self.v0 + dv, self.u1 - du, self.v1 - dv)

    def outline(self, step: float = 12.0) -> Points:
        """Return the outline N×2 with a point at least every ``step`` metres, so that it stays smooth when warped."""
        nu, nv = (max(1, int(np.ceil(s / step))) for s in self.size)
        u, v = np.linspace(self.u0, self.u1, nu + 1), np.linspace(self.v0, self.v1, nv + 1)
        out: Points = np.empty((2 * (nu + nv), 2))
        out[:nu, 0], out[:nu, 1] = u[:-1], self.v0
        out[nu : nu + nv, 0], out[nu : nu + nv, 1] = self.u1, v[:-1]
        out[nu + nv : 2 * nu + nv, 0], out[nu + nv : 2 * nu + nv, 1] = u[:0:-1], self.v1
        out[2 * nu + nv :, 0], out[2 * nu + nv :, 1] = self.u0, v[:0:-1]
        return out


@dataclass(frozen=True)
class Line:
    """Road, track, ditch, canal or river: centre line and width in metres, and its use."""

    points: Points
    width: float
    use: str


@dataclass(frozen=True)
class Tract:
    """Land between roads with one land use; ``by_road`` if a paved road serves it."""

    rect: Rect
    use: str
    number: int
    by_road: bool


@dataclass
class Layout:
    """The divided land."""

    warp: Warp
    lines: list[Line] = field(default_factory=list)
    tracts: list[Tract] = field(default_factory=list)
    verges: list[tuple[Points, float]] = field(default_factory=list)  # rows of trees: line and spacing in metres


_LINE_WIDTHS_M = {
    # line use: width of the line, width of the strip that it takes from the land
    "asphalt": (9.0, 19.0),
    "river": (22.0, 40.0),
    "canal": (8.0, 16.0),
    "concrete": (4.5, 9.5),
    "dirt": (3.0, 5.5),
    "ditch": (1.6, 4.5),
}
_OVERLAP_M = 8.5  # lines extend this far into the one that they meet
_USES = ["field", "village", "greenhouse", "industry", "pond", "grove", "orchard", "waste"]
_SETTLED_SHARES = [0.26, 0.45, 0.04, 0.12, 0.03, 0.04, 0.03, 0.03]
_OPEN_SHARES = [0.66, 0.03, 0.05, 0.02, 0.08, 0.07, 0.05, 0.04]


def divide_land(rng: np.random.Generator, width: float, height: float) -> Layout:
    """Divide a world of ``width`` × ``height`` metres and a margin around it."""
    warp = Warp(
        (width / 2, height / 2),
        float(rng.uniform(-0.5, 0.5)),
        (float(rng.uniform(8, 26)), float(rng.uniform(8, 26))),
        (float(rng.uniform(110, 220)), float(rng.uniform(110, 220))),
        (float(rng.uniform(0, 6)), float(rng.uniform(0, 6))),
    )
    cos, sin = abs(np.cos(warp.angle)), abs(np.sin(warp.angle))
    half_u = (width * cos + height * sin) / 2 + 60
    half_v = (width * sin + height * cos) / 2 + 60
    layout = Layout(warp)
    root = Rect(-half_u, -half_v, half_u, half_v)
    if rng.random() < 0.6:
        _split_by_river(rng, layout, root)
    else:
        _split(rng, layout, root, 0, False)
    return layout


def _split_by_river(rng: np.random.Generator, layout: Layout, root: Rect) -> None:
    """Split the root by a river from edge to edge and a main road that crosses it."""
    v = root.v0 + float(rng.uniform(0.25, 0.75)) * root.size[1]
    u = root.u0 + float(rng.uniform(0.3, 0.7)) * root.size[0]
    river, bank = _LINE_WIDTHS_M["river"]
    road, strip = _LINE_WIDTHS_M["asphalt"]
    river *= float(rng.uniform(0.7, 1.3))
    flow = _densify(np.array([[root.u0, v], [root.u1, v]]), 6.0)
    phase = float(rng.uniform(0, 6))
    flow[:, 1] += 4.5 * np.sin(flow[:, 0] / 55 + phase) + 1.5 * np.sin(flow[:, 0] / 21 + 2 * phase)
    layout.lines.append(Line(layout.warp(flow), river, "river"))
    across = _densify(np.array([[u, root.v0], [u, root.v1]]), 8.0)
    layout.lines.append(Line(layout.warp(across), road * float(rng.uniform(0.85, 1.2)), "asphalt"))
    for side in (-1, 1):
        trees = flow.copy()
        trees[:, 1] += side * (bank / 2 - 2.0)
        layout.verges.append((layout.warp(trees[np.abs(trees[:, 0] - u) > 12]), float(rng.uniform(4, 7))))
        trees = across + np.array([side * (strip / 2 - 1.8), 0.0])
        layout.verges.append((layout.warp(trees[np.abs(trees[:, 1] - v) > bank / 2]), float(rng.uniform(5, 9))))
    for u0, u1 in ((root.u0, u - strip / 2), (u + strip / 2, root.u1)):
        for v0, v1 in ((root.v0, v - bank / 2), (v + bank / 2, root.v1)):
            _split(rng, layout, Rect(u0, v0, u1, v1), 2, True)


def _split(rng: np.random.Generator, layout: Layout, rect: Rect, depth: int, by_road: bool) -> None:
    """Split a rectangle recursively by lines until the parts are as small as a tract."""
    size_u, size_v = rect.size
    u, v = rect.middle
    # settlements cluster: built tracts are likely where two long waves are high
    settled = by_road and np.sin(u / 105 + layout.warp.phase[0]) + np.sin(v / 120 + layout.warp.phase[1]) > 0.15
    target = float(rng.uniform(95, 175) if settled else rng.uniform(120, 215))
    if max(size_u, size_v) < target or min(size_u, size_v) < 55:
        shares = _SETTLED_SHARES if settled else _OPEN_SHARES
        use = str(rng.choice(_USES, p=np.array(shares) / sum(shares)))
        layout.tracts.append(Tract(rect, use, len(layout.tracts), by_road))
        return
    kind = _line_kind(rng, depth, max(size_u, size_v))
    width, strip = _LINE_WIDTHS_M[kind]
    width *= float(rng.uniform(0.85, 1.2))
    across_u = size_u > size_v * float(rng.uniform(0.8, 1.25))
    share = float(rng.uniform(0.36, 0.64))
    if across_u:
        cut = rect.u0 + share * size_u
        plan = np.stack([np.full(2, cut), np.array([rect.v0 - _OVERLAP_M, rect.v1 + _OVERLAP_M])], 1)
        parts = Rect(rect.u0, rect.v0, cut - strip / 2, rect.v1), Rect(cut + strip / 2, rect.v0, rect.u1, rect.v1)
    else:
        cut = rect.v0 + share * size_v
        plan = np.stack([np.array([rect.u0 - _OVERLAP_M, rect.u1 + _OVERLAP_M]), np.full(2, cut)], 1)
        parts = Rect(rect.u0, rect.v0, rect.u1, cut - strip / 2), Rect(rect.u0, cut + strip / 2, rect.u1, rect.v1)
    if kind == "river":
        # the strip is wider than the water, so that the river can meander inside it
        line = _densify(plan, 6.0)
        along = np.linspace(0, rng.uniform(8, 16), len(line)) + rng.uniform(0, 6)
        line[:, 0 if across_u else 1] += 5.5 * np.sin(along) + 2.0 * np.sin(2.3 * along)
    else:
        line = _densify(plan, 8.0)
    layout.lines.append(Line(layout.warp(line), width, kind))
    if kind != "dirt" or rng.random() < 0.4:
        for side in (-1, 1):
            if rng.random() < 0.75:
                shifted = line[2:-2].copy()
                shifted[:, 0 if across_u else 1] += side * (strip / 2 - 1.4)
                layout.verges.append((layout.warp(shifted), float(rng.choice([3.0, 4.5, 6.0, 9.0]))))
    served = by_road or kind == "asphalt" or (kind == "concrete" and rng.random() < 0.45)
    for part in parts:
        _split(rng, layout, part, depth + 1, served if kind != "river" else by_road)


def _line_kind(rng: np.random.Generator, depth: int, length: float) -> str:
    """Choose the use of a dividing line by the depth of the split."""
    if depth == 0:
        return "asphalt"
    if depth == 1:
        return str(rng.choice(["river", "canal", "concrete"], p=[0.4, 0.2, 0.4])) if length > 350 else "concrete"
    if depth == 2:
        return str(rng.choice(["concrete", "canal", "dirt"], p=[0.7, 0.15, 0.15]))
    return str(rng.choice(["concrete", "dirt", "ditch"], p=[0.25, 0.45, 0.3]))


def _densify(plan: Points, step: float) -> Points:
    """Return points about every ``step`` metres along a straight line of the plan."""
    count = max(2, int(np.hypot(*(plan[-1] - plan[0])) / step) + 1)
    return np.linspace(plan[0], plan[-1], count)
