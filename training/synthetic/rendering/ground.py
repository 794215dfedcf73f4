"""The ground from above: soil, crops in rows, water and slabs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.landscape.contents import Parcel
from training.synthetic.noise import grain, waves
from training.synthetic.season import Season
from training.synthetic.window import Floats, Window, fill_labels

_HARD = {"concrete", "new concrete", "asphalt", "channel"}


@dataclass
class Surface:
    """What the light falls on, for one window and date; painters change it in place.

    Attributes:
        albedo: H×W×3 reflectance.
        lit: H×W cosine between the surface and the sun, divided by that of level ground.
        solid: H×W height of buildings and earthworks over the plain, metres.
        crown: H×W height of tree crowns, metres.
        water: H×W 0…1 share of open water.
    """

    albedo: Floats
    lit: Floats
    solid: Floats
    crown: Floats
    water: Floats


@dataclass(frozen=True)
class Grain:
    """Noise of the place that both dates share, computed once per window."""

    wide: Floats
    middle: Floats
    fine: Floats
    edge: tuple[Floats, Floats]


def shared_grain(window: Window, key: int) -> Grain:
    """Large soil patches, metre-wide patches, clods, and the wobble of edges."""
    return Grain(
        grain(window, key + 1, [160.0, 45.0], [1.0, 0.8]),
        grain(window, key + 2, [16.0, 6.0], [1.0, 0.8]),
        grain(window, key + 3, [2.2, 0.9], [1.0, 0.9]),
        (waves(window, 7.0, key + 4), waves(window, 7.0, key + 5)),
    )


def paint_ground(window: Window, parcels: list[Parcel], season: Season, noise: Grain) -> Surface:
    """Bare and overgrown ground, water and slabs: everything flat except lines."""
    labels = _labels(window, parcels, noise)
    table = np.array(
        [season.cover("grass", 0).row(0.0)]
        + [season.cover(p.use.replace("channel", "river"), p.number).row(p.angle) for p in parcels],
        np.float32,
    )
    look = [np.ascontiguousarray(column) for column in table.T]
    # rows that the resolution cannot show fade to their mean
    look[8] = look[8] * np.clip(look[11] / window.gsd / 2.0 - 0.7, 0.0, 1.0)
    x, y = window.axes()
    own = grain(window, season.key + 11, [22.0, 7.0, 2.6], [1.0, 0.8, 0.7])
    cover = look[6][labels] + look[7][labels] * (0.5 * own + 0.35 * noise.middle)
    speck = waves(window, max(0.45, 1.9 * window.gsd), season.key + 12)
    strength = look[8][labels]
    phase = look[9][labels] * x + look[10][labels] * y + 0.5 * noise.middle
    rows = np.sin(phase, out=phase)
    cover += strength * rows
    rough = look[12][labels]
    cover += 0.11 * rough * noise.fine
    np.clip(cover, 0.0, 1.0, out=cover)
    tone = 1.0 + 0.07 * noise.wide + rough * (0.05 * noise.fine + 0.05 * own + 0.05 * speck)
    albedo = np.empty((window.height, window.width, 3), np.float32)
    for band in range(3):
        soil, plant = look[band][labels], look[3 + band][labels]
        np.multiply(soil + (plant - soil) * cover, tone, out=albedo[..., band])
    # moist hollows are darker and greener fields a little bluer where dense
    albedo[..., 0] *= 1.0 + 0.03 * noise.wide
    water = look[13][labels]
    lit = 1.0 + 0.13 * rough * _relief(noise.fine) * (1.0 - water) + 0.16 * strength * np.roll(rows, 1, 1)
    flat = np.zeros_like(lit)
    return Surface(albedo, lit.astype(np.float32), flat, flat.copy(), water)


def _relief(noise: Floats) -> Floats:
    """Clods seen by light from the side: the slope of the noise towards the south-east."""
    out = np.zeros_like(noise)
    out[:-1, :-1] = noise[:-1, :-1] - noise[1:, 1:]
    return out


def _labels(window: Window, parcels: list[Parcel], noise: Grain) -> NDArray[np.int32]:
    """Which parcel (1…) each pixel shows; soft ground frays at its edges, slabs do not."""
    labels = np.zeros((window.height, window.width), np.float32)
    for number, parcel in enumerate(parcels, 1):
        if parcel.use not in _HARD:
            fill_labels(labels, window, [parcel.polygon], number)
    reach = np.float32(0.45 / window.gsd)
    if reach > 0.2:
        columns = np.arange(window.width, dtype=np.float32)[None, :] + reach * (noise.edge[0] + 0.5 * noise.fine)
        lines = np.arange(window.height, dtype=np.float32)[:, None] + reach * (noise.edge[1] - 0.5 * noise.fine)
        labels = cv2.remap(labels, columns, lines, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    for number, parcel in enumerate(parcels, 1):
        if parcel.use in _HARD:
            fill_labels(labels, window, [parcel.polygon], number)
    return labels.astype(np.int32)
