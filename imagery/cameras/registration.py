"""Register a frame to the reference frame of its view: measure the camera's motion and undo it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from imagery.cameras.camera import Frame

_MAX_WIDTH = 960  # of the frames that features are detected in
_MAX_FEATURES = 1500
_RATIO = 0.8  # of the best to the second best match (Lowe 2004)
_TOLERANCE_PX = 1.5
_MIN_INLIERS = 16
_MIN_INLIER_RATIO = 0.2  # of the matches; below, the agreement is chance
_NO_MOTION_PX = 0.35  # median displacement within the measurement error
_MARGIN = 0.12  # of the height, at the upper and lower edge
_CELLS, _MIN_CELLS = 4, 4  # static matches lie in at least so many cells of a grid of 4 × 4
_EXTRAPOLATED = 0.04  # of the width: displacement of a corner from which static parts are checked
_MIN_HOMOGRAPHY_INLIERS = 60  # from which eight degrees of freedom are better than four


@dataclass(frozen=True)
class CameraMotion:
    """Motion of a frame relative to the reference frame.

    Attributes:
        matrix: 3×3, pixel of the reference frame → pixel of the frame; None: not registrable.
        corners_px: largest displacement of a corner.
        matches, inliers: number of matched features, and how many agree.
    """

    matrix: NDArray[np.float64] | None
    corners_px: float
    matches: int
    inliers: int


def register_frame(frame: Frame, reference: Frame) -> CameraMotion:
    """Register a frame to a reference frame of the same size.

    SIFT features (Lowe 2004) on locally equalised grey, which reduces the influence of light; outliers are rejected by
    MAGSAC++ (Barath 2020). A camera that rotates on its mast moves the image by a homography whatever the scene; with
    few matches a similarity is fitted instead.
    """
    scale = min(1.0, _MAX_WIDTH / frame.shape[1])
    reference_features, frame_features = _features(reference, scale), _features(frame, scale)
    if reference_features is None or frame_features is None:
        return CameraMotion(None, float("inf"), 0, 0)
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(reference_features[1], frame_features[1], k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < _RATIO * pair[1].distance]
    if len(good) < _MIN_INLIERS:
        return CameraMotion(None, float("inf"), len(good), 0)
    source = np.array([reference_features[0][match.queryIdx] for match in good]) / scale
    target = np.array([frame_features[0][match.trainIdx] for match in good]) / scale
    tolerance = _TOLERANCE_PX / scale
    still = _static_matches(source, target, tolerance, reference)
    matrix, mask = cv2.findHomography(source, target, cv2.USAC_MAGSAC, tolerance, maxIters=4000, confidence=0.999)
    inliers = mask.ravel() > 0 if mask is not None else np.zeros(len(good), bool)
    count = int(inliers.sum())
    if matrix is None or count < max(_MIN_INLIERS, _MIN_INLIER_RATIO * len(good), still):
        if still:  # most of the frame changed, but its static parts are where they were
            return CameraMotion(np.eye(3), 0.0, len(good), still)
        return CameraMotion(None, float("inf"), len(good), count)
    if np.median(np.hypot(*(target - source)[inliers].T)) < _NO_MOTION_PX / scale:
        return CameraMotion(np.eye(3), 0.0, len(good), count)
    if count < _MIN_HOMOGRAPHY_INLIERS:
        similarity, _ = cv2.estimateAffinePartial2D(source[inliers], target[inliers], method=cv2.LMEDS)
        if similarity is None:
            return CameraMotion(None, float("inf"), len(good), count)
        matrix = np.vstack([similarity, (0, 0, 1)])
    height, width = reference.shape[:2]
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    moved = cv2.perspectiveTransform(corners[None], matrix)[0]
    corners_px = float(np.hypot(*(moved - corners).T).max())
    if still and corners_px > _EXTRAPOLATED * width:  # fitted to one part, and extrapolated to the rest
        return CameraMotion(np.eye(3), 0.0, len(good), still)
    return CameraMotion(np.asarray(matrix, np.float64), corners_px, len(good), count)


def _static_matches(
    source: NDArray[np.float64], target: NDArray[np.float64], tolerance: float, reference: Frame
) -> int:
    """Count the matches that did not move, if they are enough and spread enough to prove that the camera did not.

    A large change leaves few matches, and those on moved machines or material agree with each other by chance;
    buildings, masts and roads around it stay. The upper and lower edge are left out: cameras print date and name there.
    """
    height, width = reference.shape[:2]
    inside = (source[:, 1] > _MARGIN * height) & (source[:, 1] < (1 - _MARGIN) * height)
    static = inside & (np.hypot(*(target - source).T) < tolerance)
    cells = {(int(x * _CELLS / width), int(y * _CELLS / height)) for x, y in source[static]}
    count = int(static.sum())
    return count if count >= _MIN_INLIERS and len(cells) >= _MIN_CELLS else 0


def warp_to_reference(frame: Frame, motion: NDArray[np.float64]) -> Frame:
    """Align a frame with the reference frame; black where it does not reach."""
    if np.array_equal(motion, np.eye(3)):
        return frame
    height, width = frame.shape[:2]
    # features and the warp both count from the centre of the first pixel
    out = cv2.warpPerspective(frame, motion, (width, height), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return np.asarray(out, np.uint8)


def _features(frame: Frame, scale: float) -> tuple[NDArray[np.float64], NDArray[np.float32]] | None:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    grey = cv2.createCLAHE(3.0, (8, 8)).apply(grey)
    points, descriptors = cv2.SIFT.create(_MAX_FEATURES, contrastThreshold=0.02).detectAndCompute(grey, None)
    if descriptors is None or len(points) < _MIN_INLIERS:
        return None
    # resizing by area keeps pixel edges, so pixel centres move by half of the remaining scale
    positions = np.array([point.pt for point in points], np.float64) + (0.5 - 0.5 * scale)
    return positions, np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
