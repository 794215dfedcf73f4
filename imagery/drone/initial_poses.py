"""Initial poses by the sensors alone; missing headings and heights are estimated from tie points between neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import Reason
from imagery.drone.collinearity import Pose, gimbal_rotation, pixels_to_ground
from imagery.drone.photo import Photo
from imagery.drone.terrain import Ground, LocalFrame
from imagery.drone.tie_points import GroundPrediction, GroundPredictor, TiePoints

Float64 = NDArray[np.float64]

_MIN_BASELINE_M = 5.0  # between two photos, below which their direction says nothing
_TYPICAL_HEIGHT_M = 120.0  # to select neighbours by, where a photo has no height
_MIN_YAW_SIGMA_DEG, _MIN_HEIGHT_SIGMA = 4.0, 0.08  # of a heading and (relative) a height estimated from neighbours
_BASELINE_SIGMA_M = 5.0
_MIN_OVERLAP = 0.3  # of the half diagonal, by which footprints of neighbours overlap at least
_SEARCH_FACTOR = 1.5  # times the sum of both photos' standard deviations, within which a feature is searched
_PLAUSIBLE_HEIGHTS_M = (5.0, 1500.0)  # above the ground
_DEM_HEIGHT_SIGMA_M = 30.0  # of an altitude above sea level minus the elevation model
_MIN_PARALLAX = 0.02  # distance of the other photo's centre, as a fraction of the height


@dataclass(frozen=True)
class InitialPoses:
    """Poses by the sensors.

    Attributes:
        indices: of the photos that have a pose.
        poses: of these photos.
        sigmas: n×6 standard deviations of easting, northing, height (metres), yaw and both tilts (radians).
        failed: index of a photo → why it has no pose.
    """

    indices: list[int]
    poses: list[Pose]
    sigmas: Float64
    failed: dict[int, str]


def camera_positions(photos: Sequence[Photo], frame: LocalFrame) -> Float64:
    """N×2 easting and northing of the cameras."""
    return np.array([frame.project(photo.longitude, photo.latitude) for photo in photos]).reshape(-1, 2)


def neighbour_pairs(photos: Sequence[Photo], positions: Float64, max_neighbours: int) -> list[tuple[int, int]]:
    """Pairs of photos that probably overlap: each photo with its ``max_neighbours`` nearest."""
    reach = np.array(
        [
            max(photo.height_m or 0.0, _TYPICAL_HEIGHT_M)  # a height above a take-off point on a hill is too small
            * np.hypot(photo.lens.width, photo.lens.height)
            / 2
            / photo.lens.focal_px
            for photo in photos
        ]
    )
    pairs = set()
    for index in range(len(photos)):
        distance = np.hypot(*(positions - positions[index]).T)
        distance[index] = np.inf
        for other in np.argsort(distance, kind="stable")[:max_neighbours].tolist():
            if distance[other] < (reach[index] + reach[other]) * (1 - _MIN_OVERLAP):
                pairs.add((min(index, other), max(index, other)))
    return sorted(pairs)


def estimate_initial_poses(
    photos: Sequence[Photo],
    positions: Float64,
    tie_points: Sequence[TiePoints],
    frame: LocalFrame,
    ground: Ground,
) -> InitialPoses:
    """Compute the poses of photos from their tags.

    Args:
        photos: of a flight.
        positions: N×2, of :func:`camera_positions`.
        tie_points: between neighbours; give missing headings and heights.
        frame, ground: of the flight.
    """
    estimated = heights_and_headings(photos, positions, tie_points)
    elevations = ground.elevation(positions[:, 0], positions[:, 1])
    indices, poses, sigmas = [], [], []
    failed: dict[int, str] = {}
    for index, photo in enumerate(photos):
        noise = photo.noise
        heights, headings = estimated.get(index, ([], []))
        height, height_sigma = photo.height_m, noise.height_m
        if height is None and heights:
            height = float(np.median(heights))
            height_sigma = _MIN_HEIGHT_SIGMA * height
        if height is None and not ground.is_plane and photo.altitude_m is not None:
            height, height_sigma = photo.altitude_m - float(elevations[index]), _DEM_HEIGHT_SIGMA_M
        if height is None or not _PLAUSIBLE_HEIGHTS_M[0] <= height <= _PLAUSIBLE_HEIGHTS_M[1]:
            failed[index] = Reason(
                "its height above the ground is not in its tags and cannot be estimated from its neighbours",
                "photo.no_height",
            )
            continue
        yaw, yaw_sigma = photo.yaw_deg, noise.yaw_deg
        if yaw is not None:
            yaw += frame.true_north_deg(photo.longitude, photo.latitude)
        elif headings:
            yaw, yaw_sigma = _mean_heading(headings)
        else:
            failed[index] = Reason(
                "its heading is not in its tags and cannot be estimated from its neighbours", "photo.no_heading"
            )
            continue
        # heights in tags count from the take-off point, estimated ones from the ground below the camera
        base = float(elevations[0]) if photo.height_m is not None else float(elevations[index])
        centre = np.array([positions[index, 0], positions[index, 1], base + height])
        indices.append(index)
        poses.append(Pose(centre, gimbal_rotation(yaw, photo.pitch_deg, photo.roll_deg)))
        tilt_sigma, yaw_sigma_rad = np.radians(noise.tilt_deg), np.radians(yaw_sigma)
        sigmas.append([noise.position_m, noise.position_m, height_sigma, yaw_sigma_rad, tilt_sigma, tilt_sigma])
    return InitialPoses(indices, poses, np.array(sigmas).reshape(-1, 6), failed)


def ground_predictor(photos: Sequence[Photo], initial: InitialPoses, ground: Ground) -> GroundPredictor:
    """Return a function that predicts, by the sensors, where pixels of two photos lie and how uncertain that is."""
    row_of = {index: row for row, index in enumerate(initial.indices)}

    def predict(first: int, first_pixels: Float64, second: int, second_pixels: Float64) -> GroundPrediction | None:
        if first not in row_of or second not in row_of:
            return None
        uncertainty, points = 0.0, []
        for index, pixels in ((first, first_pixels), (second, second_pixels)):
            pose, sigma = initial.poses[row_of[index]], initial.sigmas[row_of[index]]
            lens = photos[index].lens
            points.append(pixels_to_ground(pose, lens, pixels, ground))
            height = pose.centre[2] - float(ground.elevation(*pose.centre[:2]))
            arm = height * np.hypot(lens.width, lens.height) / 2 / lens.focal_px
            uncertainty += float(
                sigma[:2].sum() / 2 + height * sigma[4:].sum() / 2 + arm * (sigma[3] + sigma[2] / height)
            )
        return GroundPrediction(points[0], points[1], _SEARCH_FACTOR * uncertainty)

    return predict


def heights_and_headings(
    photos: Sequence[Photo], positions: Float64, tie_points: Sequence[TiePoints], *, every: bool = False
) -> dict[int, tuple[list[float], list[tuple[float, float]]]]:
    """Estimate heights in metres, and headings as (degrees from grid north, baseline in metres), from pairs of photos.

    One of two photos that look straight down sees the other's centre at direction t. The baseline between the cameras
    by satellite positions is height × t, rotated by the heading; in complex numbers, east + i north.

    Args:
        photos: of a flight.
        positions: N×2 easting and northing of the cameras.
        tie_points: between neighbours.
        every: also estimate what the tags of a photo hold.
    """
    estimated: dict[int, tuple[list[float], list[tuple[float, float]]]] = {}
    for tie in tie_points:
        first_directions, second_directions = (
            photos[index].lens.directions(pixels)
            for index, pixels in ((tie.first, tie.first_pixels), (tie.second, tie.second_pixels))
        )
        for own, other, own_directions, other_directions in (
            (tie.first, tie.second, first_directions, second_directions),
            (tie.second, tie.first, second_directions, first_directions),
        ):
            if not every and photos[own].height_m is not None and photos[own].yaw_deg is not None:
                continue
            similarity, _ = cv2.estimateAffinePartial2D(
                other_directions, own_directions, method=cv2.RANSAC, ransacReprojThreshold=0.01
            )
            baseline = complex(*(positions[other] - positions[own]))
            if similarity is None or abs(baseline) < _MIN_BASELINE_M:
                continue
            other_centre = complex(similarity[0, 2], -similarity[1, 2])
            if abs(other_centre) < _MIN_PARALLAX:
                continue
            heights, headings = estimated.setdefault(own, ([], []))
            heights.append(abs(baseline) / abs(other_centre))
            headings.append((float(np.degrees(np.angle(other_centre) - np.angle(baseline))), abs(baseline)))
    return estimated


def _mean_heading(headings: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean heading and its standard deviation in degrees, weighted by the squared baseline."""
    angles, baselines = np.radians([heading for heading, _ in headings]), np.array([base for _, base in headings])
    mean = np.sum(baselines**2 * np.exp(1j * angles))
    sigma = np.degrees(np.arctan2(_BASELINE_SIGMA_M, baselines.max()))
    return float(np.degrees(np.angle(mean))), max(_MIN_YAW_SIGMA_DEG, float(sigma))
