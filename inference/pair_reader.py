"""Pieces of a pair as the network wants them, read tile by tile.

Tiles lie on a lattice of the grid that has nothing to do with the blocks of a scan: a pixel is resampled in the same
tile whichever block asks for it, so its value cannot depend on the blocks; and the halo that two blocks share is read
once, as long as its tiles are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.pair import Exposure, Pair
from inference.registration.measure import Alignment
from model.radiometric_normalization import apply_table

TILE = 512
"""Side of a tile in pixels of the grid."""

KEPT_TILES = 96
"""Tiles kept for the next block: 96 × 512² × 8 bytes = 200 MB. Enough for the halo along blocks 24,000 px wide."""


@dataclass(frozen=True)
class PairPatch:
    """One piece of a pair.

    Attributes:
        before: uint8 H×W×3, the earlier date moved onto the later one and balanced, 0 where either is not valid.
        after: the same of the later date.
        before_valid: bool H×W.
        after_valid: bool H×W.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    before_valid: NDArray[np.bool_]
    after_valid: NDArray[np.bool_]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Where both dates show ground."""
        return np.asarray(self.before_valid & self.after_valid)


class PairReader:
    """Reads windows of a pair, for one thread at a time."""

    def __init__(self, pair: Pair, exposure: Exposure, alignment: Alignment) -> None:
        """Read ``pair`` balanced by ``exposure`` and laid onto each other by ``alignment``."""
        self.pair = pair
        self.exposure = exposure
        self.alignment = alignment
        self._tiles: OrderedDict[tuple[int, int], PairPatch] = OrderedDict()

    def read(self, rows: slice, cols: slice) -> PairPatch:
        """Read a window of the grid; it may reach beyond the grid, where nothing is valid."""
        shape = (rows.stop - rows.start, cols.stop - cols.start)
        out = PairPatch(
            np.zeros((*shape, 3), np.uint8),
            np.zeros((*shape, 3), np.uint8),
            np.zeros(shape, bool),
            np.zeros(shape, bool),
        )
        end = self.pair.grid.shape
        first_row, last_row = max(0, rows.start), min(end[0], rows.stop)
        first_col, last_col = max(0, cols.start), min(end[1], cols.stop)
        for top in range(first_row // TILE * TILE, last_row, TILE):
            for left in range(first_col // TILE * TILE, last_col, TILE):
                tile = self._tile(top, left)
                height, width = tile.before_valid.shape
                r0, r1 = max(top, first_row), min(top + height, last_row)
                c0, c1 = max(left, first_col), min(left + width, last_col)
                into = np.s_[r0 - rows.start : r1 - rows.start, c0 - cols.start : c1 - cols.start]
                part = np.s_[r0 - top : r1 - top, c0 - left : c1 - left]
                out.before[into], out.after[into] = tile.before[part], tile.after[part]
                out.before_valid[into], out.after_valid[into] = tile.before_valid[part], tile.after_valid[part]
        return out

    def _tile(self, top: int, left: int) -> PairPatch:
        kept = self._tiles.get((top, left))
        if kept is not None:
            self._tiles.move_to_end((top, left))
            return kept
        rows = slice(top, min(top + TILE, self.pair.grid.shape[0]))
        cols = slice(left, min(left + TILE, self.pair.grid.shape[1]))
        window = self.pair.grid[rows, cols]
        before = self.pair.before.read(window, self.alignment.shift(rows, cols))
        after = self.pair.after.read(window)
        missing = ~(before.valid & after.valid)
        images = []
        for patch, table in ((before, self.exposure.before), (after, self.exposure.after)):
            rgb = apply_table(patch.rgb, table)
            rgb[missing] = 0
            images.append(rgb)
        tile = PairPatch(images[0], images[1], before.valid, after.valid)
        self._tiles[top, left] = tile
        while len(self._tiles) > KEPT_TILES:
            self._tiles.popitem(last=False)
        return tile
