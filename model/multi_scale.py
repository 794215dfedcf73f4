"""Detection at several resolutions: the network's answers at each are fused into one calibrated probability.

The pair is read once, on the grid. A look enlarges it (cubic) or reduces it (mean of the area) and runs the network;
its logits are brought back to the grid and averaged with those of the other looks. With a coarse look, the others run
only around places that the coarse one leaves open (coarse to fine), in tiles of a lattice that is anchored to the grid,
each with a context of fixed width, so that the result does not depend on how the grid was divided into blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from configs.stage_clock import stage_part
from model.looks import CoarseLook, Looks
from model.network_outputs import CHANGE_OUTPUTS
from model.resampling import RESAMPLING_MARGIN, part_on_grid, resample
from model.tiles import Axis, Tile, Window, divide, grown, shape_of, tile_side, used_window, within

CELL = 32
"""Side, in pixels of the grid, of the cells that the coarse look selects."""

REACH_CELLS = 1
"""A cell is looked at again if the coarse look exceeds its cut in one of the cells up to this far away."""

LARGE_TILE = 2048
"""Largest side, in pixels of a look without halo, that the network runs on at once; memory grows with its square."""

WINDOW_SIDES = (192, 256, 320, 448, 640, 896, 1344)
"""Sides, in pixels of the grid, of the windows of the other looks: few, because a runtime compiles for each."""

MAX_PLACE = 1024
"""Largest side, in pixels of the grid, of a place that is looked at again at once; larger ones are divided."""

SEAM = 96
"""Pixels of the grid around the parts of a divided place that are read in addition, so that the seam does not show."""

CONTEXT = 48
"""Least width, in pixels of a look, of the surroundings that the looks of coarse to fine read. The network's halo is
wider: README.md says what that changes."""

MIN_PROBABILITY = 1e-6
"""Probabilities are limited to this and its complement before their logit is taken."""

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


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


def logit(probability: Floats) -> Floats:
    """Return the logit of probabilities, limited so that it is finite."""
    p = np.clip(probability, np.float32(MIN_PROBABILITY), np.float32(1 - MIN_PROBABILITY))
    return np.asarray(np.log(p / (1 - p)), dtype=np.float32)


def sigmoid(values: Floats) -> Floats:
    """Return the logistic function."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -30, 30))), dtype=np.float32)


class MultiScaleDetector:
    """A detector that looks at several resolutions; it has the interface of a detector at one."""

    def __init__(self, detector: PairDetector, looks: Looks, grid_m: float | None = None) -> None:
        """Combine a detector with the scales it looks at.

        Args:
            detector: at one resolution.
            looks: the scales.
            grid_m: metres per pixel of the grid, for the names of parts of a stage that is measured.
        """
        self.detector, self.looks = detector, looks
        self._parts = {
            scale: f"scale {scale}" if grid_m is None else f"at {grid_m / scale:.2f} m" for scale in looks.all_scales
        }

    @property
    def stride(self) -> int:
        """Pixels of the grid that the sides and origins of arrays must be multiples of."""
        strides = [self.detector.stride * scale.denominator for scale in self.looks.all_scales]
        return math.lcm(*strides, CELL) if self.looks.coarse is not None else math.lcm(*strides)

    @property
    def halo(self) -> int:
        """Width in grid pixels of the surroundings of a block that influence its result."""
        if self.looks.coarse is None:
            return max(self._halo_of(scale) for scale in self.looks.scales)
        # the coarse answer is needed in whole cells, and in the cells around them
        coarse = (REACH_CELLS + 1) * CELL + self._context_of(self.looks.coarse.scale)
        return max(coarse, *(self._context_of(scale) for scale in self.looks.scales))

    def _halo_of(self, scale: Fraction) -> int:
        """Return the halo of one look in grid pixels."""
        return math.ceil(self.detector.halo / scale) + (0 if scale == 1 else RESAMPLING_MARGIN)

    def _context_of(self, scale: Fraction) -> int:
        """Return the width in grid pixels of what a look reads around a tile: whole pixels of the look."""
        unit = self.detector.stride * scale.denominator // 2
        return math.ceil(min(CONTEXT, self.detector.halo) / scale / unit) * unit

    def predict(
        self,
        before: Image,
        after: Image,
        needed: Window | None = None,
        valid: Mask | None = None,
        margin: int = 0,
    ) -> Floats:
        """Compare two dates.

        Args:
            before: H×W×3 uint8 RGB on the grid, sides multiples of :attr:`stride`, blank where invalid.
            after: the later date, same shape and extent.
            needed: rows and columns of the block; None: all.
            valid: H×W, where both dates are valid; None: everywhere.
            margin: pixels around ``needed`` whose result is also returned, as far as the array reaches.

        Returns:
            3×h×w float32: calibrated probability of *building* and of *ground* (0…1), direction (−1 gone … +1 new).
        """
        pair = _Pair(before, after, None if valid is None or valid.all() else valid)
        needed = needed or (slice(0, before.shape[0]), slice(0, before.shape[1]))
        returned = grown(needed, margin, 1, before.shape)
        if self.looks == Looks():
            with stage_part(self._parts[Fraction(1)]):
                return np.ascontiguousarray(self.detector.predict(before, after)[(slice(None), *returned)])
        if self.looks.coarse is not None:
            return self._coarse_to_fine(pair, self.looks.coarse, needed, returned)
        aligned = grown(returned, 0, self.stride, before.shape)
        fused = np.zeros((3, *shape_of(aligned)), np.float32)
        for scale in self.looks.scales:
            for tile in self._tiles(pair.before.shape, scale, aligned):
                if pair.shows(tile):
                    fused[(slice(None), *within(used_window(tile), aligned))] += self._look(pair, tile, scale)
        probabilities = self._calibrated(fused / np.float32(len(self.looks.scales)))
        return np.ascontiguousarray(probabilities[(slice(None), *within(returned, aligned))])

    def _coarse_to_fine(self, pair: _Pair, coarse: CoarseLook, needed: Window, returned: Window) -> Floats:
        """Return the result for ``returned``: that of the coarse look, and of the others in the selected cells."""
        with stage_part(self._parts[coarse.scale]):
            answer = self._run(pair, np.s_[0 : pair.before.shape[0], 0 : pair.before.shape[1]], coarse.scale)
        selected = self._near_open(answer, coarse)
        if pair.valid is not None:
            selected &= _cells(pair.valid[None], CELL)[0]
        for channel, output in enumerate(CHANGE_OUTPUTS):
            # not looked at again: never a change
            np.minimum(answer[channel], np.float32(coarse.cut[output]), out=answer[channel])
        out = part_on_grid(answer, coarse.scale, returned)
        for place, cells in _places(selected):
            target = _common(place, returned)
            if target is None:
                continue
            looks = [
                self._look(pair, self._read(pair.before.shape, place, target, scale), scale)
                for scale in self.looks.scales
            ]
            values = self._calibrated(np.mean(looks, axis=0, dtype=np.float32))
            inside = _enlarged(cells, within(target, place))
            np.copyto(out[(slice(None), *within(target, returned))], values, where=inside)
        return out

    def _calibrated(self, logits: Floats) -> Floats:
        """Turn fused logits and direction, 3×H×W, into calibrated probabilities and direction."""
        out = logits.copy()
        for channel, output in enumerate(CHANGE_OUTPUTS):
            slope, offset = self.looks.calibration[output]
            out[channel] = sigmoid(logits[channel] * np.float32(slope) + np.float32(offset))
        return out

    def _near_open(self, answer: Floats, coarse: CoarseLook) -> Mask:
        """Return the cells of the array in which, or near which, a probability of the coarse look exceeds its cut."""
        largest = _cells(answer[: len(CHANGE_OUTPUTS)], int(CELL * coarse.scale))
        cuts = np.array([coarse.cut[output] for output in CHANGE_OUTPUTS], np.float32)
        open_cells = (largest > cuts[:, None, None]).any(axis=0)
        return np.asarray(cv2.dilate(open_cells.astype(np.uint8), np.ones((2 * REACH_CELLS + 1,) * 2, np.uint8)) > 0)

    def _read(self, shape: tuple[int, ...], place: Window, used: Window, scale: Fraction) -> Tile:
        """Return what a look reads for a place: the context around it, and more up to one of the fixed sizes."""
        context, unit = self._context_of(scale), self.detector.stride * scale.denominator
        least = max(shape_of(place)) + 2 * context
        side = math.ceil(next((side for side in WINDOW_SIDES if side >= least), least) / unit) * unit
        axes = []
        for length, part, out in zip(shape[:2], place, used, strict=True):
            read = min(length, side)
            first = (part.start + part.stop - read) // 2 // (unit // 2) * (unit // 2)
            start = min(max(0, min(first, part.start)), length - read)
            axes.append(Axis(start, start + read, out.start, out.stop))
        return axes[0], axes[1]

    def _look(self, pair: _Pair, tile: Tile, scale: Fraction) -> Floats:
        """Run the network on a tile at one scale; return logits and direction of the part that is used, on the grid."""
        rows, cols = tile
        with stage_part(self._parts[scale]):
            answer = self._run(pair, np.s_[rows.start : rows.stop, cols.start : cols.stop], scale)
            answer[:2] = logit(answer[:2])
            return part_on_grid(answer, scale, (rows.used, cols.used))

    def _run(self, pair: _Pair, window: Window, scale: Fraction) -> Floats:
        """Run the network on a window of the array; return probabilities and direction at the scale of the look."""
        valid = None if pair.valid is None else pair.valid[window]
        before, after = (resample(image[window], scale, valid) for image in (pair.before, pair.after))
        return self.detector.predict(before, after)

    def _tiles(self, shape: tuple[int, ...], scale: Fraction, needed: Window) -> Iterator[Tile]:
        """Iterate over the tiles of a look that covers everything."""
        unit, halo = self.stride, math.ceil(self._halo_of(scale) / self.stride) * self.stride
        rows, cols = (tile_side(part.stop - part.start, LARGE_TILE, scale, unit) for part in needed)
        return divide(shape, needed, (rows, cols), halo)


@dataclass(frozen=True)
class _Pair:
    """Both dates on the grid; ``valid`` is None where everything is."""

    before: Image
    after: Image
    valid: Mask | None

    def shows(self, tile: Tile) -> bool:
        """Whether any pixel that is read for a tile is valid."""
        rows, cols = tile
        return self.valid is None or bool(self.valid[rows.start : rows.stop, cols.start : cols.stop].any())


def _cells(values: NDArray[Any], side: int) -> NDArray[Any]:
    """Return the largest value in each square of ``side`` pixels: N×H×W → N×h×w."""
    count, height, width = values.shape
    return np.asarray(values.reshape(count, height // side, side, width // side, side).max(axis=(2, 4)))


def _enlarged(selected: Mask, window: Window) -> Mask:
    """Return the pixels of a window that lie in selected cells."""
    rows, cols = (np.arange(part.start, part.stop) // CELL for part in window)
    return np.asarray(selected[rows[:, None], cols[None]])


def _common(first: Window, second: Window) -> Window | None:
    """Return the common part of two windows; None if there is none."""
    rows, cols = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(first, second, strict=True))
    return (rows, cols) if rows.start < rows.stop and cols.start < cols.stop else None


def _places(selected: Mask) -> Iterator[tuple[Window, Mask]]:
    """Iterate over the connected places of selected cells of an array: their window in pixels, and their cells in it.

    A place that is too large is divided; its parts are surrounded by :data:`SEAM` pixels without cells of their own.
    """
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(selected.astype(np.uint8), connectivity=8)
    most, seam = MAX_PLACE // CELL, SEAM // CELL
    for number in range(1, count):
        left, top, width, height = (int(value) for value in boxes[number, :4])
        for row in range(top, top + height, most):
            for col in range(left, left + width, most):
                around = seam if max(width, height) > most else 0
                rows = slice(max(0, row - around), min(row + most, top + height) + around)
                cols = slice(max(0, col - around), min(col + most, left + width) + around)
                cells = labels[rows, cols] == number
                rows, cols = (
                    slice(part.start, part.start + n) for part, n in zip((rows, cols), cells.shape, strict=True)
                )
                own = np.zeros_like(cells)
                core = np.s_[row - rows.start : row + most - rows.start, col - cols.start : col + most - cols.start]
                own[core] = cells[core]
                if own.any():
                    yield (slice(rows.start * CELL, rows.stop * CELL), slice(cols.start * CELL, cols.stop * CELL)), own
