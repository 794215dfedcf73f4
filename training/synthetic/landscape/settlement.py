"""Contents of built tracts: villages, industrial yards, plastic greenhouses and traffic."""

from __future__ import annotations

import numpy as np

from training.synthetic.landscape.contents import Building, Contents, Parcel, Roof, Vehicle
from training.synthetic.landscape.countryside import random_tree
from training.synthetic.landscape.layout import Line, Rect, Tract, Warp
from training.synthetic.season import Colour, reflectance

Box = tuple[float, float, float, float]
"""West, north, east, south in metres of the world."""

_GREY_TILE = [reflectance(112, 110, 108), reflectance(98, 96, 96), reflectance(128, 122, 116)]
_RED_TILE = [reflectance(158, 96, 76), reflectance(142, 84, 70), reflectance(170, 112, 88)]
_BLUE_STEEL = [reflectance(84, 128, 180), reflectance(96, 142, 188), reflectance(74, 112, 166)]
_PALE_STEEL = [reflectance(198, 204, 208), reflectance(176, 184, 190), reflectance(214, 214, 210)]
_RED_STEEL = [reflectance(164, 78, 68), reflectance(178, 96, 84)]
_SLAB = [reflectance(176, 172, 164), reflectance(158, 154, 148), reflectance(192, 186, 174), reflectance(146, 142, 138)]
_FILM = [reflectance(196, 202, 204), reflectance(184, 192, 196), reflectance(202, 204, 200)]
_CARS = [
    reflectance(226, 226, 226), reflectance(190, 192, 194), reflectance(60, 60, 64), reflectance(40, 42, 46),
    reflectance(150, 44, 40), reflectance(52, 74, 122),
]  # fmt: skip


def house(rng: np.random.Generator, x: float, y: float, angle: float, length: float, width: float) -> Building:
    """Draw a farm house of one to three storeys with a flat, tiled or colour-steel roof."""
    roof = str(rng.choice(["flat", "gable", "hip", "steel"], p=[0.36, 0.36, 0.12, 0.16]))
    eave = float(rng.choice([3.4, 6.6, 9.6], p=[0.3, 0.52, 0.18]))
    number = int(rng.integers(1 << 30))
    if roof == "flat":
        return Building(x, y, length, width, angle, eave, 0.0, "flat", _weathered(rng, _SLAB), number)
    if roof == "steel":
        tin = _BLUE_STEEL if rng.random() < 0.55 else _RED_STEEL + _PALE_STEEL
        return Building(x, y, length, width, angle, eave, 0.12 * width, "steel", _weathered(rng, tin), number)
    tile = _GREY_TILE if rng.random() < 0.5 else _RED_TILE
    kind: Roof = "gable" if roof == "gable" else "hip"
    return Building(x, y, length, width, angle, eave, 0.26 * width, kind, _weathered(rng, tile), number)


def shed(rng: np.random.Generator, x: float, y: float, angle: float, length: float, width: float) -> Building:
    """Draw a workshop or warehouse with a colour-steel roof."""
    tin = [*_BLUE_STEEL, *_BLUE_STEEL, *_PALE_STEEL, *_PALE_STEEL, _RED_STEEL[0]]
    eave = float(rng.uniform(4.5, 8.5))
    return Building(
        x, y, length, width, angle, eave, 0.07 * width, "steel", _weathered(rng, tin), int(rng.integers(1 << 30))
    )


def _weathered(rng: np.random.Generator, colours: list[Colour]) -> Colour:
    """Choose a colour and vary its brightness and hue."""
    colour = colours[int(rng.integers(len(colours)))]
    wear = rng.normal(1.0, 0.14)
    red, green, blue = (float(c * wear * rng.normal(1, 0.03)) for c in colour)
    return red, green, blue


def village(rng: np.random.Generator, warp: Warp, tract: Tract, contents: Contents, extent: Box) -> None:
    """Add rows of houses along lanes, with yards, annexes, gardens and trees; only rows that overlap ``extent``."""
    contents.parcels.append(Parcel(warp(tract.rect.inset(0.3).outline()), "earth", 0.0, tract.number))
    rect = tract.rect.inset(2.5)
    pitch = float(rng.uniform(15.5, 23))
    rows = max(1, int(rect.size[1] / pitch))
    pitch = rect.size[1] / rows
    for row, key in enumerate(rng.integers(1 << 30, size=rows).tolist()):
        v = rect.v0 + (row + 0.5) * pitch
        lane = np.stack([np.linspace(rect.u0 - 2, rect.u1 + 2, 16), np.full(16, v + pitch / 2 - 1.2)], 1)
        contents.lines.append(Line(warp(lane), 2.2 + key % 100 / 100, "lane"))
        reach = warp(Rect(rect.u0, v - pitch / 2, rect.u1, v + pitch / 2).outline())
        if (reach.max(axis=0) < extent[:2]).any() or (reach.min(axis=0) > extent[2:]).any():
            continue
        rng = np.random.default_rng(
            key
        )  # one generator per row, so that a row does not depend on which others are visible
        deep = float(rng.uniform(8.0, 11.0))
        u = rect.u0 + float(rng.uniform(0, 6))
        while True:
            front = float(rng.uniform(9.0, 14.5))
            if u + front > rect.u1:
                break
            _add_plot(rng, warp, Rect(u, v - pitch / 2 + 1.0, u + front, v + pitch / 2 - 3.0), deep, contents)
            u += front + float(rng.uniform(0.2, 1.4) if rng.random() < 0.78 else rng.uniform(2.5, 7))


def _add_plot(rng: np.random.Generator, warp: Warp, plot: Rect, deep: float, contents: Contents) -> None:
    """Add one plot of a village: a house with its yard, or a gap with a garden or trees."""
    number = int(rng.integers(1 << 30))
    u, _ = plot.middle
    angle = warp.direction(*plot.middle)
    if rng.random() < 0.13:  # a gap: kitchen garden or trees
        if rng.random() < 0.5:
            contents.parcels.append(Parcel(warp(plot.inset(1.0).outline()), "vegetable", angle, number))
        for _ in range(int(rng.integers(2, 8))):
            x, y = warp(rng.uniform((plot.u0, plot.v0), (plot.u1, plot.v1)))
            contents.trees.append(random_tree(rng, float(x), float(y), 0.95))
        return
    deep = min(deep * float(rng.uniform(0.85, 1.1)), plot.size[1] - 1.0)
    back = plot.v0 + float(rng.uniform(0.2, 2.0))
    x, y = warp(np.array([u, back + deep / 2]))
    contents.buildings.append(
        house(rng, float(x), float(y), angle + float(rng.normal(0, 0.015)), plot.size[0] - 0.4, deep)
    )
    yard = Rect(plot.u0, back + deep, plot.u1, plot.v1)
    if yard.size[1] > 3:
        use = str(rng.choice(["concrete", "earth", "vegetable"], p=[0.62, 0.25, 0.13]))
        contents.parcels.append(Parcel(warp(yard.outline()), use, angle, number))
        if rng.random() < 0.4 and yard.size[1] > 5:  # kitchen, pigsty or store along the yard's side
            wide, long = float(rng.uniform(2.8, 4.2)), float(rng.uniform(4.0, min(8.0, yard.size[1])))
            x, y = warp(np.array([yard.u0 + wide / 2, yard.v1 - long / 2]))
            kind: Roof = "gable" if rng.random() < 0.5 else "steel"
            colour = _weathered(rng, _GREY_TILE if kind == "gable" else _BLUE_STEEL + _PALE_STEEL)
            contents.buildings.append(
                Building(float(x), float(y), long, wide, angle + np.pi / 2, 2.8, 0.5, kind, colour, number)
            )
        if rng.random() < 0.35:
            x, y = warp(np.array([rng.uniform(yard.u0, yard.u1), yard.v1 - 1.0]))
            contents.trees.append(random_tree(rng, float(x), float(y), 0.75))
    for _ in range(int(rng.choice([0, 1, 2], p=[0.45, 0.35, 0.2]))):
        x, y = warp(np.array([rng.uniform(plot.u0, plot.u1), plot.v0 - 0.5]))
        contents.trees.append(random_tree(rng, float(x), float(y), 0.9))


def industry(rng: np.random.Generator, warp: Warp, tract: Tract, contents: Contents) -> None:
    """Add a concrete yard with large sheds and trees along its edges."""
    rect = tract.rect.inset(1.5)
    angle = warp.direction(*rect.middle)
    contents.parcels.append(Parcel(warp(rect.outline()), "concrete", angle, tract.number))
    columns = max(1, int(rect.size[0] / 46))
    step = rect.size[0] / columns
    for column in range(columns):
        lot = Rect(rect.u0 + column * step, rect.v0, rect.u0 + (column + 1) * step, rect.v1).inset(4.0)
        v = lot.v0
        while True:
            width, length = float(rng.uniform(13, 24)), lot.size[0] * float(rng.uniform(0.75, 1.0))
            if v + width > lot.v1:
                break
            if rng.random() < 0.8:
                x, y = warp(np.array([lot.u0 + length / 2, v + width / 2]))
                contents.buildings.append(shed(rng, float(x), float(y), angle, length, width))
            v += width + float(rng.choice([1.5, 8.0, 14.0]))
    for position in np.arange(rect.u0 + 2, rect.u1 - 2, float(rng.choice([5.0, 8.0, 200.0]))):
        x, y = warp(np.array([position, rect.v0 + 1.5 if rng.random() < 0.7 else rect.v1 - 1.5]))
        contents.trees.append(random_tree(rng, float(x), float(y), 0.6))


def greenhouses(rng: np.random.Generator, warp: Warp, tract: Tract, contents: Contents) -> list[Building]:
    """Add vegetable beds and return their plastic tunnels, which exist on some dates only."""
    rect = tract.rect.inset(2.5)
    angle = warp.direction(*rect.middle)
    contents.parcels.append(Parcel(warp(tract.rect.inset(0.3).outline()), "vegetable", angle, tract.number))
    wide, gap = float(rng.uniform(6.5, 9)), float(rng.uniform(1.0, 2.2))
    films = []
    half = rect.size[0] > 90
    spans = (
        [(rect.u0, (rect.u0 + rect.u1) / 2 - 2), ((rect.u0 + rect.u1) / 2 + 2, rect.u1)]
        if half
        else [(rect.u0, rect.u1)]
    )
    for start, end in spans:
        for v in np.arange(rect.v0 + wide / 2, rect.v1 - wide / 2, wide + gap):
            if rng.random() < 0.08:
                continue
            x, y = warp(np.array([(start + end) / 2, v]))
            number = int(rng.integers(1 << 30))
            films.append(
                Building(
                    float(x),
                    float(y),
                    end - start,
                    wide,
                    warp.direction((start + end) / 2, float(v)),
                    0.9,
                    1.6,
                    "tunnel",
                    _weathered(rng, _FILM),
                    number,
                )
            )
    return films


def traffic(rng: np.random.Generator, contents: Contents, per_kilometre: float = 9.0) -> list[Vehicle]:
    """Draw cars and trucks on the roads and in the yards of one date."""
    cars = []
    for line in contents.lines:
        if line.use not in {"asphalt", "concrete"}:
            continue
        length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line.points, axis=0).T))])
        rate = per_kilometre * (1.6 if line.use == "asphalt" else 0.6)
        for position in rng.uniform(0, length[-1], rng.poisson(rate * length[-1] / 1000)):
            leg = min(int(np.searchsorted(length, position)), len(line.points) - 1) or 1
            step = line.points[leg] - line.points[leg - 1]
            heading = float(np.arctan2(step[1], step[0]))
            side = float(rng.choice([-1, 1])) * line.width * 0.23
            x = np.interp(position, length, line.points[:, 0]) - side * np.sin(heading)
            y = np.interp(position, length, line.points[:, 1]) + side * np.cos(heading)
            cars.append(vehicle(rng, float(x), float(y), heading, truck=rng.random() < 0.2))
    for plot in contents.parcels:
        if plot.use == "concrete" and rng.random() < 0.16:
            x, y = plot.polygon.mean(axis=0) + rng.normal(0, 1.0, 2)
            cars.append(vehicle(rng, float(x), float(y), plot.angle + float(rng.choice([0, np.pi / 2])), truck=False))
    return cars


def vehicle(rng: np.random.Generator, x: float, y: float, heading: float, truck: bool) -> Vehicle:
    """Draw a car or a truck."""
    colour = _CARS[int(rng.choice(len(_CARS), p=[0.38, 0.2, 0.14, 0.14, 0.08, 0.06]))]
    if truck:
        return Vehicle(x, y, float(rng.uniform(7, 12)), 2.5, 3.2, heading, colour)
    return Vehicle(x, y, float(rng.uniform(4.2, 5.0)), 1.85, 1.5, heading, colour)
