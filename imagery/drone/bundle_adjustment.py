"""All photos of a flight placed together: what they show both must meet on the ground.

Least squares over position, height, yaw and tilt of every photo, one focal length and, where the ground is taken for a
plane, its slope; in units of what their sensors are believed to (so the sensors themselves are observations of weight
one), with Cauchy's weights against what is no ground (roofs lean away from the camera's centre). Without the slope, all
cameras of a flight over a hillside would be tilted in its place. Gauss-Newton; its normal equations are never formed
but solved by conjugate gradients, so that memory grows with the number of ties, not with the square of the number of
photos.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagery.drone.collinearity import Pose, meet_ground, turned
from imagery.drone.terrain import Ground

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

_ROUNDS = 15
_CAUCHY = 2.0  # deviations at which a tie weighs half
_SETTLED = 1e-4  # deviations: a step below that is none
_SOLVER_ROUNDS = 400
_STEP = 1e-3  # of a deviation, for derivatives
_COMMON = 3  # unknowns of the flight: the focal length, the ground's rise to the east and to the north


@dataclass(frozen=True)
class Observations:
    """Places on the ground that must agree: of one photo and another, or of one photo and the reference image.

    Attributes:
        first: N, number of the photo.
        second: N, number of the other one; −1: the reference.
        at_first, at_second: N×2 directions of the lens (see :mod:`imagery.drone.lens`).
        place: N×2 easting and northing in the reference; NaN for pairs.
        deviation_m: N, how well they are believed.
    """

    first: Int64
    second: Int64
    at_first: Float64
    at_second: Float64
    place: Float64
    deviation_m: Float64

    def with_more(self, more: Observations) -> Observations:
        """Both together."""
        names = ("first", "second", "at_first", "at_second", "place", "deviation_m")
        return Observations(*(np.concatenate([getattr(self, name), getattr(more, name)]) for name in names))


@dataclass(frozen=True)
class Adjusted:
    """What came out.

    Attributes:
        poses: of all photos.
        focal_scale: factor of the focal length.
        ground: with the slope that was found.
        before_m, after_m: N, distance on the ground between what must agree, by the sensors alone and now.
        weight: N, 0…1, how much each observation was believed in the end.
    """

    poses: list[Pose]
    focal_scale: float
    ground: Ground
    before_m: Float64
    after_m: Float64
    weight: Float64


def adjust(
    poses: list[Pose], deviations: Float64, focal_noise: float, seen: Observations, ground: Ground, rise_noise: float
) -> Adjusted:
    """Place photos together.

    Args:
        poses: by the sensors.
        deviations: n×6 of easting, northing, height (metres), yaw, tilt about the camera's x and y (radians).
        focal_noise: of the focal length, as a share of it.
        seen: what must agree.
        ground: what the photos show; a plane is level below the first photo's camera.
        rise_noise: of its slope, where it is a plane.
    """
    state = _State(poses, deviations, np.array([focal_noise, rise_noise, rise_noise]), seen, ground)
    unknown = np.zeros(6 * len(poses) + _COMMON)
    misfit = state.misfit(unknown)
    before = np.hypot(misfit[:, 0], misfit[:, 1])
    for _ in range(_ROUNDS):
        weight = _weight(misfit / seen.deviation_m[:, None])
        step = state.step(unknown, misfit, weight)
        unknown = unknown + step
        misfit = state.misfit(unknown)
        if np.abs(step).max(initial=0.0) < _SETTLED:
            break
    after = np.hypot(misfit[:, 0], misfit[:, 1])
    final = [state.pose(number, unknown) for number in range(len(poses))]
    focal, tilted = state.common(unknown)
    return Adjusted(final, float(np.exp(focal)), tilted, before, after, _weight(misfit / seen.deviation_m[:, None]))


def _weight(misfit: Float64) -> Float64:
    return np.asarray(1.0 / (1.0 + (misfit**2).sum(axis=1) / _CAUCHY**2))


class _State:
    """Unknowns: six for each photo, the logarithm of the focal length and the ground's rise, all in deviations."""

    def __init__(
        self, poses: list[Pose], deviations: Float64, noise: Float64, seen: Observations, ground: Ground
    ) -> None:
        self.centres = np.array([pose.centre for pose in poses])
        self.rotations = np.array([pose.rotation for pose in poses])
        self.deviations, self.noise = deviations, noise
        self.seen, self.ground = seen, ground
        self.pair = seen.second >= 0

    def pose(self, number: int, unknown: Float64) -> Pose:
        moved = unknown[6 * number : 6 * number + 6] * self.deviations[number]
        rotation = turned(float(moved[3])) @ self.rotations[number] @ _tilted(moved[None, 4], moved[None, 5])[0]
        return Pose(self.centres[number] + moved[:3], rotation)

    def common(self, unknown: Float64) -> tuple[float, Ground]:
        """The logarithm of the focal length's factor, and the ground."""
        found = unknown[-_COMMON:] * self.noise
        return float(found[0]), self.ground.tilted(found[1:], self.centres[0, :2])

    def _met(self, photo: Int64, directions: Float64, moved: Float64, common: tuple[float, Ground]) -> Float64:
        """Where directions of photos, each moved by its own six numbers (metres, radians), meet the ground."""
        rays = np.column_stack([directions * np.exp(-common[0]), np.ones(len(directions))])
        rays = np.einsum("nij,nj->ni", _tilted(moved[:, 4], moved[:, 5]), rays)
        rays = np.einsum("nij,nj->ni", self.rotations[photo], rays)
        c, s = np.cos(moved[:, 3]), np.sin(moved[:, 3])
        rays = np.column_stack([c * rays[:, 0] + s * rays[:, 1], c * rays[:, 1] - s * rays[:, 0], rays[:, 2]])
        met = meet_ground(self.centres[photo] + moved[:, :3], rays, common[1])
        return np.nan_to_num(met, nan=1e6)  # far away: it gets no weight

    def _both(self, unknown: Float64) -> tuple[Float64, Float64]:
        moved = unknown[:-_COMMON].reshape(-1, 6) * self.deviations
        return moved[self.seen.first], moved[np.maximum(self.seen.second, 0)]

    def misfit(self, unknown: Float64) -> Float64:
        """N×2 metres: first minus second, or minus the reference."""
        first, second = self._both(unknown)
        seen, pair, common = self.seen, self.pair, self.common(unknown)
        there = seen.place.copy()
        there[pair] = self._met(seen.second[pair], seen.at_second[pair], second[pair], common)
        return self._met(seen.first, seen.at_first, first, common) - there

    def step(self, unknown: Float64, misfit: Float64, weight: Float64) -> Float64:
        """One step of Gauss and Newton."""
        seen, pair = self.seen, self.pair
        root = (np.sqrt(weight) / seen.deviation_m)[:, None]
        of_first, of_second, of_common = self._derivatives(unknown)
        of_first, of_second = of_first * root[..., None], of_second * root[pair][..., None]
        of_common, left = of_common * root[..., None], misfit * root
        second = seen.second[pair]
        count = len(self.centres)

        def forward(x: Float64) -> Float64:
            parts = x[:-_COMMON].reshape(count, 6)
            out = np.einsum("nij,nj->ni", of_first, parts[seen.first]) + of_common @ x[-_COMMON:]
            out[pair] += np.einsum("nij,nj->ni", of_second, parts[second])
            return np.asarray(out)

        def backward(y: Float64) -> Float64:
            parts = np.zeros((count, 6))
            np.add.at(parts, seen.first, np.einsum("nij,ni->nj", of_first, y))
            np.add.at(parts, second, np.einsum("nij,ni->nj", of_second, y[pair]))
            return np.append(parts.ravel(), np.einsum("nij,ni->j", of_common, y))

        blocks = np.tile(np.eye(6), (count, 1, 1))
        np.add.at(blocks, seen.first, np.einsum("nki,nkj->nij", of_first, of_first))
        np.add.at(blocks, second, np.einsum("nki,nkj->nij", of_second, of_second))
        inverses = np.linalg.inv(blocks)
        last = np.linalg.inv(np.eye(_COMMON) + np.einsum("nki,nkj->ij", of_common, of_common))

        def nearly(x: Float64) -> Float64:
            parts = np.einsum("nij,nj->ni", inverses, x[:-_COMMON].reshape(count, 6))
            return np.append(parts.ravel(), last @ x[-_COMMON:])

        return _conjugate_gradients(lambda x: backward(forward(x)) + x, -backward(left) - unknown, nearly)

    def _derivatives(self, unknown: Float64) -> tuple[Float64, Float64, Float64]:
        """N×2×6 of the first photo, M×2×6 of the second one of pairs (with its sign), N×2×3 of what is common."""
        first, second = self._both(unknown)
        seen, pair, common = self.seen, self.pair, self.common(unknown)
        here = self._met(seen.first, seen.at_first, first, common)
        there = self._met(seen.second[pair], seen.at_second[pair], second[pair], common)
        of_first, of_second = np.empty((len(here), 2, 6)), np.empty((len(there), 2, 6))
        for number in range(6):
            ahead = np.zeros(6)
            ahead[number] = _STEP
            of_first[..., number] = (
                self._met(seen.first, seen.at_first, first + ahead * self.deviations[seen.first], common) - here
            ) / _STEP
            moved = second[pair] + ahead * self.deviations[seen.second[pair]]
            of_second[..., number] = (there - self._met(seen.second[pair], seen.at_second[pair], moved, common)) / _STEP
        of_common = np.empty((len(here), 2, _COMMON))
        for number in range(_COMMON):
            ahead = unknown.copy()
            ahead[number - _COMMON] += _STEP
            other = self.common(ahead)
            of_common[..., number] = (self._met(seen.first, seen.at_first, first, other) - here) / _STEP
            met = self._met(seen.second[pair], seen.at_second[pair], second[pair], other)
            of_common[pair, :, number] -= (met - there) / _STEP
        return of_first, of_second, of_common


def _tilted(about_x: Float64, about_y: Float64) -> Float64:
    """N×3×3 rotations of the camera about its own axes."""
    ca, sa, cb, sb = np.cos(about_x), np.sin(about_x), np.cos(about_y), np.sin(about_y)
    zero = np.zeros_like(ca)
    rows = [[cb, zero, sb], [sa * sb, ca, -sa * cb], [-ca * sb, sa, ca * cb]]
    return np.moveaxis(np.array(rows), -1, 0)


def _conjugate_gradients(times, right: Float64, nearly) -> Float64:  # type: ignore[no-untyped-def]
    """Solve a symmetric, positive definite system (Hestenes, Stiefel 1952), helped by an approximate inverse."""
    x = np.zeros_like(right)
    left = right.copy()
    helped = nearly(left)
    direction = helped.copy()
    size = float(left @ helped)
    enough = 1e-14 * max(size, 1e-30)
    for _ in range(_SOLVER_ROUNDS):
        if size <= enough:
            break
        product = times(direction)
        length = size / float(direction @ product)
        x += length * direction
        left -= length * product
        helped = nearly(left)
        new = float(left @ helped)
        direction = helped + (new / size) * direction
        size = new
    return x
