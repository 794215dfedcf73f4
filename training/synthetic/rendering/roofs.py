"""Roofs from above: planes shaded by their slope to the sun, with sheets, tiles, parapets, tanks and rust."""

from __future__ import annotations

import numpy as np

from training.synthetic.landscape.contents import Building, Vehicle
from training.synthetic.light import Sun
from training.synthetic.rendering.ground import Grain, Surface
from training.synthetic.season import reflectance
from training.synthetic.window import Floats, Window

_TANK = reflectance(196, 200, 204)
_GLASS = reflectance(52, 60, 84)
_NET = reflectance(70, 132, 104)
_DARK = reflectance(70, 66, 62)
_SKYLIGHT = reflectance(206, 212, 214)


def put_roof(window: Window, building: Building, surface: Surface, sun: Sun, noise: Grain) -> None:
    """Paint one building over the surface; touches only the pixels around it."""
    corners = building.outline(0.8)
    found = window.part(*corners.min(axis=0), *corners.max(axis=0))
    if found is None:
        return
    rows, cols, local = found
    x, y = local.axes()
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
    # the sun in the building's own axes: along, across, up
    sun_a, sun_c = float(cos * sun.east + sin * sun.south), float(cos * sun.south - sin * sun.east)
    paint = {"flat": _flat, "frame": _frame, "tunnel": _tunnel, "panel": _panel}.get(building.roof, _pitched)
    tone, lit, height, spots = paint(
        building, along, across, end, side, (sun_a, sun_c, sun.up), window.gsd, fine, middle, rng
    )
    view = surface.albedo[rows, cols]
    strength = cover if building.roof != "tunnel" else cover * np.float32(rng.uniform(0.62, 0.95))
    for band in range(3):
        plane = np.float32(building.colour[band]) * tone
        for mask, colour in spots:
            plane = plane + (np.float32(colour[band]) - plane) * mask
        view[..., band] += (plane - view[..., band]) * strength
    light = surface.lit[rows, cols]
    light += (lit - light) * cover
    surface.water[rows, cols] *= 1.0 - cover
    stands = surface.solid[rows, cols]
    np.maximum(stands, np.where(cover > 0.5, height, -99.0), out=stands)


Painted = tuple[Floats, Floats, Floats, list[tuple[Floats, tuple[float, float, float]]]]


def _pitched(
    building: Building, along: Floats, across: Floats, end: Floats, side: Floats, sun: tuple[float, float, float],
    gsd: float, fine: Floats, middle: Floats, rng: np.random.Generator,
) -> Painted:  # fmt: skip
    """Gable, hip, and colour-steel sheets on a low ridge."""
    slope = building.rise / (building.width / 2)
    norm = np.sqrt(1 + slope * slope)
    facing = np.clip(across / max(gsd, 0.15), -1.0, 1.0)  # soft over the ridge
    lit = (sun[2] + slope * facing * sun[1]) / norm / sun[2]
    height = building.eave + slope * side
    if building.roof == "hip":
        gable_end = np.clip((side - end) / max(gsd, 0.15) + 0.5, 0.0, 1.0)
        toward = (sun[2] + slope * np.sign(along) * sun[0]) / norm / sun[2]
        lit += (toward - lit) * gable_end
        height = building.eave + slope * np.minimum(side, end)
    lit = np.maximum(lit, 0.05)
    tone = 1.0 + 0.06 * middle + 0.05 * fine
    spots: list[tuple[Floats, tuple[float, float, float]]] = []
    if building.roof in {"gable", "hip"}:
        tone *= 1.0 + _ripple(side, 0.42, 0.22, gsd) + _ripple(along, 0.33, 0.10, gsd)
        ridge = np.clip(1.0 - np.abs(across) / max(0.22, gsd * 0.6), 0, 1)
        tone *= 1.0 + 0.18 * ridge
        tone *= 1.0 - 0.10 * np.clip(middle - 0.6, 0, 1)  # moss and mended tiles
    else:
        tone *= 1.0 + _ripple(along, 0.84, 0.16, gsd)
        tone *= 1.0 + 0.10 * np.clip(1.0 - np.abs(across) / max(0.25, 0.6 * gsd), 0, 1)
        if rng.random() < 0.45:
            rust = np.clip(0.55 * middle + 0.3 * fine - float(rng.uniform(0.5, 1.1)), 0, 0.6)
            spots.append((rust.astype(np.float32), reflectance(140, 98, 76)))
        if building.width > 11 and rng.random() < 0.55:
            pitch = float(rng.choice([6.0, 7.5, 9.0]))
            strip = np.clip((0.5 - np.abs(np.mod(along, pitch) - pitch / 2)) / gsd + 0.5, 0, 1)
            inner = np.clip((side - 1.2) / gsd, 0, 1) * np.clip((np.abs(across) - 0.8) / gsd, 0, 1)
            spots.append(((0.65 * strip * inner).astype(np.float32), _SKYLIGHT))
        if building.roof == "cabin":
            rim = np.clip(1.0 - np.minimum(end, side) / max(0.5, gsd), 0, 1)
            spots.append((rim.astype(np.float32), reflectance(70, 118, 178)))
        # sheets differ a little from each other
        seed = float(rng.uniform(0, 9))
        tone *= 1.0 + 0.035 * np.sign(np.sin(along * 1.05 + seed) + np.sin(along * 0.37 + 2 * seed))
    return tone, lit, height, spots


def _flat(
    building: Building, along: Floats, across: Floats, end: Floats, side: Floats, sun: tuple[float, float, float],
    gsd: float, fine: Floats, middle: Floats, rng: np.random.Generator,
) -> Painted:  # fmt: skip
    """A concrete slab with a parapet, a stair hut, stains, a water heater or a blue tank."""
    inner = np.minimum(end, side)
    lit = np.ones_like(inner)
    wall = np.clip(1.0 - (inner - 0.25) / max(0.2, gsd * 0.7), 0, 1)
    # the parapet shades the strip inside it on the sun's side
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
    spots: list[tuple[Floats, tuple[float, float, float]]] = []

    def box(size_a: float, size_c: float, high: float) -> tuple[Floats, Floats]:
        a = float(rng.uniform(-0.3, 0.3)) * building.length
        c = float(rng.uniform(-0.25, 0.25)) * building.width
        distance = np.minimum(size_a / 2 - np.abs(along - a), size_c / 2 - np.abs(across - c))
        mask = np.clip(distance / gsd + 0.5, 0, 1).astype(np.float32)
        return mask, np.where(mask > 0.5, building.eave + high, height)

    if rng.random() < 0.6:
        mask, height = box(3.0, 4.2, 2.4)
        slab = float(rng.uniform(150, 200))
        spots.append((mask, reflectance(slab, slab * 0.98, slab * 0.94)))
        lit += (1.0 - lit) * mask
    if rng.random() < 0.55:  # solar water heater: dark tubes and a bright tank
        mask, height = box(1.8, 1.7, 1.2)
        spots.append((mask, _GLASS))
    if rng.random() < 0.3:
        mask, height = box(1.2, 1.2, 1.4)
        spots.append((mask, _TANK if rng.random() < 0.5 else reflectance(92, 132, 176)))
    return tone, lit, height, spots


def _frame(
    building: Building, along: Floats, across: Floats, end: Floats, side: Floats, sun: tuple[float, float, float],
    gsd: float, fine: Floats, middle: Floats, rng: np.random.Generator,
) -> Painted:  # fmt: skip
    """An unfinished block: slab with open bays, column stubs, formwork, safety nets around."""
    lit = np.ones_like(along)
    tone = 1.0 + 0.08 * middle + 0.06 * fine
    bay = float(rng.uniform(5.5, 7.5))
    a, c = np.mod(along + 50 * bay, bay) - bay / 2, np.mod(across + 50 * bay, bay) - bay / 2
    beam = np.clip((0.35 - (bay / 2 - np.maximum(np.abs(a), np.abs(c)))) / gsd + 0.5, 0, 1)
    tone *= 1.0 + 0.13 * beam
    column = np.clip((0.45 - np.maximum(bay / 2 - np.abs(a), bay / 2 - np.abs(c))) / gsd + 0.5, 0, 1)
    # which bays are already cast, which are formwork, which still open to the floor below
    cell_a, cell_c = np.floor(along / bay + 50), np.floor(across / bay + 50)
    lot = np.mod(np.sin(cell_a * 12.9898 + cell_c * 78.233 + building.number % 97) * 43758.5453, 1.0)
    front = float(rng.uniform(-0.3, 0.5)) * building.length
    opened = ((lot < 0.30) & (along > front)) * (1 - beam)
    form = ((lot > 0.66) & (along > front - bay)) * (1 - beam)
    rim = np.clip(1.0 - (np.minimum(end, side) - 0.3) / max(0.5, gsd), 0, 1)
    spots = [
        (opened.astype(np.float32) * 0.75, _DARK),
        (form.astype(np.float32) * 0.7, reflectance(168, 134, 92)),
        ((column * 0.5).astype(np.float32), reflectance(110, 96, 88)),
        ((rim * 0.85).astype(np.float32), _NET),
    ]
    height = building.eave - 2.2 * opened + 1.1 * (column > 0.5)
    return tone, lit, height, spots


def _tunnel(
    building: Building, along: Floats, across: Floats, end: Floats, side: Floats, sun: tuple[float, float, float],
    gsd: float, fine: Floats, middle: Floats, rng: np.random.Generator,
) -> Painted:  # fmt: skip
    """Plastic film over hoops: a round back, faint ribs, a glint towards the sun."""
    turn = np.clip(across / (building.width / 2), -1, 1) * np.float32(np.radians(58))
    lit = np.maximum((sun[2] * np.cos(turn) + sun[1] * np.sin(turn)) / sun[2], 0.15)
    lit = 0.35 + 0.65 * lit + 0.25 * np.clip(lit - 1.05, 0, 1)
    tone = 1.0 + 0.05 * fine + 0.10 * middle + _ripple(along, 1.2, 0.07, gsd)
    height = building.eave + building.rise * np.cos(turn)
    return tone, lit, height, []


def _panel(
    building: Building, along: Floats, across: Floats, end: Floats, side: Floats, sun: tuple[float, float, float],
    gsd: float, fine: Floats, middle: Floats, rng: np.random.Generator,
) -> Painted:  # fmt: skip
    """A row of solar modules, tilted to the south, with bright frames."""
    lit = np.full_like(along, 1.1)
    tone = 1.0 + 0.03 * fine + _ripple(along, 1.13, 0.16, gsd) + _ripple(across, 1.6, 0.10, gsd)
    height = building.eave + building.rise * (0.5 - across / building.width)
    return tone, lit, height, []


def _ripple(axis: Floats, period: float, depth: float, gsd: float) -> Floats:
    """A wave across sheets or tiles, gone where the resolution cannot show it."""
    seen = float(np.clip(period / gsd / 2.0 - 0.7, 0.0, 1.0))
    if seen == 0.0:
        return np.zeros_like(axis)
    out: Floats = np.sin(axis * np.float32(2 * np.pi / period)) * np.float32(depth * seen)
    return out


def put_vehicle(window: Window, car: Vehicle, surface: Surface, noise: Grain) -> None:
    """A car or machine: a body with darker glass, tall enough to cast a shadow."""
    reach = car.length / 2 + car.width / 2
    found = window.part(car.x - reach, car.y - reach, car.x + reach, car.y + reach)
    if found is None:
        return
    rows, cols, local = found
    x, y = local.axes()
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
    stands = surface.solid[rows, cols]
    np.maximum(stands, np.where(cover > 0.5, stands + car.height, stands), out=stands)
