"""Roofs and vehicles from above: planes shaded by their slope to the sun, with sheets, tiles, parapets and tanks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.synthetic.landscape.contents import Building, Vehicle
from training.synthetic.light import Sun
from training.synthetic.raster_window import Floats, Window
from training.synthetic.rendering.ground import GroundNoise, Surface
from training.synthetic.season import Colour, reflectance

_TANK = reflectance(196, 200, 204)
_GLASS = reflectance(52, 60, 84)
_NET = reflectance(70, 132, 104)
_DARK = reflectance(70, 66, 62)
_SKYLIGHT = reflectance(206, 212, 214)


@dataclass(frozen=True)
class _RoofPixels:
    """The pixels around one building, in its own axes.

    Attributes:
        building: to paint.
        along, across: H×W metres from its centre along its length and width.
        end, side: H×W metres inwards from its ends and sides, negative outside.
        sun: direction along, across, up.
        gsd: metres per pixel.
        fine, middle: H×W noise of the place.
        rng: seeded by the building.
    """

    building: Building
    along: Floats
    across: Floats
    end: Floats
    side: Floats
    sun: tuple[float, float, float]
    gsd: float
    fine: Floats
    middle: Floats
    rng: np.random.Generator


Paint = tuple[Floats, Floats, Floats, list[tuple[Floats, Colour]]]
"""Tone, lighting relative to level ground, height in metres (all H×W), and patches (mask 0…1, colour) in order."""


def paint_building(window: Window, building: Building, surface: Surface, sun: Sun, noise: GroundNoise) -> None:
    """Paint one building onto the surface, in place."""
    corners = building.outline(0.8)
    cropped = window.crop(*corners.min(axis=0), *corners.max(axis=0))
    if cropped is None:
        return
    rows, cols, local = cropped
    x, y = local.pixel_centres()
    cos, sin = np.float32(np.cos(building.angle)), np.float32(np.sin(building.angle))
    dx, dy = x - np.float32(building.x), y - np.float32(building.y)
    along, across = cos * dx + sin * dy, cos * dy - sin * dx
    half_l, half_w = building.length / 2, building.width / 2
    end, side = half_l - np.abs(along), half_w - np.abs(across)
    cover = np.clip(np.minimum(end, side) / window.gsd + 0.5, 0.0, 1.0)
    if not cover.any():
        return
    fine, middle = noise.fine[rows, cols], noise.middle[rows, cols]
    rng = np.random.default_rng(building.number)
    sun_a, sun_c = float(cos * sun.east + sin * sun.south), float(cos * sun.south - sin * sun.east)
    roof = _RoofPixels(building, along, across, end, side, (sun_a, sun_c, sun.up), window.gsd, fine, middle, rng)
    paint = {"flat": _flat, "frame": _frame, "tunnel": _tunnel, "panel": _panel}.get(building.roof, _pitched)
    tone, lit, height, patches = paint(roof)
    view = surface.albedo[rows, cols]
    strength = cover if building.roof != "tunnel" else cover * np.float32(rng.uniform(0.62, 0.95))
    for band in range(3):
        plane = np.float32(building.colour[band]) * tone
        for mask, colour in patches:
            plane = plane + (np.float32(colour[band]) - plane) * mask
        view[..., band] += (plane - view[..., band]) * strength
    light = surface.lit[rows, cols]
    light += (lit - light) * cover
    surface.water[rows, cols] *= 1.0 - cover
    solid = surface.solid[rows, cols]
    np.maximum(solid, np.where(cover > 0.5, height, -99.0), out=solid)


def _pitched(roof: _RoofPixels) -> Paint:
    """Paint a tiled gable or hip roof, or colour-steel sheets on a low ridge."""
    building, gsd, sun = roof.building, roof.gsd, roof.sun
    along, across, end, side = roof.along, roof.across, roof.end, roof.side
    fine, middle, rng = roof.fine, roof.middle, roof.rng
    slope = building.rise / (building.width / 2)
    norm = np.sqrt(1 + slope * slope)
    facing = np.clip(across / max(gsd, 0.15), -1.0, 1.0)  # continuous across the ridge
    lit = (sun[2] + slope * facing * sun[1]) / norm / sun[2]
    height = building.eave + slope * side
    if building.roof == "hip":
        gable_end = np.clip((side - end) / max(gsd, 0.15) + 0.5, 0.0, 1.0)
        toward = (sun[2] + slope * np.sign(along) * sun[0]) / norm / sun[2]
        lit += (toward - lit) * gable_end
        height = building.eave + slope * np.minimum(side, end)
    lit = np.maximum(lit, 0.05)
    tone = 1.0 + 0.06 * middle + 0.05 * fine
    patches: list[tuple[Floats, Colour]] = []
    if building.roof in {"gable", "hip"}:
        tone *= 1.0 + _ripple(side, 0.42, 0.22, gsd) + _ripple(along, 0.33, 0.10, gsd)
        ridge = np.clip(1.0 - np.abs(across) / max(0.22, gsd * 0.6), 0, 1)
        tone *= 1.0 + 0.18 * ridge
        tone *= 1.0 - 0.10 * np.clip(middle - 0.6, 0, 1)  # moss and repaired tiles
    else:
        tone *= 1.0 + _ripple(along, 0.84, 0.16, gsd)
        tone *= 1.0 + 0.10 * np.clip(1.0 - np.abs(across) / max(0.25, 0.6 * gsd), 0, 1)
        if rng.random() < 0.45:
            rust = np.clip(0.55 * middle + 0.3 * fine - float(rng.uniform(0.5, 1.1)), 0, 0.6)
            patches.append((rust.astype(np.float32), reflectance(140, 98, 76)))
        if building.width > 11 and rng.random() < 0.55:
            pitch = float(rng.choice([6.0, 7.5, 9.0]))
            strip = np.clip((0.5 - np.abs(np.mod(along, pitch) - pitch / 2)) / gsd + 0.5, 0, 1)
            inner = np.clip((side - 1.2) / gsd, 0, 1) * np.clip((np.abs(across) - 0.8) / gsd, 0, 1)
            patches.append(((0.65 * strip * inner).astype(np.float32), _SKYLIGHT))
        if building.roof == "cabin":
            rim = np.clip(1.0 - np.minimum(end, side) / max(0.5, gsd), 0, 1)
            patches.append((rim.astype(np.float32), reflectance(70, 118, 178)))
        # sheets differ a little from each other
        seed = float(rng.uniform(0, 9))
        tone *= 1.0 + 0.035 * np.sign(np.sin(along * 1.05 + seed) + np.sin(along * 0.37 + 2 * seed))
    return tone, lit, height, patches


def _flat(roof: _RoofPixels) -> Paint:
    """Paint a concrete slab with a parapet, stains, and perhaps a stair hut, a solar water heater and a tank."""
    building, gsd, sun = roof.building, roof.gsd, roof.sun
    along, across, end, side = roof.along, roof.across, roof.end, roof.side
    fine, middle, rng = roof.fine, roof.middle, roof.rng
    inner = np.minimum(end, side)
    lit = np.ones_like(inner)
    wall = np.clip(1.0 - (inner - 0.25) / max(0.2, gsd * 0.7), 0, 1)
    # the parapet shades the strip inside it on the side of the sun
    level = np.hypot(sun[0], sun[1])
    throw = 0.9 * level / sun[2]
    near_sun = np.where(sun[0] > 0, building.length / 2 - along, building.length / 2 + along) / max(
        abs(sun[0]) / level, 1e-3
    )
    near_side = np.where(sun[1] > 0, building.width / 2 - across, building.width / 2 + across) / max(
        abs(sun[1]) / level, 1e-3
    )
    shade = np.clip((throw - (np.minimum(near_sun, near_side) - 0.3)) / gsd + 0.5, 0, 1) * (1 - wall)
    lit -= 0.72 * shade
    tone = 1.0 + 0.10 * middle + 0.06 * fine - 0.16 * np.clip(0.7 * middle + 0.4 * fine - 0.3, 0, 1)
    tone *= 1.0 + 0.16 * wall
    height = building.eave + 0.9 * (inner < 0.4)
    patches: list[tuple[Floats, Colour]] = []

    def box(size_a: float, size_c: float, high: float) -> tuple[Floats, Floats]:
        a = float(rng.uniform(-0.3, 0.3)) * building.length
        c = float(rng.uniform(-0.25, 0.25)) * building.width
        distance = np.minimum(size_a / 2 - np.abs(along - a), size_c / 2 - np.abs(across - c))
        mask = np.clip(distance / gsd + 0.5, 0, 1).astype(np.float32)
        return mask, np.where(mask > 0.5, building.eave + high, height)

    if rng.random() < 0.6:
        mask, height = box(3.0, 4.2, 2.4)
        slab = float(rng.uniform(150, 200))
        patches.append((mask, reflectance(slab, slab * 0.98, slab * 0.94)))
        lit += (1.0 - lit) * mask
    if rng.random() < 0.55:  # solar water heater: dark tubes and a bright tank
        mask, height = box(1.8, 1.7, 1.2)
        patches.append((mask, _GLASS))
    if rng.random() < 0.3:
        mask, height = box(1.2, 1.2, 1.4)
        patches.append((mask, _TANK if rng.random() < 0.5 else reflectance(92, 132, 176)))
    return tone, lit, height, patches


def _frame(roof: _RoofPixels) -> Paint:
    """Paint an unfinished building: slab with open bays, column stubs, formwork and safety nets."""
    building, gsd, rng = roof.building, roof.gsd, roof.rng
    along, across = roof.along, roof.across
    lit = np.ones_like(along)
    tone = 1.0 + 0.08 * roof.middle + 0.06 * roof.fine
    bay = float(rng.uniform(5.5, 7.5))
    a, c = np.mod(along + 50 * bay, bay) - bay / 2, np.mod(across + 50 * bay, bay) - bay / 2
    beam = np.clip((0.35 - (bay / 2 - np.maximum(np.abs(a), np.abs(c)))) / gsd + 0.5, 0, 1)
    tone *= 1.0 + 0.13 * beam
    column = np.clip((0.45 - np.maximum(bay / 2 - np.abs(a), bay / 2 - np.abs(c))) / gsd + 0.5, 0, 1)
    # each bay is cast, formwork, or still open to the floor below
    cell_a, cell_c = np.floor(along / bay + 50), np.floor(across / bay + 50)
    lot = np.mod(np.sin(cell_a * 12.9898 + cell_c * 78.233 + building.number % 97) * 43758.5453, 1.0)
    front = float(rng.uniform(-0.3, 0.5)) * building.length
    opened = ((lot < 0.30) & (along > front)) * (1 - beam)
    form = ((lot > 0.66) & (along > front - bay)) * (1 - beam)
    rim = np.clip(1.0 - (np.minimum(roof.end, roof.side) - 0.3) / max(0.5, gsd), 0, 1)
    patches = [
        (opened.astype(np.float32) * 0.75, _DARK),
        (form.astype(np.float32) * 0.7, reflectance(168, 134, 92)),
        ((column * 0.5).astype(np.float32), reflectance(110, 96, 88)),
        ((rim * 0.85).astype(np.float32), _NET),
    ]
    height = building.eave - 2.2 * opened + 1.1 * (column > 0.5)
    return tone, lit, height, patches


def _tunnel(roof: _RoofPixels) -> Paint:
    """Paint plastic film over hoops: round, with faint ribs and a glint towards the sun."""
    building, sun, across = roof.building, roof.sun, roof.across
    angle = np.clip(across / (building.width / 2), -1, 1) * np.float32(np.radians(58))
    lit = np.maximum((sun[2] * np.cos(angle) + sun[1] * np.sin(angle)) / sun[2], 0.15)
    lit = 0.35 + 0.65 * lit + 0.25 * np.clip(lit - 1.05, 0, 1)
    tone = 1.0 + 0.05 * roof.fine + 0.10 * roof.middle + _ripple(roof.along, 1.2, 0.07, roof.gsd)
    height = building.eave + building.rise * np.cos(angle)
    return tone, lit, height, []


def _panel(roof: _RoofPixels) -> Paint:
    """Paint a row of tilted solar modules with bright frames."""
    building, gsd, along, across = roof.building, roof.gsd, roof.along, roof.across
    lit = np.full_like(along, 1.1)
    tone = 1.0 + 0.03 * roof.fine + _ripple(along, 1.13, 0.16, gsd) + _ripple(across, 1.6, 0.10, gsd)
    height = building.eave + building.rise * (0.5 - across / building.width)
    return tone, lit, height, []


def _ripple(axis: Floats, period: float, depth: float, gsd: float) -> Floats:
    """Return the brightness wave of sheets or tiles; it fades where the resolution is too coarse."""
    visible = float(np.clip(period / gsd / 2.0 - 0.7, 0.0, 1.0))
    if visible == 0.0:
        return np.zeros_like(axis)
    out: Floats = np.sin(axis * np.float32(2 * np.pi / period)) * np.float32(depth * visible)
    return out


def paint_vehicle(window: Window, car: Vehicle, surface: Surface, noise: GroundNoise) -> None:
    """Paint a car or machine with darker windows onto the surface, in place; its height casts a shadow."""
    reach = car.length / 2 + car.width / 2
    cropped = window.crop(car.x - reach, car.y - reach, car.x + reach, car.y + reach)
    if cropped is None:
        return
    rows, cols, local = cropped
    x, y = local.pixel_centres()
    cos, sin = np.float32(np.cos(car.angle)), np.float32(np.sin(car.angle))
    dx, dy = x - np.float32(car.x), y - np.float32(car.y)
    along, across = cos * dx + sin * dy, cos * dy - sin * dx
    cover = np.clip(np.minimum(car.length / 2 - np.abs(along), car.width / 2 - np.abs(across)) / window.gsd + 0.5, 0, 1)
    glass = np.clip((0.16 * car.length - np.abs(along + 0.1 * car.length)) / window.gsd, 0, 0.55)
    if car.height > 2:
        glass = np.clip((along - 0.28 * car.length) / window.gsd, 0, 0.6)
    view = surface.albedo[rows, cols]
    for band in range(3):
        body = car.colour[band] + (0.04 - car.colour[band]) * glass
        view[..., band] += (body - view[..., band]) * cover
    light = surface.lit[rows, cols]
    light += (1.0 - light) * cover
    solid = surface.solid[rows, cols]
    np.maximum(solid, np.where(cover > 0.5, solid + car.height, solid), out=solid)
