"""The ground from above: soil, crops in rows, water and paved surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic.drawing import fill_labels
from training.synthetic.landscape.contents import Parcel
from training.synthetic.noise import fractal_noise, noise_octave
from training.synthetic.raster_window import Floats, Window
from training.synthetic.season import Season

_HARD = {"concrete", "new concrete", "asphalt", "channel"}


@dataclass
class Surface:
    """Surface properties of one window on one date, changed in place by the ``paint_…`` functions.

    Attributes:
        albedo: H×W×3 reflectance.
        lit: H×W cosine of the angle between surface normal and sun, divided by that of level ground.
        solid: H×W height of buildings, vehicles and earthworks above level ground, metres.
        crown: H×W height of tree crowns, metres.
        water: H×W share of open water, 0…1.
    """

    albedo: Floats
    lit: Floats
    solid: Floats
    crown: Floats
    water: Floats


@dataclass(frozen=True)
class GroundNoise:
    """Noise of the place that both dates share, H×W each, computed once per window.

    Attributes:
        wide: patches of tens to hundreds of metres.
        middle: patches of several metres.
        fine: clods of about a metre.
        edge: displacement of the edges of soft ground (x, y).
    """

    wide: Floats
    middle: Floats
    fine: Floats
    edge: tuple[Floats, Floats]


def ground_noise(window: Window, key: int) -> GroundNoise:
    """Compute the noise of a place; ``key`` is that of its world."""
    return GroundNoise(
        fractal_noise(window, key + 1, [160.0, 45.0], [1.0, 0.8]),
        fractal_noise(window, key + 2, [16.0, 6.0], [1.0, 0.8]),
        fractal_noise(window, key + 3, [2.2, 0.9], [1.0, 0.9]),
        (noise_octave(window, 7.0, key + 4), noise_octave(window, 7.0, key + 5)),
    )


def paint_ground(window: Window, parcels: list[Parcel], season: Season, noise: GroundNoise) -> Surface:
    """Paint the ground cover of all parcels: everything flat except lines."""
    labels = _label_parcels(window, parcels, noise)
    table = np.array(
        [season.cover("grass", 0).lookup_row(0.0)]
        + [season.cover(p.use.replace("channel", "river"), p.number).lookup_row(p.angle) for p in parcels],
        np.float32,
    )
    columns = [np.ascontiguousarray(column) for column in table.T]
    soil, plant = columns[:3], columns[3:6]
    canopy, patch, row_strength, wave_x, wave_y, spacing, roughness, water_share = columns[6:]
    # rows that are too fine for the resolution fade to their mean
    row_strength = row_strength * np.clip(spacing / window.gsd / 2.0 - 0.7, 0.0, 1.0)
    x, y = window.pixel_centres()
    own = fractal_noise(window, season.key + 11, [22.0, 7.0, 2.6], [1.0, 0.8, 0.7])
    cover = canopy[labels] + patch[labels] * (0.5 * own + 0.35 * noise.middle)
    speck = noise_octave(window, max(0.45, 1.9 * window.gsd), season.key + 12)
    strength = row_strength[labels]
    phase = wave_x[labels] * x + wave_y[labels] * y + 0.5 * noise.middle
    rows = np.sin(phase, out=phase)
    cover += strength * rows
    rough = roughness[labels]
    cover += 0.11 * rough * noise.fine
    np.clip(cover, 0.0, 1.0, out=cover)
    tone = 1.0 + 0.07 * noise.wide + rough * (0.05 * noise.fine + 0.05 * own + 0.05 * speck)
    albedo = np.empty((window.height, window.width, 3), np.float32)
    for band in range(3):
        bare, grown = soil[band][labels], plant[band][labels]
        np.multiply(bare + (grown - bare) * cover, tone, out=albedo[..., band])
    # slow variation of hue, as of soil moisture
    albedo[..., 0] *= 1.0 + 0.03 * noise.wide
    water = water_share[labels]
    lit = 1.0 + 0.13 * rough * _relief(noise.fine) * (1.0 - water) + 0.16 * strength * np.roll(rows, 1, 1)
    flat = np.zeros_like(lit)
    return Surface(albedo, lit.astype(np.float32), flat, flat.copy(), water)


def _relief(noise: Floats) -> Floats:
    """Return the slope of the noise towards the south-east, which shades clods."""
    out = np.zeros_like(noise)
    out[:-1, :-1] = noise[:-1, :-1] - noise[1:, 1:]
    return out


def _label_parcels(window: Window, parcels: list[Parcel], noise: GroundNoise) -> NDArray[np.int32]:
    """Label pixels by parcel (1…; 0: none); edges are irregular except those of paved surfaces."""
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
