"""The true changes: building sites, excavations, cleared, filled and paved ground, and houses that are gone.

Each recipe plans one site inside a free rectangle of the plan and says which land it turned and what it built.
The same recipes also furnish *old* sites, which stand on both dates and are no change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from shapely.geometry import Polygon

from training.synthetic.landscape.contents import Building, Contents, Crane, Earthwork, Parcel, Vehicle
from training.synthetic.landscape.countryside import rounded
from training.synthetic.landscape.layout import Bend, Line, Rect
from training.synthetic.landscape.settlement import house, shed, vehicle
from training.synthetic.season import reflectance
from training.synthetic.window import Points

_DIGGER = [reflectance(214, 160, 44), reflectance(206, 120, 52), reflectance(196, 172, 70)]
_MODULE = reflectance(56, 70, 104)
_CABIN = reflectance(208, 214, 218)


@dataclass
class Site:
    """One place that changed: what it is, the turned land, the footprints, and what is seen there after."""

    what: str
    land: Polygon | None
    built: list[Polygon] = field(default_factory=list)
    razed: list[Polygon] = field(default_factory=list)
    before: Contents = field(default_factory=Contents)
    after: Contents = field(default_factory=Contents)

    @property
    def area(self) -> list[Polygon]:
        """Everything that changed, for keeping trees and other things away."""
        return ([self.land] if self.land is not None else []) + self.built + self.razed


Recipe = Callable[[np.random.Generator, Bend, Rect], Site]


def spot(rng: np.random.Generator, rect: Rect, least: float, most: float) -> Rect:
    """A free rectangle of ``least`` to ``most`` metres a side, somewhere inside ``rect``."""
    size = [min(float(rng.uniform(least, most)), side) for side in rect.size]
    u = rect.u0 + float(rng.uniform(0, rect.size[0] - size[0]))
    v = rect.v0 + float(rng.uniform(0, rect.size[1] - size[1]))
    return Rect(u, v, u + size[0], v + size[1])


def borrow_pit(rng: np.random.Generator, bend: Bend, rect: Rect) -> Site:
    """An excavation with steep walls, a heap of spoil or two, machine tracks and, often, water at the bottom."""
    place = spot(rng, rect, 45, 105)
    outline = bend(rounded(rng, place, 0.12))
    soil = "raw soil" if rng.random() < 0.6 else "red soil"
    after = Contents(parcels=[Parcel(outline, soil, bend.direction(*place.middle), _number(rng))])
    u, v = place.middle
    size_u, size_v = place.size
    shift = rng.uniform(-0.1, 0.1, 2)
    pit = Rect(u - size_u * 0.33, v - size_v * 0.3, u + size_u * 0.27, v + size_v * 0.3)
    pit_line = rounded(rng, pit, 0.14) + shift * place.size
    depth = float(rng.uniform(0.09, 0.14) * min(place.size))
    after.earthworks.append(
        Earthwork(bend(pit_line), -depth, float(rng.uniform(0.8, 1.3)), _number(rng), rng.random() < 0.6)
    )
    for _ in range(int(rng.integers(1, 4))):
        _heap(rng, bend, place, after, float(rng.uniform(4, 9)))
    _tracks(rng, bend, place, after, 7)
    _machines(rng, bend, place, after)
    return Site("excavation", Polygon(outline), after=after)


def cleared(rng: np.random.Generator, bend: Bend, rect: Rect) -> Site:
    """Vegetation scraped off and the ground levelled, with grader lanes and a windrow of scrapings."""
    place = spot(rng, rect, 28, 85)
    outline = bend(_ragged(rng, place, 2.2))
    soil = str(rng.choice(["graded", "raw soil", "red soil"], p=[0.6, 0.25, 0.15]))
    angle = bend.direction(*place.middle) + float(rng.choice([0.0, np.pi / 2]))
    after = Contents(parcels=[Parcel(outline, soil, angle, _number(rng))])
    for _ in range(int(rng.integers(0, 3))):
        _heap(rng, bend, place, after, float(rng.uniform(2.5, 5)))
    _tracks(rng, bend, place, after, 5)
    if rng.random() < 0.6:
        _machines(rng, bend, place, after)
    return Site("cleared and levelled ground", Polygon(outline), after=after)


def fill(rng: np.random.Generator, bend: Bend, rect: Rect) -> Site:
    """Truckloads tipped in rows over a field, partly pushed flat."""
    place = spot(rng, rect, 30, 75)
    outline = bend(_ragged(rng, place, 2.5))
    soil = str(rng.choice(["raw soil", "red soil", "rubble"], p=[0.5, 0.25, 0.25]))
    after = Contents(parcels=[Parcel(outline, soil, bend.direction(*place.middle), _number(rng))])
    rows = place.inset(5.0)
    for v in np.arange(rows.v0, rows.v1, float(rng.uniform(5.0, 6.5))):
        for u in np.arange(
            rows.u0, rows.u0 + rows.size[0] * float(rng.uniform(0.4, 0.8)), float(rng.uniform(5.0, 6.5))
        ):
            if rng.random() < 0.9:
                around = _blob(
                    rng, float(u + rng.normal(0, 0.5)), float(v + rng.normal(0, 0.5)), float(rng.uniform(2.2, 3.2))
                )
                after.earthworks.append(Earthwork(bend(around), float(rng.uniform(0.9, 1.6)), 0.7, _number(rng)))
    _tracks(rng, bend, place, after, 4)
    return Site("fill", Polygon(outline), after=after)


def paved(rng: np.random.Generator, bend: Bend, rect: Rect) -> Site:
    """A new concrete yard or drying floor."""
    place = spot(rng, rect, 24, 60)
    outline = bend(place.outline())
    use = "new concrete" if rng.random() < 0.75 else "gravel"
    angle = bend.direction(*place.middle)
    after = Contents(parcels=[Parcel(outline, use, angle, _number(rng))])
    for _ in range(int(rng.integers(0, 5))):
        x, y = bend(rng.uniform((place.u0 + 4, place.v0 + 4), (place.u1 - 4, place.v1 - 4)))
        after.vehicles.append(vehicle(rng, float(x), float(y), angle, truck=rng.random() < 0.6))
    return Site("paved yard", Polygon(outline), after=after)


def new_road(rng: np.random.Generator, bend: Bend, rect: Rect) -> Site:
    """A road cut across a leaf of fields on its own earth bank."""
    width = float(rng.uniform(5.5, 9.0))
    along_u = rect.size[0] > rect.size[1]
    length, breadth = rect.size if along_u else rect.size[::-1]
    at = float(rng.uniform(0.3, 0.7)) * breadth
    along = np.linspace(0, length, 20)
    across = at + 0.12 * breadth * np.sin(along / length * np.pi * rng.uniform(0.4, 1.2) + rng.uniform(0, 6))
    plan = (np.stack([along, across], 1) if along_u else np.stack([across, along], 1)) + (rect.u0, rect.v0)
    line = bend(plan)
    bank = _ribbon(line, width + 4.0)
    use = "asphalt" if rng.random() < 0.4 else "new concrete"
    after = Contents(
        parcels=[Parcel(bank, "raw soil", 0.0, _number(rng)), Parcel(_ribbon(line, width), use, 0.0, _number(rng))]
    )
    if use == "asphalt":
        after.lines.append(Line(line, width, "marks"))
    return Site("new road", Polygon(bank), after=after)


def sheds(rng: np.random.Generator, bend: Bend, rect: Rect) -> Site:
    """One or two colour-steel sheds on a new yard."""
    place = spot(rng, rect, 34, 70)
    outline, angle = bend(place.outline()), bend.direction(*place.middle)
    ground = str(rng.choice(["new concrete", "graded", "gravel"], p=[0.55, 0.3, 0.15]))
    after = Contents(parcels=[Parcel(outline, ground, angle, _number(rng))])
    lot = place.inset(4.0)
    for v0, v1 in _rows(rng, lot, 12, 22):
        length = lot.size[0] * float(rng.uniform(0.7, 1.0))
        x, y = bend(np.array([lot.u0 + length / 2, (v0 + v1) / 2]))
        after.buildings.append(shed(rng, float(x), float(y), angle, length, v1 - v0))
    if rng.random() < 0.6:
        x, y = bend(np.array([place.u1 - 4, place.v1 - 3]))
        after.vehicles.append(vehicle(rng, float(x), float(y), angle, truck=True))
    return Site("colour-steel sheds", Polygon(outline), _footprints(after), after=after)


def houses(rng: np.random.Generator, bend: Bend, rect: Rect) -> Site:
    """A row of new farm houses on former fields, with raw ground around them."""
    count = int(rng.integers(1, 5))
    front, deep = float(rng.uniform(10, 14)), float(rng.uniform(9, 12))
    size_u, size_v = min(count * (front + 2.5) + 4, rect.size[0]), min(deep + 14, rect.size[1])
    place = spot(rng, rect, 1e9, 1e9)
    u0 = place.u0 + float(rng.uniform(0, place.size[0] - size_u))
    v0 = place.v0 + float(rng.uniform(0, place.size[1] - size_v))
    place = Rect(u0, v0, u0 + size_u, v0 + size_v)
    ground = str(rng.choice(["raw soil", "new concrete", "graded"]))
    angle = bend.direction(*place.middle)
    outline = bend(_ragged(rng, place, 1.0) if ground != "new concrete" else place.outline())
    after = Contents(parcels=[Parcel(outline, ground, angle, _number(rng))])
    step = (size_u - 3) / count
    for k in range(count):
        x, y = bend(np.array([place.u0 + 1.5 + (k + 0.5) * step, place.v0 + 2.5 + deep / 2]))
        after.buildings.append(house(rng, float(x), float(y), angle, min(front, step - 1.5), deep))
    return Site("houses", Polygon(outline), _footprints(after), after=after)


def big_block(rng: np.random.Generator, bend: Bend, rect: Rect) -> Site:
    """Large blocks under construction: frames, a tower crane, stacks, cabins, all on a levelled and fenced ground."""
    place = spot(rng, rect, 75, 130)
    outline, angle = bend(place.outline()), bend.direction(*place.middle)
    soil = "graded" if rng.random() < 0.7 else "raw soil"
    after = Contents(parcels=[Parcel(outline, soil, angle, _number(rng))])
    lot = place.inset(9.0)
    for number, (v0, v1) in enumerate(_rows(rng, Rect(lot.u0, lot.v0, lot.u1, lot.v1 - 8), 15, 24, gap=14.0)):
        length = min(lot.size[0] * float(rng.uniform(0.6, 0.85)), 75)
        u = lot.u0 + length / 2 + float(rng.uniform(0, lot.size[0] - length))
        x, y = bend(np.array([u, (v0 + v1) / 2]))
        high = float(rng.uniform(3.5, 13.0))
        grey = reflectance(*(rng.uniform(150, 186) * np.array([1, 0.98, 0.94])))
        after.buildings.append(
            Building(float(x), float(y), length, v1 - v0, angle, high, 0.0, "frame", grey, _number(rng))
        )
        pad = Rect(u - 5, v0 - 8, u + 5, v0 - 0.5)
        after.parcels.append(Parcel(bend(pad.outline()), "new concrete", angle, _number(rng)))
        if number == 0:
            foot = bend(np.array([u, v0 - 3.5]))
            after.cranes.append(
                Crane(
                    float(foot[0]), float(foot[1]), high + 18, float(rng.uniform(32, 48)), float(rng.uniform(0, 6.28))
                )
            )
    for k in range(int(rng.integers(2, 5))):  # site cabins in a row
        x, y = bend(np.array([place.u0 + 10 + 13 * k, place.v1 - 5]))
        after.buildings.append(Building(float(x), float(y), 12.0, 5.5, angle, 5.6, 0.6, "cabin", _CABIN, _number(rng)))
    for _ in range(int(rng.integers(6, 14))):  # stacks of steel and bricks
        x, y = bend(rng.uniform((place.u0 + 5, place.v0 + 4), (place.u1 - 5, place.v1 - 10)))
        colour = [reflectance(150, 92, 74), reflectance(96, 88, 82), reflectance(176, 150, 110)][int(rng.integers(3))]
        after.vehicles.append(
            Vehicle(float(x), float(y), float(rng.uniform(2, 9)), float(rng.uniform(1.2, 3)), 1.2, angle, colour)
        )
    _tracks(rng, bend, place, after, 8)
    _machines(rng, bend, place, after)
    return Site("large block under construction", Polygon(outline), _footprints(after), after=after)


def solar(rng: np.random.Generator, bend: Bend, rect: Rect) -> Site:
    """Rows of solar modules over former fields: land turned, though no building."""
    place = spot(rng, rect, 45, 110)
    outline, angle = bend(place.outline()), bend.direction(*place.middle)
    after = Contents(parcels=[Parcel(outline, "gravel" if rng.random() < 0.4 else "earth", angle, _number(rng))])
    lot, pitch = place.inset(3.0), float(rng.uniform(5.5, 7.5))
    for v in np.arange(lot.v0 + 2, lot.v1 - 2, pitch):
        x, y = bend(np.array([(lot.u0 + lot.u1) / 2, v]))
        row = Building(float(x), float(y), lot.size[0], 3.3, angle, 0.6, 1.5, "panel", _MODULE, _number(rng))
        after.buildings.append(row)
    return Site("solar panels", Polygon(outline), after=after)


RECIPES: list[tuple[Recipe, float]] = [
    (borrow_pit, 0.18), (cleared, 0.17), (fill, 0.08), (paved, 0.10), (new_road, 0.06),
    (sheds, 0.17), (houses, 0.14), (big_block, 0.08), (solar, 0.04),
]  # fmt: skip


def demolition(rng: np.random.Generator, old: Building) -> Site:
    """A house is gone: rubble or bare earth where it stood."""
    rubble = Parcel(old.outline(1.2), "rubble" if rng.random() < 0.65 else "earth", old.angle, _number(rng))
    return Site(
        "house demolished",
        None,
        razed=[Polygon(old.outline())],
        before=Contents(buildings=[old]),
        after=Contents(parcels=[rubble]),
    )


def infill(rng: np.random.Generator, new: Building) -> Site:
    """A house in a village where a garden was."""
    use = "vegetable" if rng.random() < 0.6 else "grass"
    garden = Contents(parcels=[Parcel(new.outline(0.6), use, new.angle, _number(rng))])
    ground = Contents(parcels=[Parcel(new.outline(0.6), "earth", new.angle, _number(rng))], buildings=[new])
    return Site("house in a village", Polygon(new.outline(0.6)), [Polygon(new.outline())], before=garden, after=ground)


def _number(rng: np.random.Generator) -> int:
    return int(rng.integers(1 << 30))


def _footprints(contents: Contents) -> list[Polygon]:
    return [Polygon(building.outline()) for building in contents.buildings]


def _rows(
    rng: np.random.Generator, lot: Rect, least: float, most: float, gap: float = 7.0
) -> list[tuple[float, float]]:
    """One or more strips across the lot, from north to south, at most three."""
    rows: list[tuple[float, float]] = []
    v = lot.v0
    while len(rows) < 3:
        deep = float(rng.uniform(least, most))
        if v + deep > lot.v1:
            break
        rows.append((v, v + deep))
        v += deep + gap
    return rows or [(lot.v0, lot.v1)]


def _ragged(rng: np.random.Generator, rect: Rect, rough: float) -> Points:
    """A rectangle's outline as a machine leaves it: kept straight here, frayed there."""
    outline = rect.inset(rough).outline(5.0)
    noise = rng.normal(0, rough / 2, outline.shape)
    smooth = (noise + np.roll(noise, 1, 0) + np.roll(noise, -1, 0)) / 2
    out: Points = outline + smooth
    return out


def _blob(rng: np.random.Generator, u: float, v: float, radius: float) -> Points:
    turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    reach = radius * (1 + 0.12 * np.sin(2 * turn + rng.uniform(0, 6)) + 0.08 * np.sin(3 * turn + rng.uniform(0, 6)))
    out: Points = np.stack([u + reach * np.cos(turn), v + reach * np.sin(turn)], 1)
    return out


def _ribbon(line: Points, width: float) -> Points:
    tangent = np.gradient(line, axis=0)
    tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    side = np.stack([-tangent[:, 1], tangent[:, 0]], 1) * width / 2
    out: Points = np.concatenate([line + side, (line - side)[::-1]])
    return out


def _heap(rng: np.random.Generator, bend: Bend, place: Rect, into: Contents, radius: float) -> None:
    radius = min(radius, 0.16 * min(place.size))
    side = int(rng.integers(4))  # spoil lies at the edge, out of the way
    share = float(rng.uniform(0.2, 0.8))
    margin = radius + 2.0
    u = (place.u0 + share * place.size[0], place.u1 - margin, place.u0 + share * place.size[0], place.u0 + margin)[side]
    v = (place.v0 + margin, place.v0 + share * place.size[1], place.v1 - margin, place.v0 + share * place.size[1])[side]
    into.earthworks.append(Earthwork(bend(_blob(rng, u, v, radius)), radius * 0.42, 0.65, _number(rng)))


def _tracks(rng: np.random.Generator, bend: Bend, place: Rect, into: Contents, count: int) -> None:
    """Curved pairs of wheel or crawler marks between the gate and the work."""
    gate = np.array([place.u0 + float(rng.uniform(0.2, 0.8)) * place.size[0], place.v1 - 2.5])
    lot = place.inset(3.0)
    for _ in range(count):
        ends = rng.uniform((lot.u0, lot.v0), (lot.u1, lot.v1), (2, 2))
        start = gate if rng.random() < 0.6 else ends[1]
        t = np.linspace(0, 1, 16)[:, None]
        middle = (start + ends[0]) / 2 + rng.normal(0, 0.12, 2) * place.size
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * ends[0]
        curve = np.clip(curve, (place.u0 + 1.5, place.v0 + 1.5), (place.u1 - 1.5, place.v1 - 1.5))
        into.lines.append(Line(bend(curve), 0.55, "wheels"))


def _machines(rng: np.random.Generator, bend: Bend, place: Rect, into: Contents) -> None:
    lot = place.inset(5.0)
    for _ in range(int(rng.integers(1, 4))):
        x, y = bend(rng.uniform((lot.u0, lot.v0), (lot.u1, lot.v1)))
        digger = rng.random() < 0.6
        colour = _DIGGER[int(rng.integers(3))]
        size = (5.2, 2.8, 2.8) if digger else (8.0, 2.6, 3.0)
        into.vehicles.append(Vehicle(float(x), float(y), *size, float(rng.uniform(0, 6.28)), colour))
