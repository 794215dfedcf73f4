"""Perspective view from a mast: the ground warped by a homography, objects on it painted from far to near."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from training.synthetic.landscape.contents import Building, Contents, Crane, Vehicle
from training.synthetic.light import Sun
from training.synthetic.noise import fractal_noise
from training.synthetic.raster_window import Floats, Points, Window
from training.synthetic.rendering.mast_camera import MastCamera
from training.synthetic.season import reflectance

_NEAREST_M = 4.0  # objects closer to the lens are not drawn
_STOREY_M = 3.1
_SUBPIXEL_BITS = 4
_PYRAMID_LEVELS = 4  # of the ground image: far ground is sampled from coarser ones to avoid aliasing
_CRANE = reflectance(206, 176, 60)
_GLASS = 0.35


@dataclass(frozen=True)
class _Drawable:
    """Drawing function of one object and its depth in metres."""

    depth: float
    draw: Callable[[Floats], None]


def render_perspective(
    camera: MastCamera, window: Window, ground: Floats, contents: Contents, sun: Sun, sky: float, visibility_m: float
) -> Floats:
    """Render the radiance that reaches a camera.

    Args:
        camera: on its mast.
        window: of the ground image.
        ground: radiance seen from straight above, H×W×3.
        contents: objects to draw: buildings, trees, vehicles, cranes.
        sun: lights the walls.
        sky: share of skylight.
        visibility_m: distance at which two thirds of the light are airlight.

    Returns:
        Radiance rows×width×3.
    """
    x, y, depth = _ground_coordinates(camera)
    view = _warp_ground(camera, window, ground, x, y, depth)
    drawables: list[_Drawable] = []
    for building in contents.buildings:
        drawables.extend(_building(camera, window, ground, building, sun, sky))
    for car in contents.vehicles:
        drawables.extend(_vehicle(camera, car, sun, sky))
    for tree in contents.trees:
        drawables.extend(_tree(camera, window, ground, *tree[:4]))
    for crane in contents.cranes:
        drawables.extend(_crane(camera, crane))
    for drawable in sorted(drawables, key=lambda drawable: -drawable.depth):
        drawable.draw(view)
    clear = np.exp(-np.where(depth > 0, depth, 1e5) / visibility_m).astype(np.float32)[..., None]
    air = np.array((0.50, 0.56, 0.64), np.float32) * np.float32(0.6 + 0.4 * (1 - sky))
    out: Floats = view * clear + air * (1 - clear)
    return out


def _ground_coordinates(camera: MastCamera) -> tuple[Floats, Floats, Floats]:
    """Return the ground's x and y and its distance for each pixel, metres; distance −1 above the horizon."""
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.rows) + 0.5)
    back = np.linalg.inv(camera.ground_homography(0.0))
    homogeneous = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ back.T
    ahead = homogeneous[..., 2] > 1e-9  # 1/depth
    w = np.where(ahead, homogeneous[..., 2], 1.0)
    x, y = homogeneous[..., 0] / w, homogeneous[..., 1] / w
    distance = np.where(ahead, np.sqrt((x - camera.x) ** 2 + (y - camera.y) ** 2 + camera.height**2), -1.0)
    return x, y, distance


def _warp_ground(camera: MastCamera, window: Window, ground: Floats, x: Floats, y: Floats, depth: Floats) -> Floats:
    """Warp the ground image into the frame, from a pyramid level that fits the distance; paint the sky."""
    view: Floats = np.zeros((camera.rows, camera.width, 3), np.float32)
    footprint = depth / camera.focal * np.sqrt(np.maximum(depth, 1.0) / camera.height) / window.gsd
    level_of = np.clip(np.log2(np.maximum(footprint, 1.0)), 0, _PYRAMID_LEVELS - 1)
    image, gsd = ground, window.gsd
    for level in range(_PYRAMID_LEVELS):
        columns = ((x - window.x0) / gsd - 0.5).astype(np.float32)
        rows = ((y - window.y0) / gsd - 0.5).astype(np.float32)
        part = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        weight = np.clip(1 - np.abs(level_of - level), 0, 1).astype(np.float32)[..., None]
        view = view + part * weight
        image, gsd = cv2.pyrDown(image), gsd * 2
    above = depth < 0
    high = np.linspace(0.75, 0.5, camera.rows, dtype=np.float32)[:, None]
    for band, tint in enumerate((0.72, 0.86, 1.06)):
        view[..., band] = np.where(above, high * np.float32(tint), view[..., band])
    return view


def _fill_polygon(view: Floats, points: Points, colour: Floats) -> None:
    """Fill an N×2 (column, row) polygon with one colour, anti-aliased."""
    west, north = np.floor(points.min(axis=0)).astype(int) - 1
    east, south = np.ceil(points.max(axis=0)).astype(int) + 2
    west, north = max(west, 0), max(north, 0)
    east, south = min(east, view.shape[1]), min(south, view.shape[0])
    if east <= west or south <= north:
        return
    alpha = _polygon_alpha(points - (west, north), (south - north, east - west))
    part = view[north:south, west:east]
    part += (colour.astype(np.float32) - part) * alpha


def _polygon_alpha(points: Points, shape: tuple[int, int]) -> Floats:
    """Rasterize an N×2 (column, row) polygon, anti-aliased: rows×columns×1 of 0…1."""
    mask = np.zeros(shape, np.uint8)
    corners = np.round((points - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    alpha: Floats = (mask.astype(np.float32) / 255)[..., None]
    return alpha


def _extruded_walls(
    camera: MastCamera, outline: Points, low: float, high: float
) -> tuple[list[tuple[Points, Points]], Points, float] | None:
    """Project a prism: visible walls (corners in the frame, edge of the outline), corners of the top, and mean depth.

    Returns None where it is too close to the camera.
    """
    bottom, near = camera.project(outline, low)
    top, _ = camera.project(outline, high)
    if near.min() < _NEAREST_M:
        return None
    walls = []
    for k in range(len(outline)):
        n = (k + 1) % len(outline)
        edge = outline[[k, n]]
        along = edge[1] - edge[0]
        normal = np.array([along[1], -along[0]])  # outwards, as outlines turn clockwise with y pointing south
        if normal @ (np.array([camera.x, camera.y]) - edge[0]) > 0:
            walls.append((np.array([bottom[k], bottom[n], top[n], top[k]]), edge))
    return walls, top, float(near.mean())


def _wall_light(edge: Points, sun: Sun, sky: float) -> float:
    """Return the light on a wall relative to level ground in the sun."""
    along = edge[1] - edge[0]
    normal = np.array([along[1], -along[0]]) / max(float(np.hypot(*along)), 1e-6)
    facing = max(0.0, float(normal @ (sun.east, sun.south)))
    return (1 - sky) * facing + 0.6 * sky


def _building(
    camera: MastCamera, window: Window, ground: Floats, building: Building, sun: Sun, sky: float
) -> list[_Drawable]:
    """Prepare the walls with windows and the roof of a building; empty where it is too close."""
    outline = building.outline()
    high = max(building.eave + 0.5 * building.rise, 2.0)
    solid = _extruded_walls(camera, outline, 0.0, high)
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
            _fill_polygon(view, corners, paint * light)
            storeys = int(high / _STOREY_M)
            for storey in range(storeys):
                share = np.array([(storey + 0.35) / max(storeys, 1), (storey + 0.72) / max(storeys, 1)])
                left = corners[0] + (corners[3] - corners[0]) * share[:, None]
                right = corners[1] + (corners[2] - corners[1]) * share[:, None]
                _fill_polygon(view, np.array([left[0], right[0], right[1], left[1]]), paint * light * _GLASS)
        _roof(camera, window, ground, view, outline, top, high)

    return [_Drawable(depth, draw)]


def _roof(
    camera: MastCamera, window: Window, ground: Floats, view: Floats, outline: Points, top: Points, high: float
) -> None:
    """Warp the roof from the ground image at the height of the roof."""
    west, north = np.maximum(np.floor(top.min(axis=0)).astype(int) - 1, 0)
    east, south = np.minimum(np.ceil(top.max(axis=0)).astype(int) + 2, (view.shape[1], view.shape[0]))
    if east <= west or south <= north:
        return
    columns, rows = np.meshgrid(np.arange(west, east) + 0.5, np.arange(north, south) + 0.5)
    homogeneous = (
        np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ np.linalg.inv(camera.ground_homography(high)).T
    )
    w = np.where(homogeneous[..., 2] > 1e-9, homogeneous[..., 2], 1.0)
    maps = [
        ((homogeneous[..., k] / w - start) / window.gsd - 0.5).astype(np.float32)
        for k, start in ((0, window.x0), (1, window.y0))
    ]
    part = cv2.remap(ground, maps[0], maps[1], cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101)
    alpha = _polygon_alpha(top - (west, north), (south - north, east - west))
    spot = view[north:south, west:east]
    spot += (part - spot) * alpha


def _vehicle(camera: MastCamera, car: Vehicle, sun: Sun, sky: float) -> list[_Drawable]:
    """Prepare a vehicle as a box."""
    cos, sin = np.cos(car.angle), np.sin(car.angle)
    a, b = car.length / 2, car.width / 2
    outline = np.array(
        [[car.x + cos * p - sin * q, car.y + sin * p + cos * q] for p, q in ((-a, -b), (a, -b), (a, b), (-a, b))]
    )
    solid = _extruded_walls(camera, outline, 0.3, car.height)
    if solid is None:
        return []
    walls, top, depth = solid

    def draw(view: Floats) -> None:
        for corners, edge in walls:
            _fill_polygon(view, corners, np.array(car.colour) * _wall_light(edge, sun, sky))
        _fill_polygon(view, top, np.array(car.colour) * (sky + (1 - sky) * sun.up))

    return [_Drawable(depth, draw)]


def _tree(
    camera: MastCamera, window: Window, ground: Floats, x: float, y: float, radius: float, height: float
) -> list[_Drawable]:
    """Prepare a tree as two ragged ellipses in the colour of its crown."""
    centre, depth = camera.project(np.array([[x, y]]), 0.55 * height)
    if depth[0] < _NEAREST_M or not (-50 < centre[0, 0] < camera.width + 50 and -50 < centre[0, 1] < camera.rows + 50):
        return []
    scale = camera.focal / depth[0]
    column, row = int((x - window.x0) / window.gsd), int((y - window.y0) / window.gsd)
    if not (0 <= column < window.width and 0 <= row < window.height):
        return []
    colour = ground[row, column]
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    rng = np.random.default_rng((int(x * 10) & 0xFFFF, int(y * 10) & 0xFFFF))
    ragged = rng.uniform(0.82, 1.15, 14)
    crown = (
        centre[0] + np.column_stack([np.cos(angle) * radius, np.sin(angle) * 0.45 * height]) * ragged[:, None] * scale
    )

    def draw(view: Floats) -> None:
        _fill_polygon(view, crown, colour * np.float32(0.62))
        _fill_polygon(
            view, (crown - centre[0]) * 0.62 + centre[0] - (0, 0.1 * height * scale), colour * np.float32(0.95)
        )

    return [_Drawable(float(depth[0]), draw)]


def _crane(camera: MastCamera, crane: Crane) -> list[_Drawable]:
    """Prepare mast and jib of a crane."""
    foot = np.array([[crane.x, crane.y]])
    ahead = np.array([np.cos(crane.angle), np.sin(crane.angle)])
    ends = np.array([foot[0] - 0.28 * crane.jib * ahead, foot[0] + crane.jib * ahead])
    low, depth = camera.project(foot, 0.0)
    high, _ = camera.project(foot, crane.height)
    jib, far = camera.project(ends, crane.height)
    if min(depth[0], far.min()) < _NEAREST_M:
        return []
    thick = max(1.2, 1.4 * camera.focal / depth[0])

    def draw(view: Floats) -> None:
        for start, end in ((low[0], high[0]), (jib[0], jib[1])):
            along = end - start
            side = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6) * thick / 2
            _fill_polygon(view, np.array([start - side, end - side, end + side, start + side]), np.array(_CRANE) * 0.6)

    return [_Drawable(float(depth[0]), draw)]


def add_rain(view: Floats, amount: float, key: int) -> Floats:
    """Darken the view and add rain streaks; ``amount`` 0…1, ``key`` seeds the streaks."""
    noise = fractal_noise(Window(0, 0, 1.0, view.shape[1], view.shape[0]), key, [2.3], [1.0])
    kernel = np.zeros((17, 17), np.float32)
    cv2.line(kernel, (9, 0), (7, 16), 1.0, 1, cv2.LINE_AA)
    streaks = cv2.filter2D(np.maximum(noise - 1.9, 0.0), -1, kernel)
    out: Floats = view * np.float32(1 - 0.25 * amount) + (streaks * np.float32(0.11 * amount))[..., None]
    return out
