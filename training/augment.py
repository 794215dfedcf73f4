"""What differs between two dates of one place without being a change, imitated on training pairs.

One warp for the pair (place, heading, scale), a small second one for the earlier date alone (mis-registration), and
colour, haze, blur, noise and compression for each date on its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.balance import apply_table, balance_table
from training.samples import Image, Sample

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class AugmentSettings:
    """How strongly pairs are varied.

    Attributes:
        size: pixels a side of what comes out.
        scale: smallest and largest factor of magnification.
        shift_px: standard deviation of the shift between the dates, per axis.
        season: probability that vegetation turns in one date.
        compress: probability of JPEG artefacts in one date.
        nodata: probability of a corner without data.
    """

    size: int = 256
    scale: tuple[float, float] = (0.7, 1.7)
    shift_px: float = 0.8
    season: float = 0.08
    compress: float = 0.1
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


def _warp(image: NDArray[np.uint8], matrix: Matrix, size: int, scale: float, nearest: bool = False) -> Image:
    if not nearest and scale < 0.8:  # what shrinking would alias
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.45 / scale), dtype=np.uint8)
    flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    out = cv2.warpAffine(image, matrix[:2], (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(out, dtype=np.uint8)


def _season(image: Image, rng: np.random.Generator) -> Image:
    """Vegetation (where green exceeds red and blue) turns towards soil or snow-less winter brown, or back."""
    x = image.astype(np.float32)
    excess = np.clip((2 * x[..., 1] - x[..., 0] - x[..., 2]) / 60.0, 0, 1)
    excess = cv2.GaussianBlur(excess, (0, 0), 1.5)[..., None] * rng.uniform(0.4, 1.0)
    grey = x.mean(axis=2, keepdims=True)
    turned = grey * np.array([1.12, 1.0, 0.82], np.float32) * rng.uniform(0.85, 1.35)
    return np.asarray(np.clip(x * (1 - excess) + turned * excess, 0, 255), dtype=np.uint8)


def _colour(image: Image, rng: np.random.Generator) -> Image:
    """Exposure, contrast, gamma, white balance and saturation; one table per band, then mixing."""
    ramp = np.arange(256, dtype=np.float32) / 255.0
    gamma = np.exp(rng.normal(0, 0.12))
    contrast, level = np.exp(rng.normal(0, 0.1)), rng.normal(0, 0.04)
    gains = np.exp(rng.normal(0, 0.04, 3)) * np.exp(rng.normal(0, 0.08))
    table = np.stack([((ramp**gamma) * g - 0.45) * contrast + 0.45 + level for g in gains], axis=1)
    out = cv2.LUT(image, (np.clip(table, 0, 1) * 255).astype(np.uint8)[:, None, :])
    if rng.random() < 0.3:
        saturation = float(np.clip(np.exp(rng.normal(-0.05, 0.3)), 0, 2))
        mix = np.eye(3) * saturation + (1 - saturation) / 3
        out = cv2.transform(out, mix)
    if rng.random() < 0.1:  # haze: far light added, contrast lost
        haze = rng.uniform(0.1, 0.4)
        out = cv2.addWeighted(out, 1 - haze, np.full_like(out, rng.integers(150, 240)), haze, 0)
    return np.asarray(out, dtype=np.uint8)


def _sensor(image: Image, rng: np.random.Generator, compress: float) -> Image:
    """Sharpness, noise and compression."""
    out = image
    draw = rng.random()
    if draw < 0.2:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.3))
    elif draw < 0.3:
        out = cv2.addWeighted(out, 1.6, cv2.GaussianBlur(out, (0, 0), 1.2), -0.6, 0)
    if rng.random() < 0.2:
        noise = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31 - 1)))
        cv2.randn(noise, 0, rng.uniform(1.5, 6))
        out = np.clip(out.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    if rng.random() < compress:
        coded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 90))])[1]
        out = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.asarray(out, dtype=np.uint8)


def _restyle(image: Image, rng: np.random.Generator, settings: AugmentSettings) -> Image:
    if rng.random() < settings.season:
        image = _season(image, rng)
    # balanced as a scan balances its scenes; what _colour then does is what balancing a whole scene leaves over
    image = apply_table(image, balance_table(image))
    if rng.random() < 0.8:
        image = _colour(image, rng)
    return _sensor(image, rng, settings.compress)


def augment(sample: Sample, rng: np.random.Generator, settings: AugmentSettings) -> Sample:
    """Return a varied ``size``×``size`` version of a sample of any size; dates may be exchanged."""
    low, high = np.log(settings.scale)
    h, w = sample.before.shape[:2]
    size = settings.size
    scale = float(np.exp(rng.uniform(low, high))) if rng.random() < 0.7 else 1.0
    angle = rng.integers(4) * np.pi / 2 + (rng.normal(0, 0.25) if rng.random() < 0.3 else 0.0)
    spare = max(0.0, (min(h, w) * scale - size) / 2)
    place = (float(rng.uniform(-spare, spare)), float(rng.uniform(-spare, spare)))
    pair = _centred(_affine(angle, scale, bool(rng.random() < 0.5), place), (h, w), size)

    large = 3.0 if rng.random() < 0.1 else 1.0
    off = rng.normal(0, settings.shift_px * large, 2)
    slip = _centred(
        _affine(rng.normal(0, 0.002), 1 + rng.normal(0, 0.002), False, (off[0], off[1])), (size, size), size
    )

    before = _restyle(_warp(sample.before, slip @ pair, size, scale), rng, settings)
    after = _restyle(_warp(sample.after, pair, size, scale), rng, settings)
    building = None if sample.building is None else _warp(sample.building, pair, size, scale, nearest=True)
    ground = None if sample.ground is None else _warp(sample.ground, pair, size, scale, nearest=True)
    direction = _warp((sample.direction + 1).astype(np.uint8), pair, size, scale, nearest=True).astype(np.int8) - 1

    if rng.random() < settings.nodata:  # a slanted edge: the reader blanks both dates where either is missing
        y, x = np.mgrid[:size, :size]
        slope, cut = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.6) * size
        missing = (x - size / 2) * np.cos(slope) + (y - size / 2) * np.sin(slope) > cut
        for array in (before, after, building, ground):
            if array is not None:
                array[missing] = 0
    if rng.random() < 0.5:
        before, after, direction = after, before, -direction
    return Sample(before, after, building, ground, np.asarray(direction, np.int8))
