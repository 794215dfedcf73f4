"""What two photos show both: features that are found again, and of those the ones that agree on one plane.

SIFT features (Lowe 2004) with the square root of their description (Arandjelović, Zisserman 2012) hold over rotation
and scale; which matches are right is decided by MAGSAC++ (Barath et al. 2020), as OpenCV has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imagery.drone.photo import Photo
from imagery.drone.photo_pixels import Progress, decode

Float64 = NDArray[np.float64]

_CV: Any = cv2  # whose stubs lack some of its names

LONG_SIDE = 1200
"""Pixels at which features are sought. In woods finer ones are leaves, which move between two photos: of a flight over
trees three times as many are found again at 1000 pixels as at 2000."""

_MOST = 4000  # features of a photo
_RATIO = 0.85  # of the nearest description's distance to that of the next (Lowe's test)
_FARTHEST = 1.2  # distance of two descriptions that may still be of one thing
_NEVER = -2.0  # likeness of what is not compared
_ROWS = 1000  # features compared with all of another photo at once
_OUTLIER_PX = 3.0
_LEAST = 15  # matches that agree, below which two photos have nothing in common: chance gives up to 11
_KEPT = 80  # matches of a pair that go into the adjustment, spread over the overlap
_BYTES_KEPT = 48  # photos whose features are held; the others' lie in files


@dataclass(frozen=True)
class Ties:
    """Points that two photos share.

    Attributes:
        first, second: numbers of the photos.
        at_first, at_second: N×2 pixels of the full photos.
    """

    first: int
    second: int
    at_first: Float64
    at_second: Float64


OnGround = Callable[[int, Float64, int, Float64], "Nearby | None"]
"""Given two photos with pixels of each: where those probably lie on the ground; None: not known."""


class Features:
    """Features of all photos of a flight, found once and kept in files."""

    def __init__(self, photos: Sequence[Photo], folder: Path) -> None:
        """Nothing is read yet; ``folder`` is for files of ours."""
        self._photos, self._folder = photos, folder
        self._sift = sift()
        self.of = lru_cache(maxsize=_BYTES_KEPT)(self._load)

    def find(self, number: int) -> None:
        """Look for the features of one photo, and keep them.

        Raises:
            ImageError: it cannot be decoded.
        """
        photo = self._photos[number]
        longer = max(photo.lens.width, photo.lens.height)
        reduction = next((by for by in (8, 4, 2) if longer / by >= LONG_SIDE), 1)
        grey = cv2.cvtColor(decode(photo, reduction), cv2.COLOR_RGB2GRAY)
        scale = min(1.0, LONG_SIDE * reduction / longer)
        if scale < 1:
            grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        points, described = describe(self._sift, grey)
        np.savez(self._folder / f"{number}.npz", points=points * (longer / max(grey.shape)), described=described)

    def _load(self, number: int) -> tuple[Float64, NDArray[np.float32]]:
        with np.load(self._folder / f"{number}.npz") as kept:
            return kept["points"], kept["described"].astype(np.float32)


def sift() -> Any:
    """What finds features."""
    return _CV.SIFT_create(nfeatures=_MOST, contrastThreshold=0.01)


def describe(
    finder: Any, grey: NDArray[np.uint8], mask: NDArray[np.uint8] | None = None
) -> tuple[Float64, NDArray[np.uint8]]:
    """N×2 positions (corners of pixels at whole numbers) and N×128 descriptions."""
    found, described = finder.detectAndCompute(grey, mask)
    if described is None or len(found) < 2:
        return np.zeros((0, 2)), np.zeros((0, 128), np.uint8)
    points = _CV.KeyPoint_convert(found).astype(np.float64) + 0.5
    rooted = np.sqrt(described / np.maximum(described.sum(axis=1, keepdims=True), 1e-6))
    return points, np.clip(rooted * 512, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Nearby:
    """Where features of two images probably lie on the ground, so that only those near each other are compared.

    Attributes:
        first, second: N×2 and M×2 easting and northing; NaN: not known.
        within_m: how far apart they may be.
    """

    first: Float64
    second: Float64
    within_m: float


def same(
    first: NDArray[np.float32], second: NDArray[np.float32], near: Nearby | None, ratio: float = _RATIO
) -> NDArray[np.int64]:
    """N×2 numbers of features that are each other's best match, and clearly better than the next best."""
    if len(first) < 2 or len(second) < 2:
        return np.zeros((0, 2), np.int64)
    first, second = (part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-6) for part in (first, second))
    best, following, best_of = (np.empty(len(first), np.float32) for _ in range(3))
    back, back_best = np.zeros(len(second), np.int64), np.full(len(second), -np.inf, np.float32)
    lifted = _lifted(near) if near else None
    for start in range(0, len(first), _ROWS):
        part = slice(start, min(start + _ROWS, len(first)))
        rows = np.arange(part.stop - start)
        likeness = first[part] @ second.T  # the larger, the nearer
        if lifted is not None:
            likeness[lifted[0][part] @ lifted[1].T > 0] = _NEVER
        lowest = likeness.argmax(axis=0)
        value = likeness[lowest, np.arange(len(second))]
        better = value > back_best
        back[better], back_best[better] = start + lowest[better], value[better]
        nearest = likeness.argmax(axis=1)
        best_of[part], best[part] = nearest, likeness[rows, nearest]
        likeness[rows, nearest] = _NEVER
        following[part] = likeness.max(axis=1)
    best, following = (np.sqrt(np.maximum(2 - 2 * part, 0)) for part in (best, following))
    target = best_of.astype(np.int64)
    clear = (best < ratio * following) & (best < _FARTHEST) & (back[target] == np.arange(len(first)))
    return np.column_stack([np.flatnonzero(clear), target[clear]])


def _lifted(near: Nearby) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vectors whose products are above 0 where two places are too far apart; so one multiplication tells of all."""
    centre = np.nan_to_num(np.nanmean(near.second, axis=0))
    a, b = (np.nan_to_num(places - centre, nan=1e4).astype(np.float32) for places in (near.first, near.second))
    one_a, one_b = np.ones((len(a), 1), np.float32), np.ones((len(b), 1), np.float32)
    size_a, size_b = (a**2).sum(axis=1, keepdims=True), (b**2).sum(axis=1, keepdims=True)
    return np.hstack([-2 * a, size_a, one_a]), np.hstack([b, one_b, size_b - np.float32(near.within_m**2)])


def tie(features: Features, first: int, second: int, scale: float, on_ground: OnGround | None = None) -> Ties | None:
    """Points that two photos share, or None where they show nothing in common.

    Args:
        features: of the flight.
        first, second: numbers of the photos.
        scale: pixels of a full photo for one pixel that features were sought on.
        on_ground: where pixels of photos probably lie.
    """
    points, described = features.of(first)
    others, others_described = features.of(second)
    near = on_ground(first, points, second, others) if on_ground else None
    pairs = same(described, others_described, near)
    if len(pairs) < _LEAST:
        return None
    at, to = points[pairs[:, 0]], others[pairs[:, 1]]
    _, agreed = cv2.findHomography(at, to, cv2.USAC_MAGSAC, _OUTLIER_PX * scale, maxIters=5000, confidence=0.999)
    if agreed is None or int(agreed.sum()) < _LEAST:
        return None
    kept = np.flatnonzero(agreed.ravel())
    kept = kept[_spread(at[kept])]
    return Ties(first, second, at[kept], to[kept])


def tie_neighbours(
    photos: Sequence[Photo],
    pairs: Sequence[tuple[int, int]],
    on_ground: OnGround,
    workdir: Path,
    progress: Progress,
) -> Iterator[Ties]:
    """Compare pairs of photos; those that have something in common are given, one after the other.

    Args:
        photos: of a flight.
        pairs: numbers of photos that probably show the same ground.
        on_ground: where their pixels probably lie.
        workdir: a folder for files of ours.
        progress: is told how far it is.

    Raises:
        ImageError: a photo cannot be decoded.
    """
    features = Features(photos, workdir)
    wanted = sorted({number for pair in pairs for number in pair})
    for done, number in enumerate(wanted):
        progress("features", done / len(wanted))
        features.find(number)
    for done, (first, second) in enumerate(pairs):
        progress("match", done / len(pairs))
        longer = max(photos[first].lens.width, photos[first].lens.height)
        found = tie(features, first, second, max(1.0, longer / LONG_SIDE), on_ground)
        if found is not None:
            yield found


def _spread(points: Float64) -> NDArray[np.int64]:
    """Numbers of at most :data:`_KEPT` points that lie evenly: the overlap is cut into cells, served in turn."""
    if len(points) <= _KEPT:
        return np.arange(len(points))
    low, high = points.min(axis=0), points.max(axis=0)
    side = np.sqrt(np.prod(np.maximum(high - low, 1.0)) / _KEPT) + 1e-6
    cells = np.floor((points - low) / side).astype(np.int64)
    label = cells[:, 0] * 100_000 + cells[:, 1]
    order = np.argsort(label, kind="stable")
    first_of = np.r_[0, np.flatnonzero(np.diff(label[order])) + 1]
    turn = np.empty(len(points), np.int64)
    turn[order] = np.arange(len(points)) - np.repeat(first_of, np.diff(np.r_[first_of, len(points)]))
    return np.sort(np.argsort(turn, kind="stable")[:_KEPT])
