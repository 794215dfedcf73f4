"""The whole world of a spec: the place as it always was, what changed, and both dates put together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from shapely.geometry import Polygon
from shapely.strtree import STRtree

from training.synthetic.landscape import countryside, settlement, sites
from training.synthetic.landscape.contents import Building, Contents, Parcel
from training.synthetic.landscape.layout import Layout, Leaf, Line, divide
from training.synthetic.landscape.settlement import Box
from training.synthetic.landscape.sites import Site
from training.synthetic.season import Season
from training.synthetic.spec import SceneSpec
from training.synthetic.window import Points, offset

_LEAST_WORLD_M = 320.0  # a smaller scene is a window onto a world of this size, so that it has surroundings
_MARGIN_M = 30.0  # what stands this far outside of the scene may still throw a shadow into it
_HECTARES_PER_CHANGE = 4.5
_LARGEST_HOUSE_M2 = 180.0
_FARMLAND = {"field", "orchard", "waste", "grove"}


@dataclass(frozen=True)
class World:
    """Both dates in metres east and south of the world's corner; the scene begins at ``corner``."""

    before: Contents
    after: Contents
    changed: list[Site]
    corner: tuple[float, float]
    seasons: tuple[Season, Season]
    key: int


def build_world(spec: SceneSpec) -> World:
    """Plan the place of a spec and what happened there. Depends on the seed, the ground covered and the dates only."""
    ground = spec.width * spec.gsd_m, spec.height * spec.gsd_m
    width, height = max(round(ground[0], 3), _LEAST_WORLD_M), max(round(ground[1], 3), _LEAST_WORLD_M)
    planner, builder, farmer, framer = (np.random.default_rng(s) for s in np.random.SeedSequence(spec.seed).spawn(4))
    layout = divide(planner, width, height)
    hectares = width * height / 1e4
    count = spec.changes if spec.changes is not None else max(1, round(hectares / _HECTARES_PER_CHANGE))
    old, changed = _plan_sites(builder, layout, (width, height), max(1, round(hectares / 9)), count)
    corner = _frame(framer, layout, changed, count > 0, (width, height), ground)
    seen = (
        corner[0] - _MARGIN_M,
        corner[1] - _MARGIN_M,
        corner[0] + ground[0] + _MARGIN_M,
        corner[1] + ground[1] + _MARGIN_M,
    )
    common, films = _furnish(spec.seed, layout, seen)
    for site in old:
        common = common.without_trees_on(site.area) + replace(site.after, covers=[_rim(a) for a in site.area])
    if count:
        hectares_seen = (seen[2] - seen[0]) * (seen[3] - seen[1]) / 1e4
        common, houses = _change_houses(builder, common, min(count, max(1, round(hectares_seen / 12))))
        changed = changed + houses
    before = after = common
    for site in changed:
        before, after = before + site.before, after + site.after
    after = after.without_trees_on([area for site in changed for area in site.area])
    after = replace(after, covers=after.covers + [_rim(site.land) for site in changed if site.land is not None])
    dates = []
    for now in (before, after):
        own = Contents(buildings=[film for leaf in films if farmer.random() < 0.75 for film in leaf])
        own.vehicles.extend(settlement.traffic(farmer, now))
        dates.append(now + own)
    seasons = Season(spec.dates[0], spec.seed * 2), Season(spec.dates[1], spec.seed * 2 + 1)
    return World(dates[0], dates[1], changed, corner, seasons, spec.seed)


def _rim(area: Polygon) -> Points:
    return np.asarray(area.exterior.coords, float)


def _touches(outline: Points, seen: Box) -> bool:
    west, north = outline.min(axis=0)
    east, south = outline.max(axis=0)
    return bool(east > seen[0] and west < seen[2] and south > seen[1] and north < seen[3])


def _furnish(seed: int, layout: Layout, seen: Box) -> tuple[Contents, list[list[Building]]]:
    """Fill the leaves that are seen; the greenhouse films come separately, leaf by leaf.

    Every leaf has its own source of chance, so that what it holds does not depend on which others are seen.
    """
    common, films = Contents(), []
    for number, line in enumerate(layout.lines):
        if line.use in {"river", "canal"}:
            _water(line, common, number)
        else:
            common.lines.append(line)
    fill = {
        "field": countryside.fields, "industry": settlement.industry,
        "pond": countryside.ponds, "grove": countryside.grove, "orchard": countryside.orchard,
        "waste": countryside.waste,
    }  # fmt: skip
    for leaf in layout.leaves:
        if not _touches(layout.bend(leaf.rect.outline()), seen):
            continue
        rng = np.random.default_rng((seed, leaf.number, 3))
        if leaf.use == "greenhouse":
            films.append(settlement.greenhouses(rng, layout.bend, leaf, common))
        elif leaf.use == "village":
            settlement.village(rng, layout.bend, leaf, common, seen)
        else:
            fill[leaf.use](rng, layout.bend, leaf, common)
    for number, (row, spacing) in enumerate(layout.verges):
        if len(row) > 2 and _touches(row, seen):
            countryside.verge(np.random.default_rng((seed, number, 4)), row, spacing, common)
    return common, films


def _water(line: Line, into: Contents, number: int) -> None:
    """A river between earth banks or a canal between concrete ones, as parcels of ground."""
    wild = line.use == "river"
    for extra, ground in ((2.4, "earth" if wild else "concrete"), (0.0, "river" if wild else "channel")):
        half = (line.width + extra) / 2
        ribbon = np.concatenate([offset(line.points, half), offset(line.points, -half)[::-1]])
        into.parcels.append(Parcel(ribbon, ground, 0.0, number))


def _plan_sites(
    rng: np.random.Generator, layout: Layout, world: tuple[float, float], old: int, new: int
) -> tuple[list[Site], list[Site]]:
    """Old sites, which stand on both dates, and changed ones: each in a leaf of farmland of its own."""

    def fit(leaf: Leaf) -> bool:
        x, y = layout.bend(np.array(leaf.rect.middle))
        return leaf.use in _FARMLAND and min(leaf.rect.size) > 34 and 0 < x < world[0] and 0 < y < world[1]

    leaves = _by_interest(rng, [leaf for leaf in layout.leaves if fit(leaf)])
    shares = np.array([share for _, share in sites.RECIPES])
    planned = []
    for leaf in leaves[: old + new]:
        recipe = sites.RECIPES[int(rng.choice(len(shares), p=shares / shares.sum()))][0]
        planned.append(recipe(rng, layout.bend, leaf.rect.inset(1.5)))
    order = [planned[k] for k in rng.permutation(len(planned))]
    fewer = min(old, max(len(order) - new, 0))
    return order[:fewer], order[fewer:]


def _by_interest(rng: np.random.Generator, leaves: list[Leaf]) -> list[Leaf]:
    """In random order, those by a road first more often than not, as building goes."""
    rank = [float(rng.random()) + (0.0 if leaf.by_road else 0.35) for leaf in leaves]
    return [leaf for _, leaf in sorted(zip(rank, leaves, strict=True), key=lambda pair: pair[0])]


def _change_houses(rng: np.random.Generator, common: Contents, count: int) -> tuple[Contents, list[Site]]:
    """Some village houses appear only later, some vanish: only such as overlap no other, so the rest looks whole."""
    sizes = [b.length * b.width for b in common.buildings]
    likely = [
        k for k, size in enumerate(sizes) if 70 < size < _LARGEST_HOUSE_M2 and common.buildings[k].roof != "frame"
    ]
    if not likely:
        return common, []
    outlines = [Polygon(b.outline(-0.1)) for b in common.buildings]
    tree = STRtree(outlines)
    chosen: list[int] = []
    for k in rng.permutation(likely)[: 12 * count].tolist():
        if len(chosen) < count and len(tree.query(outlines[k], predicate="intersects")) == 1:
            chosen.append(k)
    left = replace(common, buildings=[b for k, b in enumerate(common.buildings) if k not in chosen])
    moved = [common.buildings[k] for k in chosen]
    return left, [sites.demolition(rng, b) if rng.random() < 0.45 else sites.infill(rng, b) for b in moved]


def _frame(
    rng: np.random.Generator,
    layout: Layout,
    changed: list[Site],
    busy: bool,
    world: tuple[float, float],
    scene: tuple[float, float],
) -> tuple[float, float]:
    """Where the scene begins in its world: a small scene looks at a change or a village, if there is one."""
    spare = np.maximum(np.array(world) - np.array(scene), 0.0)
    aim = rng.uniform(0, 1, 2) * spare
    villages = [leaf for leaf in layout.leaves if leaf.use == "village"]
    if busy and spare.max() > 0:
        if changed and (not villages or rng.random() < 0.75):
            spot = changed[int(rng.integers(len(changed)))].area[0].centroid
            centre = np.array([spot.x, spot.y])
        elif villages:
            centre = layout.bend(np.array(villages[int(rng.integers(len(villages)))].rect.middle))
        else:
            centre = aim + np.array(scene) / 2
        aim = centre + rng.uniform(-0.38, 0.38, 2) * np.array(scene) - np.array(scene) / 2
    corner = np.clip(aim, 0.0, spare)
    return float(corner[0]), float(corner[1])
