"""Blocks of a scan: read both dates, run the network, outline changes; the three steps overlap."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from configs.stage_clock import StageClock
from inference.blocks import MARGIN, Block
from inference.fragments import BlockResult, find_fragments
from inference.pair_reader import PairPatch
from inference.progress import Progress
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
    clock: StageClock | None = None,
) -> list[BlockResult]:
    """Compare blocks. Reading ahead and outlining run in threads of their own while the network computes.

    Memory holds at most :data:`READ_AHEAD` blocks before the network and one after it, whatever the scene's size.
    """
    clock = clock or StageClock()
    reader, scales = plan.reader(), MultiScaleDetector(detector, plan.looks, plan.pair.resolution_m)
    results: list[BlockResult] = []
    waiting = deque(blocks)
    reads: deque[tuple[Block, Future[PairPatch]]] = deque()
    outlining: Future[BlockResult] | None = None
    done = 0

    def finish(block: Block, patch: PairPatch, probabilities: NDArray[np.float32]) -> BlockResult:
        with clock.stage("outlines", side=True):
            if sink is not None:
                _write_core(sink, block, plan.grid_shape, probabilities)
            return _outline(plan, block, patch, probabilities)

    def read(block: Block) -> PairPatch:
        with clock.stage("reading", side=True):
            return reader.read(*block.window)

    def read_ahead() -> None:
        while waiting and len(reads) < READ_AHEAD:
            block = waiting.popleft()
            reads.append((block, reading_thread.submit(read, block)))

    # a single reading thread: a scene must not be read by two threads at once
    with ThreadPoolExecutor(1, "read") as reading_thread, ThreadPoolExecutor(1, "outline") as outlining_thread:
        try:
            read_ahead()
            while reads:
                block, reading = reads.popleft()
                with clock.stage("waiting for pixels"):
                    patch = reading.result()
                read_ahead()
                with clock.stage("network"):
                    probabilities = _predict(scales, block, patch)
                if outlining is not None:
                    with clock.stage("waiting for outlines"):
                        results.append(outlining.result())
                outlining = outlining_thread.submit(finish, block, patch, probabilities)
                done += 1
                if progress is not None:
                    progress("scan", done / len(blocks))
            if outlining is not None:
                with clock.stage("waiting for outlines"):
                    results.append(outlining.result())
            clock.remove_side_threads()
        except BaseException:
            reading_thread.shutdown(wait=False, cancel_futures=True)
            raise
    return results


@dataclass(frozen=True)
class _Place:
    """Where a block lies in the patch that was read for it.

    Attributes:
        block: rows and columns of the block, as far as the patch reaches.
        around: these and :data:`MARGIN` pixels around them, as far as the patch reaches.
        missing: pixels of the margin before and after, by axis, that lie beyond the patch, and so beyond the grid.
    """

    block: tuple[slice, slice]
    around: tuple[slice, slice]
    missing: tuple[tuple[int, int], tuple[int, int]]

    @classmethod
    def of(cls, block: Block) -> _Place:
        """Locate a block in its patch."""
        axes = [
            _locate(covered, read) for covered, read in ((block.rows, block.read_rows), (block.cols, block.read_cols))
        ]
        return cls(*((rows, cols) for rows, cols in zip(*axes, strict=True)))

    def padded(self, values: NDArray[Any]) -> NDArray[Any]:
        """Add the missing margin, as zeros, to values of which the last axes are those of :attr:`around`."""
        if not any(map(any, self.missing)):
            return values
        return np.pad(values, (*((0, 0) for _ in values.shape[2:]), *self.missing))


def _locate(covered: tuple[int, int], read: tuple[int, int]) -> tuple[slice, slice, tuple[int, int]]:
    first, last, length = covered[0] - read[0], min(covered[1], read[1]) - read[0], read[1] - read[0]
    around = slice(max(0, first - MARGIN), min(length, last + MARGIN))
    return slice(first, last), around, (around.start - first + MARGIN, last + MARGIN - around.stop)


def _predict(detector: MultiScaleDetector, block: Block, patch: PairPatch) -> NDArray[np.float32]:
    """Return probabilities 3×H×W of the block and :data:`MARGIN` pixels around it.

    They are zeros, and the network does not run, where no pixel is valid on both dates.
    """
    place = _Place.of(block)
    if patch.valid.any():
        return place.padded(detector.predict(patch.before, patch.after, place.block, patch.valid, MARGIN))
    return place.padded(np.zeros((3, *patch.valid[place.around].shape), np.float32))


def _outline(plan: ScanPlan, block: Block, patch: PairPatch, probabilities: NDArray[np.float32]) -> BlockResult:
    place = _Place.of(block)
    return find_fragments(
        probabilities,
        place.padded(patch.before_valid[place.around]),
        place.padded(patch.after_valid[place.around]),
        place.padded(patch.hidden[place.around]),
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
