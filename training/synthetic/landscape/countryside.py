"""Contents of rural tracts: fields, terraces, ponds, groves, orchards, waste ground and rows of trees."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from training.synthetic.landscape.contents import Contents, Parcel
from training.synthetic.landscape.layout import Line, Rect, Tract, Warp
from training.synthetic.raster_window import Points

_PATH_M = 0.9  # metres of grass between neighbouring fields


def fields(rng: np.random.Generator, warp: Warp, tract: Tract, contents: Contents) -> None:
    """Add strips of field parcels; in some tracts they are curved like terraces."""
    rect = tract.rect.inset(0.8)
    along_u = rng.random() < 0.5
    main = str(rng.choice(["paddy", "dry", "vegetable"], p=[0.5, 0.35, 0.15]))
    strip = float(rng.uniform(9, 24)) if main != "vegetable" else float(rng.uniform(6, 12))
    length, breadth = rect.size if along_u else rect.size[::-1]
    curl = float(rng.uniform(3, 9)) if rng.random() < 0.3 else 0.0
    wave, phase = float(rng.uniform(16, 40)), float(rng.uniform(0, 6))
    edges = _uneven_cuts(rng, breadth, strip)
    blocks = _uneven_cuts(rng, length, float(rng.uniform(45, 90)))
    for b0, b1 in pairwise(blocks):
        for e0, e1 in pairwise(edges):
            for s0, s1 in _random_halves(rng, b0, b1):
                plan = _parcel_outline(rect, along_u, s0, s1, e0, e1, curl, wave, phase)
                use = main if rng.random() < 0.72 else str(rng.choice(["paddy", "dry", "vegetable", "fallow", "grass"]))
                turned = rng.random() < 0.15
                angle = warp.direction(*rect.middle) + (0.0 if along_u != turned else np.pi / 2)
                contents.parcels.append(Parcel(warp(plan), use, float(angle), int(rng.integers(1 << 30))))
        if b1 < length and rng.random() < 0.6:
            path = np.array([[b1, 0.0], [b1, breadth]])
            line = np.linspace(path[0], path[1], 8)
            plan = _to_plan(rect, along_u, line)
            contents.lines.append(Line(warp(plan), 1.6, str(rng.choice(["dirt", "ditch"]))))
    if curl == 0.0 and rng.random() < 0.12:
        _add_grave_mounds(rng, warp, rect, contents)


def _uneven_cuts(rng: np.random.Generator, length: float, step: float) -> list[float]:
    """Return positions of uneven cuts from 0 to ``length``, about ``step`` apart."""
    count = max(1, round(length / step))
    widths = rng.uniform(0.55, 1.5, count)
    return [0.0, *(np.cumsum(widths) / widths.sum() * length).tolist()]


def _random_halves(rng: np.random.Generator, start: float, end: float) -> list[tuple[float, float]]:
    """Return the interval, sometimes cut in two."""
    if rng.random() < 0.25 and end - start > 24:
        middle = start + float(rng.uniform(0.3, 0.7)) * (end - start)
        return [(start, middle), (middle, end)]
    return [(start, end)]


def _to_plan(rect: Rect, along_u: bool, points: Points) -> Points:
    """Convert (along, across) inside the tract to plan (u, v)."""
    out: Points = (points if along_u else points[:, ::-1]) + (rect.u0, rect.v0)
    return out


def _parcel_outline(
    rect: Rect, along_u: bool, s0: float, s1: float, e0: float, e1: float, curl: float, wave: float, phase: float
) -> Points:
    """Return the outline of one parcel in the plan, without the grass path around it."""
    path = _PATH_M / 2
    count = max(2, int((s1 - s0) / (5.0 if curl else 12.0)) + 1)
    along = np.linspace(s0 + path, s1 - path, count)
    breadth = (rect.size if along_u else rect.size[::-1])[1]

    def edge(across: float) -> Points:
        taper = np.sin(np.pi * np.clip(across / breadth, 0, 1))  # zero at the tract's edges, which stay straight
        bent = across + curl * taper * (np.sin(along / wave + phase) + 0.4 * np.sin(along / wave * 2.3 + 2 * phase))
        return np.stack([along, bent], 1)

    outline = np.concatenate([edge(e0 + path), edge(e1 - path)[::-1]])
    return _to_plan(rect, along_u, outline)


def _add_grave_mounds(rng: np.random.Generator, warp: Warp, rect: Rect, contents: Contents) -> None:
    """Add a cluster of small evergreen trees, as on grave mounds."""
    u, v = rng.uniform((rect.u0 + 8, rect.v0 + 8), (rect.u1 - 8, rect.v1 - 8))
    for _ in range(int(rng.integers(3, 9))):
        x, y = warp(np.array([u, v]) + rng.normal(0, 5, 2))
        contents.trees.append((float(x), float(y), float(rng.uniform(0.8, 2.0)), float(rng.uniform(1, 4)), 0))


def ponds(rng: np.random.Generator, warp: Warp, tract: Tract, contents: Contents) -> None:
    """Add fish ponds with rounded corners between grassy dikes."""
    _add_ground(warp, tract, "grass", contents)
    rect = tract.rect.inset(3.0)
    across = _uneven_cuts(rng, rect.size[0], float(rng.uniform(28, 60)))
    down = _uneven_cuts(rng, rect.size[1], float(rng.uniform(30, 70)))
    for a0, a1 in pairwise(across):
        for d0, d1 in pairwise(down):
            pond = Rect(rect.u0 + a0, rect.v0 + d0, rect.u0 + a1, rect.v0 + d1).inset(float(rng.uniform(1.8, 4.0)))
            if min(pond.size) < 9:
                continue
            plan = rounded_rectangle(rng, pond)
            contents.parcels.append(Parcel(warp(plan), "pond", 0.0, int(rng.integers(1 << 30))))
            for _ in range(int(rng.integers(0, 5))):
                x, y = warp(plan[int(rng.integers(len(plan)))] + rng.normal(0, 1.0, 2))
                contents.trees.append(random_tree(rng, float(x), float(y), 1.0))


def rounded_rectangle(rng: np.random.Generator, rect: Rect, rough: float = 0.05) -> Points:
    """Return the plan outline of a rectangle with round corners and an irregular edge."""
    angle = np.linspace(0, 2 * np.pi, 56, endpoint=False)
    power = 0.35 if rough < 0.1 else 0.62
    shape = np.stack(
        [
            np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power,
            np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power,
        ],
        1,
    )
    wobble = 1 + rough * sum(
        rng.normal(0, 1.5 / np.sqrt(k)) * np.sin(k * angle + rng.uniform(0, 6)) for k in (2, 3, 4, 7, 11)
    )
    out: Points = rect.middle + shape * np.array(rect.size) / 2 * (wobble / wobble.max())[:, None]
    return out


def grove(rng: np.random.Generator, warp: Warp, tract: Tract, contents: Contents) -> None:
    """Add dense woodland with clearings."""
    _add_ground(warp, tract, "litter", contents)
    rect = tract.rect.inset(1.5)
    density = float(rng.uniform(0.022, 0.04))
    count = int(rect.size[0] * rect.size[1] * density)
    plan = rng.uniform((rect.u0, rect.v0), (rect.u1, rect.v1), (count, 2))
    gap = np.sin(plan[:, 0] / 17 + tract.number) + np.sin(plan[:, 1] / 13 + 2.0 * tract.number)
    species = 0 if rng.random() < 0.5 else 1
    for x, y in warp(plan[gap < 1.35]):
        contents.trees.append(
            random_tree(rng, float(x), float(y), 1.1, species if rng.random() < 0.85 else 1 - species)
        )


def orchard(rng: np.random.Generator, warp: Warp, tract: Tract, contents: Contents) -> None:
    """Add small tree crowns on a grid."""
    _add_ground(warp, tract, "fallow", contents)
    rect = tract.rect.inset(3.0)
    row, step = float(rng.uniform(4.0, 6.0)), float(rng.uniform(2.8, 4.5))
    radius = float(rng.uniform(1.0, 1.7))
    v, u = np.meshgrid(np.arange(rect.v0, rect.v1, row), np.arange(rect.u0, rect.u1, step))
    plan = np.stack([u.ravel(), v.ravel()], 1)
    plan = plan[rng.random(len(plan)) < 0.93] + rng.normal(0, 0.25, (1, 2))
    species = int(rng.integers(2))
    for x, y in warp(plan + rng.normal(0, 0.2, plan.shape)):
        crown = radius * float(rng.uniform(0.75, 1.2))
        contents.trees.append((float(x), float(y), crown, 1.7 * crown, species))


def waste_ground(rng: np.random.Generator, warp: Warp, tract: Tract, contents: Contents) -> None:
    """Add rough grass with scattered bushes and a footpath."""
    _add_ground(warp, tract, "fallow", contents)
    rect = tract.rect.inset(2.0)
    count = int(rect.size[0] * rect.size[1] * float(rng.uniform(0.002, 0.008)))
    for x, y in warp(rng.uniform((rect.u0, rect.v0), (rect.u1, rect.v1), (count, 2))):
        contents.trees.append(random_tree(rng, float(x), float(y), float(rng.uniform(0.4, 1.0))))
    ends = rng.uniform((rect.u0, rect.v0), (rect.u1, rect.v1), (2, 2))
    along = np.linspace(0, 1, 14)[:, None]
    path = ends[0] + (ends[1] - ends[0]) * along + 3.0 * np.sin(along * rng.uniform(4, 9))
    contents.lines.append(Line(warp(path), 1.2, "dirt"))


def verge(rng: np.random.Generator, line: Points, spacing: float, contents: Contents) -> None:
    """Add trees beside a road, ditch or canal: planted in a row, or wild in clumps."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    species, size = int(rng.random() < 0.4), float(rng.uniform(0.55, 1.15))
    planted = rng.random() < 0.5
    position = np.arange(rng.uniform(0, spacing), length[-1], spacing if planted else 0.6 * spacing)
    wave = position / float(rng.uniform(9, 30)) + float(rng.uniform(0, 6))
    wild = np.sin(wave) + 0.7 * np.sin(2.7 * wave) + 0.5 * rng.normal(size=len(position))
    position = position[rng.random(len(position)) > 0.15] if planted else position[wild > 0.25]
    stray = rng.normal(0, 0.35 if planted else 1.1, (2, len(position)))
    xs, ys = np.interp(position, length, line[:, 0]) + stray[0], np.interp(position, length, line[:, 1]) + stray[1]
    for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
        grown = size * (1.0 if planted else (0.35, 0.6, 1.0)[int(rng.integers(3))])
        contents.trees.append(random_tree(rng, x, y, grown, species if planted or rng.random() < 0.7 else None))


def _add_ground(warp: Warp, tract: Tract, use: str, contents: Contents) -> None:
    """Cover the whole tract with ground of one use."""
    contents.parcels.append(Parcel(warp(tract.rect.inset(0.3).outline()), use, 0.0, tract.number))


def random_tree(
    rng: np.random.Generator, x: float, y: float, size: float, species: int | None = None
) -> tuple[float, float, float, float, int]:
    """Draw a tree of relative ``size``: x, y, crown radius, height, species (random if None)."""
    radius = min(max(size * float(rng.gamma(9.0, 0.29)), 0.5), 5.5)
    kind = int(rng.random() < 0.4) if species is None else species
    return x, y, radius, radius * float(rng.uniform(1.8, 2.8)), kind
