"""The world of a spec: permanent landscape, changed sites, and the contents of both dates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from shapely.geometry import Polygon
from shapely.strtree import STRtree

from training.synthetic.drawing import offset_line
from training.synthetic.landscape import countryside, settlement, sites
from training.synthetic.landscape.contents import Building, Contents, Parcel
from training.synthetic.landscape.layout import Layout, Line, Tract, divide_land
from training.synthetic.landscape.settlement import Box
from training.synthetic.landscape.sites import Site
from training.synthetic.raster_window import Points
from training.synthetic.season import Season
from training.synthetic.spec import SceneSpec

_MIN_WORLD_M = 320.0  # a smaller scene is cut out of a world of this size, so that it has surroundings
_MARGIN_M = 30.0  # objects this far outside of the scene may cast a shadow into it
_HECTARES_PER_CHANGE = 4.5
_MAX_HOUSE_M2 = 180.0
_FARMLAND = {"field", "orchard", "waste", "grove"}


@dataclass(frozen=True)
class World:
    """Contents of both dates in metres east and south of the world's corner; the scene's corner is ``corner``."""

    before: Contents
    after: Contents
    changed: list[Site]
    corner: tuple[float, float]
    seasons: tuple[Season, Season]
    key: int


def build_world(spec: SceneSpec) -> World:
    """Plan the place of a spec and its changes; depends only on seed, extent in metres, number of changes and dates."""
    ground = spec.width * spec.gsd_m, spec.height * spec.gsd_m
    width, height = max(round(ground[0], 3), _MIN_WORLD_M), max(round(ground[1], 3), _MIN_WORLD_M)
    layout_rng, site_rng, season_rng, corner_rng = (
        np.random.default_rng(s) for s in np.random.SeedSequence(spec.seed).spawn(4)
    )
    layout = divide_land(layout_rng, width, height)
    hectares = width * height / 1e4
    count = spec.changes if spec.changes is not None else max(1, round(hectares / _HECTARES_PER_CHANGE))
    old, changed = _plan_sites(site_rng, layout, (width, height), max(1, round(hectares / 9)), count)
    corner = _scene_corner(corner_rng, layout, changed, count > 0, (width, height), ground)
    extent = (
        corner[0] - _MARGIN_M,
        corner[1] - _MARGIN_M,
        corner[0] + ground[0] + _MARGIN_M,
        corner[1] + ground[1] + _MARGIN_M,
    )
    common, films = _fill_tracts(spec.seed, layout, extent)
    for site in old:
        common = common.without_trees_on(site.area) + replace(site.after, covers=[_outline(a) for a in site.area])
    if count:
        extent_hectares = (extent[2] - extent[0]) * (extent[3] - extent[1]) / 1e4
        common, houses = _change_houses(site_rng, common, min(count, max(1, round(extent_hectares / 12))))
        changed = changed + houses
    before = after = common
    for site in changed:
        before, after = before + site.before, after + site.after
    after = after.without_trees_on([area for site in changed for area in site.area])
    after = replace(after, covers=after.covers + [_outline(site.land) for site in changed if site.land is not None])
    dates = []
    for now in (before, after):
        own = Contents(buildings=[film for tract in films if season_rng.random() < 0.75 for film in tract])
        own.vehicles.extend(settlement.traffic(season_rng, now))
        dates.append(now + own)
    seasons = Season(spec.dates[0], spec.seed * 2), Season(spec.dates[1], spec.seed * 2 + 1)
    return World(dates[0], dates[1], changed, corner, seasons, spec.seed)


def _outline(area: Polygon) -> Points:
    """Return the exterior of a polygon, N×2."""
    return np.asarray(area.exterior.coords, float)


def _overlaps(outline: Points, extent: Box) -> bool:
    """Whether the bounding box of an outline overlaps the extent."""
    west, north = outline.min(axis=0)
    east, south = outline.max(axis=0)
    return bool(east > extent[0] and west < extent[2] and south > extent[1] and north < extent[3])


def _fill_tracts(seed: int, layout: Layout, extent: Box) -> tuple[Contents, list[list[Building]]]:
    """Return the contents of all tracts that overlap ``extent``, and separately the greenhouse films of each tract.

    Every tract has its own random generator, so that its contents do not depend on which other tracts are visible.
    """
    common, films = Contents(), []
    for number, line in enumerate(layout.lines):
        if line.use in {"river", "canal"}:
            _add_watercourse(line, common, number)
        else:
            common.lines.append(line)
    fill = {
        "field": countryside.fields, "industry": settlement.industry,
        "pond": countryside.ponds, "grove": countryside.grove, "orchard": countryside.orchard,
        "waste": countryside.waste_ground,
    }  # fmt: skip
    for tract in layout.tracts:
        if not _overlaps(layout.warp(tract.rect.outline()), extent):
            continue
        rng = np.random.default_rng((seed, tract.number, 3))
        if tract.use == "greenhouse":
            films.append(settlement.greenhouses(rng, layout.warp, tract, common))
        elif tract.use == "village":
            settlement.village(rng, layout.warp, tract, common, extent)
        else:
            fill[tract.use](rng, layout.warp, tract, common)
    for number, (row, spacing) in enumerate(layout.verges):
        if len(row) > 2 and _overlaps(row, extent):
            countryside.verge(np.random.default_rng((seed, number, 4)), row, spacing, common)
    return common, films


def _add_watercourse(line: Line, contents: Contents, number: int) -> None:
    """Add a river with earth banks or a canal with concrete ones, as parcels of ground."""
    wild = line.use == "river"
    for extra, ground in ((2.4, "earth" if wild else "concrete"), (0.0, "river" if wild else "channel")):
        half = (line.width + extra) / 2
        ribbon = np.concatenate([offset_line(line.points, half), offset_line(line.points, -half)[::-1]])
        contents.parcels.append(Parcel(ribbon, ground, 0.0, number))


def _plan_sites(
    rng: np.random.Generator, layout: Layout, world: tuple[float, float], old: int, new: int
) -> tuple[list[Site], list[Site]]:
    """Plan old sites, which exist on both dates, and changed sites, each in its own tract of farmland."""

    def is_suitable(tract: Tract) -> bool:
        x, y = layout.warp(np.array(tract.rect.middle))
        return tract.use in _FARMLAND and min(tract.rect.size) > 34 and 0 < x < world[0] and 0 < y < world[1]

    tracts = _by_road_access(rng, [tract for tract in layout.tracts if is_suitable(tract)])
    shares = np.array([share for _, share in sites.SITE_PLANNERS])
    planned = []
    for tract in tracts[: old + new]:
        recipe = sites.SITE_PLANNERS[int(rng.choice(len(shares), p=shares / shares.sum()))][0]
        planned.append(recipe(rng, layout.warp, tract.rect.inset(1.5)))
    order = [planned[k] for k in rng.permutation(len(planned))]
    old_count = min(old, max(len(order) - new, 0))
    return order[:old_count], order[old_count:]


def _by_road_access(rng: np.random.Generator, tracts: list[Tract]) -> list[Tract]:
    """Order tracts randomly with a preference for those by a road, where most building happens."""
    rank = [float(rng.random()) + (0.0 if tract.by_road else 0.35) for tract in tracts]
    return [tract for _, tract in sorted(zip(rank, tracts, strict=True), key=lambda pair: pair[0])]


def _change_houses(rng: np.random.Generator, common: Contents, count: int) -> tuple[Contents, list[Site]]:
    """Make some village houses new or demolished; only houses that overlap no other are chosen.

    Returns:
        The contents without the chosen houses, and a site for each of them.
    """
    sizes = [b.length * b.width for b in common.buildings]
    candidates = [
        k for k, size in enumerate(sizes) if 70 < size < _MAX_HOUSE_M2 and common.buildings[k].roof != "frame"
    ]
    if not candidates:
        return common, []
    outlines = [Polygon(b.outline(-0.1)) for b in common.buildings]
    tree = STRtree(outlines)
    chosen: list[int] = []
    for k in rng.permutation(candidates)[: 12 * count].tolist():
        if len(chosen) < count and len(tree.query(outlines[k], predicate="intersects")) == 1:
            chosen.append(k)
    remaining = replace(common, buildings=[b for k, b in enumerate(common.buildings) if k not in chosen])
    houses = [common.buildings[k] for k in chosen]
    return remaining, [sites.demolition(rng, b) if rng.random() < 0.45 else sites.infill(rng, b) for b in houses]


def _scene_corner(
    rng: np.random.Generator,
    layout: Layout,
    changed: list[Site],
    busy: bool,
    world: tuple[float, float],
    scene: tuple[float, float],
) -> tuple[float, float]:
    """Choose the scene's corner in its world; a small scene shows a changed site or a village if there is one."""
    spare = np.maximum(np.array(world) - np.array(scene), 0.0)
    aim = rng.uniform(0, 1, 2) * spare
    villages = [tract for tract in layout.tracts if tract.use == "village"]
    if busy and spare.max() > 0:
        if changed and (not villages or rng.random() < 0.75):
            spot = changed[int(rng.integers(len(changed)))].area[0].centroid
            centre = np.array([spot.x, spot.y])
        elif villages:
            centre = layout.warp(np.array(villages[int(rng.integers(len(villages)))].rect.middle))
        else:
            centre = aim + np.array(scene) / 2
        aim = centre + rng.uniform(-0.38, 0.38, 2) * np.array(scene) - np.array(scene) / 2
    corner = np.clip(aim, 0.0, spare)
    return float(corner[0]), float(corner[1])
