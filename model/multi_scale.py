"""Detection at several resolutions: the network's answers at each are fused into one calibrated probability.

The pair is read once, on the grid. A look enlarges it (cubic) or reduces it (mean of the area) and runs the network;
its logits are brought back to the grid and averaged with those of the other looks. With a coarse look, the others run
only around places that the coarse one leaves open (coarse to fine): on a lattice of cells anchored to the grid, so
that the result does not depend on how the grid was divided into blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from model.looks import Looks
from model.network_outputs import CHANGE_OUTPUTS

CELL = 32
"""Side, in pixels of the grid, of the cells that the coarse look selects."""

REACH_CELLS = 2
"""A cell is looked at again if the coarse look exceeds its cut in one of the cells up to this far away."""

RESAMPLING_MARGIN = 4
"""Pixels around a window that its resampling needs."""

LARGE_TILE = 2048
"""Largest side, in pixels of a look without halo, that the network runs on at once; memory grows with its square."""

SMALL_TILE = 512
"""The same for isolated places."""

MIN_PROBABILITY = 1e-6
"""Probabilities are limited to this and its complement before their logit is taken."""

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Window = tuple[slice, slice]


class PairDetector(Protocol):
    """A detector at one resolution: :class:`model.detector.Detector`, or a network in training."""

    @property
    def stride(self) -> int:
        """Sides of images must be multiples of this many pixels."""

    @property
    def halo(self) -> int:
        """Width in pixels of the surroundings that influence a pixel."""

    def predict(self, before: Image, after: Image) -> Floats:
        """Compare two dates; see :meth:`model.detector.Detector.predict`."""


@dataclass(frozen=True)
class _Axis:
    """One axis of a tile: the network reads ``start … stop``, its output is used for ``first … last``."""

    start: int
    stop: int
    first: int
    last: int


def logit(probability: Floats) -> Floats:
    """Return the logit of probabilities, limited so that it is finite."""
    p = np.clip(probability, np.float32(MIN_PROBABILITY), np.float32(1 - MIN_PROBABILITY))
    return np.asarray(np.log(p / (1 - p)), dtype=np.float32)


def sigmoid(values: Floats) -> Floats:
    """Return the logistic function."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -30, 30))), dtype=np.float32)


class MultiScaleDetector:
    """A detector that looks at several resolutions; it has the interface of a detector at one."""

    def __init__(self, detector: PairDetector, looks: Looks) -> None:
        """Combine a detector with the scales it looks at."""
        self.detector, self.looks = detector, looks

    @property
    def stride(self) -> int:
        """Pixels of the grid that block sides and origins must be multiples of."""
        strides = [self.detector.stride * scale.denominator for scale in self.looks.all_scales]
        return math.lcm(*strides, CELL) if self.looks.coarse is not None else math.lcm(*strides)

    @property
    def halo(self) -> int:
        """Width in grid pixels of the surroundings of a block that influence its result."""
        halos = [self._halo_of(scale) for scale in self.looks.scales]
        if self.looks.coarse is not None:
            # the coarse answer is needed in whole cells, and in the cells around them
            halos.append((REACH_CELLS + 1) * CELL + self._halo_of(self.looks.coarse.scale))
        return math.ceil(max(halos) / self.stride) * self.stride

    def _halo_of(self, scale: Fraction) -> int:
        """Return the halo of one look in grid pixels."""
        return math.ceil(self.detector.halo / scale) + (0 if scale == 1 else RESAMPLING_MARGIN)

    def predict(self, before: Image, after: Image, needed: Window | None = None, valid: Mask | None = None) -> Floats:
        """Compare two dates.

        Args:
            before: H×W×3 uint8 RGB on the grid, sides multiples of :attr:`stride`, blank where invalid.
            after: the later date, same shape and extent.
            needed: rows and columns whose result is returned, h×w of them; None: all.
            valid: H×W, where both dates are valid; None: everywhere.

        Returns:
            3×h×w float32: calibrated probability of *building* and of *ground* (0…1), direction (−1 gone … +1 new).
        """
        pair = _Pair(before, after, None if valid is None or valid.all() else valid)
        needed = needed or (slice(0, before.shape[0]), slice(0, before.shape[1]))
        if self.looks == Looks():
            return np.ascontiguousarray(self.detector.predict(before, after)[(slice(None), *needed)])
        aligned = _grown(needed, 0, self.stride, before.shape)
        if self.looks.coarse is None:
            answer = _Answer.blank(aligned)
            for scale in self.looks.scales:
                self._add_look(answer, pair, scale, None)
            probabilities = self._calibrated(answer.values / np.float32(len(self.looks.scales)))
        else:
            probabilities = self._coarse_to_fine(pair, aligned)
        return np.ascontiguousarray(probabilities[(slice(None), *_within(needed, aligned))])

    def _coarse_to_fine(self, pair: _Pair, needed: Window) -> Floats:
        """Return the result for ``needed``, which is made of whole cells."""
        coarse = self.looks.coarse
        assert coarse is not None
        around = _Answer.blank(_grown(needed, REACH_CELLS * CELL, self.stride, pair.before.shape))
        around.values[:2] = logit(np.zeros(1, np.float32))[0]  # where nothing is valid
        self._add_look(around, pair, coarse.scale, None, replace=True)
        selected = self._selected_cells(around, pair.valid)
        preliminary = around.part(needed)
        answer = _Answer.blank(needed)
        for scale in self.looks.scales:
            if scale == coarse.scale:
                answer.values[:] += preliminary
            else:
                self._add_look(answer, pair, scale, selected)
        probabilities = self._calibrated(answer.values / np.float32(len(self.looks.scales)))
        rest = self._calibrated(preliminary)
        for channel, output in enumerate(CHANGE_OUTPUTS):
            # not looked at again: never a change, whatever the calibration makes of the coarse answer
            np.minimum(rest[channel], np.float32(coarse.cut[output]), out=rest[channel])
        cells = selected[tuple(slice(part.start // CELL, part.stop // CELL) for part in needed)]
        np.copyto(probabilities, rest, where=~np.repeat(np.repeat(cells, CELL, axis=0), CELL, axis=1))
        return probabilities

    def _calibrated(self, logits: Floats) -> Floats:
        """Turn fused logits and direction, 3×H×W, into calibrated probabilities and direction."""
        out = logits.copy()
        for channel, output in enumerate(CHANGE_OUTPUTS):
            slope, offset = self.looks.calibration[output]
            out[channel] = sigmoid(logits[channel] * np.float32(slope) + np.float32(offset))
        return out

    def _selected_cells(self, coarse: _Answer, valid: Mask | None) -> Mask:
        """Return the cells of the array, row by row, that the other looks are needed in."""
        assert self.looks.coarse is not None
        rows, cols = (side // CELL for side in coarse.values.shape[1:])
        open_cells = np.zeros((rows, cols), np.bool_)
        for channel, output in enumerate(CHANGE_OUTPUTS):
            cut = logit(np.array([self.looks.coarse.cut[output]], np.float32))[0]
            open_cells |= coarse.values[channel].reshape(rows, CELL, cols, CELL).max(axis=(1, 3)) > cut
        near = cv2.dilate(open_cells.astype(np.uint8), np.ones((2 * REACH_CELLS + 1,) * 2, np.uint8)) > 0
        if valid is not None:
            near &= valid[coarse.window].reshape(rows, CELL, cols, CELL).any(axis=(1, 3))
        top, left = (part.start // CELL for part in coarse.window)
        selected = np.zeros((top + rows, left + cols), np.bool_)
        selected[top:, left:] = near
        return selected

    def _add_look(
        self, answer: _Answer, pair: _Pair, scale: Fraction, selected: Mask | None, replace: bool = False
    ) -> None:
        """Add logits and direction of one look to ``answer``, where cells are selected, or everywhere."""
        for rows, cols in self._tiles(pair.before.shape, scale, answer.window, selected):
            window = np.s_[rows.start : rows.stop, cols.start : cols.stop]
            if pair.valid is not None and not pair.valid[window].any():
                continue
            values = self._look(pair, window, scale)[
                :, rows.first - rows.start : rows.last - rows.start, cols.first - cols.start : cols.last - cols.start
            ]
            target = answer.part((slice(rows.first, rows.last), slice(cols.first, cols.last)))
            if replace:
                target[:] = values
            else:
                target += values

    def _look(self, pair: _Pair, window: Window, scale: Fraction) -> Floats:
        """Run the network on a window at one scale; return logits and direction, 3×H×W of the window on the grid."""
        valid = None if pair.valid is None else pair.valid[window]
        before, after = (resample(image[window], scale, valid) for image in (pair.before, pair.after))
        answer = self.detector.predict(before, after)
        answer[:2] = logit(answer[:2])
        return answer if scale == 1 else _on_grid(answer, scale)

    def _tiles(
        self, shape: tuple[int, ...], scale: Fraction, needed: Window, selected: Mask | None
    ) -> Iterator[tuple[_Axis, _Axis]]:
        """Iterate over the tiles of a look: large ones, divided into small ones where only a little is selected."""
        unit, halo = self.stride, math.ceil(self._halo_of(scale) / self.stride) * self.stride
        large = [_side(part.stop - part.start, LARGE_TILE, scale, unit) for part in needed]
        small = max(unit, math.floor(SMALL_TILE / scale / unit) * unit)
        for tile in _divide(shape, needed, (large[0], large[1]), halo):
            if selected is None:
                yield tile
                continue
            if not _any_cell(selected, tile):
                continue
            rows, cols = tile
            inside = slice(rows.first, rows.last), slice(cols.first, cols.last)
            parts = [t for t in _divide(shape, inside, (small, small), halo) if _any_cell(selected, t)]
            if sum(_area(part) for part in parts) < _area(tile):
                yield from parts
            else:
                yield tile


@dataclass(frozen=True)
class _Pair:
    """Both dates on the grid; ``valid`` is None where everything is."""

    before: Image
    after: Image
    valid: Mask | None


@dataclass(frozen=True)
class _Answer:
    """Logits and direction of a window of the array, 3×h×w."""

    window: Window
    values: Floats

    @classmethod
    def blank(cls, window: Window) -> _Answer:
        """Return zeros for a window."""
        return cls(window, np.zeros((3, *(part.stop - part.start for part in window)), np.float32))

    def part(self, window: Window) -> Floats:
        """Return the values of a window of the array, as a view."""
        return self.values[(slice(None), *_within(window, self.window))]


def _within(window: Window, outer: Window) -> Window:
    """Return a window counted from the first row and column of another one."""
    rows, cols = (
        slice(part.start - around.start, part.stop - around.start) for part, around in zip(window, outer, strict=True)
    )
    return rows, cols


def _grown(window: Window, reach: int, unit: int, shape: tuple[int, ...]) -> Window:
    """Return a window extended by ``reach`` and to multiples of ``unit``, within the array."""
    rows, cols = (
        slice(max(0, (part.start - reach) // unit * unit), min(length, math.ceil((part.stop + reach) / unit) * unit))
        for part, length in zip(window, shape[:2], strict=True)
    )
    return rows, cols


def _side(length: int, longest: int, scale: Fraction, unit: int) -> int:
    """Return the side of equal tiles of at most ``longest`` look pixels that cover ``length`` grid pixels."""
    most = max(unit, math.floor(longest / scale / unit) * unit)
    return math.ceil(length / math.ceil(length / most) / unit) * unit


def _divide(shape: tuple[int, ...], needed: Window, side: tuple[int, int], halo: int) -> Iterator[tuple[_Axis, _Axis]]:
    """Divide a region of an array into tiles that read a halo, all of one shape."""
    axes = [_divide_axis(length, part, tile, halo) for length, part, tile in zip(shape[:2], needed, side, strict=True)]
    return ((row, col) for row in axes[0] for col in axes[1])


def _divide_axis(length: int, part: slice, side: int, halo: int) -> list[_Axis]:
    """Divide ``part`` of an axis; a tile that would read beyond the axis is moved inwards, where it reads more halo."""
    read = min(length, side + 2 * halo)
    tiles = []
    for first in range(part.start, part.stop, side):
        start = min(max(0, first - halo), length - read)
        tiles.append(_Axis(start, start + read, first, min(first + side, part.stop)))
    return tiles


def _area(tile: tuple[_Axis, _Axis]) -> int:
    return math.prod(axis.stop - axis.start for axis in tile)


def _any_cell(selected: Mask, tile: tuple[_Axis, _Axis]) -> bool:
    """Whether a selected cell touches the part of a tile whose output is used."""
    rows, cols = (slice(axis.first // CELL, math.ceil(axis.last / CELL)) for axis in tile)
    return bool(selected[rows, cols].any())


def resample(image: Image, scale: Fraction, valid: Mask | None = None) -> Image:
    """Enlarge (cubic) or reduce (mean of the area) an image H×W×3; sides times ``scale`` must be whole numbers.

    Args:
        image: uint8, blank where invalid.
        scale: pixels of the result per pixel.
        valid: H×W; invalid pixels do not leak into valid ones, and stay blank. None: everywhere.
    """
    if scale == 1:
        return np.ascontiguousarray(image)
    size = int(image.shape[1] * scale), int(image.shape[0] * scale)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    out = np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)
    if valid is None or valid.all():
        return out
    share = cv2.resize(valid.astype(np.float32), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    partly = share < 1
    if scale < 1:  # mean of the valid pixels only
        out[partly] = np.rint(np.minimum(out[partly] / np.maximum(share[partly], 0.5)[:, None], 255))
    out[share < 0.5] = 0
    return out


def _on_grid(values: Floats, scale: Fraction) -> Floats:
    """Bring 3×h×w of a look back to the grid: mean of the area of an enlargement, linear from a reduction."""
    height, width = (round(side / scale) for side in values.shape[1:])
    method = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    out = np.empty((len(values), height, width), np.float32)
    for channel, plane in enumerate(values):
        cv2.resize(plane, (width, height), dst=out[channel], interpolation=method)
    return out
