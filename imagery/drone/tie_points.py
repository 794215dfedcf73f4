"""Tie points between photos: matched SIFT features that agree on one homography.

SIFT features (Lowe 2004) with square-rooted descriptors (RootSIFT; Arandjelović, Zisserman 2012) are invariant to
rotation and scale. Wrong matches are rejected by MAGSAC++ (Barath et al. 2020), as implemented by OpenCV.
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
from imagery.drone.photo_pixels import Progress, decode_photo

Float64 = NDArray[np.float64]

_CV: Any = cv2  # its type stubs lack some names

LONG_SIDE = 1200
"""Pixels of the image that features are detected in. In woods, finer features are leaves, which move between two
photos: of a flight over trees, three times as many features match at 1000 pixels as at 2000."""

_MAX_FEATURES = 4000  # of a photo
_RATIO = 0.85  # of the distances to the nearest and the second nearest descriptor (Lowe's test)
_MAX_DISTANCE = 1.2  # of two matching descriptors
_EXCLUDED = -2.0  # similarity of descriptors that must not match
_BLOCK_ROWS = 1000  # features compared with all of another photo at once
_OUTLIER_PX = 3.0
_MIN_INLIERS = 15  # of a pair; two photos without overlap reach up to 11 by chance
_MAX_TIE_POINTS = 80  # of a pair, spread over the overlap
_CACHED_PHOTOS = 48  # whose features are held in memory; the others are in files


@dataclass(frozen=True)
class TiePoints:
    """Points that two photos share.

    Attributes:
        first, second: indices of the photos.
        first_pixels, second_pixels: N×2 pixels of the full-size photos.
    """

    first: int
    second: int
    first_pixels: Float64
    second_pixels: Float64


@dataclass(frozen=True)
class GroundPrediction:
    """Predicted ground positions of the features of two images, so that only nearby features are compared.

    Attributes:
        first, second: N×2 and M×2 easting and northing; NaN: unknown.
        max_distance_m: how far apart two matching features may be.
    """

    first: Float64
    second: Float64
    max_distance_m: float


GroundPredictor = Callable[[int, Float64, int, Float64], GroundPrediction | None]
"""Given two photos (index, pixels, index, pixels): their predicted ground positions; None: unknown."""


class FeatureStore:
    """Features of all photos of a flight, detected once and stored in files."""

    def __init__(self, photos: Sequence[Photo], folder: Path) -> None:
        """Nothing is detected yet; ``folder`` is for temporary files."""
        self._photos, self._folder = photos, folder
        self._detector = sift_detector()
        self.load = lru_cache(maxsize=_CACHED_PHOTOS)(self._load)

    def detect(self, index: int) -> None:
        """Detect and store the features of one photo.

        Raises:
            ImageError: it cannot be decoded.
        """
        photo = self._photos[index]
        long_side = max(photo.lens.width, photo.lens.height)
        reduction = next((by for by in (8, 4, 2) if long_side / by >= LONG_SIDE), 1)
        grey = cv2.cvtColor(decode_photo(photo, reduction), cv2.COLOR_RGB2GRAY)
        scale = min(1.0, LONG_SIDE * reduction / long_side)
        if scale < 1:
            grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        points, descriptors = detect_features(self._detector, grey)
        full_size_points = points * (long_side / max(grey.shape))
        np.savez(self._folder / f"{index}.npz", points=full_size_points, descriptors=descriptors)

    def _load(self, index: int) -> tuple[Float64, NDArray[np.float32]]:
        with np.load(self._folder / f"{index}.npz") as stored:
            return stored["points"], stored["descriptors"].astype(np.float32)


def sift_detector() -> Any:
    """Create a SIFT detector with the settings of this module."""
    return _CV.SIFT_create(nfeatures=_MAX_FEATURES, contrastThreshold=0.01)


def detect_features(
    detector: Any, grey: NDArray[np.uint8], mask: NDArray[np.uint8] | None = None
) -> tuple[Float64, NDArray[np.uint8]]:
    """Detect features: N×2 positions (corners of pixels at whole numbers) and N×128 descriptors."""
    keypoints, descriptors = detector.detectAndCompute(grey, mask)
    if descriptors is None or len(keypoints) < 2:
        return np.zeros((0, 2)), np.zeros((0, 128), np.uint8)
    points = _CV.KeyPoint_convert(keypoints).astype(np.float64) + 0.5
    rooted = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    return points, np.clip(rooted * 512, 0, 255).astype(np.uint8)


def match_features(
    first: NDArray[np.float32], second: NDArray[np.float32], prediction: GroundPrediction | None, ratio: float = _RATIO
) -> NDArray[np.int64]:
    """Match descriptors.

    Args:
        first, second: N×128 and M×128 descriptors.
        prediction: of their ground positions; None: all are compared.
        ratio: of Lowe's test.

    Returns:
        K×2 indices of features that are each other's nearest neighbour and pass Lowe's test.
    """
    if len(first) < 2 or len(second) < 2:
        return np.zeros((0, 2), np.int64)
    first, second = (part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-6) for part in (first, second))
    best, second_best = np.empty(len(first), np.float32), np.empty(len(first), np.float32)
    target = np.empty(len(first), np.int64)
    reverse, reverse_best = np.zeros(len(second), np.int64), np.full(len(second), -np.inf, np.float32)
    factors = _distance_factors(prediction) if prediction else None
    for start in range(0, len(first), _BLOCK_ROWS):
        block = slice(start, min(start + _BLOCK_ROWS, len(first)))
        rows = np.arange(block.stop - start)
        similarity = first[block] @ second.T
        if factors is not None:
            similarity[factors[0][block] @ factors[1].T > 0] = _EXCLUDED
        nearest_row = similarity.argmax(axis=0)
        value = similarity[nearest_row, np.arange(len(second))]
        better = value > reverse_best
        reverse[better], reverse_best[better] = start + nearest_row[better], value[better]
        nearest = similarity.argmax(axis=1)
        target[block], best[block] = nearest, similarity[rows, nearest]
        similarity[rows, nearest] = _EXCLUDED
        second_best[block] = similarity.max(axis=1)
    best, second_best = (np.sqrt(np.maximum(2 - 2 * part, 0)) for part in (best, second_best))
    is_match = (best < ratio * second_best) & (best < _MAX_DISTANCE) & (reverse[target] == np.arange(len(first)))
    return np.column_stack([np.flatnonzero(is_match), target[is_match]])


def _distance_factors(prediction: GroundPrediction) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two matrices whose product is positive where two ground positions are too far apart."""
    centre = np.nan_to_num(np.nanmean(prediction.second, axis=0))
    a, b = (
        np.nan_to_num(points - centre, nan=1e4).astype(np.float32) for points in (prediction.first, prediction.second)
    )
    one_a, one_b = np.ones((len(a), 1), np.float32), np.ones((len(b), 1), np.float32)
    square_a, square_b = (a**2).sum(axis=1, keepdims=True), (b**2).sum(axis=1, keepdims=True)
    limit = np.float32(prediction.max_distance_m**2)
    return np.hstack([-2 * a, square_a, one_a]), np.hstack([b, one_b, square_b - limit])


def match_pair(
    features: FeatureStore, first: int, second: int, scale: float, predict: GroundPredictor | None = None
) -> TiePoints | None:
    """Find tie points between two photos.

    Args:
        features: of the flight.
        first, second: indices of the photos.
        scale: pixels of a full-size photo per pixel of the image that features were detected in.
        predict: predicts ground positions of pixels.

    Returns:
        the tie points; None: the photos do not overlap.
    """
    first_points, first_descriptors = features.load(first)
    second_points, second_descriptors = features.load(second)
    prediction = predict(first, first_points, second, second_points) if predict else None
    matches = match_features(first_descriptors, second_descriptors, prediction)
    if len(matches) < _MIN_INLIERS:
        return None
    first_pixels, second_pixels = first_points[matches[:, 0]], second_points[matches[:, 1]]
    _, inliers = cv2.findHomography(
        first_pixels, second_pixels, cv2.USAC_MAGSAC, _OUTLIER_PX * scale, maxIters=5000, confidence=0.999
    )
    if inliers is None or int(inliers.sum()) < _MIN_INLIERS:
        return None
    selected = np.flatnonzero(inliers.ravel())
    selected = selected[_select_spread(first_pixels[selected])]
    return TiePoints(first, second, first_pixels[selected], second_pixels[selected])


def find_tie_points(
    photos: Sequence[Photo],
    pairs: Sequence[tuple[int, int]],
    predict: GroundPredictor,
    workdir: Path,
    progress: Progress,
) -> Iterator[TiePoints]:
    """Find tie points between pairs of photos; yield those of each overlapping pair.

    Args:
        photos: of a flight.
        pairs: indices of photos that probably overlap.
        predict: predicts ground positions of pixels.
        workdir: a folder for temporary files.
        progress: called with the step and its progress.

    Raises:
        ImageError: a photo cannot be decoded.
    """
    features = FeatureStore(photos, workdir)
    indices = sorted({index for pair in pairs for index in pair})
    for done, index in enumerate(indices):
        progress("features", done / len(indices))
        features.detect(index)
    for done, (first, second) in enumerate(pairs):
        progress("match", done / len(pairs))
        long_side = max(photos[first].lens.width, photos[first].lens.height)
        tie_points = match_pair(features, first, second, max(1.0, long_side / LONG_SIDE), predict)
        if tie_points is not None:
            yield tie_points


def _select_spread(points: Float64) -> NDArray[np.int64]:
    """Indices of at most :data:`_MAX_TIE_POINTS` evenly spread points: grid cells contribute one point per round."""
    if len(points) <= _MAX_TIE_POINTS:
        return np.arange(len(points))
    low, high = points.min(axis=0), points.max(axis=0)
    side = np.sqrt(np.prod(np.maximum(high - low, 1.0)) / _MAX_TIE_POINTS) + 1e-6
    cells = np.floor((points - low) / side).astype(np.int64)
    label = cells[:, 0] * 100_000 + cells[:, 1]
    order = np.argsort(label, kind="stable")
    first_of_cell = np.r_[0, np.flatnonzero(np.diff(label[order])) + 1]
    cell_sizes = np.diff(np.r_[first_of_cell, len(points)])
    rank_in_cell = np.empty(len(points), np.int64)
    rank_in_cell[order] = np.arange(len(points)) - np.repeat(first_of_cell, cell_sizes)
    return np.sort(np.argsort(rank_in_cell, kind="stable")[:_MAX_TIE_POINTS])
