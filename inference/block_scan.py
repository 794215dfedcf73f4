"""Blocks of a scan: read both dates, run the network, outline changes; the three steps overlap."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.blocks import MARGIN, Block
from inference.fragments import BlockResult, find_fragments
from inference.pair_reader import PairPatch
from inference.progress import Progress, Stopwatch
from inference.scan_plan import ScanPlan
from model.detector import Detector
from model.multi_scale import MultiScaleDetector

READ_AHEAD = 2
"""Blocks read while the network runs. With one, the network would wait whenever reading times of two blocks differ."""


class ProbabilitySink(Protocol):
    """Receives the probabilities of each block without its halo."""

    def write(self, rows: tuple[int, int], cols: tuple[int, int], probabilities: NDArray[np.float32]) -> None:
        """Store 3×H×W for these half-open ranges of grid rows and columns."""


def scan_blocks(
    plan: ScanPlan,
    blocks: list[Block],
    detector: Detector,
    progress: Progress | None = None,
    sink: ProbabilitySink | None = None,
    stopwatch: Stopwatch | None = None,
) -> list[BlockResult]:
    """Compare blocks. Reading ahead and outlining run in threads of their own while the network computes.

    Memory holds at most :data:`READ_AHEAD` blocks before the network and one after it, whatever the scene's size.
    """
    stopwatch = stopwatch or Stopwatch()
    reader, scales = plan.reader(), MultiScaleDetector(detector, plan.looks)
    results: list[BlockResult] = []
    waiting = deque(blocks)
    reads: deque[tuple[Block, Future[PairPatch]]] = deque()
    outlining: Future[BlockResult] | None = None
    done = 0

    def finish(block: Block, patch: PairPatch, probabilities: NDArray[np.float32]) -> BlockResult:
        if sink is not None:
            _write_core(sink, block, plan.grid_shape, probabilities)
        return _outline(plan, block, patch, probabilities)

    def read_ahead() -> None:
        while waiting and len(reads) < READ_AHEAD:
            block = waiting.popleft()
            reads.append((block, reading_thread.submit(reader.read, *block.window)))

    # a single reading thread: a scene must not be read by two threads at once
    with ThreadPoolExecutor(1, "read") as reading_thread, ThreadPoolExecutor(1, "outline") as outlining_thread:
        try:
            read_ahead()
            while reads:
                block, reading = reads.popleft()
                with stopwatch.measure("waiting for pixels"):
                    patch = reading.result()
                read_ahead()
                with stopwatch.measure("network"):
                    probabilities = _predict(scales, block, patch)
                if outlining is not None:
                    with stopwatch.measure("waiting for outlines"):
                        results.append(outlining.result())
                outlining = outlining_thread.submit(finish, block, patch, probabilities)
                done += 1
                if progress is not None:
                    progress("scan", done / len(blocks))
            if outlining is not None:
                results.append(outlining.result())
        except BaseException:
            reading_thread.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _predict(detector: MultiScaleDetector, block: Block, patch: PairPatch) -> NDArray[np.float32]:
    """Return probabilities 3×H×W of the block and :data:`MARGIN` pixels around it.

    They are zeros, and the network does not run, where no pixel is valid on both dates.
    """
    rows, cols = _around(block, patch)
    if not patch.valid.any():
        return np.zeros((3, rows.stop - rows.start, cols.stop - cols.start), np.float32)
    return detector.predict(patch.before, patch.after, (rows, cols), patch.valid)


def _around(block: Block, patch: PairPatch) -> tuple[slice, slice]:
    """Return the rows and columns of a patch that hold the block and :data:`MARGIN` pixels around it."""
    cut = block.halo - MARGIN
    height, width = patch.before_valid.shape
    return slice(cut, height - cut), slice(cut, width - cut)


def _outline(plan: ScanPlan, block: Block, patch: PairPatch, probabilities: NDArray[np.float32]) -> BlockResult:
    around = _around(block, patch)
    return find_fragments(
        probabilities,
        patch.before_valid[around],
        patch.after_valid[around],
        patch.hidden[around],
        block,
        plan.grid_shape,
        plan.threshold,
        plan.smallest_px,
    )


def _write_core(
    sink: ProbabilitySink, block: Block, grid_shape: tuple[int, int], probabilities: NDArray[np.float32]
) -> None:
    """Write the probabilities of a block, without its margin and without what lies beyond the grid."""
    height = min(block.rows[1], grid_shape[0]) - block.rows[0]
    width = min(block.cols[1], grid_shape[1]) - block.cols[0]
    core = np.s_[:, MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    end_row, end_col = block.rows[0] + height, block.cols[0] + width
    sink.write((block.rows[0], end_row), (block.cols[0], end_col), probabilities[core])
