"""Photos against the reference image of the area: where on the earth is what they show?

First by features, which need no good start; then by the registration of scans, which finds its way over seasons. That
one is handed in by the caller (:data:`Register`): it lives in a room above this one.
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
from imagery.drone.collinearity import Pose, footprint, ground_sample_distance, to_pixels
from imagery.drone.photo import Photo
from imagery.drone.photo_pixels import PhotoPixels, Progress, reduction_for, sample
from imagery.drone.terrain import Frame, Ground
from imagery.drone.tie_points import describe, same, sift
from imagery.scene import Patch, Scene

Float64 = NDArray[np.float64]

_LONG_SIDE = 900  # pixels of the grid that a photo is compared on
_LEAST = 12  # features that agree: images of two places give up to 7
_MOST_TURN_DEG, _MOST_SCALE = 40.0, 1.3
_LATTICE = 5  # points along each side that a comparison gives
_OUTLIER_PX = 3.0


@dataclass(frozen=True)
class Registration:
    """What a comparison found.

    Attributes:
        at: N×2 column and row on the grid, as the photo shows the ground.
        moved: N×2 where the reference shows the same ground.
        residual_px: how well that is known.
    """

    at: Float64
    moved: Float64
    residual_px: float


Register = Callable[["OrthoPhoto", Scene, GeoBox, bool], Registration | None]
"""Compares a photo with the reference on a grid; the last argument: whether it may lie far off. None: nothing found."""


class OrthoPhoto:
    """A photo as an image that can be read on any grid of the frame, like :class:`imagery.Scene`."""

    def __init__(self, photo: Photo, pose: Pose, ground: Ground, pixels: PhotoPixels) -> None:
        """Nothing is read yet."""
        self.photo, self.pose, self.ground, self._pixels = photo, pose, ground, pixels
        self.gsd_m = ground_sample_distance(pose, photo.lens, ground)

    def read(self, geobox: GeoBox, shift: NDArray[np.float32] | None = None) -> Patch:
        """Pixels on a grid in the frame's system, moved by ``shift`` (dx, dy in its pixels)."""
        rows, columns = geobox.shape
        column, row = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
        if shift is not None:
            column, row = column + shift[..., 0], row + shift[..., 1]
        x, y = geobox.affine @ (column, row)
        at = to_pixels(self.pose, self.photo.lens, np.stack([x, y, self.ground.elevation(x, y)], axis=-1))
        reduction = reduction_for(self.gsd_m, abs(float(geobox.affine.a)))
        return Patch(*sample(self._pixels.read(self.photo, reduction), at, reduction))


def anchors(at: Float64, most: int) -> list[int]:
    """Numbers of photos spread over the flight: each next one is the farthest from all before (Gonzalez 1985)."""
    if not len(at):
        return []
    chosen = [int(np.argmin(np.hypot(*(at - at.mean(axis=0)).T)))]
    distance = np.hypot(*(at - at[chosen[0]]).T)
    while len(chosen) < min(most, len(at)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.hypot(*(at - at[chosen[-1]]).T))
    return sorted(chosen)


def compare(
    photos: Sequence[Photo],
    poses: Sequence[Pose],
    which: Sequence[int],
    reference: Scene,
    frame: Frame,
    ground: Ground,
    search_m: float,
    register: Register | None,
    rough: bool,
    progress: Progress,
) -> Observations:
    """Find where on the earth is what some photos show.

    Args:
        photos, poses: of the flight.
        which: numbers of the photos to compare.
        reference: an earlier image with a place.
        frame, ground: of the flight.
        search_m: how far off a photo may lie.
        register: the registration of scans.
        rough: photos lie where their sensors say: by features first; else only ``register``, from nearby.
        progress: is told how far it is.
    """
    pixels = PhotoPixels()
    parts = []
    for done, number in enumerate(which):
        progress("reference", done / len(which))
        photo = OrthoPhoto(photos[number], poses[number], ground, pixels)
        grid = _grid(footprint(photo.pose, photo.photo.lens, ground), photo, reference, frame, search_m)
        found = _by_features(photo, reference, grid) if rough or register is None else None
        if found is None and register is not None:
            found = register(photo, reference, grid, rough)
        if found is not None:
            parts.append(_observed(number, photo, grid, found))
    out = nothing()
    for part in parts:
        out = out.with_more(part)
    return out


def nothing() -> Observations:
    """No observation."""
    none = np.zeros((0, 2))
    return Observations(np.zeros(0, np.int64), np.zeros(0, np.int64), none, none, none, np.zeros(0))


def _grid(outline: Polygon, photo: OrthoPhoto, reference: Scene, frame: Frame, search_m: float) -> GeoBox:
    west, south, east, north = outline.buffer(search_m).bounds
    step = max(reference.gsd_m, photo.gsd_m, max(east - west, north - south) / _LONG_SIDE)
    shape = (int(np.ceil((north - south) / step)), int(np.ceil((east - west) / step)))
    return GeoBox(shape, Affine(step, 0, west, 0, -step, north), frame.crs.to_wkt())


def _by_features(photo: OrthoPhoto, reference: Scene, grid: GeoBox) -> Registration | None:
    finder = sift()
    seen = []
    for patch in (photo.read(grid), reference.read(grid)):
        mask = cv2.erode(patch.valid.astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=0)
        points, described = describe(finder, cv2.cvtColor(patch.rgb, cv2.COLOR_RGB2GRAY), mask)
        seen.append((points, described.astype(np.float32)))
    pairs = same(seen[0][1], seen[1][1], None)
    if len(pairs) < _LEAST:
        return None
    at, to = seen[0][0][pairs[:, 0]], seen[1][0][pairs[:, 1]]
    similar, agreed = cv2.estimateAffinePartial2D(
        at, to, method=cv2.RANSAC, ransacReprojThreshold=_OUTLIER_PX, maxIters=5000, confidence=0.999
    )
    if similar is None or int(agreed.sum()) < _LEAST:
        return None
    scale = float(np.hypot(similar[0, 0], similar[1, 0]))
    turn = abs(float(np.degrees(np.arctan2(similar[1, 0], similar[0, 0]))))
    if turn > _MOST_TURN_DEG or not 1 / _MOST_SCALE < scale < _MOST_SCALE:
        return None
    kept = agreed.ravel() > 0
    return Registration(at[kept], to[kept], 1.0)


def _observed(number: int, photo: OrthoPhoto, grid: GeoBox, found: Registration) -> Observations:
    x, y = grid.affine @ (found.at[:, 0], found.at[:, 1])
    at = to_pixels(photo.pose, photo.photo.lens, np.stack([x, y, photo.ground.elevation(x, y)], axis=-1))
    x, y = grid.affine @ (found.moved[:, 0], found.moved[:, 1])
    known = np.isfinite(at).all(axis=1)
    count = int(known.sum())
    step = abs(float(grid.affine.a))
    return Observations(
        np.full(count, number, np.int64),
        np.full(count, -1, np.int64),
        photo.photo.lens.directions(at[known]),
        np.zeros((count, 2)),
        np.column_stack([x, y])[known],
        # many points of one comparison err together: they count as a few
        np.full(count, max(found.residual_px, 0.5) * step * np.sqrt(max(count, 1) / 8)),
    )
