"""Fit a homography from the frame to the ground plane, and propagate its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MAX_ITERATIONS = 40
_CONVERGED = 1e-12  # relative step below which the fit stops


@dataclass(frozen=True)
class FittedHomography:
    """A fitted homography.

    Attributes:
        matrix: 3×3, (x, y, 1) of a pixel → (east, north, 1)·w in metres; w = 1 at the centre of the control points.
        covariance: 9×9, of the matrix elements row by row. Its rank is 8.
        residuals: N×2 metres, position on the map minus position by the homography.
        variance_factor: weighted sum of squared residuals per degree of freedom; 1 if the errors are as assumed, NaN
            for four points, which always fit.
    """

    matrix: Floats
    covariance: Floats
    residuals: Floats
    variance_factor: float


def apply_homography(matrix: Floats, points: Floats) -> tuple[Floats, Floats]:
    """Map N×2 points; return N×2 points and the N values of w, which are ≤ 0 beyond the horizon."""
    homogeneous = points @ matrix[:, :2].T + matrix[:, 2]
    w = homogeneous[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return homogeneous[:, :2] / w[:, None], w


def pixel_jacobian(matrix: Floats, points: Floats) -> Floats:
    """N×2×2 derivatives: metres to the east and north per pixel to the right and down."""
    ground, w = apply_homography(matrix, points)
    out: Floats = (matrix[None, :2, :2] - ground[:, :, None] * matrix[2, :2]) / w[:, None, None]
    return out


def element_jacobian(matrix: Floats, points: Floats) -> Floats:
    """N×2×9 derivatives: metres to the east and north per element of the matrix, row by row."""
    ground, w = apply_homography(matrix, points)
    scaled = np.concatenate([points, np.ones((len(points), 1))], axis=1) / w[:, None]
    out = np.zeros((len(points), 2, 9))
    out[:, 0, 0:3] = out[:, 1, 3:6] = scaled
    out[:, :, 6:9] = -ground[:, :, None] * scaled[:, None, :]
    return out


def fit_homography(pixels: Floats, ground: Floats, sigma_px: float, sigma_m: float) -> FittedHomography:
    """Fit a homography: normalised linear solution (Hartley 1997), then least squares in ground metres.

    One pixel is many metres for a distant point, so each residual is weighted by the propagated errors of both sides.

    Args:
        pixels: N×2, four or more in general position.
        ground: N×2 metres.
        sigma_px: standard deviation of a click in the frame.
        sigma_m: standard deviation of a click on the map.
    """
    normalise_pixels, normalise_ground = _normalising_transform(pixels), _normalising_transform(ground)
    source, target = apply_homography(normalise_pixels, pixels)[0], apply_homography(normalise_ground, ground)[0]
    matrix = _linear_solution(source, target)
    source_sigma, target_sigma = sigma_px * normalise_pixels[0, 0], sigma_m * normalise_ground[0, 0]
    damping = 1e-3
    cost, equations = _normal_equations(matrix, source, target, source_sigma, target_sigma)
    for _ in range(_MAX_ITERATIONS):  # Levenberg-Marquardt
        normal_matrix, gradient = equations
        step = np.linalg.solve(normal_matrix + damping * np.diag(np.diag(normal_matrix)), gradient)
        tried = matrix + np.append(step, 0.0).reshape(3, 3)
        tried_cost, tried_equations = _normal_equations(tried, source, target, source_sigma, target_sigma)
        if tried_cost <= cost:
            matrix, cost, equations, damping = tried, tried_cost, tried_equations, damping / 5
        else:
            damping *= 5
        if np.abs(step).max() < _CONVERGED * np.abs(matrix).max():
            break
    freedom = 2 * len(pixels) - 8
    variance_factor = cost / freedom if freedom else float("nan")
    covariance = np.zeros((9, 9))
    # residuals that happen to be smaller than the assumed errors do not reduce the covariance
    covariance[:8, :8] = np.linalg.pinv(equations[0]) * (max(1.0, variance_factor) if freedom else 1.0)
    denormalise_ground = np.linalg.inv(normalise_ground)
    homography = denormalise_ground @ matrix @ normalise_pixels
    transform = np.kron(denormalise_ground, normalise_pixels.T)  # row by row: vec(A X B) = (A ⊗ Bᵀ) vec(X)
    centre_w = homography[2] @ np.append(pixels.mean(axis=0), 1.0)
    homography, covariance = homography / centre_w, transform @ covariance @ transform.T / centre_w**2
    residuals = ground - apply_homography(homography, pixels)[0]
    return FittedHomography(homography, covariance, residuals, variance_factor)


def _normalising_transform(points: Floats) -> Floats:
    """Similarity that moves the centroid to 0 and scales the mean distance from it to √2."""
    centroid = points.mean(axis=0)
    scale = np.sqrt(2) / np.hypot(*(points - centroid).T).mean()
    return np.array([[scale, 0, -scale * centroid[0]], [0, scale, -scale * centroid[1]], [0, 0, 1]])


def _linear_solution(source: Floats, target: Floats) -> Floats:
    """Direct linear transform of normalised points."""
    homogeneous = np.concatenate([source, np.ones((len(source), 1))], axis=1)
    zeros = np.zeros_like(homogeneous)
    rows = np.concatenate(
        [
            np.concatenate([homogeneous, zeros, -target[:, :1] * homogeneous], axis=1),
            np.concatenate([zeros, homogeneous, -target[:, 1:] * homogeneous], axis=1),
        ]
    )
    matrix = np.linalg.svd(rows)[2][-1].reshape(3, 3)
    out: Floats = matrix / (matrix[2, 2] if abs(matrix[2, 2]) > 1e-12 else 1e-12)
    return out


def _normal_equations(
    matrix: Floats, source: Floats, target: Floats, source_sigma: float, target_sigma: float
) -> tuple[float, tuple[Floats, Floats]]:
    """Weighted cost, and the 8×8 normal matrix and gradient of the eight free elements (the ninth stays 1)."""
    residuals = target - apply_homography(matrix, source)[0]
    by_source = pixel_jacobian(matrix, source)
    propagated = source_sigma**2 * by_source @ by_source.transpose(0, 2, 1)
    weight = np.linalg.inv(propagated + target_sigma**2 * np.eye(2))
    by_element = element_jacobian(matrix, source)[:, :, :8]
    normal_matrix = np.einsum("nia,nij,njb->ab", by_element, weight, by_element)
    cost = float(np.einsum("ni,nij,nj->", residuals, weight, residuals))
    return cost, (normal_matrix, np.einsum("nia,nij,nj->a", by_element, weight, residuals))
