"""Match photos with the reference image of the area, to tie a flight to absolute coordinates.

First by features, which need no good initial pose; then by the registration of scans, which works across seasons. The
caller passes that one as :data:`RegisterPhoto`, since it lives in a room above this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry import Polygon

from imagery.drone.bundle_adjustment import Observations
from imagery.drone.collinearity import Pose, ground_footprint, ground_sample_distance, ground_to_pixels
from imagery.drone.photo import Photo
from imagery.drone.photo_pixels import PhotoReader, Progress, reduction_for, sample_bilinear
from imagery.drone.terrain import Ground, LocalFrame
from imagery.drone.tie_points import detect_features, match_features, sift_detector
from imagery.scene import Patch, Scene

Float64 = NDArray[np.float64]

_LONG_SIDE = 900  # pixels of the grid on which a photo is matched
_MIN_INLIERS = 12  # features that agree; images of two different places reach up to 7
_MAX_ROTATION_DEG, _MAX_SCALE = 40.0, 1.3
_OUTLIER_PX = 3.0
_INDEPENDENT_POINTS = 8  # points of one match have correlated errors: all together weigh as many as these


@dataclass(frozen=True)
class Registration:
    """Corresponding points of a photo and the reference image.

    Attributes:
        photo_points: N×2 column and row on the grid where the photo shows the ground.
        reference_points: N×2 column and row where the reference image shows the same ground.
        residual_px: their accuracy.
    """

    photo_points: Float64
    reference_points: Float64
    residual_px: float


RegisterPhoto = Callable[["OrthoPhoto", Scene, GeoBox, bool], Registration | None]
"""Registers a photo to the reference on a grid; the last argument: whether it may be far off. None: not registrable."""


class OrthoPhoto:
    """An oriented photo that can be read on any grid of the frame, like :class:`imagery.Scene`."""

    def __init__(self, photo: Photo, pose: Pose, ground: Ground, reader: PhotoReader) -> None:
        """Nothing is read yet."""
        self.photo, self.pose, self.ground, self._reader = photo, pose, ground, reader
        self.gsd_m = ground_sample_distance(pose, photo.lens, ground)

    def read(self, geobox: GeoBox, shift: NDArray[np.float32] | None = None) -> Patch:
        """Resample onto a grid in the frame's coordinate system, displaced by ``shift`` (dx, dy in its pixels)."""
        rows, columns = geobox.shape
        column, row = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
        if shift is not None:
            column, row = column + shift[..., 0], row + shift[..., 1]
        x, y = geobox.affine @ (column, row)
        points = np.stack([x, y, self.ground.elevation(x, y)], axis=-1)
        positions = ground_to_pixels(self.pose, self.photo.lens, points)
        reduction = reduction_for(self.gsd_m, abs(float(geobox.affine.a)))
        return Patch(*sample_bilinear(self._reader.read(self.photo, reduction), positions, reduction))


def select_anchors(positions: Float64, max_count: int) -> list[int]:
    """Indices of photos spread over the flight, by farthest-point sampling (Gonzalez 1985).

    Args:
        positions: N×2 easting and northing of the photos.
        max_count: photos to select at most.
    """
    if not len(positions):
        return []
    selected = [int(np.argmin(np.hypot(*(positions - positions.mean(axis=0)).T)))]
    distance = np.hypot(*(positions - positions[selected[0]]).T)
    while len(selected) < min(max_count, len(positions)):
        selected.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.hypot(*(positions - positions[selected[-1]]).T))
    return sorted(selected)


def match_reference(
    photos: Sequence[Photo],
    poses: Sequence[Pose],
    anchors: Sequence[int],
    reference: Scene,
    frame: LocalFrame,
    ground: Ground,
    search_m: float,
    register: RegisterPhoto | None,
    rough: bool,
    progress: Progress,
) -> Observations:
    """Match some photos of a flight with the reference image.

    Args:
        photos, poses: of the flight.
        anchors: indices of the photos to match.
        reference: an earlier georeferenced image.
        frame, ground: of the flight.
        search_m: largest position error of a photo.
        register: registration as used for scans.
        rough: poses are those of the sensors: match by features first; otherwise by ``register`` only, from nearby.
        progress: called with the step and its progress.
    """
    reader = PhotoReader()
    parts = []
    for done, index in enumerate(anchors):
        progress("reference", done / len(anchors))
        photo = OrthoPhoto(photos[index], poses[index], ground, reader)
        grid = _matching_grid(ground_footprint(photo.pose, photo.photo.lens, ground), photo, reference, frame, search_m)
        registration = _register_by_features(photo, reference, grid) if rough or register is None else None
        if registration is None and register is not None:
            registration = register(photo, reference, grid, rough)
        if registration is not None:
            parts.append(_observations(index, photo, grid, registration))
    return Observations.concatenate(parts)


def _matching_grid(
    footprint: Polygon, photo: OrthoPhoto, reference: Scene, frame: LocalFrame, search_m: float
) -> GeoBox:
    west, south, east, north = footprint.buffer(search_m).bounds
    pixel_m = max(reference.gsd_m, photo.gsd_m, max(east - west, north - south) / _LONG_SIDE)
    shape = (int(np.ceil((north - south) / pixel_m)), int(np.ceil((east - west) / pixel_m)))
    return GeoBox(shape, Affine(pixel_m, 0, west, 0, -pixel_m, north), frame.crs.to_wkt())


def _register_by_features(photo: OrthoPhoto, reference: Scene, grid: GeoBox) -> Registration | None:
    detector = sift_detector()
    features = []
    for patch in (photo.read(grid), reference.read(grid)):
        mask = cv2.erode(patch.valid.astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=0)
        points, descriptors = detect_features(detector, cv2.cvtColor(patch.rgb, cv2.COLOR_RGB2GRAY), mask)
        features.append((points, descriptors.astype(np.float32)))
    matches = match_features(features[0][1], features[1][1], None)
    if len(matches) < _MIN_INLIERS:
        return None
    photo_points, reference_points = features[0][0][matches[:, 0]], features[1][0][matches[:, 1]]
    similarity, inliers = cv2.estimateAffinePartial2D(
        photo_points,
        reference_points,
        method=cv2.RANSAC,
        ransacReprojThreshold=_OUTLIER_PX,
        maxIters=5000,
        confidence=0.999,
    )
    if similarity is None or int(inliers.sum()) < _MIN_INLIERS:
        return None
    scale = float(np.hypot(similarity[0, 0], similarity[1, 0]))
    rotation_deg = abs(float(np.degrees(np.arctan2(similarity[1, 0], similarity[0, 0]))))
    if rotation_deg > _MAX_ROTATION_DEG or not 1 / _MAX_SCALE < scale < _MAX_SCALE:
        return None
    is_inlier = inliers.ravel() > 0
    return Registration(photo_points[is_inlier], reference_points[is_inlier], 1.0)


def _observations(index: int, photo: OrthoPhoto, grid: GeoBox, registration: Registration) -> Observations:
    x, y = grid.affine @ (registration.photo_points[:, 0], registration.photo_points[:, 1])
    points = np.stack([x, y, photo.ground.elevation(x, y)], axis=-1)
    pixels = ground_to_pixels(photo.pose, photo.photo.lens, points)
    x, y = grid.affine @ (registration.reference_points[:, 0], registration.reference_points[:, 1])
    known = np.isfinite(pixels).all(axis=1)
    count = int(known.sum())
    pixel_m = abs(float(grid.affine.a))
    sigma_m = max(registration.residual_px, 0.5) * pixel_m * np.sqrt(max(count, 1) / _INDEPENDENT_POINTS)
    return Observations(
        np.full(count, index, np.int64),
        np.full(count, -1, np.int64),
        photo.photo.lens.directions(pixels[known]),
        np.zeros((count, 2)),
        np.column_stack([x, y])[known],
        np.full(count, sigma_m),
    )
