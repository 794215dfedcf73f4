"""The plane of the ground as numbers: fitting a homography to points, and propagating what is uncertain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 40
_STILL = 1e-12  # relative step below which the fit has come to rest


@dataclass(frozen=True)
class Plane:
    """A fitted homography.

    Attributes:
        matrix: 3×3, (x, y, 1) of a pixel → (east, north, 1)·w in metres; w = 1 amid the control points.
        covariance: 9×9, of the matrix' elements row by row. Its rank is 8.
        residuals: N×2 metres, where the map has a point minus where the plane has it.
        misfit: weighted squares of the residuals for each degree of freedom; 1 when the errors are as assumed, NaN for
            four points, which fit always.
    """

    matrix: Floats
    covariance: Floats
    residuals: Floats
    misfit: float


def apply(matrix: Floats, points: Floats) -> tuple[Floats, Floats]:
    """Map N×2 points; return N×2 and the N values of w, which is ≤ 0 beyond the horizon."""
    whole = points @ matrix[:, :2].T + matrix[:, 2]
    w = whole[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        return whole[:, :2] / w[:, None], w


def by_pixel(matrix: Floats, points: Floats) -> Floats:
    """N×2×2: metres on the ground, east and north, for one pixel to the right and one downwards."""
    ground, w = apply(matrix, points)
    out: Floats = (matrix[None, :2, :2] - ground[:, :, None] * matrix[2, :2]) / w[:, None, None]
    return out


def by_element(matrix: Floats, points: Floats) -> Floats:
    """N×2×9: metres on the ground for each element of the matrix, row by row."""
    ground, w = apply(matrix, points)
    seen = np.concatenate([points, np.ones((len(points), 1))], axis=1) / w[:, None]
    out = np.zeros((len(points), 2, 9))
    out[:, 0, 0:3] = out[:, 1, 3:6] = seen
    out[:, :, 6:9] = -ground[:, :, None] * seen[:, None, :]
    return out


def fit(pixels: Floats, ground: Floats, sigma_px: float, sigma_m: float) -> Plane:
    """Fit the plane: normalised linear solution (Hartley 1997), then least squares in ground metres.

    A far point moves by many metres for one pixel, so each residual counts by what errors of both sides make of it.

    Args:
        pixels: N×2, four or more in general position.
        ground: N×2 metres.
        sigma_px: standard deviation of a click in the frame.
        sigma_m: standard deviation of a click on the map.
    """
    to_unit, from_ground = _normaliser(pixels), _normaliser(ground)
    seen, there = apply(to_unit, pixels)[0], apply(from_ground, ground)[0]
    matrix = _linear(seen, there)
    unit_px, unit_m = sigma_px * to_unit[0, 0], sigma_m * from_ground[0, 0]
    damping = 1e-3
    cost, step_of = _normal_equations(matrix, seen, there, unit_px, unit_m)
    for _ in range(_STEPS):
        square, slope = step_of
        step = np.linalg.solve(square + damping * np.diag(np.diag(square)), slope)
        tried = matrix + np.append(step, 0.0).reshape(3, 3)
        tried_cost, tried_step = _normal_equations(tried, seen, there, unit_px, unit_m)
        if tried_cost <= cost:
            matrix, cost, step_of, damping = tried, tried_cost, tried_step, damping / 5
        else:
            damping *= 5
        if np.abs(step).max() < _STILL * np.abs(matrix).max():
            break
    freedom = 2 * len(pixels) - 8
    misfit = cost / freedom if freedom else float("nan")
    spread = np.zeros((9, 9))
    # a fit that happens to be better than the errors allow is no reason to believe it more
    spread[:8, :8] = np.linalg.pinv(step_of[0]) * (max(1.0, misfit) if freedom else 1.0)
    back = np.linalg.inv(from_ground)
    whole = back @ matrix @ to_unit
    turn = np.kron(back, to_unit.T)  # elements row by row: vec(A X B) = (A ⊗ Bᵀ) vec(X)
    middle = whole[2] @ np.append(pixels.mean(axis=0), 1.0)
    whole, spread = whole / middle, turn @ spread @ turn.T / middle**2
    return Plane(whole, spread, ground - apply(whole, pixels)[0], misfit)


def _normaliser(points: Floats) -> Floats:
    """Similarity that puts the points around 0 at a mean distance of √2."""
    middle = points.mean(axis=0)
    scale = np.sqrt(2) / np.hypot(*(points - middle).T).mean()
    return np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]])


def _linear(seen: Floats, there: Floats) -> Floats:
    one = np.concatenate([seen, np.ones((len(seen), 1))], axis=1)
    nought = np.zeros_like(one)
    rows = np.concatenate(
        [
            np.concatenate([one, nought, -there[:, :1] * one], axis=1),
            np.concatenate([nought, one, -there[:, 1:] * one], axis=1),
        ]
    )
    matrix = np.linalg.svd(rows)[2][-1].reshape(3, 3)
    out: Floats = matrix / (matrix[2, 2] if abs(matrix[2, 2]) > 1e-12 else 1e-12)
    return out


def _normal_equations(
    matrix: Floats, seen: Floats, there: Floats, sigma_px: float, sigma_m: float
) -> tuple[float, tuple[Floats, Floats]]:
    """Weighted cost, and the 8×8 square and slope of the eight free elements (the ninth stays 1)."""
    off = there - apply(matrix, seen)[0]
    turn = by_pixel(matrix, seen)
    weight = np.linalg.inv(sigma_px**2 * turn @ turn.transpose(0, 2, 1) + sigma_m**2 * np.eye(2))
    slope = by_element(matrix, seen)[:, :, :8]
    square = np.einsum("nia,nij,njb->ab", slope, weight, slope)
    cost = float(np.einsum("ni,nij,nj->", off, weight, off))
    return cost, (square, np.einsum("nia,nij,nj->a", slope, weight, off))
