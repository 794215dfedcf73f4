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
        rows: half-open range of grid rows that the block covers, without halo; the last ones may exceed the grid.
        cols: half-open range of grid columns, likewise.
        read_rows: half-open range of grid rows to read, halo included. Of equal length for all blocks of a scan.
        read_cols: half-open range of grid columns to read, likewise.
    """

    number: int
    rows: tuple[int, int]
    cols: tuple[int, int]
    read_rows: tuple[int, int]
    read_cols: tuple[int, int]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns to read, halo included."""
        return slice(*self.read_rows), slice(*self.read_cols)


_Axis = tuple[tuple[int, int], tuple[int, int]]
"""Ranges that a block covers and reads along one axis."""


def _split_axis(length: int, longest: int, around: int, stride: int) -> list[_Axis]:
    """Split 0…length into equal ranges of at most ``longest``, multiples of ``stride``; the last may exceed it.

    Where the halo would reach beyond the grid, the range to read is moved inwards: nothing is computed beyond the grid.
    """
    step = math.ceil(length / math.ceil(length / longest) / stride) * stride
    padded = math.ceil(length / stride) * stride
    read = min(padded, step + 2 * around)
    axis = []
    for first in range(0, length, step):
        start = min(max(0, first - around), padded - read)
        axis.append(((first, first + step), (start, start + read)))
    return axis


def plan_blocks(shape: tuple[int, int], side: int, halo: int, stride: int) -> list[Block]:
    """Divide a grid into blocks of equal shape, so that the network is compiled for one shape only.

    Args:
        shape: rows and columns of the grid.
        side: largest side of a block without its halo, pixels.
        halo: surroundings of a block that influence its result, pixels; a multiple of ``stride``.
        stride: blocks are multiples of it, so that a pixel has the same place in the network's coarsest cells
            in every division.
    """
    longest = max(stride, side // stride * stride)
    around = math.ceil((halo + MARGIN) / stride) * stride
    rows, cols = (_split_axis(length, longest, around, stride) for length in shape)
    cells = [(row, col) for row in rows for col in cols]
    return [Block(number, row[0], col[0], row[1], col[1]) for number, (row, col) in enumerate(cells)]
