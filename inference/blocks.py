"""Division of a grid into blocks. Blocks are read with a halo, so that results do not depend on the division."""

from __future__ import annotations

import math
from dataclasses import dataclass

MARGIN = 16
"""Pixels around a block, beyond the network's halo, that cleaning of masks needs (:mod:`inference.fragments`)."""


@dataclass(frozen=True)
class Block:
    """One block of a grid.

    Attributes:
        number: 0, 1, 2 … row by row.
        rows: half-open range of grid rows that the block covers, without halo.
        cols: half-open range of grid columns, likewise.
        halo: pixels to read on every side; may reach beyond the grid.
    """

    number: int
    rows: tuple[int, int]
    cols: tuple[int, int]
    halo: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns to read, halo included."""
        return (
            slice(self.rows[0] - self.halo, self.rows[1] + self.halo),
            slice(self.cols[0] - self.halo, self.cols[1] + self.halo),
        )


def _split_axis(length: int, longest: int, multiple: int) -> list[tuple[int, int]]:
    """Split 0…length into equal ranges of at most ``longest``, multiples of ``multiple``; the last may exceed it."""
    count = math.ceil(length / longest)
    step = math.ceil(length / count / multiple) * multiple
    return [(start, start + step) for start in range(0, length, step)]


def plan_blocks(shape: tuple[int, int], side: int, halo: int, stride: int) -> list[Block]:
    """Divide a grid into blocks of equal shape, so that the network is compiled for one shape only.

    Args:
        shape: rows and columns of the grid.
        side: largest side of a block without its halo, pixels.
        halo: receptive field of the network on each side, pixels; a multiple of ``stride``.
        stride: block origins are multiples of it, so that a pixel has the same place in the network's coarsest cells
            in every division.
    """
    longest = max(stride, side // stride * stride)
    around = math.ceil((halo + MARGIN) / stride) * stride
    rows, cols = _split_axis(shape[0], longest, stride), _split_axis(shape[1], longest, stride)
    cells = [(r, c) for r in rows for c in cols]
    return [Block(number, r, c, around) for number, (r, c) in enumerate(cells)]
