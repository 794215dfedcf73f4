"""Check a flight's tags by what its photos themselves show: the height above the ground, and the tilt of the camera.

Tags may be wrong for all photos of a flight alike: the height above a take-off point on a hill, the focal length of
photos that were made smaller, an attitude that was never recorded. Neighbouring photos of one strip, taken with the
same attitude, show both: how far the ground moved between them gives the height, and how evenly it moved gives the
tilt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import Reason
from imagery.drone.initial_poses import heights_and_headings
from imagery.drone.photo import Photo
from imagery.drone.settings import DroneSettings
from imagery.drone.tie_points import TiePoints, find_tie_points

Float64 = NDArray[np.float64]

_PAIRS = 8  # neighbours that are compared
_MIN_PAIRS = 2
_MIN_BASELINE_M = 5.0
_MIN_TIES = 12
_INLIER = 0.01  # distance of directions that agree with a homography
_MIN_MOTION = 0.05  # of the ground, as a fraction of the height, below which it says nothing
_MAX_ROTATION = 0.6  # of the second singular value of the motion to the first: the photos were turned
_HEIGHT_DIFFERENCE, _HEIGHT_SIGMAS = 0.25, 4.0  # of the tags' heights from those of the photos: relative, and in σ
_HEIGHT_SIGMA = 0.08  # of a height by the photos, relative
_MIN_TILT_DEG = 2.0  # standard deviation of a tilt by the photos


@dataclass(frozen=True)
class CheckedSensors:
    """Result of the check.

    Attributes:
        photos: with heights and accuracies by the photos where the tags are contradicted or silent.
        refusal: why the flight cannot be oriented; "": it can.
    """

    photos: list[Photo]
    refusal: str


def check_sensors(photos: Sequence[Photo], positions: Float64, settings: DroneSettings, folder: Path) -> CheckedSensors:
    """Compare heights and tilts in the tags with those that neighbouring photos show.

    Args:
        photos: of one flight, in the order of capture.
        positions: N×2 easting and northing of the cameras.
        settings: of ``configs/drone.yaml``.
        folder: for temporary files.
    """
    unchanged = CheckedSensors(list(photos), "")
    pairs = _consecutive_pairs(positions)
    if len(pairs) < _MIN_PAIRS:
        return unchanged
    sampled = sorted({index for pair in pairs for index in pair})
    row_of = {index: row for row, index in enumerate(sampled)}
    own_pairs = [(row_of[first], row_of[second]) for first, second in pairs]
    some = [photos[index] for index in sampled]
    ties = list(find_tie_points(some, own_pairs, lambda *_: None, folder, lambda *_: None))
    ties = [tie for tie in ties if len(tie.first_pixels) >= _MIN_TIES]
    if len(ties) < _MIN_PAIRS:
        return unchanged
    checked = _with_heights_of_photos(photos, some, positions[sampled], ties)
    tilts = [tilt for tie in ties if (tilt := _tilt_deg(some, tie)) is not None]
    if len(tilts) < _MIN_PAIRS:
        return CheckedSensors(checked, "")
    tilt, told = float(np.median(tilts)), float(np.median([photo.off_nadir_deg for photo in some]))
    if tilt > settings.max_off_nadir_deg or abs(tilt - told) > settings.max_tilt_difference_deg:
        return CheckedSensors(checked, _refusal(tilt, told))
    return CheckedSensors([_with_tilt_of_photos(photo, tilt) for photo in checked], "")


def _consecutive_pairs(positions: Float64) -> list[tuple[int, int]]:
    """Return photos taken one after the other, spread over the flight."""
    if len(positions) <= _MIN_PAIRS:
        return []
    steps = np.hypot(*np.diff(positions, axis=0).T)
    apart = np.flatnonzero((steps > _MIN_BASELINE_M) & (steps <= 1.5 * np.median(steps)))
    chosen = apart[np.unique(np.linspace(0, len(apart) - 1, _PAIRS).astype(int))] if len(apart) else apart
    return [(int(index), int(index) + 1) for index in chosen]


def _with_heights_of_photos(
    photos: Sequence[Photo], some: Sequence[Photo], positions: Float64, ties: Sequence[TiePoints]
) -> list[Photo]:
    """Return the photos, with heights by their neighbours where those in the tags differ from these too much."""
    differences, heights = [], []
    for index, (estimated, _) in heights_and_headings(some, positions, ties, every=True).items():
        told = some[index].height_m
        if told is not None:
            differences += [height - told for height in estimated]
            heights += estimated
    if not heights:
        return list(photos)
    difference, height = float(np.median(differences)), float(np.median(heights))
    sigma = float(np.median([photo.noise.height_m for photo in some]))
    if abs(difference) <= max(_HEIGHT_DIFFERENCE * height, _HEIGHT_SIGMAS * sigma):
        return list(photos)
    told = float(np.median([photo.height_m for photo in some if photo.height_m is not None]))
    remark = Reason(
        f"by its tags about {told:.0f} m above the ground, by what the photos show about {height:.0f} m: the photos "
        "are believed",
        "photo.height_by_photos",
        told=round(told),
        height=round(height),
    )
    return [
        photo
        if photo.height_m is None
        else replace(
            photo,
            height_m=photo.height_m + difference,
            noise=photo.noise.model_copy(update={"height_m": max(photo.noise.height_m, _HEIGHT_SIGMA * height)}),
            remarks=(*photo.remarks, remark),
        )
        for photo in photos
    ]


def _tilt_deg(photos: Sequence[Photo], tie: TiePoints) -> float | None:
    """Return the angle between the view and the normal of the ground by two photos of the same attitude; None: unknown.

    Between such photos, directions to a plane move by the homography I + t·nᵀ / d, with the movement t of the camera,
    the normal n of the plane and its distance d (Hartley, Zisserman 2004, section 13.1).
    """
    first, second = (
        photos[index].lens.directions(pixels)
        for index, pixels in ((tie.first, tie.first_pixels), (tie.second, tie.second_pixels))
    )
    homography, _ = cv2.findHomography(first, second, cv2.RANSAC, _INLIER)
    if homography is None:
        return None
    homography = homography / np.linalg.svd(homography, compute_uv=False)[1]
    if np.trace(homography) < 0:
        homography = -homography
    _, sizes, normals = np.linalg.svd(homography - np.eye(3))
    if sizes[0] < _MIN_MOTION or sizes[1] > _MAX_ROTATION * sizes[0]:
        return None
    return float(np.degrees(np.arccos(np.clip(abs(normals[0, 2]), 0, 1))))


def _with_tilt_of_photos(photo: Photo, tilt_deg: float) -> Photo:
    """Return a photo without attitude with a standard deviation of its tilt that the measured one suggests."""
    if photo.has_attitude:
        return photo
    return replace(photo, noise=photo.noise.model_copy(update={"tilt_deg": max(_MIN_TILT_DEG, tilt_deg)}))


def _refusal(tilt: float, told: float) -> Reason:
    return Reason(
        f"the photos show that the camera looked about {tilt:.0f}° away from straight down, and their tags say or "
        f"imply {told:.0f}°: they cannot be placed. Fly with the camera pointing straight down (gimbal −90°)",
        "photo.oblique_by_photos",
        tilt=round(tilt),
        told=round(told),
    )
