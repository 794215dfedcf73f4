"""Shift field: position in the earlier image of each pixel of the later image.

A field is an affine part plus a smooth remainder on a coarse lattice of nodes. It is a function of pixel coordinates
alone, so its values do not depend on blocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Lattice:
    """Regular positions of windows and nodes in pixels of the common grid.

    Attributes:
        x0, y0: position (column, row) of the first node; pixel centres are at whole numbers.
        dx, dy: spacing; positive.
        columns, rows: number of nodes along each axis.
    """

    x0: float
    y0: float
    dx: float
    dy: float
    columns: int
    rows: int

    @property
    def xs(self) -> Float64:
        """Columns of the nodes, length ``columns``."""
        return self.x0 + self.dx * np.arange(self.columns, dtype=np.float64)

    @property
    def ys(self) -> Float64:
        """Rows of the nodes, length ``rows``."""
        return self.y0 + self.dy * np.arange(self.rows, dtype=np.float64)

    def points(self) -> Float64:
        """Return all positions (x, y), row by row: (rows * columns, 2)."""
        ys, xs = np.meshgrid(self.ys, self.xs, indexing="ij")
        return np.stack([xs.ravel(), ys.ravel()], axis=1)


def cubic_taps(at: Float64, start: float, step: float, count: int) -> tuple[NDArray[np.intp], Float64]:
    """Return the four Catmull-Rom taps per position on a lattice axis, constant beyond its ends.

    Returns:
        indices (n, 4) and weights (n, 4), which sum to 1.
    """
    u = np.clip((at - start) / step, 0.0, count - 1.0)
    base = np.minimum(np.floor(u).astype(np.intp), max(count - 2, 0))
    t = u - base
    weights = np.stack(
        [
            ((2.0 - t) * t - 1.0) * t / 2.0,
            ((3.0 * t - 5.0) * t * t + 2.0) / 2.0,
            ((4.0 - 3.0 * t) * t + 1.0) * t / 2.0,
            (t - 1.0) * t * t / 2.0,
        ],
        axis=1,
    )
    return np.clip(base[:, None] + np.arange(-1, 3), 0, count - 1), weights


NOT_REGISTERED = 255
"""Label of ground whose shift is not known."""


@dataclass(frozen=True)
class Parts:
    """Parts of the earlier image that are displaced against the rest of it.

    Attributes:
        cell_px: side of a cell in pixels of the common grid.
        labels: (rows, columns) uint8 of cells; 0: not displaced, :data:`NOT_REGISTERED`, or the row of ``offsets``.
        offsets: (n, 2) displacement (dx, dy) of each label; that of 0 is zero.
    """

    cell_px: int
    labels: NDArray[np.uint8]
    offsets: Float64

    def labels_at(self, xs: Float64, ys: Float64) -> NDArray[np.uint8]:
        """Return the labels at columns and rows, which broadcast against each other; constant beyond the map."""
        row, column = (
            np.clip(((values + 0.5) // self.cell_px).astype(np.intp), 0, count - 1)
            for values, count in zip((ys, xs), self.labels.shape, strict=True)
        )
        return np.asarray(self.labels[row, column])

    def not_registered(self, rows: slice, cols: slice) -> NDArray[np.bool_]:
        """Return where the shift of a block of the common grid is not known: (H, W)."""
        xs, ys = (np.arange(one.start, one.stop, dtype=np.float64) for one in (cols, rows))
        return np.asarray(self.labels_at(xs[None, :], ys[:, None]) == NOT_REGISTERED)

    def shift_at(self, xs: Float64, ys: Float64) -> Float64:
        """Return the displacement (…, 2) at columns and rows; zero where it is not known."""
        labels = self.labels_at(xs, ys)
        return np.asarray(self.offsets[np.where(labels == NOT_REGISTERED, 0, labels)])


@dataclass(frozen=True)
class ShiftField:
    """Shift (dx, dy) in pixels of the common grid at any position (x, y) of it.

    ``shift(x, y) = affine[0] + affine[1] * (x - cx) + affine[2] * (y - cy) + remainder(x, y) + parts(x, y)``

    Attributes:
        centre: (cx, cy), the centre of the grid.
        affine: (3, 2); rows: constant, per pixel of x, per pixel of y; columns: dx, dy.
        lattice: positions of the nodes; None without remainder.
        nodes: (rows, columns, 2) remainder at the nodes; Catmull-Rom between them, constant beyond them.
        parts: displaced parts; None if there are none.
    """

    centre: tuple[float, float]
    affine: Float64
    lattice: Lattice | None = None
    nodes: Float64 | None = None
    parts: Parts | None = None

    def affine_at(self, points: Float64) -> Float64:
        """Return the affine part at points: (n, 2) → (n, 2)."""
        offset = points - np.asarray(self.centre)
        return np.asarray(self.affine[0] + offset @ self.affine[1:])

    def remainder_at(self, points: Float64) -> Float64:
        """Return the smooth remainder at points: (n, 2) → (n, 2)."""
        if self.lattice is None or self.nodes is None:
            return np.zeros((len(points), 2))
        grid = self.lattice
        ix, wx = cubic_taps(points[:, 0], grid.x0, grid.dx, grid.columns)
        iy, wy = cubic_taps(points[:, 1], grid.y0, grid.dy, grid.rows)
        taps = self.nodes[iy[:, :, None], ix[:, None, :]]
        return np.asarray(np.einsum("ny,nx,nyxc->nc", wy, wx, taps))

    def at(self, points: Float64) -> Float64:
        """Return the shift at scattered points: (n, 2) as (x, y) → (n, 2) as (dx, dy)."""
        smooth = self.affine_at(points) + self.remainder_at(points)
        return smooth if self.parts is None else smooth + self.parts.shift_at(points[:, 0], points[:, 1])

    def raster(self, xs: Float64, ys: Float64) -> Float32:
        """Return the shift at all combinations of columns ``xs`` and rows ``ys``: (len(ys), len(xs), 2) float32.

        The computation is separable, and the order of its sums does not depend on the block: a pixel has bit-identical
        values in all blocks. Rows are processed in strips that fit the CPU cache.
        """
        width = len(xs)
        along = (self.affine[0] + np.outer(xs - self.centre[0], self.affine[1])).astype(np.float32)
        down = np.outer(ys - self.centre[1], self.affine[2]).astype(np.float32)
        out = np.empty((len(ys), width * 2), np.float32)
        bands = None
        if self.lattice is not None and self.nodes is not None:
            grid = self.lattice
            ix, wx = cubic_taps(xs, grid.x0, grid.dx, grid.columns)
            summed = sum(wx[None, :, k, None] * self.nodes[:, ix[:, k]] for k in range(4))
            bands = np.asarray(summed).astype(np.float32).reshape(grid.rows, width * 2)
            taps, wy = cubic_taps(ys, grid.y0, grid.dy, grid.rows)
            weights = wy.astype(np.float32)
        step = max(1, 8192 // max(width, 1))
        for top in range(0, len(ys), step):
            rows = slice(top, top + step)
            strip = out[rows]
            for axis in (0, 1):
                np.add(along[:, axis], down[rows, axis, None], out=strip[:, axis::2])
            if bands is not None:
                for tap in range(4):
                    band = bands[taps[rows, tap]]
                    band *= weights[rows, tap, None]
                    strip += band
        field = out.reshape(len(ys), width, 2)
        if self.parts is not None:
            field += self.parts.shift_at(xs[None, :], ys[:, None]).astype(np.float32)
        return field

    def resampled(self, lattice: Lattice) -> ShiftField:
        """Return the field with its remainder resampled to the nodes of another lattice."""
        nodes = self.remainder_at(lattice.points()).reshape(lattice.rows, lattice.columns, 2)
        return ShiftField(self.centre, self.affine, lattice, nodes, self.parts)

    def quantized(self) -> ShiftField:
        """Return the field rounded to measurement precision, so that repeated scans give the same bytes.

        The last bits of linear algebra results differ between runs, depending on the memory alignment of arrays.
        """
        pixels, slopes = 2.0**-12, 2.0**-30
        affine = np.concatenate(
            [np.rint(self.affine[:1] / pixels) * pixels, np.rint(self.affine[1:] / slopes) * slopes]
        )
        nodes = None if self.nodes is None else np.asarray(np.rint(self.nodes / pixels) * pixels)
        parts = self.parts
        if parts is not None:
            parts = Parts(parts.cell_px, parts.labels, np.asarray(np.rint(parts.offsets / pixels) * pixels))
        return ShiftField(self.centre, affine, self.lattice, nodes, parts)

    @property
    def rotation_deg(self) -> float:
        """Rotation of the affine part in degrees, positive from x (right) towards y (down)."""
        (a, b), (c, d) = self.affine[1:]
        return math.degrees(math.atan2(b - c, 2.0 + a + d))

    @property
    def scale(self) -> float:
        """Scale of the affine part: square root of its determinant."""
        (a, b), (c, d) = self.affine[1:]
        return math.sqrt(max((1.0 + a) * (1.0 + d) - b * c, 0.0))

    @property
    def is_zero(self) -> bool:
        """Whether the field is the identity."""
        return self.nodes is None and self.parts is None and not self.affine.any()

    def max_length(self, width: int, height: int) -> float:
        """Return the length in pixels of the longest shift on a raster of this size, sampled at 33 × 33 points."""
        xs, ys = np.linspace(0, width - 1, 33), np.linspace(0, height - 1, 33)
        field = self.raster(xs, ys)
        return float(np.hypot(field[..., 0], field[..., 1]).max())


def identity_field(width: int, height: int) -> ShiftField:
    """Return the identity field of a raster of this size."""
    return ShiftField(((width - 1) / 2.0, (height - 1) / 2.0), np.zeros((3, 2)))
