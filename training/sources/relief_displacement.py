"""Unchanged pairs with simulated relief displacement: tall buildings that lean in another direction on each date.

An off-nadir camera images the roof of a tower metres away from its footprint, with a wall between them and a long
shadow. From another side and at another hour every tower seems to have moved. Labelled pairs of low houses do not show
this effect, so the buildings of single-date images are rendered as towers here. Relief displacement: Kraus 2007,
Photogrammetry.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.sources.masked_images import MaskedImageSource
from training.sources.samples import UNKNOWN, Image, Sample

MAX_DISPLACEMENT_PX = 22.0
"""Largest displacement of the highest roof from its footprint."""

STOREY_PX = 3.5
"""Height of a storey as imaged on a wall."""

MIN_BUILT_SHARE = 0.02
"""Smallest share of built pixels of a window to use."""

HEIGHTS = (0.3, 0.65, 1.0)
"""Heights of buildings, relative to the highest."""


@dataclass(frozen=True)
class _View:
    """Viewing and sun direction of one date.

    Attributes:
        displacement: of the highest roof from its footprint, (x, y) in pixels.
        shadow: offset from footprint to shadow tip of the highest building, (x, y) in pixels.
        shadow_darkness: share of the light that shadows lose.
        wall_brightness: of walls, relative to the mean colour around them.
    """

    displacement: NDArray[np.float64]
    shadow: NDArray[np.float64]
    shadow_darkness: float
    wall_brightness: float


def _random_vector(length: float, rng: np.random.Generator) -> NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([length * np.cos(angle), length * np.sin(angle)])


def _random_view(rng: np.random.Generator) -> _View:
    return _View(
        displacement=_random_vector(rng.uniform(0.15, 1) * MAX_DISPLACEMENT_PX, rng),
        shadow=_random_vector(rng.uniform(0.15, 1.6) * MAX_DISPLACEMENT_PX, rng),
        shadow_darkness=rng.uniform(0.3, 0.65),
        wall_brightness=rng.uniform(0.45, 0.95),
    )


def translate(image: Image, offset: NDArray[np.float64]) -> Image:
    """Shift an image or a mask by (x, y) pixels."""
    matrix = np.array([[1.0, 0, offset[0]], [0, 1, offset[1]]])
    height, width = image.shape[:2]
    if image.ndim == 2:
        return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_NEAREST), dtype=np.uint8)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101), dtype=np.uint8)


def sweep(mask: Image, offset: NDArray[np.float64]) -> Image:
    """Return the area that a 0/1 mask covers while it is moved along ``offset``."""
    radius = math.ceil(float(np.abs(offset).max())) + 1
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.uint8)
    # the kernel points backwards: dilation reads each pixel's neighbours at the kernel's positions
    cv2.line(kernel, (radius, radius), (radius - round(offset[0]), radius - round(offset[1])), 1)
    return np.asarray(cv2.dilate(mask, kernel), dtype=np.uint8)


def _render_view(place: Image, masks_by_height: Sequence[tuple[float, Image]], view: _View) -> tuple[Image, Image]:
    """Render a place from one viewing direction.

    Args:
        place: H×W×3 RGB, as seen from the nadir.
        masks_by_height: (relative height, H×W mask of the buildings of that height), lowest first.
        view: viewing and sun direction.

    Returns:
        the image (H×W×3), and its building mask (H×W): 1 on roofs, UNKNOWN on walls, else 0.
    """
    shadow = np.zeros(place.shape[:2], np.uint8)
    for height, mask in masks_by_height:
        shadow |= sweep(mask, view.shadow * height)
    alpha = cv2.GaussianBlur(shadow.astype(np.float32), (0, 0), 0.8)[..., None]
    out = (place * (1 - alpha * view.shadow_darkness)).astype(np.uint8)
    buildings = np.zeros_like(shadow)
    mean_colours = cv2.blur(place, (9, 9))
    for height, mask in masks_by_height:  # lowest first: higher buildings occlude lower ones
        offset = view.displacement * height
        wall = sweep(mask, offset) > 0
        # walls take up the colour of the roof, striped by storeys
        y, x = np.nonzero(wall)
        stripes = np.sin((x * offset[0] + y * offset[1]) / (np.hypot(*offset) + 1e-6) * (2 * np.pi / STOREY_PX)) > 0
        out[wall] = (mean_colours[wall] * view.wall_brightness * np.where(stripes, 1.0, 0.8)[:, None]).astype(np.uint8)
        buildings[wall] = UNKNOWN
        roof = translate(mask, offset) > 0
        out[roof] = translate(place, offset)[roof]
        buildings[roof] = 1
    return out, buildings


class ReliefDisplacementPairs(MaskedImageSource):
    """One place on both dates, its buildings rendered as towers from another viewing and sun direction on each."""

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one place on two dates without any change."""
        for _ in range(6):
            place, mask = self.windows.draw(rng)
            if mask.mean() >= MIN_BUILT_SHARE:
                break
        count, labels = cv2.connectedComponents(mask)
        heights = rng.integers(len(HEIGHTS), size=count)
        masks_by_height = [
            (height, ((mask > 0) & (heights[labels] == index)).astype(np.uint8)) for index, height in enumerate(HEIGHTS)
        ]
        (before, buildings_before), (after, buildings_after) = (
            _render_view(place, masks_by_height, _random_view(rng)) for _ in range(2)
        )
        unchanged = np.zeros(mask.shape, np.uint8)
        return Sample(
            before,
            after,
            building=unchanged,
            ground=unchanged,
            direction=unchanged.astype(np.int8),
            buildings_before=buildings_before,
            buildings_after=buildings_after,
            magnify=(0.8, 1.25),
        )
