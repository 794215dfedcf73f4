"""A frame laid onto the reference frame of its view: how far the camera has moved, and that undone."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from imagery.cameras.camera import Frame

_WIDE = 960  # features are looked for in frames of at most this width
_FEATURES = 1500
_RATIO = 0.8  # of the best to the second best match (Lowe 2004)
_TOLERANCE_PX = 1.5
_LEAST_INLIERS = 16
_LEAST_SHARE = 0.2  # of the matches; below it the agreement is chance
_STILL_PX = 0.35  # a shift that cannot be told from none
_PLANE_INLIERS = 60  # from which eight degrees of freedom are better than four


@dataclass(frozen=True)
class Motion:
    """How a frame lies against the reference frame.

    Attributes:
        matrix: 3×3, pixel of the reference frame → pixel of the frame; None: it could not be told.
        corners_px: how far a corner has moved at most.
        matches, inliers: features matched, and how many agree.
    """

    matrix: NDArray[np.float64] | None
    corners_px: float
    matches: int
    inliers: int


def register(frame: Frame, reference: Frame) -> Motion:
    """Find how a frame lies against a reference frame of the same size.

    SIFT (Lowe 2004) on locally equalised grey, so that light matters less; agreement by MAGSAC++ (Barath 2020). A
    camera that turns on its mast moves the image by a homography whatever the scene is; few matches give a similarity.
    """
    scale = min(1.0, _WIDE / frame.shape[1])
    there, here = _features(reference, scale), _features(frame, scale)
    if there is None or here is None:
        return Motion(None, float("inf"), 0, 0)
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(there[1], here[1], k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < _RATIO * pair[1].distance]
    if len(good) < _LEAST_INLIERS:
        return Motion(None, float("inf"), len(good), 0)
    one = np.array([there[0][match.queryIdx] for match in good]) / scale
    other = np.array([here[0][match.trainIdx] for match in good]) / scale
    tolerance = _TOLERANCE_PX / scale
    matrix, agreeing = cv2.findHomography(one, other, cv2.USAC_MAGSAC, tolerance, maxIters=4000, confidence=0.999)
    inliers = agreeing.ravel() > 0 if agreeing is not None else np.zeros(len(good), bool)
    count = int(inliers.sum())
    if matrix is None or count < max(_LEAST_INLIERS, _LEAST_SHARE * len(good)):
        return Motion(None, float("inf"), len(good), count)
    if np.median(np.hypot(*(other - one)[inliers].T)) < _STILL_PX / scale:
        return Motion(np.eye(3), 0.0, len(good), count)
    if count < _PLANE_INLIERS:
        flat, _ = cv2.estimateAffinePartial2D(one[inliers], other[inliers], method=cv2.LMEDS)
        if flat is None:
            return Motion(None, float("inf"), len(good), count)
        matrix = np.vstack([flat, (0, 0, 1)])
    height, width = reference.shape[:2]
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    moved = cv2.perspectiveTransform(corners[None], matrix)[0]
    return Motion(np.asarray(matrix, np.float64), float(np.hypot(*(moved - corners).T).max()), len(good), count)


def laid_onto(frame: Frame, motion: NDArray[np.float64]) -> Frame:
    """The frame as the reference frame lies; black where it does not reach."""
    if np.array_equal(motion, np.eye(3)):
        return frame
    height, width = frame.shape[:2]
    # features count from the middle of the first pixel, and so does the warp
    out = cv2.warpPerspective(frame, motion, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return np.asarray(out, np.uint8)


def _features(frame: Frame, scale: float) -> tuple[NDArray[np.float64], NDArray[np.float32]] | None:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = cv2.createCLAHE(3.0, (8, 8)).apply(grey)
    points, descriptors = cv2.SIFT.create(_FEATURES, contrastThreshold=0.02).detectAndCompute(grey, None)
    if descriptors is None or len(points) < _LEAST_INLIERS:
        return None
    # resizing by area keeps pixel edges, so middles move by half of what is left
    at = np.array([point.pt for point in points], np.float64) + (0.5 - 0.5 * scale)
    return at, np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
