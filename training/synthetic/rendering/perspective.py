"""A place seen from a mast: the ground laid out by a homography, with what stands on it drawn from far to near."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from training.synthetic.landscape.contents import Building, Contents, Crane, Vehicle
from training.synthetic.light import Sun
from training.synthetic.noise import grain
from training.synthetic.rendering.mast import Mast
from training.synthetic.season import reflectance
from training.synthetic.window import Floats, Points, Window

_NEAREST_M = 4.0  # what comes closer to the lens is not drawn
_STOREY_M = 3.1
_SHIFT = 4
_LEVELS = 4  # of the ground's pyramid: far ground is drawn from a coarser one, or it would flicker
_CRANE = reflectance(206, 176, 60)
_GLASS = 0.35


@dataclass(frozen=True)
class _Drawn:
    """One thing to draw, and how far away it is."""

    depth: float
    draw: Callable[[Floats], None]


def look(
    mast: Mast, window: Window, ground: Floats, contents: Contents, sun: Sun, sky: float, sight_m: float
) -> Floats:
    """What the camera sees.

    Args:
        mast: the camera.
        window: of the ground's image.
        ground: its light from straight above, H×W×3.
        contents: what stands there: buildings, trees, vehicles, cranes.
        sun: for the walls.
        sky: share of skylight.
        sight_m: distance at which two thirds of the light are air.

    Returns:
        light rows×width×3.
    """
    x, y, depth = _ground_under(mast)
    view = _laid_out(mast, window, ground, x, y, depth)
    drawn: list[_Drawn] = []
    for building in contents.buildings:
        drawn.extend(_building(mast, window, ground, building, sun, sky))
    for car in contents.vehicles:
        drawn.extend(_vehicle(mast, car, sun, sky))
    for tree in contents.trees:
        drawn.extend(_tree(mast, window, ground, *tree[:4]))
    for crane in contents.cranes:
        drawn.extend(_crane(mast, crane))
    for thing in sorted(drawn, key=lambda thing: -thing.depth):
        thing.draw(view)
    clear = np.exp(-np.where(depth > 0, depth, 1e5) / sight_m).astype(np.float32)[..., None]
    air = np.array((0.50, 0.56, 0.64), np.float32) * np.float32(0.6 + 0.4 * (1 - sky))
    out: Floats = view * clear + air * (1 - clear)
    return out


def _ground_under(mast: Mast) -> tuple[Floats, Floats, Floats]:
    """For each pixel the ground's x and y in metres and its distance; distance −1 above the horizon."""
    columns, rows = np.meshgrid(np.arange(mast.width) + 0.5, np.arange(mast.rows) + 0.5)
    back = np.linalg.inv(mast.plane(0.0))
    whole = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ back.T
    ahead = whole[..., 2] > 1e-9  # 1/depth
    w = np.where(ahead, whole[..., 2], 1.0)
    x, y = whole[..., 0] / w, whole[..., 1] / w
    distance = np.where(ahead, np.sqrt((x - mast.x) ** 2 + (y - mast.y) ** 2 + mast.height**2), -1.0)
    return x, y, distance


def _laid_out(mast: Mast, window: Window, ground: Floats, x: Floats, y: Floats, depth: Floats) -> Floats:
    view = np.empty((mast.rows, mast.width, 3), np.float32)
    view[:] = ground.mean(axis=(0, 1))  # beyond the plan
    footprint = depth / mast.focal * np.sqrt(np.maximum(depth, 1.0) / mast.height) / window.gsd
    level_of = np.clip(np.log2(np.maximum(footprint, 1.0)), 0, _LEVELS - 1)
    image, gsd = ground, window.gsd
    for level in range(_LEVELS):
        columns = ((x - window.x0) / gsd - 0.5).astype(np.float32)
        rows = ((y - window.y0) / gsd - 0.5).astype(np.float32)
        part = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        weight = np.clip(1 - np.abs(level_of - level), 0, 1).astype(np.float32)[..., None]
        view = part * weight if level == 0 else view + part * weight
        image, gsd = cv2.pyrDown(image), gsd * 2
    above = depth < 0
    high = np.linspace(0.75, 0.5, mast.rows, dtype=np.float32)[:, None]
    for band, tint in enumerate((0.72, 0.86, 1.06)):
        view[..., band] = np.where(above, high * np.float32(tint), view[..., band])
    return view


def _polygon(view: Floats, points: Points, colour: Floats) -> None:
    """Fill (column, row) corners with one colour, soft at the edges."""
    west, north = np.floor(points.min(axis=0)).astype(int) - 1
    east, south = np.ceil(points.max(axis=0)).astype(int) + 2
    west, north = max(west, 0), max(north, 0)
    east, south = min(east, view.shape[1]), min(south, view.shape[0])
    if east <= west or south <= north:
        return
    mask = np.zeros((south - north, east - west), np.uint8)
    cv2.fillPoly(
        mask, [np.round((points - (west, north) - 0.5) * (1 << _SHIFT)).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT
    )
    alpha = (mask.astype(np.float32) / 255)[..., None]
    part = view[north:south, west:east]
    part += (colour.astype(np.float32) - part) * alpha


def _box(
    mast: Mast, outline: Points, low: float, high: float
) -> tuple[list[tuple[Points, Points]], Points, float] | None:
    """Walls that face the camera (corners in the frame, outline edge), the top's corners, and how far away it is."""
    bottom, near = mast.seen(outline, low)
    top, _ = mast.seen(outline, high)
    if near.min() < _NEAREST_M:
        return None
    walls = []
    for k in range(len(outline)):
        n = (k + 1) % len(outline)
        edge = outline[[k, n]]
        along = edge[1] - edge[0]
        normal = np.array([along[1], -along[0]])  # outwards, as outlines turn clockwise with y pointing south
        if normal @ (np.array([mast.x, mast.y]) - edge[0]) > 0:
            walls.append((np.array([bottom[k], bottom[n], top[n], top[k]]), edge))
    return walls, top, float(near.mean())


def _wall_light(edge: Points, sun: Sun, sky: float) -> float:
    along = edge[1] - edge[0]
    normal = np.array([along[1], -along[0]]) / max(float(np.hypot(*along)), 1e-6)
    facing = max(0.0, float(normal @ (sun.east, sun.south)))
    return (1 - sky) * facing + 0.6 * sky


def _building(mast: Mast, window: Window, ground: Floats, building: Building, sun: Sun, sky: float) -> list[_Drawn]:
    outline = building.outline()
    high = max(building.eave + 0.5 * building.rise, 2.0)
    solid = _box(mast, outline, 0.0, high)
    if solid is None:
        return []
    walls, top, depth = solid
    rng = np.random.default_rng((building.number, 41))
    paint = np.array(building.colour if building.roof in ("steel", "cabin") else (0.5, 0.47, 0.42)) * rng.uniform(
        0.7, 1.2
    )

    def draw(view: Floats) -> None:
        for corners, edge in walls:
            light = _wall_light(edge, sun, sky)
            _polygon(view, corners, paint * light)
            storeys = int(high / _STOREY_M)
            for storey in range(storeys):
                share = np.array([(storey + 0.35) / max(storeys, 1), (storey + 0.72) / max(storeys, 1)])
                left = corners[0] + (corners[3] - corners[0]) * share[:, None]
                right = corners[1] + (corners[2] - corners[1]) * share[:, None]
                _polygon(view, np.array([left[0], right[0], right[1], left[1]]), paint * light * _GLASS)
        _roof(mast, window, ground, view, outline, top, high)

    return [_Drawn(depth, draw)]


def _roof(mast: Mast, window: Window, ground: Floats, view: Floats, outline: Points, top: Points, high: float) -> None:
    """The roof as it looks from above, laid out on its own level."""
    west, north = np.maximum(np.floor(top.min(axis=0)).astype(int) - 1, 0)
    east, south = np.minimum(np.ceil(top.max(axis=0)).astype(int) + 2, (view.shape[1], view.shape[0]))
    if east <= west or south <= north:
        return
    columns, rows = np.meshgrid(np.arange(west, east) + 0.5, np.arange(north, south) + 0.5)
    whole = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ np.linalg.inv(mast.plane(high)).T
    w = np.where(whole[..., 2] > 1e-9, whole[..., 2], 1.0)
    at = [
        ((whole[..., k] / w - start) / window.gsd - 0.5).astype(np.float32)
        for k, start in ((0, window.x0), (1, window.y0))
    ]
    part = cv2.remap(ground, at[0], at[1], cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101)
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(
        mask, [np.round((top - (west, north) - 0.5) * (1 << _SHIFT)).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT
    )
    alpha = (mask.astype(np.float32) / 255)[..., None]
    spot = view[north:south, west:east]
    spot += (part - spot) * alpha


def _vehicle(mast: Mast, car: Vehicle, sun: Sun, sky: float) -> list[_Drawn]:
    cos, sin = np.cos(car.angle), np.sin(car.angle)
    a, b = car.length / 2, car.width / 2
    outline = np.array(
        [[car.x + cos * p - sin * q, car.y + sin * p + cos * q] for p, q in ((-a, -b), (a, -b), (a, b), (-a, b))]
    )
    solid = _box(mast, outline, 0.3, car.height)
    if solid is None:
        return []
    walls, top, depth = solid

    def draw(view: Floats) -> None:
        for corners, edge in walls:
            _polygon(view, corners, np.array(car.colour) * _wall_light(edge, sun, sky))
        _polygon(view, top, np.array(car.colour) * (sky + (1 - sky) * sun.up))

    return [_Drawn(depth, draw)]


def _tree(mast: Mast, window: Window, ground: Floats, x: float, y: float, radius: float, height: float) -> list[_Drawn]:
    at, depth = mast.seen(np.array([[x, y]]), 0.55 * height)
    if depth[0] < _NEAREST_M or not (-50 < at[0, 0] < mast.width + 50 and -50 < at[0, 1] < mast.rows + 50):
        return []
    scale = mast.focal / depth[0]
    column, row = int((x - window.x0) / window.gsd), int((y - window.y0) / window.gsd)
    if not (0 <= column < window.width and 0 <= row < window.height):
        return []
    colour = ground[row, column]
    turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    rng = np.random.default_rng((int(x * 10) & 0xFFFF, int(y * 10) & 0xFFFF))
    ragged = rng.uniform(0.82, 1.15, 14)
    crown = at[0] + np.column_stack([np.cos(turn) * radius, np.sin(turn) * 0.45 * height]) * ragged[:, None] * scale

    def draw(view: Floats) -> None:
        _polygon(view, crown, colour * np.float32(0.62))
        _polygon(view, (crown - at[0]) * 0.62 + at[0] - (0, 0.1 * height * scale), colour * np.float32(0.95))

    return [_Drawn(float(depth[0]), draw)]


def _crane(mast: Mast, crane: Crane) -> list[_Drawn]:
    foot = np.array([[crane.x, crane.y]])
    ahead = np.array([np.cos(crane.angle), np.sin(crane.angle)])
    ends = np.array([foot[0] - 0.28 * crane.jib * ahead, foot[0] + crane.jib * ahead])
    low, depth = mast.seen(foot, 0.0)
    high, _ = mast.seen(foot, crane.height)
    jib, far = mast.seen(ends, crane.height)
    if min(depth[0], far.min()) < _NEAREST_M:
        return []
    thick = max(1.2, 1.4 * mast.focal / depth[0])

    def draw(view: Floats) -> None:
        for one, other in ((low[0], high[0]), (jib[0], jib[1])):
            way = other - one
            side = np.array([-way[1], way[0]]) / max(float(np.hypot(*way)), 1e-6) * thick / 2
            _polygon(view, np.array([one - side, other - side, other + side, one + side]), np.array(_CRANE) * 0.6)

    return [_Drawn(float(depth[0]), draw)]


def rain(view: Floats, amount: float, key: int) -> Floats:
    """Streaks before the lens and a wet, dull scene; ``amount`` 0…1."""
    noise = grain(Window(0, 0, 1.0, view.shape[1], view.shape[0]), key, [2.3], [1.0])
    kernel = np.zeros((17, 17), np.float32)
    cv2.line(kernel, (9, 0), (7, 16), 1.0, 1, cv2.LINE_AA)
    streaks = cv2.filter2D(np.maximum(noise - 1.9, 0.0), -1, kernel)
    out: Floats = view * np.float32(1 - 0.25 * amount) + (streaks * np.float32(0.11 * amount))[..., None]
    return out
