"""Where photos are by their sensors alone; heading and height that were not told, from how neighbours overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from errors import Reason
from imagery.drone.collinearity import Pose, gimbal_rotation, to_ground
from imagery.drone.photo import Photo
from imagery.drone.terrain import Frame, Ground
from imagery.drone.tie_points import Nearby, OnGround, Ties

Float64 = NDArray[np.float64]

_SHORTEST_BASE_M = 5.0  # between two photos, from which the direction between them says something
_TYPICAL_HEIGHT_M = 120.0  # to choose neighbours by, where no height is told
_LEAST_YAW_DEG, _LEAST_HEIGHT = 4.0, 0.08  # deviations of a heading and (as a share) a height found by neighbours
_OFF = 0.3  # share of the half diagonal by which footprints of neighbours overlap at least
_SURE = 1.5  # times the sum of both photos' deviations, within which a feature is looked for
_PLAUSIBLE_M = (5.0, 1500.0)  # heights above the ground


def positions(photos: Sequence[Photo], frame: Frame) -> Float64:
    """N×2 easting and northing of the cameras."""
    return np.array([frame.place(photo.longitude, photo.latitude) for photo in photos]).reshape(-1, 2)


def neighbours(photos: Sequence[Photo], at: Float64, most: int) -> list[tuple[int, int]]:
    """Pairs of photos that probably show the same ground: for each photo the ``most`` nearest."""
    reach = np.array(
        [
            (photo.height_m or _TYPICAL_HEIGHT_M)
            * np.hypot(photo.lens.width, photo.lens.height)
            / 2
            / photo.lens.focal_px
            for photo in photos
        ]
    )
    pairs = set()
    for number in range(len(photos)):
        distance = np.hypot(*(at - at[number]).T)
        distance[number] = np.inf
        for other in np.argsort(distance, kind="stable")[:most].tolist():
            if distance[other] < (reach[number] + reach[other]) * (1 - _OFF):
                pairs.add((min(number, other), max(number, other)))
    return sorted(pairs)


@dataclass(frozen=True)
class Start:
    """Poses by the sensors.

    Attributes:
        numbers: of the photos that have one, of those given.
        poses: of these.
        deviations: n×6 of easting, northing, height (metres), yaw and both tilts (radians).
        unplaced: number of a photo → why it has none.
    """

    numbers: list[int]
    poses: list[Pose]
    deviations: Float64
    unplaced: dict[int, str]


def start_poses(photos: Sequence[Photo], at: Float64, ties: Sequence[Ties], frame: Frame, ground: Ground) -> Start:
    """Place photos by what they say of themselves."""
    found = _from_neighbours(photos, at, ties)
    below = ground.elevation(at[:, 0], at[:, 1])
    numbers, poses, deviations = [], [], []
    unplaced: dict[int, str] = {}
    for number, photo in enumerate(photos):
        noise = photo.noise
        heights, headings = found.get(number, ([], []))
        height, height_deviation = photo.height_m, noise.height_m
        if height is None and heights:
            height = float(np.median(heights))
            height_deviation = _LEAST_HEIGHT * height
        if height is None and not ground.plane and photo.altitude_m is not None:
            height, height_deviation = photo.altitude_m - float(below[number]), 30.0
        if height is None or not _PLAUSIBLE_M[0] <= height <= _PLAUSIBLE_M[1]:
            unplaced[number] = Reason(
                "its height above the ground is neither told nor found by its neighbours", "photo.no_height"
            )
            continue
        yaw, yaw_deviation = photo.yaw_deg, noise.yaw_deg
        if yaw is not None:
            yaw += frame.true_north_deg(photo.longitude, photo.latitude)
        elif headings:
            yaw, yaw_deviation = _mean_heading(headings)
        else:
            unplaced[number] = Reason("its heading is neither told nor found by its neighbours", "photo.no_heading")
            continue
        # heights are told above the take-off point, those found are above the ground below the camera
        foot = float(below[0]) if photo.height_m is not None else float(below[number])
        centre = np.array([at[number, 0], at[number, 1], foot + height])
        numbers.append(number)
        poses.append(Pose(centre, gimbal_rotation(yaw, photo.pitch_deg, photo.roll_deg)))
        tilt, turn = np.radians(noise.tilt_deg), np.radians(yaw_deviation)
        deviations.append([noise.position_m, noise.position_m, height_deviation, turn, tilt, tilt])
    return Start(numbers, poses, np.array(deviations).reshape(-1, 6), unplaced)


def guess_on_ground(photos: Sequence[Photo], start: Start, ground: Ground) -> OnGround:
    """Where pixels of photos lie, as far as their sensors say, and how far that may be off."""
    known = {number: at for at, number in enumerate(start.numbers)}

    def guess(first: int, of_first: Float64, second: int, of_second: Float64) -> Nearby | None:
        if first not in known or second not in known:
            return None
        within, placed = 0.0, []
        for number, pixels in ((first, of_first), (second, of_second)):
            pose, deviation = start.poses[known[number]], start.deviations[known[number]]
            lens = photos[number].lens
            placed.append(to_ground(pose, lens, pixels, ground))
            height = pose.centre[2] - float(ground.elevation(*pose.centre[:2]))
            arm = height * np.hypot(lens.width, lens.height) / 2 / lens.focal_px
            within += float(
                deviation[:2].sum() / 2
                + height * deviation[4:].sum() / 2
                + arm * (deviation[3] + deviation[2] / height)
            )
        return Nearby(placed[0], placed[1], _SURE * within)

    return guess


def _from_neighbours(
    photos: Sequence[Photo], at: Float64, ties: Sequence[Ties]
) -> dict[int, tuple[list[float], list[tuple[float, float]]]]:
    """Heights in metres, and headings (degrees in the grid, base in metres), that pairs of photos say.

    Of two photos that look straight down, one sees the other's centre at t: what lies between the cameras by satellite
    is height × t, turned by the heading. In complex numbers, east + i north.
    """
    found: dict[int, tuple[list[float], list[tuple[float, float]]]] = {}
    for tie in ties:
        seen = [
            photos[number].lens.directions(points)
            for number, points in ((tie.first, tie.at_first), (tie.second, tie.at_second))
        ]
        for own, other, here, there in (
            (tie.first, tie.second, seen[0], seen[1]),
            (tie.second, tie.first, seen[1], seen[0]),
        ):
            if photos[own].height_m is not None and photos[own].yaw_deg is not None:
                continue
            similar, _ = cv2.estimateAffinePartial2D(there, here, method=cv2.RANSAC, ransacReprojThreshold=0.01)
            base = complex(*(at[other] - at[own]))
            if similar is None or abs(base) < _SHORTEST_BASE_M:
                continue
            seen_at = complex(similar[0, 2], -similar[1, 2])
            if abs(seen_at) < 0.02:
                continue
            heights, headings = found.setdefault(own, ([], []))
            heights.append(abs(base) / abs(seen_at))
            headings.append((float(np.degrees(np.angle(seen_at) - np.angle(base))), abs(base)))
    return found


def _mean_heading(headings: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Heading and its deviation in degrees; a longer base says it better."""
    angles, bases = np.radians([heading for heading, _ in headings]), np.array([base for _, base in headings])
    mean = np.sum(bases**2 * np.exp(1j * angles))
    spread = np.degrees(np.arctan2(5.0, bases.max()))
    return float(np.degrees(np.angle(mean))), max(_LEAST_YAW_DEG, float(spread))
