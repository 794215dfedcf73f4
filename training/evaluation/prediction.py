"""What the network says of a whole pair of any size, on the pixels of its label."""

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
from training.evaluation.reading import LabelledPair
from training.evaluation.resolution import Look, open_pair

ROUND_TO = 128
"""Sides of a block are multiples of it: a runtime prepares itself for every new shape, which costs seconds."""

LARGEST = 2048
"""Side of a block, in pixels of detection, without what is read around it."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """The network's answer for one pair.

    Attributes:
        probabilities: 3×H×W on the label's grid: building, ground, direction.
        scored: H×W, where both dates show ground (the rest is blank to the network) and the label is known.
        alignment: of the earlier image; its reason is set where it was asked for and could not be measured.
    """

    probabilities: Floats
    scored: NDArray[np.bool_]
    alignment: Alignment


@dataclass(frozen=True)
class Span:
    """One axis of a block: the network sees ``start`` … ``stop`` and answers for ``first`` … ``last``."""

    start: int
    stop: int
    first: int
    last: int


def lay_spans(length: int, halo: int, stride: int, largest: int = LARGEST) -> list[Span]:
    """Cut an axis into spans of one length, which see at least ``halo`` around what they answer for.

    At the ends of the axis they see no more than a network does that is given the whole: so the cut does not show, not
    even at the image's border.

    Args:
        length: pixels.
        halo: how far the network's answer reaches.
        stride: spans begin at multiples of it.
        largest: pixels that a span may answer for.
    """
    around = math.ceil((halo + MARGIN) / stride) * stride
    unit = math.lcm(ROUND_TO, stride)
    whole = math.ceil(length / unit) * unit
    if whole <= largest + 2 * around:
        return [Span(0, whole, 0, length)]
    count = math.ceil((whole - 2 * around) / largest)
    core = math.ceil((whole - 2 * around) / count / stride) * stride
    # the last one is pushed back, so that it ends where the whole does
    starts = sorted({min(k * core, whole - core - 2 * around) for k in range(count)})
    firsts = [0, *(start + around for start in starts[1:]), length]
    return [
        Span(start, start + core + 2 * around, first, last)
        for start, first, last in zip(starts, firsts, firsts[1:], strict=False)
    ]


def _rows_within(span: Span, at: NDArray[np.float64], length: int) -> NDArray[np.intp]:
    """Which positions of an axis a span answers for; every position belongs to one span, also beyond the ends."""
    base = np.clip(np.floor(at), 0, length - 1)
    return np.flatnonzero((base >= span.first) & (base < span.last))


def _blocks(reader: PairReader, detector: Detector, largest: int) -> Iterator[tuple[Span, Span]]:
    rows, cols = (lay_spans(int(n), detector.halo, detector.stride, largest) for n in reader.pair.grid.shape)
    return ((row, col) for row in rows for col in cols)


def predict_pair(detector: Detector, pair: LabelledPair, look: Look, largest: int = LARGEST) -> Prediction:
    """Compare a pair at the resolution of detection and bring the answer back to the label's grid, bilinearly.

    One block at a time is held beside the images, so memory grows with them and not with what they are enlarged to.

    Args:
        detector: loaded weights.
        pair: its images may have another size than its label, as long as both show the same ground.
        look: resolution and registration.
        largest: see :func:`lay_spans`.

    Raises:
        NotComparable: no pixel is valid on both dates.
    """
    reader = open_pair(pair.before, pair.after, look)
    grid = tuple(int(n) for n in reader.pair.grid.shape)
    native, label = pair.after.valid.shape, pair.changed.shape
    # where the middles of the label's pixels lie on the grid, middles at whole numbers
    at = [
        (np.arange(label[axis], dtype=np.float64) + 0.5) * (native[axis] / label[axis] / look.step) - 0.5
        for axis in (0, 1)
    ]
    same = grid == label and all(np.array_equal(where, np.arange(len(where))) for where in at)
    probabilities = np.zeros((3, *label), np.float32)
    scored = np.zeros(label, np.bool_)
    for row, col in _blocks(reader, detector, largest):
        patch = reader.read(slice(row.start, row.stop), slice(col.start, col.stop))
        if not patch.valid.any():
            continue
        said = detector.predict(patch.before, patch.after)
        if same:
            there = np.s_[row.first : row.last, col.first : col.last]
            here = np.s_[row.first - row.start : row.last - row.start, col.first - col.start : col.last - col.start]
            probabilities[(slice(None), *there)] = said[(slice(None), *here)]
            scored[there] = patch.valid[here]
            continue
        y, x = _rows_within(row, at[0], grid[0]), _rows_within(col, at[1], grid[1])
        if not (len(y) and len(x)):
            continue
        # held at the ends: beyond them the block is blank
        v = (np.clip(at[0][y], 0, grid[0] - 1) - row.start).astype(np.float32)
        u = (np.clip(at[1][x], 0, grid[1] - 1) - col.start).astype(np.float32)
        into = np.s_[y[0] : y[-1] + 1, x[0] : x[-1] + 1]
        for channel in range(3):
            probabilities[channel][into] = _bilinear(said[channel], v, u)
        scored[into] = patch.valid[np.rint(v).astype(np.intp)[:, None], np.rint(u).astype(np.intp)[None, :]]
    if pair.known is not None:
        scored &= pair.known
    return Prediction(probabilities, scored, reader.alignment)


def _bilinear(values: Floats, v: Floats, u: Floats) -> Floats:
    """Values at rows ``v`` and columns ``u``, all within; exact, where a library's remapping counts in 1/32 pixels."""
    top, left = (np.minimum(at.astype(np.intp), size - 2) for at, size in ((v, values.shape[0]), (u, values.shape[1])))
    down, across = (v - top).astype(np.float32)[:, None], (u - left).astype(np.float32)
    lines = values[top] + (values[top + 1] - values[top]) * down
    return np.asarray(lines[:, left] + (lines[:, left + 1] - lines[:, left]) * across, dtype=np.float32)
