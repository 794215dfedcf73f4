"""Land cover by season: colours and canopy of fields, grass, trees and water on one date.

Colours are written as they look in a well exposed photo (0…255) and stored as reflectance, ``(c / 255)²``.
The crop calendar is that of the middle Yangtze plain: wheat and rapeseed over winter, rice and maize in summer.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from training.synthetic.raster_window import Floats

Colour = tuple[float, float, float]


def reflectance(red: float, green: float, blue: float) -> Colour:
    """Convert a colour as seen in a photo (0…255 each) to linear reflectance 0…1."""
    return (red / 255) ** 2, (green / 255) ** 2, (blue / 255) ** 2


@dataclass(frozen=True)
class LandCover:
    """Appearance of one parcel on one date.

    Attributes:
        soil, plant: reflectance of the bare ground and of the plants on it.
        canopy: share of the ground that plants hide, 0…1.
        patch: variation of the canopy over metres to tens of metres.
        rows: strength of the row pattern.
        spacing: metres between rows.
        rough: strength of the fine texture.
        water: share of open water (smooth, dark, no relief), 0…1.
    """

    soil: Colour
    plant: Colour
    canopy: float
    patch: float
    rows: float
    spacing: float
    rough: float
    water: float = 0.0

    def lookup_row(self, angle: float) -> list[float]:
        """Return the values looked up per pixel by :func:`training.synthetic.rendering.ground.paint_ground`.

        In this order: soil (3), plant (3), canopy, patch, rows, wave vector of the rows (x, y; radians per metre),
        spacing, rough, water.

        Args:
            angle: direction of the rows in radians.
        """
        wave = 2 * np.pi / self.spacing
        return [
            *self.soil, *self.plant, self.canopy, self.patch, self.rows,
            -float(np.sin(angle)) * wave, float(np.cos(angle)) * wave, self.spacing, self.rough, self.water,
        ]  # fmt: skip


SOIL = reflectance(146, 122, 96)
DARK_SOIL = reflectance(112, 94, 76)
STRAW = reflectance(172, 156, 116)
GREEN = reflectance(78, 100, 54)
LUSH = reflectance(84, 122, 58)
GRASS = reflectance(92, 104, 62)
DRY_GRASS = reflectance(142, 132, 94)

_STATES: dict[str, LandCover] = {
    "stubble": LandCover(SOIL, STRAW, 0.62, 0.18, 0.16, 1.8, 0.9),
    "weedy": LandCover(DARK_SOIL, GRASS, 0.35, 0.30, 0.05, 2.5, 1.0),
    "milk vetch": LandCover(DARK_SOIL, GREEN, 0.72, 0.20, 0.10, 2.2, 0.7),
    "flooded": LandCover(reflectance(96, 98, 84), LUSH, 0.25, 0.16, 0.10, 1.5, 0.5, 0.35),
    "young rice": LandCover(DARK_SOIL, LUSH, 0.60, 0.20, 0.12, 1.5, 0.6),
    "full rice": LandCover(DARK_SOIL, LUSH, 0.93, 0.10, 0.05, 1.5, 0.5),
    "ripe rice": LandCover(SOIL, reflectance(168, 154, 92), 0.90, 0.12, 0.06, 2.0, 0.6),
    "winter wheat": LandCover(SOIL, reflectance(74, 102, 52), 0.78, 0.16, 0.16, 2.4, 0.6),
    "ripe wheat": LandCover(SOIL, reflectance(170, 158, 98), 0.80, 0.10, 0.15, 2.4, 0.6),
    "ploughed": LandCover(SOIL, GREEN, 0.09, 0.09, 0.17, 1.6, 1.2),
    "rapeseed": LandCover(SOIL, reflectance(112, 124, 56), 0.85, 0.15, 0.10, 2.0, 0.7),
    "seedlings": LandCover(SOIL, GREEN, 0.30, 0.10, 0.30, 1.4, 0.9),
    "maize": LandCover(SOIL, reflectance(70, 104, 48), 0.88, 0.12, 0.12, 1.4, 0.9),
    "soya": LandCover(SOIL, LUSH, 0.60, 0.20, 0.20, 1.7, 0.8),
    "beds": LandCover(DARK_SOIL, LUSH, 0.55, 0.20, 0.40, 1.5, 0.8),
    "winter beds": LandCover(DARK_SOIL, GREEN, 0.50, 0.20, 0.42, 1.5, 0.8),
    "mulch film": LandCover(SOIL, reflectance(176, 176, 172), 0.45, 0.10, 0.50, 1.5, 0.5),
    "bare beds": LandCover(SOIL, GREEN, 0.20, 0.10, 0.35, 1.5, 0.8),
    "dry weeds": LandCover(SOIL, DRY_GRASS, 0.60, 0.45, 0.0, 3.0, 1.2),
    "weeds": LandCover(SOIL, GRASS, 0.66, 0.40, 0.0, 3.0, 1.2),
    "tall weeds": LandCover(SOIL, GREEN, 0.78, 0.35, 0.0, 3.0, 1.2),
    "dry grass": LandCover(SOIL, reflectance(122, 118, 80), 0.72, 0.32, 0.0, 3.0, 1.0),
    "grass": LandCover(SOIL, GRASS, 0.82, 0.30, 0.0, 3.0, 1.0),
    "green grass": LandCover(SOIL, GREEN, 0.88, 0.25, 0.0, 3.0, 1.0),
}
_CALENDAR: dict[str, tuple[dict[str, float], ...]] = {
    # for each use: winter to spring, early summer, summer, autumn; each state with its share of the parcels
    "paddy": (
        {"stubble": 0.40, "weedy": 0.25, "milk vetch": 0.35},
        {"flooded": 0.45, "young rice": 0.55},
        {"full rice": 1.0},
        {"ripe rice": 0.5, "stubble": 0.5},
    ),
    "dry": (
        {"winter wheat": 0.45, "ploughed": 0.30, "rapeseed": 0.25},
        {"ripe wheat": 0.40, "seedlings": 0.35, "ploughed": 0.25},
        {"maize": 0.7, "soya": 0.3},
        {"stubble": 0.40, "ploughed": 0.35, "soya": 0.25},
    ),
    "vegetable": (
        {"winter beds": 0.6, "mulch film": 0.3, "bare beds": 0.1},
        {"beds": 0.7, "bare beds": 0.3},
        {"beds": 0.8, "bare beds": 0.2},
        {"beds": 0.7, "bare beds": 0.3},
    ),
    "fallow": ({"dry weeds": 1.0}, {"weeds": 1.0}, {"tall weeds": 1.0}, {"weeds": 1.0}),
    "grass": ({"dry grass": 1.0}, {"grass": 1.0}, {"green grass": 1.0}, {"grass": 1.0}),
}

_BUILT_AND_BARE: dict[str, LandCover] = {
    "earth": LandCover(reflectance(162, 144, 120), GRASS, 0.22, 0.45, 0.0, 3.0, 0.8),
    "concrete": LandCover(reflectance(184, 180, 170), reflectance(146, 142, 132), 0.3, 0.35, 0.10, 4.0, 0.35),
    "new concrete": LandCover(reflectance(200, 196, 187), reflectance(184, 180, 170), 0.3, 0.3, 0.12, 4.5, 0.25),
    "asphalt": LandCover(reflectance(96, 96, 98), reflectance(120, 118, 114), 0.3, 0.3, 0.0, 4.0, 0.3),
    "raw soil": LandCover(reflectance(176, 145, 107), reflectance(146, 117, 86), 0.4, 0.5, 0.04, 3.2, 1.1),
    "red soil": LandCover(reflectance(186, 132, 92), reflectance(156, 110, 78), 0.4, 0.5, 0.04, 3.2, 1.1),
    "graded": LandCover(reflectance(182, 158, 124), reflectance(158, 133, 101), 0.35, 0.35, 0.22, 3.4, 0.8),
    "gravel": LandCover(reflectance(170, 164, 152), reflectance(140, 134, 122), 0.4, 0.35, 0.0, 3.0, 1.0),
    "rubble": LandCover(reflectance(186, 172, 156), reflectance(128, 104, 88), 0.4, 0.6, 0.0, 3.0, 1.8),
    "litter": LandCover(reflectance(100, 88, 66), reflectance(84, 88, 54), 0.6, 0.4, 0.0, 3.0, 1.0),
}
_WATERS = [
    reflectance(86, 98, 84),
    reflectance(74, 92, 88),
    reflectance(104, 110, 84),
    reflectance(62, 76, 74),
    reflectance(112, 108, 86),
]


@dataclass(frozen=True)
class Season:
    """Time of year of one image; ``key`` seeds every choice of crop and water colour on that date."""

    date: dt.date
    key: int

    @property
    def quarter(self) -> int:
        """Index into the crop calendar: 0 winter to spring, 1 early summer, 2 summer, 3 autumn."""
        return {5: 1, 6: 1, 7: 2, 8: 2, 9: 3, 10: 3, 11: 3}.get(self.date.month, 0)

    @property
    def foliage(self) -> float:
        """Foliage of deciduous trees, 0 bare to 1 full."""
        return (0.35, 1.0, 1.0, 0.75)[self.quarter]

    def cover(self, use: str, number: int) -> LandCover:
        """Return the land cover of parcel ``number`` of this use on this date."""
        rng = np.random.default_rng((self.key, number, 77))
        if use in _BUILT_AND_BARE:
            return _varied(_BUILT_AND_BARE[use], np.random.default_rng((number, 5)), 0.05)
        if use in {"pond", "river"}:
            water = _WATERS[int(rng.integers(len(_WATERS)))] if use == "pond" else _WATERS[self.key % len(_WATERS)]
            return _varied(LandCover(water, water, 0.0, 0.0, 0.0, 3.0, 0.05, 1.0), rng, 0.06)
        shares = _CALENDAR[use][self.quarter]
        lot = int(np.searchsorted(np.cumsum(list(shares.values()))[:-1], rng.random()))
        return _varied(_STATES[list(shares)[lot]], rng, 0.09)


def _varied(cover: LandCover, rng: np.random.Generator, amount: float) -> LandCover:
    """Vary brightness, hue and canopy randomly, as between two fields in the same state."""
    bright = rng.normal(1.0, 2 * amount, 2).clip(0.6, 1.5)
    hue: Floats = rng.normal(1.0, amount / 2, (2, 3)).astype(np.float32)
    soil = tuple(float(c * bright[0] * h) for c, h in zip(cover.soil, hue[0], strict=True))
    plant = tuple(float(c * bright[1] * h) for c, h in zip(cover.plant, hue[1], strict=True))
    dense = float(np.clip(cover.canopy * rng.normal(1.0, amount), 0, 1))
    return LandCover(soil, plant, dense, cover.patch, cover.rows, cover.spacing, cover.rough, cover.water)  # type: ignore[arg-type]
