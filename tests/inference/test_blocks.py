"""Blocks cover the grid once, and none reads more than another or beyond the grid."""

from __future__ import annotations

import pytest

from inference.blocks import MARGIN, plan_blocks


@pytest.mark.parametrize("shape", [(300, 90), (1400, 1400), (6000, 2100)])
def test_blocks_cover_the_grid_and_read_ranges_of_one_size_within_it(shape: tuple[int, int]) -> None:
    blocks = plan_blocks(shape, 1024, 96, 32)
    covered = [(row, col) for block in blocks for row in range(*block.rows, 32) for col in range(*block.cols, 32)]
    assert len(covered) == len(set(covered))
    assert set(covered) >= {(row, col) for row in range(0, shape[0], 32) for col in range(0, shape[1], 32)}
    assert (
        len({(block.read_rows[1] - block.read_rows[0], block.read_cols[1] - block.read_cols[0]) for block in blocks})
        == 1
    )
    for block in blocks:
        for (first, last), (start, stop), length in zip(
            (block.rows, block.cols), (block.read_rows, block.read_cols), shape, strict=True
        ):
            assert first % 32 == 0
            assert 0 <= start <= max(0, first - MARGIN - 96) or start == 0
            assert min(last + MARGIN + 96, length) <= stop < length + 32


def test_a_small_pair_is_one_block_without_a_halo() -> None:
    assert [block.window for block in plan_blocks((300, 250), 2048, 256, 16)] == [(slice(0, 304), slice(0, 256))]
