"""Robust fit of a smooth shift field to the offsets of many windows.

Every fit is an *increment* on the field so far and vanishes where there are no trusted windows, so that the coarser
field remains there. The stiffness of the field is chosen by leave-one-out cross-validation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.registration.shift_field import Lattice, ShiftField

Float64 = NDArray[np.float64]

BENDING_PENALTIES = (30.0, 3.0, 0.3, 0.04, 0.008, 0.0015)
"""Candidate bending penalties, stiffest first, in units of one window's weight."""

MIN_IMPROVEMENT = 0.95
"""A less stiff field must reduce the leave-one-out error at least to this fraction of the stiffer one's."""

RIDGE = 0.02
"""Ridge penalty that pulls the remainder to zero, in units of one window's weight."""

MATCHING_PRECISION_PX = 0.15
"""Precision of matching, in pixels of the level; deviations within it are not outliers."""


def _biweight(length: Float64, scale: float) -> Float64:
    """Return Tukey's biweight: 1 at 0, 0 beyond ``scale``."""
    root = np.clip(1.0 - (length / scale) ** 2, 0.0, None)
    return np.asarray(root * root)


def _median(values: Float64, weight: Float64) -> float:
    """Return the weighted median."""
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2.0)])


def offset_mode(offset: Float64, weight: Float64, radius: float) -> Float64:
    """Return the mode (2,) of offsets: the centre of most of the weight within ``radius``."""
    distance = np.linalg.norm(offset[:, None] - offset[None, :], axis=2)
    support = (_biweight(distance, radius) * weight[None, :]).sum(axis=1)
    near = _biweight(np.linalg.norm(offset - offset[support.argmax()], axis=1), radius) * weight
    return np.asarray((offset * near[:, None]).sum(axis=0) / near.sum())


def fit_affine(positions: Float64, offset: Float64, weight: Float64, radius: float) -> tuple[Float64, Float64]:
    """Fit a robust affine transform to offsets (n, 2) at positions (n, 2), scaled to about ±1.

    The fit starts at the mode of the offsets and tightens its outlier threshold. With fewer than eight inliers it is a
    pure shift.

    Returns:
        coefficients (3, 2) and robust weights (n,).
    """
    coefficients = np.zeros((3, 2))
    coefficients[0] = offset_mode(offset, weight, radius)
    design = np.column_stack([np.ones(len(positions)), positions])
    robust = weight
    for cut in (1.5, 1.2, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        length = np.linalg.norm(offset - design @ coefficients, axis=1)
        near = weight * (length < cut * radius)
        if near.sum() <= 0.0:
            break
        spread = 1.48 * _median(length, near)
        robust = weight * _biweight(length, float(np.clip(4.0 * spread, 6.0 * MATCHING_PRECISION_PX, cut * radius)))
        if robust.sum() <= 0.0:
            break
        terms = 3 if np.count_nonzero(robust > 0.05) >= 8 else 1
        part = design[:, :terms]
        # small ridge on the slopes: windows on one line do not determine the slope across it
        ridge = np.diag([0.0, 0.05, 0.05][:terms])
        normal = part.T @ (part * robust[:, None]) + ridge
        coefficients = np.zeros((3, 2))
        coefficients[:terms] = np.linalg.solve(normal, part.T @ (offset * robust[:, None]))
    return coefficients, robust


def _penalty(rows: int, columns: int, aspect: float) -> Float64:
    """Return the penalty matrix (n, n) of a lattice: thin-plate bending in finite differences and slight stretching.

    ``aspect`` is the spacing of columns over that of rows; it makes bending isotropic on the ground.
    """
    number = np.arange(rows * columns).reshape(rows, columns)
    total = np.zeros((rows * columns, rows * columns))

    def add(cells: list[NDArray[np.intp]], signs: list[float], factor: float) -> None:
        if cells[0].size == 0:
            return
        stencil = np.zeros((cells[0].size, rows * columns))
        for cell, sign in zip(cells, signs, strict=True):
            stencil[np.arange(cell.size), cell.ravel()] += sign
        total[:] += factor * stencil.T @ stencil

    add([number[:, :-2], number[:, 1:-1], number[:, 2:]], [1.0, -2.0, 1.0], aspect**-2)
    add([number[:-2], number[1:-1], number[2:]], [1.0, -2.0, 1.0], aspect**2)
    add([number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]], [1.0, -1.0, -1.0, 1.0], 2.0)
    add([number[:, :-1], number[:, 1:]], [-1.0, 1.0], 0.05 / aspect)
    add([number[:-1], number[1:]], [-1.0, 1.0], 0.05 * aspect)
    return total


def padded_lattice(lattice: Lattice) -> Lattice:
    """Return the lattice with an additional ring of nodes, so that the field extends beyond the image."""
    x0, y0 = lattice.x0 - lattice.dx, lattice.y0 - lattice.dy
    return Lattice(x0, y0, lattice.dx, lattice.dy, lattice.columns + 2, lattice.rows + 2)


def fit_remainder(
    offset: Float64, weight: Float64, lattice: Lattice, radius: float, min_rms_px: float
) -> Float64 | None:
    """Fit a smooth remainder to what the affine part leaves.

    Args:
        offset: (rows, columns, 2) offsets left by the affine part.
        weight: (rows, columns) trust.
        lattice: positions of the windows.
        radius: largest deviation of an inlier.
        min_rms_px: least root mean square of the offsets that justifies a remainder.

    Returns:
        nodes (rows + 2, columns + 2, 2) on :func:`padded_lattice`; None if the offsets are smaller than ``min_rms_px``
        or cross-validation shows that a remainder does not help.
    """
    if np.count_nonzero(weight) < 9 or min(lattice.rows, lattice.columns) < 2:
        return None
    padded = padded_lattice(lattice)
    values = np.pad(offset, ((1, 1), (1, 1), (0, 0))).reshape(-1, 2)
    trust = np.pad(weight, 1).ravel()
    total = trust.sum()
    penalty = _penalty(padded.rows, padded.columns, lattice.dx / lattice.dy)
    length = np.linalg.norm(values, axis=1)
    # a fixed cap for all candidates: otherwise the one that rejects most windows as outliers would win
    cap = float(np.clip(3.0 * _median(length, trust), 4.0 * MATCHING_PRECISION_PX, radius))
    best: Float64 | None = None
    lowest = float((trust * np.minimum(length, cap) ** 2).sum() / total)
    if lowest < min_rms_px**2:
        return None
    nodes = np.zeros_like(values)
    for stiffness in BENDING_PENALTIES:
        loo_error = length
        for _ in range(3):  # each stiffness starts from the solution of the stiffer one
            residual = np.linalg.norm(values - nodes, axis=1)
            scale = float(np.clip(6.0 * _median(residual, trust), 6.0 * MATCHING_PRECISION_PX, radius))
            robust = trust * _biweight(residual, scale)
            inverse = np.linalg.inv(np.diag(robust + RIDGE) + stiffness * penalty)
            nodes = inverse @ (values * robust[:, None])
            influence = np.clip(np.diag(inverse) * robust, 0.0, 0.99)
            loo_error = np.linalg.norm(values - nodes, axis=1) / (1.0 - influence)
        score = float((trust * np.minimum(loo_error, cap) ** 2).sum() / total)
        if score < MIN_IMPROVEMENT * lowest:
            best, lowest = nodes, score
    return None if best is None else best.reshape(padded.rows, padded.columns, 2)


def refine_field(
    field: ShiftField,
    lattice: Lattice,
    offset: Float64,
    weight: Float64,
    zoom: float,
    radius: float,
    min_rms_px: float | None,
) -> ShiftField:
    """Return the field refined by the offsets of a lattice of windows.

    Args:
        field: field with which the windows were read.
        lattice: positions of the windows, in pixels of the common grid.
        offset: (rows, columns, 2) total shift measured by each window, in pixels of the common grid.
        weight: (rows, columns) trust.
        zoom: pixels of the common grid per pixel of the level; determines the expected precision.
        radius: largest deviation of an inlier from the others, in pixels of the level.
        min_rms_px: least root mean square, in pixels of the level, of what the affine part leaves that justifies a
            local remainder; None for affine only.
    """
    points = lattice.points()
    flat_weight = weight.ravel().astype(np.float64)
    if np.count_nonzero(flat_weight) == 0:
        return field
    increment = (offset.reshape(-1, 2) - field.at(points)) / zoom
    half = max(field.centre[0], field.centre[1], 1.0)
    positions = (points - np.asarray(field.centre)) / half
    coefficients, _ = fit_affine(positions, increment, flat_weight, radius)
    affine = field.affine + zoom * np.vstack([coefficients[:1], coefficients[1:] / half])
    rest = increment - np.column_stack([np.ones(len(positions)), positions]) @ coefficients
    nodes = None
    if min_rms_px is not None:
        nodes = fit_remainder(rest.reshape(offset.shape), weight, lattice, radius, min_rms_px)
    if nodes is None:
        return ShiftField(field.centre, affine, field.lattice, field.nodes, field.parts)
    previous = field.resampled(padded_lattice(lattice))
    nodes = np.asarray(previous.nodes) + zoom * nodes
    return ShiftField(field.centre, affine, previous.lattice, nodes, field.parts)
