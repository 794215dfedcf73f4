"""Pairs of one place on two dates with a known shift, as encoder features, to train descriptors on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.encoders import InvertedEncoder, normalise
from training.augmentation.appearance import AppearanceSettings, normalize_radiometry, restyle
from training.sources.samples import read_rgb

SIDE = 240
"""Side of a training image in pixels."""

MAX_SHIFT_PX = 24.0
ROTATION_DEG, SCALE_ERROR = 1.2, 0.012
"""Shift of the earlier date, uniform; standard deviations of its rotation and of the logarithm of its scale."""

SCALES = (0.97, 1.5)
"""Enlargement of both dates. Larger images are also reduced, by 0.5 at most."""

TWO_DATES = replace(AppearanceSettings(), season=0.1, sun=0.1)
ONE_DATE = replace(
    AppearanceSettings(),
    season=0.7,
    sun=0.7,
    haze=0.3,
    colour=1.0,
    sharpness=0.6,
    noise=0.5,
    compression=0.5,
    strength=2.0,
    colour_cast=0.3,
)
"""Appearance of real pairs, and of two versions of one image, which must differ as much as two dates do."""


@dataclass(frozen=True)
class PairFile:
    """Files of a pair; the same file twice for an image of one date.

    Attributes:
        source: name of its source.
        before, after: image files.
    """

    source: str
    before: Path
    after: Path


@dataclass(frozen=True)
class ShiftedFeatures:
    """Encoder features at stride 4 of pairs, float16, and the true shifts.

    Attributes:
        before, after: (n, 24, SIDE/4, SIDE/4).
        shift: (n, 2) as (dx, dy) in pixels: the ground of the later date at x is at x + shift in the earlier one.
        sources: name of each pair's source.
    """

    before: NDArray[np.float16]
    after: NDArray[np.float16]
    shift: NDArray[np.float32]
    sources: tuple[str, ...]


def list_pairs(imagery: Path, folders: Sequence[str]) -> list[PairFile]:
    """List pairs of folders with ``A`` and ``B``, or images of folders with ``images``; ``val`` folders are refused."""
    out = []
    for folder in folders:
        if folder.startswith(("val", "unlabelled", "unchanged")):
            raise ValueError(f"{folder} judges registration and must not train it.")
        root = imagery / folder
        if (root / "images").is_dir():
            out += [PairFile(folder, path, path) for path in sorted((root / "images").iterdir())]
        else:
            later = {path.stem: path for path in (root / "B").iterdir()}
            out += [PairFile(folder, path, later[path.stem]) for path in sorted((root / "A").iterdir())]
    return out


def _matrix(degrees: float, scale: float) -> NDArray[np.float64]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return scale * np.array([[cos, -sin], [sin, cos]])


def draw_pair(
    before: NDArray[np.uint8], after: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]:
    """Cut one training pair: both dates with a common scale, orientation and place, the earlier one displaced.

    Returns:
        earlier and later image (SIDE, SIDE, 3), and the true shift (dx, dy).
    """
    height, width = after.shape[:2]
    shortest = min(height, width)
    least = max((SIDE + 8) / shortest, SCALES[0] if shortest < 300 else 0.5)
    scale = math.exp(rng.uniform(math.log(least), math.log(max(1.05 * least, SCALES[1]))))
    half = SIDE / scale / 2.0
    place = np.array([rng.uniform(half, width - half), rng.uniform(half, height - half)])
    room = min(MAX_SHIFT_PX, max(0.0, (shortest - 2 * half) * scale / 2.0 + 8.0))
    shift = rng.uniform(-room, room, 2)
    turn = _matrix(rng.normal(0.0, ROTATION_DEG), math.exp(rng.normal(0.0, SCALE_ERROR)))
    orientation = np.rint(_matrix(90.0 * float(rng.integers(4)), 1.0)) @ np.diag([rng.choice((-1.0, 1.0)), 1.0])
    images = []
    for image, linear, offset in ((before, orientation @ turn, shift), (after, orientation, np.zeros(2))):
        rgb = cv2.GaussianBlur(image, (0, 0), 0.5 / scale) if scale < 0.75 else image
        to_image = linear / scale
        corner = place - to_image @ (np.full(2, SIDE / 2.0) + offset)
        mapping = np.hstack([to_image, corner[:, None]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        images.append(cv2.warpAffine(rgb, mapping, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REFLECT))
    return np.asarray(images[0], np.uint8), np.asarray(images[1], np.uint8), shift


def stride_4_features(encoder: InvertedEncoder, images: Tensor) -> Tensor:
    """Return the features N×24×H/4×W/4 of normalized images N×3×H×W of levels 0…255."""
    x = nn.functional.relu6(encoder.stem(encoder.to_published_range(normalise(images))))
    out: Tensor = encoder.stages[1](encoder.stages[0](x))
    return out


@torch.inference_mode()
def extract_features(pairs: Sequence[PairFile], encoder: InvertedEncoder, seed: int) -> ShiftedFeatures:
    """Draw one training pair of each file pair, restyle it, and keep its features."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    count, side = len(pairs), SIDE // 4
    out = [np.zeros((count, 24, side, side), np.float16) for _ in range(2)]
    shifts = np.zeros((count, 2), np.float32)
    for number, pair in enumerate(pairs):
        before, after = read_rgb(pair.before), read_rgb(pair.after)
        if before.shape != after.shape:
            before = cv2.resize(before, after.shape[1::-1], interpolation=cv2.INTER_AREA)
        earlier, later, shifts[number] = draw_pair(before, after, rng)
        images = torch.from_numpy(np.stack([earlier, later])).permute(0, 3, 1, 2).float()
        style = ONE_DATE if pair.before == pair.after else TWO_DATES
        images, _ = restyle(normalize_radiometry(images), generator, style)
        for features, date in zip(stride_4_features(encoder, images).numpy(), out, strict=True):
            date[number] = features
    return ShiftedFeatures(out[0], out[1], shifts, tuple(pair.source for pair in pairs))
