"""From the offsets of many windows to one smooth shift field, whatever a part of the windows says.

Every fit is an *increment* on the field found so far and shrinks to nothing where there are no trusted windows: the
coarser field stays there. How freely the field may bend is chosen by leaving each window out once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.registration.shift_field import Lattice, ShiftField

Float64 = NDArray[np.float64]

STIFFNESS = (30.0, 3.0, 0.3, 0.04, 0.008, 0.0015)
"""Bending penalties tried, stiffest first, in units of one window's weight."""

SPARE_GAIN = 0.95
"""A freer field is taken only where it lowers the left-out error to this part of the stiffer one's."""

HOLD = 0.02
"""Pull of the remainder to zero, in units of one window's weight."""

FINEST_SCALE_PX = 0.15
"""Spread of offsets (level pixels) below which no window counts as an outlier: the precision of matching itself."""


def _biweight(length: Float64, scale: float) -> Float64:
    """Tukey's weights: 1 at 0, 0 beyond ``scale``."""
    part = np.clip(1.0 - (length / scale) ** 2, 0.0, None)
    return np.asarray(part * part)


def _median(values: Float64, weight: Float64) -> float:
    """Weighted median."""
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2.0)])


def agreed_offset(offset: Float64, weight: Float64, radius: float) -> Float64:
    """The offset (2,) that most of the weight lies around, within ``radius``: the mode, not the mean."""
    gap = np.linalg.norm(offset[:, None] - offset[None, :], axis=2)
    support = (_biweight(gap, radius) * weight[None, :]).sum(axis=1)
    near = _biweight(np.linalg.norm(offset - offset[support.argmax()], axis=1), radius) * weight
    return np.asarray((offset * near[:, None]).sum(axis=0) / near.sum())


def fit_affine(where: Float64, offset: Float64, weight: Float64, radius: float) -> tuple[Float64, Float64]:
    """Robust affine through offsets (n, 2) at positions (n, 2) scaled to about ±1.

    Starts at the agreed offset and tightens; with fewer than eight windows in agreement only a shift is fitted.
    Returns coefficients (3, 2) and the robust weights (n,).
    """
    coefficients = np.zeros((3, 2))
    coefficients[0] = agreed_offset(offset, weight, radius)
    design = np.column_stack([np.ones(len(where)), where])
    robust = weight
    for cut in (1.5, 1.2, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        length = np.linalg.norm(offset - design @ coefficients, axis=1)
        near = weight * (length < cut * radius)
        if near.sum() <= 0.0:
            break
        spread = 1.48 * _median(length, near)
        robust = weight * _biweight(length, float(np.clip(4.0 * spread, 6.0 * FINEST_SCALE_PX, cut * radius)))
        if robust.sum() <= 0.0:
            break
        terms = 3 if np.count_nonzero(robust > 0.05) >= 8 else 1
        part = design[:, :terms]
        # A light ridge on the slopes: windows on one line do not tell the slope across it.
        ridge = np.diag([0.0, 0.05, 0.05][:terms])
        normal = part.T @ (part * robust[:, None]) + ridge
        coefficients = np.zeros((3, 2))
        coefficients[:terms] = np.linalg.solve(normal, part.T @ (offset * robust[:, None]))
    return coefficients, robust


def _penalty(rows: int, columns: int, aspect: float) -> Float64:
    """Bending of a lattice (thin plate in finite differences) with a little stretching: (n, n).

    ``aspect`` is the spacing of columns over that of rows: bending counts by distance on the ground, not by node.
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


def widened(lattice: Lattice) -> Lattice:
    """The lattice with one more ring of nodes around it, so that the field ends beyond the image and not inside."""
    x0, y0 = lattice.x0 - lattice.dx, lattice.y0 - lattice.dy
    return Lattice(x0, y0, lattice.dx, lattice.dy, lattice.columns + 2, lattice.rows + 2)


def fit_remainder(offset: Float64, weight: Float64, lattice: Lattice, radius: float, worth_px: float) -> Float64 | None:
    """Smooth remainder on the :func:`widened` lattice (rows + 2, columns + 2, 2), or None.

    ``offset`` (rows, columns, 2) is what the affine leaves, ``weight`` (rows, columns) its trust. None where leaving
    windows out shows that bending does not help, or where less than ``worth_px`` is left.
    """
    if np.count_nonzero(weight) < 9 or min(lattice.rows, lattice.columns) < 2:
        return None
    wide = widened(lattice)
    said = np.pad(offset, ((1, 1), (1, 1), (0, 0))).reshape(-1, 2)
    trust = np.pad(weight, 1).ravel()
    total = trust.sum()
    penalty = _penalty(wide.rows, wide.columns, lattice.dx / lattice.dy)
    length = np.linalg.norm(said, axis=1)
    # One fixed cap for all candidates: else the candidate that calls most windows outliers would win.
    cap = float(np.clip(3.0 * _median(length, trust), 4.0 * FINEST_SCALE_PX, radius))
    best: Float64 | None = None
    lowest = float((trust * np.minimum(length, cap) ** 2).sum() / total)
    if lowest < worth_px**2:
        return None
    nodes = np.zeros_like(said)
    for stiffness in STIFFNESS:
        left_out = length
        for _ in range(3):  # each stiffness starts from what the stiffer one found
            gap = np.linalg.norm(said - nodes, axis=1)
            scale = float(np.clip(6.0 * _median(gap, trust), 6.0 * FINEST_SCALE_PX, radius))
            robust = trust * _biweight(gap, scale)
            inverse = np.linalg.inv(np.diag(robust + HOLD) + stiffness * penalty)
            nodes = inverse @ (said * robust[:, None])
            influence = np.clip(np.diag(inverse) * robust, 0.0, 0.99)
            left_out = np.linalg.norm(said - nodes, axis=1) / (1.0 - influence)
        score = float((trust * np.minimum(left_out, cap) ** 2).sum() / total)
        if score < SPARE_GAIN * lowest:
            best, lowest = nodes, score
    return None if best is None else best.reshape(wide.rows, wide.columns, 2)


def refine_field(
    field: ShiftField,
    lattice: Lattice,
    offset: Float64,
    weight: Float64,
    zoom: float,
    radius: float,
    worth_px: float | None,
) -> ShiftField:
    """The field improved by the offsets of the windows of a lattice.

    Args:
        field: the field under which the windows were read.
        lattice: where the windows lie, in pixels of the common grid.
        offset: (rows, columns, 2) total shift that each window says, in pixels of the common grid.
        weight: (rows, columns) trust.
        zoom: pixels of the common grid per pixel of the level: sets the precision to be expected.
        radius: how far, in pixels of the level, a window may stray from the others and still count.
        worth_px: the field bends where the affine part leaves more than this, in pixels of the level; None: never.
    """
    points = lattice.points()
    flat_weight = weight.ravel().astype(np.float64)
    if np.count_nonzero(flat_weight) == 0:
        return field
    increment = (offset.reshape(-1, 2) - field.at(points)) / zoom
    half = max(field.centre[0], field.centre[1], 1.0)
    where = (points - np.asarray(field.centre)) / half
    coefficients, _ = fit_affine(where, increment, flat_weight, radius)
    affine = field.affine + zoom * np.vstack([coefficients[:1], coefficients[1:] / half])
    left = increment - np.column_stack([np.ones(len(where)), where]) @ coefficients
    nodes = None
    if worth_px is not None:
        nodes = fit_remainder(left.reshape(offset.shape), weight, lattice, radius, worth_px)
    if nodes is None:
        return ShiftField(field.centre, affine, field.lattice, field.nodes)
    old = field.on(widened(lattice))
    return ShiftField(field.centre, affine, old.lattice, np.asarray(old.nodes) + zoom * nodes)
