"""Geometric augmentation of pairs on the CPU.

One warp for both dates (position, rotation, scale, flip), a second small one for the earlier date alone (registration
error, distortion by lens or terrain), vehicles on one date only, watermarks, and nodata along an edge of the imagery.
Colour, haze, season and sensor follow in :mod:`training.augmentation.appearance`, on the training device.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.augmentation.watermark import add_watermark
from training.sources.samples import Image, Sample

Matrix = NDArray[np.float64]
Field = NDArray[np.float32]


@dataclass(frozen=True)
class AugmentSettings:
    """Probabilities and strengths of the geometric augmentation.

    Attributes:
        size: height and width of the output in pixels.
        scale: smallest and largest scale factor, unless the sample has its own.
        shift_px: standard deviation of the shift between the dates, per axis; three times that in one pair of ten.
        distortion_px: standard deviation of the local distortion of the earlier date, if it is distorted.
        distort: probability of a local distortion.
        vehicles: probability of vehicles on one date.
        nodata: probability of an edge without data.
        watermark: probability of a watermark, a seal or annotations on one date, or others on the other too.
    """

    size: int = 256
    scale: tuple[float, float] = (0.7, 1.7)
    shift_px: float = 0.8
    distortion_px: float = 1.0
    distort: float = 0.2
    vehicles: float = 0.12
    nodata: float = 0.06
    watermark: float = 0.0


def _affine(angle: float, scale: float, flip: bool, shift: tuple[float, float]) -> Matrix:
    """Return a 3×3 matrix that flips along x, scales, rotates by ``angle`` radians and shifts by (x, y)."""
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    sign = -1.0 if flip else 1.0
    return np.array([[c * sign, -s, shift[0]], [s * sign, c, shift[1]], [0, 0, 1]])


def _centred(matrix: Matrix, source: tuple[int, int], size: int) -> Matrix:
    """Apply ``matrix`` about the centre of the source (H, W) and map that centre to the centre of the output."""
    h, w = source
    to_origin = np.array([[1, 0, -(w - 1) / 2], [0, 1, -(h - 1) / 2], [0, 0, 1]])
    to_centre = np.array([[1, 0, (size - 1) / 2], [0, 1, (size - 1) / 2], [0, 0, 1]])
    return np.asarray(to_centre @ matrix @ to_origin)


def _elastic_field(size: int, strength: float, rng: np.random.Generator) -> Field:
    """Draw a smooth displacement field, size×size×2 (x, y) in pixels, as terrain, lenses and registration cause."""
    cells = int(rng.integers(2, 6))
    coarse = rng.normal(0, strength, (cells, cells, 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _warp(
    image: NDArray[np.uint8], matrix: Matrix, size: int, scale: float, field: Field | None, nearest: bool = False
) -> Image:
    """Warp an image or a mask to size×size pixels.

    Args:
        image: H×W×3 or H×W.
        matrix: 3×3, source to output, (x, y).
        size: height and width of the output.
        scale: scale factor of ``matrix``, for the low-pass filter.
        field: displacement of the output pixels, size×size×2 (x, y), or None.
        nearest: nearest neighbour interpolation, for masks.
    """
    if not nearest and scale < 0.8:  # low-pass filter against aliasing
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.45 / scale), dtype=np.uint8)
    flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    if field is None:
        out = cv2.warpAffine(image, matrix[:2], (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(out, dtype=np.uint8)
    inverse = np.linalg.inv(matrix)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    x, y = x + field[..., 0], y + field[..., 1]
    source_x = (inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]).astype(np.float32)
    source_y = (inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]).astype(np.float32)
    out = cv2.remap(image, source_x, source_y, flags, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(out, dtype=np.uint8)


def _add_vehicles(image: Image, rng: np.random.Generator) -> Image:
    """Draw vehicles with their shadows: small bright or dark boxes in an irregular row."""
    out = image.copy()
    length = rng.uniform(5, 14)
    width, angle = length * rng.uniform(0.38, 0.5), rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    position = rng.uniform(0, len(image), 2)
    step = rng.uniform(1.1, 3.0) * (length * along if rng.random() < 0.5 else width * 1.4 * across)
    shadow = rng.uniform(-0.5, 0.5, 2) * length
    for _ in range(int(rng.integers(1, 12))):
        position = position + step * rng.uniform(0.8, 1.6) + rng.normal(0, 0.4, 2)
        box = np.array([position + sx * length / 2 * along + sy * width / 2 * across for sx, sy in _CORNERS])
        cv2.fillPoly(out, [np.rint(box + shadow * 0.4).astype(np.int32)], (35, 35, 42))
        colour = rng.choice(_PAINTS) + rng.integers(-15, 15)
        cv2.fillPoly(out, [np.rint(box).astype(np.int32)], [int(v) for v in np.clip(colour, 5, 255)], cv2.LINE_AA)
    return out


_CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))
_PAINTS = np.array([[225, 225, 225], [60, 60, 62], [150, 150, 155], [150, 40, 38], [45, 70, 130], [200, 170, 60]])


def augment(sample: Sample, rng: np.random.Generator, settings: AugmentSettings) -> Sample:
    """Return an augmented sample of ``size``×``size`` pixels; the dates are swapped half of the time.

    Args:
        sample: of any size.
        rng: source of all randomness.
        settings: probabilities and strengths.
    """
    low, high = np.log(sample.magnify or settings.scale)
    h, w = sample.before.shape[:2]
    size = settings.size
    scale = float(np.exp(rng.uniform(low, high))) if rng.random() < 0.7 or not low < 0 < high else 1.0
    angle = rng.integers(4) * np.pi / 2 + (rng.normal(0, 0.25) if rng.random() < 0.3 else 0.0)
    margin = max(0.0, (min(h, w) * scale - size) / 2)
    shift = (float(rng.uniform(-margin, margin)), float(rng.uniform(-margin, margin)))
    pair_matrix = _centred(_affine(angle, scale, bool(rng.random() < 0.5), shift), (h, w), size)

    factor = 3.0 if rng.random() < 0.1 else 1.0
    error = rng.normal(0, settings.shift_px * factor, 2)
    misregistration = _centred(
        _affine(rng.normal(0, 0.002), 1 + rng.normal(0, 0.002), False, (error[0], error[1])), (size, size), size
    )
    field = _elastic_field(size, settings.distortion_px, rng) if rng.random() < settings.distort else None
    before_matrix = misregistration @ pair_matrix

    before = _warp(sample.before, before_matrix, size, scale, field)
    after = _warp(sample.after, pair_matrix, size, scale, None)

    def warp_mask(mask: Image | None, earlier: bool = False) -> Image | None:
        if mask is None:
            return None
        if earlier:
            return _warp(mask, before_matrix, size, scale, field, nearest=True)
        return _warp(mask, pair_matrix, size, scale, None, nearest=True)

    building, ground = warp_mask(sample.building), warp_mask(sample.ground)
    buildings_before = warp_mask(sample.buildings_before, earlier=True)
    buildings_after = warp_mask(sample.buildings_after)
    encoded_direction = warp_mask((sample.direction + 1).astype(np.uint8))
    assert encoded_direction is not None
    direction = encoded_direction.astype(np.int8) - 1
    if rng.random() < settings.vehicles:
        after = _add_vehicles(after, rng)
    # not drawn at 0, so that the samples of earlier recipes stay the same
    if settings.watermark and rng.random() < settings.watermark:
        after = add_watermark(after, rng)
        if rng.random() < 0.3:
            before = add_watermark(before, rng)

    if rng.random() < settings.nodata:  # the pair reader blanks both dates where either has no data
        y, x = np.mgrid[:size, :size]
        bearing, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.6) * size
        missing = (x - size / 2) * np.cos(bearing) + (y - size / 2) * np.sin(bearing) > distance
        for array in (before, after, building, ground, buildings_before, buildings_after):
            if array is not None:
                array[missing] = 0
    if rng.random() < 0.5:
        before, after, direction = after, before, -direction
        buildings_before, buildings_after = buildings_after, buildings_before
    return Sample(before, after, building, ground, np.asarray(direction, np.int8), buildings_before, buildings_after)
