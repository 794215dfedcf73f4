"""Where things are on two dates of one place without anything having changed, imitated on training pairs.

One warp for the pair (place, heading, scale); a small second one for the earlier date alone (registration that is off,
ground that the lens or the terrain bent); vehicles that stand on one date only; an edge of the imagery. Colour, haze,
season, sensor: :mod:`training.augmentation.appearance`, on the device that trains.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.sources.samples import Image, Sample

Matrix = NDArray[np.float64]
Field = NDArray[np.float32]


@dataclass(frozen=True)
class AugmentSettings:
    """How strongly pairs are varied.

    Attributes:
        size: pixels a side of what comes out.
        scale: smallest and largest factor of magnification, where the sample does not say its own.
        shift_px: standard deviation of the shift between the dates, per axis; one pair in ten is off three times more.
        distortion_px: standard deviation of the local distortion of one date, where it is distorted.
        distort: probability of that.
        vehicles: probability of vehicles on one date.
        nodata: probability of a corner without data.
    """

    size: int = 256
    scale: tuple[float, float] = (0.7, 1.7)
    shift_px: float = 0.8
    distortion_px: float = 1.0
    distort: float = 0.2
    vehicles: float = 0.12
    nodata: float = 0.06


def _affine(angle: float, scale: float, flip: bool, shift: tuple[float, float]) -> Matrix:
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    sign = -1.0 if flip else 1.0
    return np.array([[c * sign, -s, shift[0]], [s * sign, c, shift[1]], [0, 0, 1]])


def _centred(matrix: Matrix, source: tuple[int, int], size: int) -> Matrix:
    """The matrix about the middle of the source (H, W), put in the middle of a square of ``size``."""
    h, w = source
    to_origin = np.array([[1, 0, -(w - 1) / 2], [0, 1, -(h - 1) / 2], [0, 0, 1]])
    to_middle = np.array([[1, 0, (size - 1) / 2], [0, 1, (size - 1) / 2], [0, 0, 1]])
    return np.asarray(to_middle @ matrix @ to_origin)


def _bend(size: int, strength: float, rng: np.random.Generator) -> Field:
    """Smooth displacement of one date, size×size×2 (x, y) in pixels: terrain, lens, registration by pieces."""
    cells = int(rng.integers(2, 6))
    coarse = rng.normal(0, strength, (cells, cells, 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _warp(
    image: NDArray[np.uint8], matrix: Matrix, size: int, scale: float, bend: Field | None, nearest: bool = False
) -> Image:
    if not nearest and scale < 0.8:  # what shrinking would alias
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.45 / scale), dtype=np.uint8)
    flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    if bend is None:
        out = cv2.warpAffine(image, matrix[:2], (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(out, dtype=np.uint8)
    back = np.linalg.inv(matrix)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    x, y = x + bend[..., 0], y + bend[..., 1]
    source_x = (back[0, 0] * x + back[0, 1] * y + back[0, 2]).astype(np.float32)
    source_y = (back[1, 0] * x + back[1, 1] * y + back[1, 2]).astype(np.float32)
    out = cv2.remap(image, source_x, source_y, flags, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(out, dtype=np.uint8)


def _park(image: Image, rng: np.random.Generator) -> Image:
    """Vehicles with a shadow: small bright or dark boxes in a loose row."""
    out = image.copy()
    length = rng.uniform(5, 14)
    width, angle = length * rng.uniform(0.38, 0.5), rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    at = rng.uniform(0, len(image), 2)
    step = rng.uniform(1.1, 3.0) * (length * along if rng.random() < 0.5 else width * 1.4 * across)
    shade = rng.uniform(-0.5, 0.5, 2) * length
    for _ in range(int(rng.integers(1, 12))):
        at = at + step * rng.uniform(0.8, 1.6) + rng.normal(0, 0.4, 2)
        box = np.array([at + sx * length / 2 * along + sy * width / 2 * across for sx, sy in _CORNERS])
        cv2.fillPoly(out, [np.rint(box + shade * 0.4).astype(np.int32)], (35, 35, 42))
        body = rng.choice(_PAINTS) + rng.integers(-15, 15)
        cv2.fillPoly(out, [np.rint(box).astype(np.int32)], [int(v) for v in np.clip(body, 5, 255)], cv2.LINE_AA)
    return out


_CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))
_PAINTS = np.array([[225, 225, 225], [60, 60, 62], [150, 150, 155], [150, 40, 38], [45, 70, 130], [200, 170, 60]])


def augment(sample: Sample, rng: np.random.Generator, settings: AugmentSettings) -> Sample:
    """Return a varied ``size``×``size`` version of a sample of any size; dates may be exchanged."""
    low, high = np.log(sample.magnify or settings.scale)
    h, w = sample.before.shape[:2]
    size = settings.size
    scale = float(np.exp(rng.uniform(low, high))) if rng.random() < 0.7 or not low < 0 < high else 1.0
    angle = rng.integers(4) * np.pi / 2 + (rng.normal(0, 0.25) if rng.random() < 0.3 else 0.0)
    spare = max(0.0, (min(h, w) * scale - size) / 2)
    place = (float(rng.uniform(-spare, spare)), float(rng.uniform(-spare, spare)))
    pair = _centred(_affine(angle, scale, bool(rng.random() < 0.5), place), (h, w), size)

    large = 3.0 if rng.random() < 0.1 else 1.0
    off = rng.normal(0, settings.shift_px * large, 2)
    slip = _centred(
        _affine(rng.normal(0, 0.002), 1 + rng.normal(0, 0.002), False, (off[0], off[1])), (size, size), size
    )
    bend = _bend(size, settings.distortion_px, rng) if rng.random() < settings.distort else None

    before = _warp(sample.before, slip @ pair, size, scale, bend)
    after = _warp(sample.after, pair, size, scale, None)

    def moved(answer: Image | None, earlier: bool = False) -> Image | None:
        if answer is None:
            return None
        if earlier:
            return _warp(answer, slip @ pair, size, scale, bend, nearest=True)
        return _warp(answer, pair, size, scale, None, nearest=True)

    building, ground = moved(sample.building), moved(sample.ground)
    stood, stands = moved(sample.stood, earlier=True), moved(sample.stands)
    turned = moved((sample.direction + 1).astype(np.uint8))
    assert turned is not None
    direction = turned.astype(np.int8) - 1
    if rng.random() < settings.vehicles:
        after = _park(after, rng)

    if rng.random() < settings.nodata:  # a slanted edge: the reader blanks both dates where either is missing
        y, x = np.mgrid[:size, :size]
        slope, cut = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.6) * size
        missing = (x - size / 2) * np.cos(slope) + (y - size / 2) * np.sin(slope) > cut
        for array in (before, after, building, ground, stood, stands):
            if array is not None:
                array[missing] = 0
    if rng.random() < 0.5:
        before, after, direction, stood, stands = after, before, -direction, stands, stood
    return Sample(before, after, building, ground, np.asarray(direction, np.int8), stood, stands)
