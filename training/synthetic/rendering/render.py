"""Rendering of both dates of a scene, block by block, and of its ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import rasterize
from shapely.affinity import affine_transform
from shapely.geometry import MultiPolygon, Polygon, box

from training.synthetic.drawing import blend, draw_line
from training.synthetic.imaging import (
    ImagingConditions,
    expose,
    jpeg_round_trip,
    misregistration_field,
    random_conditions,
    warp,
)
from training.synthetic.landscape.contents import Contents, Crane
from training.synthetic.landscape.world import World, build_world
from training.synthetic.light import Sun, cast_shadows, sky_visibility, sun_position
from training.synthetic.noise import noise_octave
from training.synthetic.raster_window import Floats, Window
from training.synthetic.rendering.earthworks import paint_earthworks
from training.synthetic.rendering.ground import GroundNoise, Surface, ground_noise, paint_ground
from training.synthetic.rendering.lines import paint_lines
from training.synthetic.rendering.roofs import paint_building, paint_vehicle
from training.synthetic.rendering.trees import paint_trees
from training.synthetic.season import Season, reflectance
from training.synthetic.spec import RenderedPair, SceneSpec, TrueChange

_BLOCK_PX = 768  # a multiple of 8, so that JPEG blocks meet
_TALLEST_OBJECT_M = 10.0  # the halo of a block includes shadows of objects up to this height
_MAX_HALO_PX = 64
_MIN_TRUTH_M2 = 1.0  # smaller pieces at the edge of the scene are not listed
_CRANE = reflectance(206, 176, 60)


@dataclass(frozen=True)
class _PreparedDate:
    """One date ready to be painted: contents with their bounding boxes (west, north, east, south in metres)."""

    contents: Contents
    boxes: dict[str, NDArray[np.float64]]
    trees: NDArray[np.float64]
    season: Season
    sun: Sun
    conditions: ImagingConditions


def render_scene(spec: SceneSpec) -> RenderedPair:
    """Render both dates of a spec and its ground truth."""
    world = build_world(spec)
    latitude = Transformer.from_crs(spec.crs, 4490, always_xy=True).transform(*spec.origin)[1] if spec.crs else 30.0
    conditions_rng = np.random.default_rng((spec.seed, 8))
    dates = []
    for k, contents in enumerate((world.before, world.after)):
        sun = sun_position(world.seasons[k].date, spec.hours[k], latitude)
        conditions = random_conditions(conditions_rng, spec.disturbance, spec.seed * 2 + 1000 + k)
        dates.append(_prepare(contents, world.seasons[k], sun, conditions))
    images = [np.empty((spec.height, spec.width, 3), np.uint8) for _ in dates]
    for row in range(0, spec.height, _BLOCK_PX):
        for column in range(0, spec.width, _BLOCK_PX):
            rows = slice(row, min(row + _BLOCK_PX, spec.height))
            columns = slice(column, min(column + _BLOCK_PX, spec.width))
            for image, part in zip(images, _render_block(spec, world, dates, rows, columns), strict=True):
                image[rows, columns] = part
    building, ground, direction, truth = true_changes(spec, world)
    return RenderedPair(spec, images[0], images[1], building, ground, direction, truth)


def ground_radiance(
    window: Window, contents: Contents, season: Season, sun: Sun, conditions: ImagingConditions, key: int
) -> Floats:
    """Compute the radiance of contents seen from straight above, H×W×3; ``key`` is that of their world."""
    return _radiance(window, _prepare(contents, season, sun, conditions), ground_noise(window, key), key)


def _prepare(contents: Contents, season: Season, sun: Sun, conditions: ImagingConditions) -> _PreparedDate:
    """Compute the bounding boxes of the contents of one date."""

    def boxes(outlines: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.array([[*o.min(axis=0), *o.max(axis=0)] for o in outlines]).reshape(-1, 4)

    boxes_by_kind = {
        "parcels": boxes([p.polygon for p in contents.parcels]),
        "lines": boxes([line.points for line in contents.lines]),
        "buildings": boxes([b.outline(1.0) for b in contents.buildings]),
        "earthworks": boxes([w.outline for w in contents.earthworks]),
    }
    return _PreparedDate(
        contents, boxes_by_kind, np.array(contents.trees, float).reshape(-1, 5), season, sun, conditions
    )


def _intersecting(boxes: NDArray[np.float64], bounds: tuple[float, float, float, float], margin: float) -> list[int]:
    """Return the indices of boxes that touch the bounds with a margin."""
    west, north, east, south = bounds
    hit = (boxes[:, 2] > west - margin) & (boxes[:, 0] < east + margin)
    hit &= (boxes[:, 3] > north - margin) & (boxes[:, 1] < south + margin)
    return np.flatnonzero(hit).tolist()


def _render_block(
    spec: SceneSpec, world: World, dates: list[_PreparedDate], rows: slice, columns: slice
) -> list[NDArray[np.uint8]]:
    """Render both dates of one block of pixels, with a halo towards the sun."""
    halo = [int(np.ceil(spec.misregistration_px)) + 5] * 4  # west, north, east, south
    for date in dates:
        reach = min(_TALLEST_OBJECT_M / date.sun.tangent / spec.gsd_m, _MAX_HALO_PX)
        level = np.hypot(date.sun.east, date.sun.south)
        for side, part in enumerate((-date.sun.east, -date.sun.south, date.sun.east, date.sun.south)):
            halo[side] = max(halo[side], int(reach * max(part / level, 0.0)) + 6)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    window = Window(
        world.corner[0] + (columns.start - halo[0]) * spec.gsd_m,
        world.corner[1] + (rows.start - halo[1]) * spec.gsd_m,
        spec.gsd_m,
        width + halo[0] + halo[2],
        height + halo[1] + halo[3],
    )
    noise = ground_noise(window, world.key)
    inner = slice(halo[1], halo[1] + height), slice(halo[0], halo[0] + width)
    parts = []
    for k, date in enumerate(dates):
        light = _radiance(window, date, noise, world.key)
        if k == 0 and spec.misregistration_px > 0:
            light = warp(light, misregistration_field(window, spec.misregistration_px, spec.seed))
        edge = 4  # for the blur of the lens
        cut = slice(inner[0].start - edge, inner[0].stop + edge), slice(inner[1].start - edge, inner[1].stop + edge)
        cropped = Window(
            window.x0 + cut[1].start * window.gsd,
            window.y0 + cut[0].start * window.gsd,
            window.gsd,
            width + 2 * edge,
            height + 2 * edge,
        )
        image = expose(np.ascontiguousarray(light[cut]), cropped, date.conditions)[edge:-edge, edge:-edge]
        parts.append(jpeg_round_trip(np.ascontiguousarray(image), date.conditions.quality))
    return parts


def _radiance(window: Window, date: _PreparedDate, noise: GroundNoise, key: int) -> Floats:
    """Paint all contents and return the radiance towards the camera, H×W×3."""
    bounds, contents, sun = window.bounds(), date.contents, date.sun
    parcels = [contents.parcels[k] for k in _intersecting(date.boxes["parcels"], bounds, 1.0)]
    surface = paint_ground(window, parcels, date.season, noise)
    lines = [contents.lines[k] for k in _intersecting(date.boxes["lines"], bounds, 12.0)]
    paint_lines(window, lines, contents.covers, surface, noise)
    paint_earthworks(
        window,
        [contents.earthworks[k] for k in _intersecting(date.boxes["earthworks"], bounds, 2.0)],
        surface,
        sun,
        noise,
    )
    west, north, east, south = bounds
    for car in contents.vehicles:
        if west - 8 < car.x < east + 8 and north - 8 < car.y < south + 8:
            paint_vehicle(window, car, surface, noise)
    for k in _intersecting(date.boxes["buildings"], bounds, 0.0):
        paint_building(window, contents.buildings[k], surface, sun, noise)
    rows = date.trees
    close = (rows[:, 0] > west - 6) & (rows[:, 0] < east + 6) & (rows[:, 1] > north - 6) & (rows[:, 1] < south + 6)
    nearby = [(x, y, r, h, int(s)) for x, y, r, h, s in rows[close].tolist()]
    dense = paint_trees(window, nearby, surface, sun, date.season, noise, key)
    return _illuminate(
        window,
        surface,
        dense,
        date,
        [c for c in contents.cranes if west - 60 < c.x < east + 60 and north - 60 < c.y < south + 60],
    )


def _illuminate(window: Window, surface: Surface, dense: Floats, date: _PreparedDate, cranes: list[Crane]) -> Floats:
    """Light the painted surface by sun and sky, with cast shadows, and draw the cranes: radiance H×W×3."""
    sun, conditions, gsd = date.sun, date.conditions, window.gsd
    tallest = max(float(surface.solid.max()) - float(surface.solid.min()), float(surface.crown.max()))
    shade = np.zeros_like(surface.lit)
    if tallest > 0.3:
        full = np.maximum(surface.solid, surface.crown)
        shade = cast_shadows(full, sun, gsd, tallest)
        # light passes through crowns, more so in winter
        thin = 0.30 - 0.14 * date.season.foliage
        if surface.crown.any():
            hard = (
                cast_shadows(surface.solid, sun, gsd, tallest)
                if float(surface.solid.max()) > 0.3
                else np.zeros_like(shade)
            )
            shade = np.maximum(hard, shade * (1.0 - thin))
        open_sky = sky_visibility(full, gsd)
    else:
        open_sky = np.ones_like(shade)
    shade *= 1.0 - 0.45 * dense  # a crown shades itself only partly
    crane_shade = _crane_shadows(window, cranes, sun)
    if crane_shade is not None:
        np.maximum(shade, crane_shade, out=shade)
    direct = (1.0 - conditions.sky) * surface.lit * (1.0 - shade)
    light = surface.albedo
    for band, tint in enumerate((0.88, 0.97, 1.16)):  # the sky is bluer than the sun
        light[..., band] *= direct * np.float32((1.0, 0.99, 0.97)[band]) + np.float32(conditions.sky * tint) * open_sky
    ripple = noise_octave(window, 3.0, date.season.key + 71) * 0.6 + noise_octave(window, 60.0, date.season.key + 72)
    glint = surface.water * np.float32(0.018 * conditions.sky / 0.2) * (1.0 + 0.35 * ripple)
    for band, tint in enumerate((0.8, 0.95, 1.1)):
        light[..., band] += glint * tint
    for crane in cranes:
        mask = np.zeros(shade.shape, np.uint8)
        for part in _crane_lines(crane):
            draw_line(mask, window, part, 1.1, 0.8)
        blend(light, mask, _CRANE)
    return light


def _crane_lines(crane: Crane) -> list[NDArray[np.float64]]:
    """Return the lines of jib, counterweight and tower as seen from above, 2×2 (x, y) each."""
    ahead = np.array([np.cos(crane.angle), np.sin(crane.angle)])
    foot = np.array([crane.x, crane.y])
    side = np.array([-ahead[1], ahead[0]])
    return [
        np.array([foot - 0.28 * crane.jib * ahead, foot + crane.jib * ahead]),
        np.array([foot - 0.28 * crane.jib * ahead - side, foot - 0.20 * crane.jib * ahead + side]),
        np.array([foot - 0.9 * ahead, foot + 0.9 * ahead]),
    ]


def _crane_shadows(window: Window, cranes: list[Crane], sun: Sun) -> Floats | None:
    """Return the shadows of cranes, H×W 0…1; None if there are no cranes."""
    if not cranes:
        return None
    mask = np.zeros((window.height, window.width), np.uint8)
    for crane in cranes:
        away = -np.array([sun.east, sun.south]) / sun.up * crane.height
        for line in _crane_lines(crane):
            draw_line(mask, window, line + away, 1.2, 0.75)
        foot = np.array([crane.x, crane.y])
        draw_line(mask, window, np.array([foot, foot + away]), 1.5, 0.8)
    return mask.astype(np.float32) * np.float32(1 / 255)


def true_changes(
    spec: SceneSpec, world: World
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int8], list[TrueChange]]:
    """Return masks (building, ground, direction) and polygons of all changes, clipped to the scene."""
    size = (spec.height, spec.width)
    frame = box(0, 0, spec.width * spec.gsd_m, spec.height * spec.gsd_m)
    to_frame = [1, 0, 0, 1, -world.corner[0], -world.corner[1]]
    to_crs = [1, 0, 0, -1, spec.origin[0], spec.origin[1]]
    shapes: dict[str, list[Polygon]] = {"construction": [], "ground": [], "demolition": []}
    truth = []
    for site in world.changed:
        land = [site.land] if site.land is not None else []
        for kind, areas in (("ground", land), ("construction", site.built), ("demolition", site.razed)):
            for area in areas:
                cut = affine_transform(area.buffer(0), to_frame).intersection(frame)
                for piece in cut.geoms if isinstance(cut, MultiPolygon) else [cut]:
                    if not isinstance(piece, Polygon) or piece.area < _MIN_TRUTH_M2:
                        continue
                    shapes[kind].append(piece)
                    truth.append(TrueChange(kind, affine_transform(piece, to_crs), float(piece.area), site.description))  # type: ignore[arg-type]
    scale = spec.transform.__class__.scale(spec.gsd_m)

    def mask(kind: str) -> NDArray[np.uint8]:
        if not shapes[kind]:
            return np.zeros(size, np.uint8)
        out: NDArray[np.uint8] = rasterize(shapes[kind], size, transform=scale, dtype="uint8")
        return out

    appeared, ground, razed = mask("construction"), mask("ground"), mask("demolition")
    direction = np.where((appeared | ground) > 0, 1, 0).astype(np.int8)
    direction[razed > 0] = -1
    return appeared | razed, ground, direction, truth
