"""Pairs in which tall buildings lean another way on each date, and nothing changed.

A camera that is not straight above shows a tower's roof metres beside its foot, one wall between them, and a shadow as
long as the tower is high. From another side, at another hour, every tower seems to have moved. Labelled pairs of low
houses do not show that; here the houses of single-date images are made towers. Relief displacement: Kraus 2007,
Photogrammetry.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.sources.cross_pairs import MadeOfPlaces
from training.sources.samples import UNKNOWN, Image, Sample

LONGEST_PX = 22.0
"""How far the highest roof lies from its foot, at most."""

FLOOR_PX = 3.5
"""Height of a floor as it is seen on a wall."""

LEAST_BUILT = 0.02
"""Share of a place that must be built for anything to lean."""

HEIGHTS = (0.3, 0.65, 1.0)
"""Every building is of one of these, as shares of the highest."""


@dataclass(frozen=True)
class _View:
    """From where one date was taken, and where its light came from; vectors in pixels, for the highest building."""

    lean: NDArray[np.float64]
    shadow: NDArray[np.float64]
    darkness: float
    wall: float


def _vector(length: float, rng: np.random.Generator) -> NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([length * np.cos(angle), length * np.sin(angle)])


def _view(rng: np.random.Generator) -> _View:
    return _View(
        lean=_vector(rng.uniform(0.15, 1) * LONGEST_PX, rng),
        shadow=_vector(rng.uniform(0.15, 1.6) * LONGEST_PX, rng),
        darkness=rng.uniform(0.3, 0.65),
        wall=rng.uniform(0.45, 0.95),
    )


def _shifted(image: Image, by: NDArray[np.float64]) -> Image:
    matrix = np.array([[1.0, 0, by[0]], [0, 1, by[1]]])
    height, width = image.shape[:2]
    if image.ndim == 2:
        return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_NEAREST), dtype=np.uint8)
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101), dtype=np.uint8)


def _swept(mask: Image, by: NDArray[np.float64]) -> Image:
    """All that a 0/1 mask covers on its way along ``by``."""
    reach = math.ceil(float(np.abs(by).max())) + 1
    way = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    # a dilation looks where the mask comes from
    cv2.line(way, (reach, reach), (reach - round(by[0]), reach - round(by[1])), 1)
    return np.asarray(cv2.dilate(mask, way), dtype=np.uint8)


def _seen(place: Image, by_height: Sequence[tuple[float, Image]], view: _View) -> tuple[Image, Image]:
    """The place from there, and where roofs are in it (0, 1, UNKNOWN on walls)."""
    shade = np.zeros(place.shape[:2], np.uint8)
    for height, mask in by_height:
        shade |= _swept(mask, view.shadow * height)
    soft = cv2.GaussianBlur(shade.astype(np.float32), (0, 0), 0.8)[..., None]
    out = (place * (1 - soft * view.darkness)).astype(np.uint8)
    standing = np.zeros_like(shade)
    colours = cv2.blur(place, (9, 9))
    for height, mask in by_height:  # the lower first: the higher lean over them
        lean = view.lean * height
        wall = _swept(mask, lean) > 0
        # walls have something of the roof's colour, and floors
        y, x = np.nonzero(wall)
        floors = np.sin((x * lean[0] + y * lean[1]) / (np.hypot(*lean) + 1e-6) * (2 * np.pi / FLOOR_PX)) > 0
        out[wall] = (colours[wall] * view.wall * np.where(floors, 1.0, 0.8)[:, None]).astype(np.uint8)
        standing[wall] = UNKNOWN
        roof = _shifted(mask, lean) > 0
        out[roof] = _shifted(place, lean)[roof]
        standing[roof] = 1
    return out, standing


class LeaningBuildings(MadeOfPlaces):
    """One place against itself, its buildings made towers that are seen and lit from another side on each date."""

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one place on two dates between which nothing changed."""
        for _ in range(6):
            place, mask = self.places.draw(rng)
            if mask.mean() >= LEAST_BUILT:
                break
        count, pieces = cv2.connectedComponents(mask)
        heights = rng.integers(len(HEIGHTS), size=count)
        by_height = [
            (share, ((mask > 0) & (heights[pieces] == number)).astype(np.uint8)) for number, share in enumerate(HEIGHTS)
        ]
        (before, stood), (after, stands) = (_seen(place, by_height, _view(rng)) for _ in range(2))
        none = np.zeros(mask.shape, np.uint8)
        return Sample(
            before,
            after,
            building=none,
            ground=none,
            direction=none.astype(np.int8),
            stood=stood,
            stands=stands,
            magnify=(0.8, 1.25),
        )
