"""Reader of a coregistered, normalized pair of images.

Pixels are resampled in tiles of a fixed lattice that does not depend on the blocks of a scan, so a pixel has the same
value in every block that contains it. Tiles are cached: a halo shared by two blocks is read once.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.stage_clock import stage_part
from inference.pair import NormalizationTables, Pair
from inference.registration.measure import Alignment
from inference.visibility.hidden_ground import NOT_REGISTERED_CODE, HiddenGround, nothing_hidden
from model.radiometric_normalization import apply_table

TILE = 512
"""Side of a tile in pixels of the grid."""

CACHED_TILES = 96
"""Size of the tile cache: 96 × 512² × 9 bytes = 230 MB, enough for the halo along a row of blocks 24,000 px wide."""


@dataclass(frozen=True)
class PairPatch:
    """Window of both dates.

    Attributes:
        before: uint8 H×W×3, the earlier date, registered to the later one and normalized; 0 where not valid.
        after: uint8 H×W×3, the later date, normalized; 0 where not valid.
        before_valid: bool H×W, where the earlier date has data.
        after_valid: bool H×W, where the later date has data.
        hidden: uint8 H×W, 0 where both dates show the ground that they have data of, else the position in
            :data:`inference.visibility.hidden_ground.HIDDEN_BY` plus one.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    before_valid: NDArray[np.bool_]
    after_valid: NDArray[np.bool_]
    hidden: NDArray[np.uint8]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Where both dates have data and show the ground, bool H×W."""
        return np.asarray(self.before_valid & self.after_valid & (self.hidden == 0))


class PairReader:
    """Reads windows of a pair. Not thread-safe."""

    def __init__(
        self,
        pair: Pair,
        normalization: NormalizationTables,
        alignment: Alignment,
        hidden: HiddenGround | None = None,
    ) -> None:
        """Read ``pair`` with a radiometric normalization, a registration and a map of hidden ground."""
        self.pair = pair
        self.hidden = hidden or nothing_hidden((int(pair.grid.shape[0]), int(pair.grid.shape[1])))
        self.normalization = normalization
        self.alignment = alignment
        self._tiles: OrderedDict[tuple[int, int], PairPatch] = OrderedDict()

    def read(self, rows: slice, cols: slice) -> PairPatch:
        """Read a window of the grid; pixels beyond the grid are invalid."""
        shape = (rows.stop - rows.start, cols.stop - cols.start)
        out = PairPatch(
            np.zeros((*shape, 3), np.uint8),
            np.zeros((*shape, 3), np.uint8),
            np.zeros(shape, bool),
            np.zeros(shape, bool),
            np.zeros(shape, np.uint8),
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
                target = np.s_[r0 - rows.start : r1 - rows.start, c0 - cols.start : c1 - cols.start]
                source = np.s_[r0 - top : r1 - top, c0 - left : c1 - left]
                out.before[target], out.after[target] = tile.before[source], tile.after[source]
                out.before_valid[target] = tile.before_valid[source]
                out.after_valid[target] = tile.after_valid[source]
                out.hidden[target] = tile.hidden[source]
        return out

    def _tile(self, top: int, left: int) -> PairPatch:
        cached = self._tiles.get((top, left))
        if cached is not None:
            self._tiles.move_to_end((top, left))
            return cached
        rows = slice(top, min(top + TILE, self.pair.grid.shape[0]))
        cols = slice(left, min(left + TILE, self.pair.grid.shape[1]))
        window = self.pair.grid[rows, cols]
        shift = self.alignment.shift(rows, cols)
        before, after = self.pair.before.read(window, shift), self.pair.after.read(window)
        hidden = self.hidden.both_dates(rows, cols, shift)
        parts = self.alignment.field.parts
        if parts is not None:
            unknown = parts.not_registered(rows, cols)
            hidden = np.where(unknown & (hidden == 0), np.uint8(NOT_REGISTERED_CODE), hidden)
        missing = ~(before.valid & after.valid) | (hidden > 0)
        if missing.all():
            images = [np.zeros_like(before.rgb), np.zeros_like(after.rgb)]
        else:
            images = []
            with stage_part("radiometry"):
                for patch, table in ((before, self.normalization.before), (after, self.normalization.after)):
                    rgb = apply_table(patch.rgb, table)
                    rgb[missing] = 0
                    images.append(rgb)
        tile = PairPatch(images[0], images[1], before.valid, after.valid, hidden)
        self._tiles[top, left] = tile
        while len(self._tiles) > CACHED_TILES:
            self._tiles.popitem(last=False)
        return tile
