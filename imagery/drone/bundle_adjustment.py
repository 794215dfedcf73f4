"""Bundle adjustment of a flight: refine all camera poses together so that tie points meet on the ground.

Robust least squares over position, height, yaw and tilt of every photo, one shared focal length and, where the ground
is modelled as a plane, its slope. The unknowns are corrections in units of their standard deviations, so the sensor
readings themselves enter as observations of weight one. Residuals are weighted by Cauchy's function, because roofs lean
away from the camera's nadir and do not lie on the ground. Without the slope as an unknown, all cameras of a flight over
a hillside would be tilted instead.

Solved by Gauss-Newton. The normal equations are never formed but solved by conjugate gradients, so memory grows with
the number of tie points, not with the square of the number of photos.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from imagery.drone.collinearity import Pose, intersect_ground, yaw_rotation
from imagery.drone.terrain import Ground

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
LinearMap = Callable[[Float64], Float64]

_MAX_ITERATIONS = 15
_CAUCHY_SCALE = 2.0  # residual in standard deviations at which an observation has half its weight
_CONVERGED = 1e-4  # largest correction in standard deviations below which the iteration stops
_CG_MAX_ITERATIONS = 400
_DIFFERENCE_STEP = 1e-3  # of a standard deviation, for numerical derivatives
_SHARED = 3  # unknowns of the whole flight: focal length, slope of the ground to the east and to the north


@dataclass(frozen=True)
class Observations:
    """Ground points that must agree: of two photos, or of one photo and the reference image.

    Attributes:
        first: N, index of the photo.
        second: N, index of the other photo; −1: the reference image.
        first_directions, second_directions: N×2 directions of the lens (see :mod:`imagery.drone.lens`).
        reference_points: N×2 easting and northing in the reference image; NaN for pairs of photos.
        sigma_m: N, standard deviation in metres on the ground.
    """

    first: Int64
    second: Int64
    first_directions: Float64
    second_directions: Float64
    reference_points: Float64
    sigma_m: Float64

    @classmethod
    def empty(cls) -> Self:
        """No observations."""
        points = np.zeros((0, 2))
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), points, points, points, np.zeros(0))

    @classmethod
    def concatenate(cls, parts: Sequence[Observations]) -> Self:
        """All observations of several sets, in their order."""
        every = [cls.empty(), *parts]
        return cls(*(np.concatenate([getattr(part, field.name) for part in every]) for field in fields(cls)))


@dataclass(frozen=True)
class AdjustedBundle:
    """Result of a bundle adjustment.

    Attributes:
        poses: of all photos.
        focal_scale: factor of the focal length.
        ground: with the estimated slope.
        initial_residuals_m: N, distances on the ground between observations that must agree, by the sensors alone.
        residuals_m: N, the same after the adjustment.
    """

    poses: list[Pose]
    focal_scale: float
    ground: Ground
    initial_residuals_m: Float64
    residuals_m: Float64


def adjust_bundle(
    poses: list[Pose],
    sigmas: Float64,
    focal_sigma: float,
    observations: Observations,
    ground: Ground,
    slope_sigma: float,
) -> AdjustedBundle:
    """Adjust the poses of a flight.

    Args:
        poses: initial poses, by the sensors.
        sigmas: n×6 standard deviations of easting, northing, height (metres), yaw, tilt about the camera's x and y
            (radians).
        focal_sigma: standard deviation of the focal length, as a fraction of it.
        observations: ground points that must agree.
        ground: terrain that the photos show; a plane is level below the first photo's camera.
        slope_sigma: standard deviation of the ground's slope, where it is a plane.
    """
    problem = _BundleProblem(poses, sigmas, np.array([focal_sigma, slope_sigma, slope_sigma]), observations, ground)
    unknowns = np.zeros(6 * len(poses) + _SHARED)
    residuals = problem.residuals(unknowns)
    initial_residuals_m = np.hypot(residuals[:, 0], residuals[:, 1])
    for _ in range(_MAX_ITERATIONS):
        weights = _cauchy_weights(residuals / observations.sigma_m[:, None])
        step = problem.gauss_newton_step(unknowns, residuals, weights)
        unknowns = unknowns + step
        residuals = problem.residuals(unknowns)
        if np.abs(step).max(initial=0.0) < _CONVERGED:
            break
    residuals_m = np.hypot(residuals[:, 0], residuals[:, 1])
    adjusted = [problem.pose(index, unknowns) for index in range(len(poses))]
    log_focal_scale, sloped = problem.shared(unknowns)
    return AdjustedBundle(adjusted, float(np.exp(log_focal_scale)), sloped, initial_residuals_m, residuals_m)


def _cauchy_weights(residuals: Float64) -> Float64:
    return np.asarray(1.0 / (1.0 + (residuals**2).sum(axis=1) / _CAUCHY_SCALE**2))


class _BundleProblem:
    """Residuals and derivatives of a flight.

    Unknowns: six corrections for each photo, the logarithm of the focal length's factor and the ground's slope, all in
    standard deviations. ``moves`` are the corrections of photos in metres and radians, N×6.
    """

    def __init__(
        self, poses: list[Pose], sigmas: Float64, shared_sigmas: Float64, observations: Observations, ground: Ground
    ) -> None:
        self.centres = np.array([pose.centre for pose in poses])
        self.rotations = np.array([pose.rotation for pose in poses])
        self.sigmas, self.shared_sigmas = sigmas, shared_sigmas
        self.observations, self.ground = observations, ground
        self.is_pair = observations.second >= 0

    def pose(self, index: int, unknowns: Float64) -> Pose:
        move = unknowns[6 * index : 6 * index + 6] * self.sigmas[index]
        tilt = _tilt_rotations(move[None, 4], move[None, 5])[0]
        return Pose(self.centres[index] + move[:3], yaw_rotation(float(move[3])) @ self.rotations[index] @ tilt)

    def shared(self, unknowns: Float64) -> tuple[float, Ground]:
        """Return the logarithm of the focal length's factor, and the ground."""
        values = unknowns[-_SHARED:] * self.shared_sigmas
        return float(values[0]), self.ground.with_slope(values[1:], self.centres[0, :2])

    def residuals(self, unknowns: Float64) -> Float64:
        """N×2 metres: ground point of the first photo minus that of the second, or minus the reference point."""
        first, second = self._moves(unknowns)
        observations, is_pair, shared = self.observations, self.is_pair, self.shared(unknowns)
        targets = observations.reference_points.copy()
        targets[is_pair] = self._ground_points(
            observations.second[is_pair], observations.second_directions[is_pair], second[is_pair], shared
        )
        return self._ground_points(observations.first, observations.first_directions, first, shared) - targets

    def gauss_newton_step(self, unknowns: Float64, residuals: Float64, weights: Float64) -> Float64:
        observations, is_pair = self.observations, self.is_pair
        root_weights = (np.sqrt(weights) / observations.sigma_m)[:, None]
        of_first, of_second, of_shared = self._jacobian(unknowns)
        of_first, of_second = of_first * root_weights[..., None], of_second * root_weights[is_pair][..., None]
        of_shared, weighted = of_shared * root_weights[..., None], residuals * root_weights
        second = observations.second[is_pair]
        count = len(self.centres)

        def jacobian_times(x: Float64) -> Float64:
            parts = x[:-_SHARED].reshape(count, 6)
            out = np.einsum("nij,nj->ni", of_first, parts[observations.first]) + of_shared @ x[-_SHARED:]
            out[is_pair] += np.einsum("nij,nj->ni", of_second, parts[second])
            return np.asarray(out)

        def transpose_times(y: Float64) -> Float64:
            parts = np.zeros((count, 6))
            np.add.at(parts, observations.first, np.einsum("nij,ni->nj", of_first, y))
            np.add.at(parts, second, np.einsum("nij,ni->nj", of_second, y[is_pair]))
            return np.append(parts.ravel(), np.einsum("nij,ni->j", of_shared, y))

        blocks = np.tile(np.eye(6), (count, 1, 1))
        np.add.at(blocks, observations.first, np.einsum("nki,nkj->nij", of_first, of_first))
        np.add.at(blocks, second, np.einsum("nki,nkj->nij", of_second, of_second))
        inverses = np.linalg.inv(blocks)
        shared_inverse = np.linalg.inv(np.eye(_SHARED) + np.einsum("nki,nkj->ij", of_shared, of_shared))

        def precondition(x: Float64) -> Float64:
            parts = np.einsum("nij,nj->ni", inverses, x[:-_SHARED].reshape(count, 6))
            return np.append(parts.ravel(), shared_inverse @ x[-_SHARED:])

        return _conjugate_gradients(
            lambda x: transpose_times(jacobian_times(x)) + x, -transpose_times(weighted) - unknowns, precondition
        )

    def _ground_points(
        self, photos: Int64, directions: Float64, moves: Float64, shared: tuple[float, Ground]
    ) -> Float64:
        """N×2 easting and northing where directions of photos, each moved by its own corrections, meet the ground."""
        log_focal_scale, ground = shared
        rays = np.column_stack([directions * np.exp(-log_focal_scale), np.ones(len(directions))])
        rays = np.einsum("nij,nj->ni", _tilt_rotations(moves[:, 4], moves[:, 5]), rays)
        rays = np.einsum("nij,nj->ni", self.rotations[photos], rays)
        c, s = np.cos(moves[:, 3]), np.sin(moves[:, 3])
        rays = np.column_stack([c * rays[:, 0] + s * rays[:, 1], c * rays[:, 1] - s * rays[:, 0], rays[:, 2]])
        points = intersect_ground(self.centres[photos] + moves[:, :3], rays, ground)
        return np.nan_to_num(points, nan=1e6)  # far away, so that it gets no weight

    def _moves(self, unknowns: Float64) -> tuple[Float64, Float64]:
        """N×6 corrections of the first and of the second photo of each observation."""
        moves = unknowns[:-_SHARED].reshape(-1, 6) * self.sigmas
        return moves[self.observations.first], moves[np.maximum(self.observations.second, 0)]

    def _jacobian(self, unknowns: Float64) -> tuple[Float64, Float64, Float64]:
        """Derivatives by forward differences.

        Returns:
            N×2×6 for the first photo, M×2×6 for the second photo of pairs (with its sign), N×2×3 for what is shared.
        """
        first, second = self._moves(unknowns)
        second = second[self.is_pair]
        shared = self.shared(unknowns)
        first_photos, first_directions = self.observations.first, self.observations.first_directions
        second_photos = self.observations.second[self.is_pair]
        second_directions = self.observations.second_directions[self.is_pair]
        first_points = self._ground_points(first_photos, first_directions, first, shared)
        second_points = self._ground_points(second_photos, second_directions, second, shared)
        of_first, of_second = np.empty((len(first_points), 2, 6)), np.empty((len(second_points), 2, 6))
        for k in range(6):
            delta = np.zeros(6)
            delta[k] = _DIFFERENCE_STEP
            moved = self._ground_points(
                first_photos, first_directions, first + delta * self.sigmas[first_photos], shared
            )
            of_first[..., k] = (moved - first_points) / _DIFFERENCE_STEP
            moved = self._ground_points(
                second_photos, second_directions, second + delta * self.sigmas[second_photos], shared
            )
            of_second[..., k] = (second_points - moved) / _DIFFERENCE_STEP
        of_shared = np.empty((len(first_points), 2, _SHARED))
        for k in range(_SHARED):
            changed = unknowns.copy()
            changed[k - _SHARED] += _DIFFERENCE_STEP
            other = self.shared(changed)
            moved = self._ground_points(first_photos, first_directions, first, other)
            of_shared[..., k] = (moved - first_points) / _DIFFERENCE_STEP
            moved = self._ground_points(second_photos, second_directions, second, other)
            of_shared[self.is_pair, :, k] -= (moved - second_points) / _DIFFERENCE_STEP
        return of_first, of_second, of_shared


def _tilt_rotations(about_x: Float64, about_y: Float64) -> Float64:
    """N×3×3 rotations of the camera about its own axes."""
    ca, sa, cb, sb = np.cos(about_x), np.sin(about_x), np.cos(about_y), np.sin(about_y)
    zero = np.zeros_like(ca)
    rows = [[cb, zero, sb], [sa * sb, ca, -sa * cb], [-ca * sb, sa, ca * cb]]
    return np.moveaxis(np.array(rows), -1, 0)


def _conjugate_gradients(matrix_times: LinearMap, right_side: Float64, precondition: LinearMap) -> Float64:
    """Solve a symmetric positive definite system by preconditioned conjugate gradients (Hestenes, Stiefel 1952)."""
    x = np.zeros_like(right_side)
    residual = right_side.copy()
    preconditioned = precondition(residual)
    direction = preconditioned.copy()
    size = float(residual @ preconditioned)
    tolerance = 1e-14 * max(size, 1e-30)
    for _ in range(_CG_MAX_ITERATIONS):
        if size <= tolerance:
            break
        product = matrix_times(direction)
        length = size / float(direction @ product)
        x += length * direction
        residual -= length * product
        preconditioned = precondition(residual)
        new_size = float(residual @ preconditioned)
        direction = preconditioned + (new_size / size) * direction
        size = new_size
    return x
