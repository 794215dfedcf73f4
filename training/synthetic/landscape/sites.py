"""The true changes: building sites, excavations, cleared, filled and paved ground, and demolished houses.

Each planner lays out one site inside a free rectangle of the plan and records which land it turned and what it built.
The same planners also produce *old* sites, which exist on both dates and are no change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from shapely.geometry import Polygon

from training.synthetic.landscape.contents import Building, Contents, Crane, Earthwork, Parcel, Vehicle
from training.synthetic.landscape.countryside import rounded_rectangle
from training.synthetic.landscape.layout import Line, Rect, Warp
from training.synthetic.landscape.settlement import house, shed, vehicle
from training.synthetic.landscape.site_details import (
    add_heap,
    add_machines,
    add_tracks,
    blob_outline,
    ragged_outline,
    random_key,
    random_rectangle,
    ribbon,
    strips,
)
from training.synthetic.season import reflectance

_MODULE = reflectance(56, 70, 104)
_CABIN = reflectance(208, 214, 218)


@dataclass
class Site:
    """One site that changed; all polygons in metres of the world.

    Attributes:
        description: in words.
        land: turned land; None where only a building disappeared.
        built, razed: footprints of buildings that appeared or disappeared.
        before, after: what the site shows on each date.
    """

    description: str
    land: Polygon | None
    built: list[Polygon] = field(default_factory=list)
    razed: list[Polygon] = field(default_factory=list)
    before: Contents = field(default_factory=Contents)
    after: Contents = field(default_factory=Contents)

    @property
    def area(self) -> list[Polygon]:
        """All changed areas: land and footprints."""
        return ([self.land] if self.land is not None else []) + self.built + self.razed


SitePlanner = Callable[[np.random.Generator, Warp, Rect], Site]


def borrow_pit(rng: np.random.Generator, warp: Warp, rect: Rect) -> Site:
    """Plan an excavation: steep walls, one to three spoil heaps, machine tracks and, often, water at the bottom."""
    plot = random_rectangle(rng, rect, 45, 105)
    outline = warp(rounded_rectangle(rng, plot, 0.12))
    soil = "raw soil" if rng.random() < 0.6 else "red soil"
    after = Contents(parcels=[Parcel(outline, soil, warp.direction(*plot.middle), random_key(rng))])
    u, v = plot.middle
    size_u, size_v = plot.size
    shift = rng.uniform(-0.1, 0.1, 2)
    pit = Rect(u - size_u * 0.33, v - size_v * 0.3, u + size_u * 0.27, v + size_v * 0.3)
    pit_line = rounded_rectangle(rng, pit, 0.14) + shift * plot.size
    depth = float(rng.uniform(0.09, 0.14) * min(plot.size))
    after.earthworks.append(
        Earthwork(warp(pit_line), -depth, float(rng.uniform(0.8, 1.3)), random_key(rng), rng.random() < 0.6)
    )
    for _ in range(int(rng.integers(1, 4))):
        add_heap(rng, warp, plot, after, float(rng.uniform(4, 9)))
    add_tracks(rng, warp, plot, after, 7)
    add_machines(rng, warp, plot, after)
    return Site("excavation", Polygon(outline), after=after)


def cleared_ground(rng: np.random.Generator, warp: Warp, rect: Rect) -> Site:
    """Plan cleared and levelled ground with grader lanes and heaps of scrapings."""
    plot = random_rectangle(rng, rect, 28, 85)
    outline = warp(ragged_outline(rng, plot, 2.2))
    soil = str(rng.choice(["graded", "raw soil", "red soil"], p=[0.6, 0.25, 0.15]))
    angle = warp.direction(*plot.middle) + float(rng.choice([0.0, np.pi / 2]))
    after = Contents(parcels=[Parcel(outline, soil, angle, random_key(rng))])
    for _ in range(int(rng.integers(0, 3))):
        add_heap(rng, warp, plot, after, float(rng.uniform(2.5, 5)))
    add_tracks(rng, warp, plot, after, 5)
    if rng.random() < 0.6:
        add_machines(rng, warp, plot, after)
    return Site("cleared and levelled ground", Polygon(outline), after=after)


def filled_ground(rng: np.random.Generator, warp: Warp, rect: Rect) -> Site:
    """Plan fill: truckloads tipped in rows over part of a field."""
    plot = random_rectangle(rng, rect, 30, 75)
    outline = warp(ragged_outline(rng, plot, 2.5))
    soil = str(rng.choice(["raw soil", "red soil", "rubble"], p=[0.5, 0.25, 0.25]))
    after = Contents(parcels=[Parcel(outline, soil, warp.direction(*plot.middle), random_key(rng))])
    rows = plot.inset(5.0)
    for v in np.arange(rows.v0, rows.v1, float(rng.uniform(5.0, 6.5))):
        for u in np.arange(
            rows.u0, rows.u0 + rows.size[0] * float(rng.uniform(0.4, 0.8)), float(rng.uniform(5.0, 6.5))
        ):
            if rng.random() < 0.9:
                around = blob_outline(
                    rng, float(u + rng.normal(0, 0.5)), float(v + rng.normal(0, 0.5)), float(rng.uniform(2.2, 3.2))
                )
                after.earthworks.append(Earthwork(warp(around), float(rng.uniform(0.9, 1.6)), 0.7, random_key(rng)))
    add_tracks(rng, warp, plot, after, 4)
    return Site("fill", Polygon(outline), after=after)


def paved_yard(rng: np.random.Generator, warp: Warp, rect: Rect) -> Site:
    """Plan a new concrete or gravel yard."""
    plot = random_rectangle(rng, rect, 24, 60)
    outline = warp(plot.outline())
    use = "new concrete" if rng.random() < 0.75 else "gravel"
    angle = warp.direction(*plot.middle)
    after = Contents(parcels=[Parcel(outline, use, angle, random_key(rng))])
    for _ in range(int(rng.integers(0, 5))):
        x, y = warp(rng.uniform((plot.u0 + 4, plot.v0 + 4), (plot.u1 - 4, plot.v1 - 4)))
        after.vehicles.append(vehicle(rng, float(x), float(y), angle, truck=rng.random() < 0.6))
    return Site("paved yard", Polygon(outline), after=after)


def new_road(rng: np.random.Generator, warp: Warp, rect: Rect) -> Site:
    """Plan a road across a tract of fields on its own embankment."""
    width = float(rng.uniform(5.5, 9.0))
    along_u = rect.size[0] > rect.size[1]
    length, breadth = rect.size if along_u else rect.size[::-1]
    offset = float(rng.uniform(0.3, 0.7)) * breadth
    along = np.linspace(0, length, 20)
    across = offset + 0.12 * breadth * np.sin(along / length * np.pi * rng.uniform(0.4, 1.2) + rng.uniform(0, 6))
    plan = (np.stack([along, across], 1) if along_u else np.stack([across, along], 1)) + (rect.u0, rect.v0)
    line = warp(plan)
    bank = ribbon(line, width + 4.0)
    use = "asphalt" if rng.random() < 0.4 else "new concrete"
    after = Contents(
        parcels=[Parcel(bank, "raw soil", 0.0, random_key(rng)), Parcel(ribbon(line, width), use, 0.0, random_key(rng))]
    )
    if use == "asphalt":
        after.lines.append(Line(line, width, "marks"))
    return Site("new road", Polygon(bank), after=after)


def sheds(rng: np.random.Generator, warp: Warp, rect: Rect) -> Site:
    """Plan one to three colour-steel sheds on a new yard."""
    plot = random_rectangle(rng, rect, 34, 70)
    outline, angle = warp(plot.outline()), warp.direction(*plot.middle)
    ground = str(rng.choice(["new concrete", "graded", "gravel"], p=[0.55, 0.3, 0.15]))
    after = Contents(parcels=[Parcel(outline, ground, angle, random_key(rng))])
    lot = plot.inset(4.0)
    for v0, v1 in strips(rng, lot, 12, 22):
        length = lot.size[0] * float(rng.uniform(0.7, 1.0))
        x, y = warp(np.array([lot.u0 + length / 2, (v0 + v1) / 2]))
        after.buildings.append(shed(rng, float(x), float(y), angle, length, v1 - v0))
    if rng.random() < 0.6:
        x, y = warp(np.array([plot.u1 - 4, plot.v1 - 3]))
        after.vehicles.append(vehicle(rng, float(x), float(y), angle, truck=True))
    return Site("colour-steel sheds", Polygon(outline), _footprints(after), after=after)


def houses(rng: np.random.Generator, warp: Warp, rect: Rect) -> Site:
    """Plan a row of one to four farm houses on former fields, with raw ground around them."""
    count = int(rng.integers(1, 5))
    front, deep = float(rng.uniform(10, 14)), float(rng.uniform(9, 12))
    size_u, size_v = min(count * (front + 2.5) + 4, rect.size[0]), min(deep + 14, rect.size[1])
    plot = random_rectangle(rng, rect, 1e9, 1e9)
    u0 = plot.u0 + float(rng.uniform(0, plot.size[0] - size_u))
    v0 = plot.v0 + float(rng.uniform(0, plot.size[1] - size_v))
    plot = Rect(u0, v0, u0 + size_u, v0 + size_v)
    ground = str(rng.choice(["raw soil", "new concrete", "graded"]))
    angle = warp.direction(*plot.middle)
    outline = warp(ragged_outline(rng, plot, 1.0) if ground != "new concrete" else plot.outline())
    after = Contents(parcels=[Parcel(outline, ground, angle, random_key(rng))])
    step = (size_u - 3) / count
    for k in range(count):
        x, y = warp(np.array([plot.u0 + 1.5 + (k + 0.5) * step, plot.v0 + 2.5 + deep / 2]))
        after.buildings.append(house(rng, float(x), float(y), angle, min(front, step - 1.5), deep))
    return Site("houses", Polygon(outline), _footprints(after), after=after)


def large_blocks(rng: np.random.Generator, warp: Warp, rect: Rect) -> Site:
    """Plan large buildings under construction: frames, a tower crane, material stacks and cabins on levelled ground."""
    plot = random_rectangle(rng, rect, 75, 130)
    outline, angle = warp(plot.outline()), warp.direction(*plot.middle)
    soil = "graded" if rng.random() < 0.7 else "raw soil"
    after = Contents(parcels=[Parcel(outline, soil, angle, random_key(rng))])
    lot = plot.inset(9.0)
    for number, (v0, v1) in enumerate(strips(rng, Rect(lot.u0, lot.v0, lot.u1, lot.v1 - 8), 15, 24, gap=14.0)):
        length = min(lot.size[0] * float(rng.uniform(0.6, 0.85)), 75)
        u = lot.u0 + length / 2 + float(rng.uniform(0, lot.size[0] - length))
        x, y = warp(np.array([u, (v0 + v1) / 2]))
        high = float(rng.uniform(3.5, 13.0))
        grey = reflectance(*(rng.uniform(150, 186) * np.array([1, 0.98, 0.94])))
        after.buildings.append(
            Building(float(x), float(y), length, v1 - v0, angle, high, 0.0, "frame", grey, random_key(rng))
        )
        pad = Rect(u - 5, v0 - 8, u + 5, v0 - 0.5)
        after.parcels.append(Parcel(warp(pad.outline()), "new concrete", angle, random_key(rng)))
        if number == 0:
            foot = warp(np.array([u, v0 - 3.5]))
            after.cranes.append(
                Crane(
                    float(foot[0]), float(foot[1]), high + 18, float(rng.uniform(32, 48)), float(rng.uniform(0, 6.28))
                )
            )
    for k in range(int(rng.integers(2, 5))):  # plot cabins in a row
        x, y = warp(np.array([plot.u0 + 10 + 13 * k, plot.v1 - 5]))
        after.buildings.append(
            Building(float(x), float(y), 12.0, 5.5, angle, 5.6, 0.6, "cabin", _CABIN, random_key(rng))
        )
    for _ in range(int(rng.integers(6, 14))):  # stacks of steel and bricks
        x, y = warp(rng.uniform((plot.u0 + 5, plot.v0 + 4), (plot.u1 - 5, plot.v1 - 10)))
        colour = [reflectance(150, 92, 74), reflectance(96, 88, 82), reflectance(176, 150, 110)][int(rng.integers(3))]
        after.vehicles.append(
            Vehicle(float(x), float(y), float(rng.uniform(2, 9)), float(rng.uniform(1.2, 3)), 1.2, angle, colour)
        )
    add_tracks(rng, warp, plot, after, 8)
    add_machines(rng, warp, plot, after)
    return Site("large block under construction", Polygon(outline), _footprints(after), after=after)


def solar_array(rng: np.random.Generator, warp: Warp, rect: Rect) -> Site:
    """Plan rows of solar modules over former fields: turned land without buildings."""
    plot = random_rectangle(rng, rect, 45, 110)
    outline, angle = warp(plot.outline()), warp.direction(*plot.middle)
    after = Contents(parcels=[Parcel(outline, "gravel" if rng.random() < 0.4 else "earth", angle, random_key(rng))])
    lot, pitch = plot.inset(3.0), float(rng.uniform(5.5, 7.5))
    for v in np.arange(lot.v0 + 2, lot.v1 - 2, pitch):
        x, y = warp(np.array([(lot.u0 + lot.u1) / 2, v]))
        row = Building(float(x), float(y), lot.size[0], 3.3, angle, 0.6, 1.5, "panel", _MODULE, random_key(rng))
        after.buildings.append(row)
    return Site("solar panels", Polygon(outline), after=after)


SITE_PLANNERS: list[tuple[SitePlanner, float]] = [
    (borrow_pit, 0.18), (cleared_ground, 0.17), (filled_ground, 0.08), (paved_yard, 0.10), (new_road, 0.06),
    (sheds, 0.17), (houses, 0.14), (large_blocks, 0.08), (solar_array, 0.04),
]  # fmt: skip


def demolition(rng: np.random.Generator, old: Building) -> Site:
    """Plan a demolished house: rubble or bare earth replaces it."""
    rubble = Parcel(old.outline(1.2), "rubble" if rng.random() < 0.65 else "earth", old.angle, random_key(rng))
    return Site(
        "house demolished",
        None,
        razed=[Polygon(old.outline())],
        before=Contents(buildings=[old]),
        after=Contents(parcels=[rubble]),
    )


def infill(rng: np.random.Generator, new: Building) -> Site:
    """Plan a new house in a village garden."""
    use = "vegetable" if rng.random() < 0.6 else "grass"
    garden = Contents(parcels=[Parcel(new.outline(0.6), use, new.angle, random_key(rng))])
    ground = Contents(parcels=[Parcel(new.outline(0.6), "earth", new.angle, random_key(rng))], buildings=[new])
    return Site("house in a village", Polygon(new.outline(0.6)), [Polygon(new.outline())], before=garden, after=ground)


def _footprints(contents: Contents) -> list[Polygon]:
    """Return the footprints of all buildings."""
    return [Polygon(building.outline()) for building in contents.buildings]
