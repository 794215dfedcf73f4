"""What fills a leaf of farmland: strips of fields, terraces, ponds, groves, orchards and waste ground."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from training.synthetic.landscape.contents import Contents, Parcel
from training.synthetic.landscape.layout import Bend, Leaf, Line, Rect
from training.synthetic.window import Points

_PATH = 0.9  # metres of grass between neighbouring fields


def fields(rng: np.random.Generator, bend: Bend, leaf: Leaf, into: Contents) -> None:
    """Strips of parcels, cut across now and then; in some leaves they are curved like terraces."""
    rect = leaf.rect.inset(0.8)
    along_u = rng.random() < 0.5
    main = str(rng.choice(["paddy", "dry", "vegetable"], p=[0.5, 0.35, 0.15]))
    strip = float(rng.uniform(9, 24)) if main != "vegetable" else float(rng.uniform(6, 12))
    length, breadth = rect.size if along_u else rect.size[::-1]
    curl = float(rng.uniform(3, 9)) if rng.random() < 0.3 else 0.0
    wave, phase = float(rng.uniform(16, 40)), float(rng.uniform(0, 6))
    edges = _cuts(rng, breadth, strip)
    blocks = _cuts(rng, length, float(rng.uniform(45, 90)))
    for b0, b1 in pairwise(blocks):
        for e0, e1 in pairwise(edges):
            for s0, s1 in _halves(rng, b0, b1):
                plan = _strip(rect, along_u, s0, s1, e0, e1, curl, wave, phase)
                use = main if rng.random() < 0.72 else str(rng.choice(["paddy", "dry", "vegetable", "fallow", "grass"]))
                turned = rng.random() < 0.15
                angle = bend.direction(*rect.middle) + (0.0 if along_u != turned else np.pi / 2)
                into.parcels.append(Parcel(bend(plan), use, float(angle), int(rng.integers(1 << 30))))
        if b1 < length and rng.random() < 0.6:
            path = np.array([[b1, 0.0], [b1, breadth]])
            line = np.linspace(path[0], path[1], 8)
            plan = _place(rect, along_u, line)
            into.lines.append(Line(bend(plan), 1.6, str(rng.choice(["dirt", "ditch"]))))
    if curl == 0.0 and rng.random() < 0.12:
        _grave_mounds(rng, bend, rect, into)


def _cuts(rng: np.random.Generator, length: float, step: float) -> list[float]:
    """Uneven cuts from 0 to ``length``."""
    count = max(1, round(length / step))
    widths = rng.uniform(0.55, 1.5, count)
    return [0.0, *(np.cumsum(widths) / widths.sum() * length).tolist()]


def _halves(rng: np.random.Generator, start: float, end: float) -> list[tuple[float, float]]:
    if rng.random() < 0.25 and end - start > 24:
        middle = start + float(rng.uniform(0.3, 0.7)) * (end - start)
        return [(start, middle), (middle, end)]
    return [(start, end)]


def _place(rect: Rect, along_u: bool, points: Points) -> Points:
    """(along, across) inside the leaf → plan (u, v)."""
    out: Points = (points if along_u else points[:, ::-1]) + (rect.u0, rect.v0)
    return out


def _strip(
    rect: Rect, along_u: bool, s0: float, s1: float, e0: float, e1: float, curl: float, wave: float, phase: float
) -> Points:
    """The outline of one parcel in the plan, narrower by the path around it."""
    path = _PATH / 2
    count = max(2, int((s1 - s0) / (5.0 if curl else 12.0)) + 1)
    along = np.linspace(s0 + path, s1 - path, count)
    breadth = (rect.size if along_u else rect.size[::-1])[1]

    def edge(across: float) -> Points:
        taper = np.sin(np.pi * np.clip(across / breadth, 0, 1))  # the leaf's own edges stay where they are
        bent = across + curl * taper * (np.sin(along / wave + phase) + 0.4 * np.sin(along / wave * 2.3 + 2 * phase))
        return np.stack([along, bent], 1)

    outline = np.concatenate([edge(e0 + path), edge(e1 - path)[::-1]])
    return _place(rect, along_u, outline)


def _grave_mounds(rng: np.random.Generator, bend: Bend, rect: Rect, into: Contents) -> None:
    u, v = rng.uniform((rect.u0 + 8, rect.v0 + 8), (rect.u1 - 8, rect.v1 - 8))
    for _ in range(int(rng.integers(3, 9))):
        x, y = bend(np.array([u, v]) + rng.normal(0, 5, 2))
        into.trees.append((float(x), float(y), float(rng.uniform(0.8, 2.0)), float(rng.uniform(1, 4)), 0))


def ponds(rng: np.random.Generator, bend: Bend, leaf: Leaf, into: Contents) -> None:
    """One to six fish ponds with rounded corners between grassy dikes."""
    _ground(bend, leaf, "grass", into)
    rect = leaf.rect.inset(3.0)
    across = _cuts(rng, rect.size[0], float(rng.uniform(28, 60)))
    down = _cuts(rng, rect.size[1], float(rng.uniform(30, 70)))
    for a0, a1 in pairwise(across):
        for d0, d1 in pairwise(down):
            pond = Rect(rect.u0 + a0, rect.v0 + d0, rect.u0 + a1, rect.v0 + d1).inset(float(rng.uniform(1.8, 4.0)))
            if min(pond.size) < 9:
                continue
            plan = rounded(rng, pond)
            into.parcels.append(Parcel(bend(plan), "pond", 0.0, int(rng.integers(1 << 30))))
            for _ in range(int(rng.integers(0, 5))):
                x, y = bend(plan[int(rng.integers(len(plan)))] + rng.normal(0, 1.0, 2))
                into.trees.append(_tree(rng, float(x), float(y), 1.0))


def rounded(rng: np.random.Generator, rect: Rect, rough: float = 0.05) -> Points:
    """A rectangle with round corners and a slightly irregular edge, as plan points."""
    turn = np.linspace(0, 2 * np.pi, 56, endpoint=False)
    power = 0.35 if rough < 0.1 else 0.62
    shape = np.stack(
        [np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** power, np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** power],
        1,
    )
    wobble = 1 + rough * sum(
        rng.normal(0, 1.5 / np.sqrt(k)) * np.sin(k * turn + rng.uniform(0, 6)) for k in (2, 3, 4, 7, 11)
    )
    out: Points = rect.middle + shape * np.array(rect.size) / 2 * (wobble / wobble.max())[:, None]
    return out


def grove(rng: np.random.Generator, bend: Bend, leaf: Leaf, into: Contents) -> None:
    """Closed woodland with a ragged edge and clearings."""
    _ground(bend, leaf, "litter", into)
    rect = leaf.rect.inset(1.5)
    density = float(rng.uniform(0.022, 0.04))
    count = int(rect.size[0] * rect.size[1] * density)
    plan = rng.uniform((rect.u0, rect.v0), (rect.u1, rect.v1), (count, 2))
    gap = np.sin(plan[:, 0] / 17 + leaf.number) + np.sin(plan[:, 1] / 13 + 2.0 * leaf.number)
    species = 0 if rng.random() < 0.5 else 1
    for x, y in bend(plan[gap < 1.35]):
        into.trees.append(_tree(rng, float(x), float(y), 1.1, species if rng.random() < 0.85 else 1 - species))


def orchard(rng: np.random.Generator, bend: Bend, leaf: Leaf, into: Contents) -> None:
    """Small crowns on a grid, or a tree nursery in lines."""
    _ground(bend, leaf, "fallow", into)
    rect = leaf.rect.inset(3.0)
    row, step = float(rng.uniform(4.0, 6.0)), float(rng.uniform(2.8, 4.5))
    radius = float(rng.uniform(1.0, 1.7))
    v, u = np.meshgrid(np.arange(rect.v0, rect.v1, row), np.arange(rect.u0, rect.u1, step))
    plan = np.stack([u.ravel(), v.ravel()], 1)
    plan = plan[rng.random(len(plan)) < 0.93] + rng.normal(0, 0.25, (1, 2))
    species = int(rng.integers(2))
    for x, y in bend(plan + rng.normal(0, 0.2, plan.shape)):
        crown = radius * float(rng.uniform(0.75, 1.2))
        into.trees.append((float(x), float(y), crown, 1.7 * crown, species))


def waste(rng: np.random.Generator, bend: Bend, leaf: Leaf, into: Contents) -> None:
    """Rough grass with scattered bushes and a footpath."""
    _ground(bend, leaf, "fallow", into)
    rect = leaf.rect.inset(2.0)
    count = int(rect.size[0] * rect.size[1] * float(rng.uniform(0.002, 0.008)))
    for x, y in bend(rng.uniform((rect.u0, rect.v0), (rect.u1, rect.v1), (count, 2))):
        into.trees.append(_tree(rng, float(x), float(y), float(rng.uniform(0.4, 1.0))))
    ends = rng.uniform((rect.u0, rect.v0), (rect.u1, rect.v1), (2, 2))
    along = np.linspace(0, 1, 14)[:, None]
    path = ends[0] + (ends[1] - ends[0]) * along + 3.0 * np.sin(along * rng.uniform(4, 9))
    into.lines.append(Line(bend(path), 1.2, "dirt"))


def verge(rng: np.random.Generator, line: Points, spacing: float, into: Contents) -> None:
    """A row of trees beside a road, ditch or canal: planted, or what grew by itself in clumps."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    species, size = int(rng.random() < 0.4), float(rng.uniform(0.55, 1.15))
    planted = rng.random() < 0.5
    at = np.arange(rng.uniform(0, spacing), length[-1], spacing if planted else 0.6 * spacing)
    wave = at / float(rng.uniform(9, 30)) + float(rng.uniform(0, 6))
    wild = np.sin(wave) + 0.7 * np.sin(2.7 * wave) + 0.5 * rng.normal(size=len(at))
    at = at[rng.random(len(at)) > 0.15] if planted else at[wild > 0.25]
    stray = rng.normal(0, 0.35 if planted else 1.1, (2, len(at)))
    xs, ys = np.interp(at, length, line[:, 0]) + stray[0], np.interp(at, length, line[:, 1]) + stray[1]
    for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
        grown = size * (1.0 if planted else (0.35, 0.6, 1.0)[int(rng.integers(3))])
        into.trees.append(_tree(rng, x, y, grown, species if planted or rng.random() < 0.7 else None))


def _ground(bend: Bend, leaf: Leaf, use: str, into: Contents) -> None:
    into.parcels.append(Parcel(bend(leaf.rect.inset(0.3).outline()), use, 0.0, leaf.number))


def _tree(
    rng: np.random.Generator, x: float, y: float, size: float, species: int | None = None
) -> tuple[float, float, float, float, int]:
    radius = min(max(size * float(rng.gamma(9.0, 0.29)), 0.5), 5.5)
    kind = int(rng.random() < 0.4) if species is None else species
    return x, y, radius, radius * float(rng.uniform(1.8, 2.8)), kind
