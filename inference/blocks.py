"""How a grid is cut into blocks. The cut must not show in the result: every block is read with a halo."""

from __future__ import annotations

import math
from dataclasses import dataclass

MARGIN = 16
"""Pixels around a block, beside the network's halo, in which outlines are cleaned (:mod:`inference.fragments`)."""


@dataclass(frozen=True)
class Block:
    """One piece of a grid. Plain numbers, so that a job can carry it to another machine.

    Attributes:
        number: 0, 1, 2 … row by row.
        rows: half-open range of grid rows whose answer this block gives.
        cols: the same of columns.
        halo: pixels that are read around it on every side; may reach beyond the grid.
    """

    number: int
    rows: tuple[int, int]
    cols: tuple[int, int]
    halo: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns to read."""
        return (
            slice(self.rows[0] - self.halo, self.rows[1] + self.halo),
            slice(self.cols[0] - self.halo, self.cols[1] + self.halo),
        )


def _pieces(length: int, longest: int, multiple: int) -> list[tuple[int, int]]:
    """Cut 0…length into equal pieces of at most ``longest``, multiples of ``multiple``; the last may stick out."""
    count = math.ceil(length / longest)
    step = math.ceil(length / count / multiple) * multiple
    return [(start, start + step) for start in range(0, length, step)]


def plan_blocks(shape: tuple[int, int], side: int, halo: int, stride: int) -> list[Block]:
    """Cut a grid into blocks of equal shape, so that the network is compiled for one shape only.

    Args:
        shape: rows and columns of the grid.
        side: largest side of a block without its halo, pixels.
        halo: how far the network's answer reaches, pixels; a multiple of ``stride``.
        stride: block origins are multiples of it, so that a pixel has the same place in the network's coarse cells
            in every cut.
    """
    longest = max(stride, side // stride * stride)
    around = math.ceil((halo + MARGIN) / stride) * stride
    rows, cols = _pieces(shape[0], longest, stride), _pieces(shape[1], longest, stride)
    cells = [(r, c) for r in rows for c in cols]
    return [Block(number, r, c, around) for number, (r, c) in enumerate(cells)]
