"""Prediction of a complete pair of any size, on the pixels of its label."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.blocks import MARGIN
from inference.pair_reader import PairReader
from inference.registration.measure import Alignment
from model.detector import Detector
from model.looks import Looks
from model.multi_scale import MultiScaleDetector
from training.evaluation.comparison import ComparisonSettings, open_pair
from training.evaluation.pair_decoding import LabelledPair

BLOCK_MULTIPLE_PX = 128
"""Sides of a block are multiples of this: a runtime compiles for every new shape, which takes seconds."""

MAX_BLOCK_PX = 2048
"""Largest side of a block without its halo, in pixels of the detection grid."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """Output of the network for one pair.

    Attributes:
        probabilities: 3×H×W on the label's grid: building, ground, direction.
        scored: H×W, where both dates are valid (the rest is blank to the network) and the label is known.
        alignment: of the earlier image; its reason is set if registration was requested and refused.
    """

    probabilities: Floats
    scored: NDArray[np.bool_]
    alignment: Alignment


@dataclass(frozen=True)
class Span:
    """One axis of a block: the network reads ``start`` … ``stop``, its output is used for ``first`` … ``last``."""

    start: int
    stop: int
    first: int
    last: int


def split_axis(length: int, halo: int, stride: int, max_block_px: int = MAX_BLOCK_PX) -> list[Span]:
    """Split an axis into spans of equal length with a halo of at least ``halo`` on each side.

    At the ends of the axis spans read no more than a prediction of the complete axis would: so splitting changes
    nothing, not even at the border of the image.

    Args:
        length: pixels.
        halo: radius of the network's receptive field, pixels.
        stride: spans start at its multiples.
        max_block_px: largest number of pixels whose output is used.
    """
    around = math.ceil((halo + MARGIN) / stride) * stride
    unit = math.lcm(BLOCK_MULTIPLE_PX, stride)
    padded = math.ceil(length / unit) * unit
    if padded <= max_block_px + 2 * around:
        return [Span(0, padded, 0, length)]
    count = math.ceil((padded - 2 * around) / max_block_px)
    core = math.ceil((padded - 2 * around) / count / stride) * stride
    # the last span is moved back so that it ends with the axis
    starts = sorted({min(k * core, padded - core - 2 * around) for k in range(count)})
    firsts = [0, *(start + around for start in starts[1:]), length]
    return [
        Span(start, start + core + 2 * around, first, last)
        for start, first, last in zip(starts, firsts, firsts[1:], strict=False)
    ]


def _positions_within(span: Span, positions: NDArray[np.float64], length: int) -> NDArray[np.intp]:
    """Return the indices of positions in a span; each position is in exactly one, also beyond the ends."""
    base = np.clip(np.floor(positions), 0, length - 1)
    return np.flatnonzero((base >= span.first) & (base < span.last))


def _blocks(reader: PairReader, detector: MultiScaleDetector, max_block_px: int) -> Iterator[tuple[Span, Span]]:
    """Iterate over the blocks of a grid: spans of rows and of columns."""
    rows, cols = (split_axis(int(n), detector.halo, detector.stride, max_block_px) for n in reader.pair.grid.shape)
    return ((row, col) for row in rows for col in cols)


def predict_pair(
    detector: Detector,
    pair: LabelledPair,
    settings: ComparisonSettings,
    max_block_px: int = MAX_BLOCK_PX,
    looks: Looks | None = None,
) -> Prediction:
    """Compare a pair at the detection resolution and resample the output to the label's grid, bilinearly.

    Only one block is in memory besides the images, so memory does not depend on how much they are enlarged.

    Args:
        detector: loaded weights.
        pair: its images may differ in size from its label if both cover the same ground.
        settings: resolution and registration.
        max_block_px: see :func:`split_axis`.
        looks: what the network looks at; None: as in a scan with ``settings``.

    Raises:
        NotComparable: no pixel is valid on both dates.
    """
    reader = open_pair(pair.before, pair.after, settings)
    scales = MultiScaleDetector(detector, looks or settings.looks(detector.weights))
    grid = tuple(int(n) for n in reader.pair.grid.shape)
    native, label = pair.after.valid.shape, pair.changed.shape
    # centres of the label's pixels in grid coordinates, where centres are whole numbers
    positions = [
        (np.arange(label[axis], dtype=np.float64) + 0.5) * (native[axis] / label[axis] / settings.reduction) - 0.5
        for axis in (0, 1)
    ]
    identical = grid == label and all(np.array_equal(axis, np.arange(len(axis))) for axis in positions)
    probabilities = np.zeros((3, *label), np.float32)
    scored = np.zeros(label, np.bool_)
    missed = settings.refused_missed and reader.alignment.reason is not None
    for row, col in _blocks(reader, scales, max_block_px):
        patch = reader.read(slice(row.start, row.stop), slice(col.start, col.stop))
        if not patch.valid.any():
            continue
        # one more row and column, which interpolation needs
        needed = (
            slice(row.first - row.start, min(row.last + 1, row.stop) - row.start),
            slice(col.first - col.start, min(col.last + 1, col.stop) - col.start),
        )
        if missed:
            height, width = (axis.stop - axis.start for axis in needed)
            predicted = np.zeros((3, height, width), np.float32)
        else:
            predicted = scales.predict(patch.before, patch.after, needed, patch.valid)
        if identical:
            target = np.s_[row.first : row.last, col.first : col.last]
            source = np.s_[row.first - row.start : row.last - row.start, col.first - col.start : col.last - col.start]
            probabilities[(slice(None), *target)] = predicted[:, : row.last - row.first, : col.last - col.first]
            scored[target] = patch.valid[source]
            continue
        y, x = _positions_within(row, positions[0], grid[0]), _positions_within(col, positions[1], grid[1])
        if not (len(y) and len(x)):
            continue
        # clipped at the ends: the block is blank beyond them
        v = (np.clip(positions[0][y], 0, grid[0] - 1) - row.start).astype(np.float32)
        u = (np.clip(positions[1][x], 0, grid[1] - 1) - col.start).astype(np.float32)
        target = np.s_[y[0] : y[-1] + 1, x[0] : x[-1] + 1]
        for channel in range(3):
            probabilities[channel][target] = _bilinear(
                predicted[channel], v - np.float32(row.first - row.start), u - np.float32(col.first - col.start)
            )
        scored[target] = patch.valid[np.rint(v).astype(np.intp)[:, None], np.rint(u).astype(np.intp)[None, :]]
    if pair.known is not None:
        scored &= pair.known
    return Prediction(probabilities, scored, reader.alignment)


def _bilinear(values: Floats, v: Floats, u: Floats) -> Floats:
    """Interpolate at rows ``v`` and columns ``u``, all inside; exact, while OpenCV's remap rounds to 1/32 pixel."""
    top = np.minimum(v.astype(np.intp), values.shape[0] - 2)
    left = np.minimum(u.astype(np.intp), values.shape[1] - 2)
    down, across = (v - top).astype(np.float32)[:, None], (u - left).astype(np.float32)
    lines = values[top] + (values[top + 1] - values[top]) * down
    return np.asarray(lines[:, left] + (lines[:, left + 1] - lines[:, left]) * across, dtype=np.float32)
