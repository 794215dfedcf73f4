"""The scan: two dates of one place in, changes on the map out.

On one machine :func:`detect_changes` does it all. A cluster calls its parts: :func:`prepare` once, then
:func:`inference.blocks.plan_blocks`, :func:`scan_block` or :func:`scan_blocks` for some blocks on any machine, and
:func:`join_findings` over everything that was found. What travels between the machines is written by
:mod:`inference.scan_plan_file` and :mod:`inference.block_results`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from errors import NotComparable
from imagery import Scene
from inference.blocks import Block, plan_blocks
from inference.changes import Change
from inference.fragments import BlockFindings, find_fragments
from inference.merge import merge_changes
from inference.pair import Exposure, Pair, common_pair, measure_exposure
from inference.pair_reader import PairPatch, PairReader
from inference.registration.measure import Alignment, AlignSettings, measure_alignment
from inference.scan_result import NetworkFacts, ScanResult, SceneFacts
from inference.settings import ScanSettings
from model.detector import Detector

READ_AHEAD = 2
"""Blocks read while the network is busy: one would leave it waiting whenever two blocks differ in reading time."""

Progress = Callable[[str, float], None]
"""Called with what is being done ("align" or "scan") and how much of it is done, 0…1."""


class ProbabilitySink(Protocol):
    """Takes the probabilities of a block's core, for a picture of them."""

    def write(self, rows: tuple[int, int], cols: tuple[int, int], probabilities: NDArray[np.float32]) -> None:
        """Keep 3×H×W for those grid rows and columns."""


@dataclass(frozen=True)
class Prepared:
    """What every block of a scan needs to know.

    Attributes:
        pair: both dates on one grid.
        exposure: how each date is balanced.
        alignment: how the earlier date is moved onto the later one.
        threshold: probability from which a pixel counts as changed, by output.
        smallest_px: smallest fragment kept, grid pixels, by output.
    """

    pair: Pair
    exposure: Exposure
    alignment: Alignment
    threshold: dict[str, float]
    smallest_px: dict[str, float]


@dataclass
class _Clock:
    """Seconds by part of the work."""

    seconds: dict[str, float]

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - began


def lay_over(before: Scene, after: Scene, settings: ScanSettings, progress: Progress | None = None) -> PairReader:
    """Lay both dates onto one grid, measure exposure and registration; what reads them as the network sees them.

    Raises:
        NotComparable: the dates cannot be compared; the message says why.
    """
    pair = common_pair(before, after, settings)
    exposure = measure_exposure(pair)
    profile = settings.profile
    alignment = measure_alignment(
        pair.before,
        pair.after,
        pair.grid,
        AlignSettings(
            search_m=profile.search_m,
            search_px=max(16.0, profile.search_m / pair.resolution_m),
            max_residual_px=profile.max_residual_px,
        ),
        None if progress is None else lambda done: progress("align", done),
    )
    if not alignment.usable:
        raise NotComparable(
            f"The earlier image {before.name} and the later one {after.name} cannot be laid onto each other: "
            f"{alignment.reason}.",
            "pair.unaligned",
            before=before.name,
            after=after.name,
            why=alignment.reason,
        )
    return PairReader(pair, exposure, alignment)


def prepare(
    before: Scene,
    after: Scene,
    detector: Detector,
    settings: ScanSettings,
    progress: Progress | None = None,
) -> Prepared:
    """As :func:`lay_over`, with what the blocks of a scan need beside it.

    Raises:
        NotComparable: the dates cannot be compared; the message says why.
    """
    laid = lay_over(before, after, settings, progress)
    pair = laid.pair
    minimum = settings.profile.min_area_m2
    # a little below the smallest kind: the exact area is only known once the outline is on the ellipsoid
    smallest = {
        "building": 0.8 * min(minimum.construction, minimum.demolition) / pair.pixel_area_m2,
        "ground": 0.8 * min(minimum.ground, minimum.demolition) / pair.pixel_area_m2,
    }
    threshold = detector.weights.threshold | (settings.threshold or {})
    return Prepared(pair, laid.exposure, laid.alignment, threshold, smallest)


def _reader(prepared: Prepared) -> PairReader:
    return PairReader(prepared.pair, prepared.exposure, prepared.alignment)


def _outline(prepared: Prepared, block: Block, patch: PairPatch, probabilities: NDArray[np.float32]) -> BlockFindings:
    return find_fragments(
        probabilities,
        patch.before_valid,
        patch.after_valid,
        block,
        tuple(prepared.pair.grid.shape),
        prepared.threshold,
        prepared.smallest_px,
    )


def _predict(detector: Detector, patch: PairPatch) -> NDArray[np.float32] | None:
    """Probabilities, or None where there is nothing to compare and the network need not be asked."""
    return detector.predict(patch.before, patch.after) if patch.valid.any() else None


def _nothing(patch: PairPatch) -> NDArray[np.float32]:
    return np.zeros((3, *patch.valid.shape), np.float32)


def scan_block(prepared: Prepared, block: Block, detector: Detector) -> BlockFindings:
    """Compare one block: read, ask the network, outline. What a job of a cluster does."""
    patch = _reader(prepared).read(*block.window)
    probabilities = _predict(detector, patch)
    return _outline(prepared, block, patch, _nothing(patch) if probabilities is None else probabilities)


def scan_blocks(
    prepared: Prepared,
    blocks: list[Block],
    detector: Detector,
    progress: Progress | None = None,
    sink: ProbabilitySink | None = None,
    clock: _Clock | None = None,
) -> list[BlockFindings]:
    """Compare all blocks; reading ahead and outlining behind go on while the network computes.

    Memory holds :data:`READ_AHEAD` blocks before the network and one behind it, however large the scene.
    """
    clock = clock or _Clock({})
    pixels = _reader(prepared)
    found: list[BlockFindings] = []
    waiting = deque(blocks)
    reads: deque[tuple[Block, Future[PairPatch]]] = deque()
    outlining: Future[BlockFindings] | None = None
    grid_shape = prepared.pair.grid.shape
    done = 0

    def keep(block: Block, probabilities: NDArray[np.float32]) -> None:
        if sink is not None:
            height, width = (
                min(edge[1], size) - edge[0] for edge, size in zip((block.rows, block.cols), grid_shape, strict=True)
            )
            core = np.s_[:, block.halo : block.halo + height, block.halo : block.halo + width]
            ends = (block.rows[0] + height, block.cols[0] + width)
            sink.write((block.rows[0], ends[0]), (block.cols[0], ends[1]), probabilities[core])

    def finish(block: Block, patch: PairPatch, probabilities: NDArray[np.float32]) -> BlockFindings:
        keep(block, probabilities)
        return _outline(prepared, block, patch, probabilities)

    def read_ahead() -> None:
        while waiting and len(reads) < READ_AHEAD:
            block = waiting.popleft()
            reads.append((block, reading_thread.submit(pixels.read, *block.window)))

    # one reader: a scene is read by one thread at a time
    with ThreadPoolExecutor(1, "read") as reading_thread, ThreadPoolExecutor(1, "outline") as outliner:
        try:
            read_ahead()
            while reads:
                block, reading = reads.popleft()
                with clock.measure("waiting for pixels"):
                    patch = reading.result()
                read_ahead()
                with clock.measure("network"):
                    probabilities = _predict(detector, patch)
                if probabilities is None:
                    probabilities = _nothing(patch)
                if outlining is not None:
                    with clock.measure("waiting for outlines"):
                        found.append(outlining.result())
                outlining = outliner.submit(finish, block, patch, probabilities)
                done += 1
                if progress is not None:
                    progress("scan", done / len(blocks))
            if outlining is not None:
                found.append(outlining.result())
        except BaseException:
            reading_thread.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def detect_changes(
    before: Scene,
    after: Scene,
    detector: Detector,
    settings: ScanSettings,
    progress: Progress | None = None,
    sink: Callable[[Pair], ProbabilitySink] | None = None,
) -> ScanResult:
    """Compare two dates of one place.

    Args:
        before: the earlier image.
        after: the later image, whose geometry the changes get.
        detector: loaded weights.
        settings: see :func:`inference.settings.settings_for`.
        progress: told how far the work is.
        sink: makes, once the grid is known, what takes the probabilities.

    Raises:
        NotComparable: the dates cannot be compared; the message says why. Never the same as "nothing changed".
        ImageError: pixels cannot be read.
    """
    clock = _Clock({})
    began = time.perf_counter()
    with clock.measure("alignment"):
        prepared = prepare(before, after, detector, settings, progress)
    pair = prepared.pair
    shape = (int(pair.grid.shape[0]), int(pair.grid.shape[1]))
    blocks = plan_blocks(shape, settings.block_px, detector.halo, detector.stride)
    findings = scan_blocks(prepared, blocks, detector, progress, sink(pair) if sink else None, clock)
    with clock.measure("joining"):
        changes = join_findings(prepared, findings, settings)
    clock.seconds["total"] = time.perf_counter() - began
    facts = scene_facts(before), scene_facts(after)
    return gather_result(prepared, findings, changes, *facts, settings, network_facts(detector), clock.seconds)


def scene_facts(scene: Scene) -> SceneFacts:
    """What outputs say about an input image; reads its whole file once, for the checksum."""
    crs = scene.geobox.crs
    return SceneFacts(
        scene.name,
        scene.sha256,
        scene.date,
        scene.date_source,
        scene.gsd_m,
        None if crs is None else str(crs),
        scene.width,
        scene.height,
    )


def network_facts(detector: Detector) -> NetworkFacts:
    """What outputs say about the network that looked."""
    weights = detector.weights
    return NetworkFacts(weights.name, weights.sha256, f"{detector.runtime} {detector.precision}")


def join_findings(prepared: Prepared, findings: Sequence[BlockFindings], settings: ScanSettings) -> tuple[Change, ...]:
    """The changes of a scan, from what all of its blocks found, in any order."""
    return merge_changes(
        [fragment for finding in findings for fragment in finding.fragments],
        prepared.pair.grid,
        prepared.pair.pixel_area_m2,
        settings.profile.min_area_m2,
    )


def gather_result(
    prepared: Prepared,
    findings: Sequence[BlockFindings],
    changes: tuple[Change, ...],
    before: SceneFacts,
    after: SceneFacts,
    settings: ScanSettings,
    network: NetworkFacts,
    seconds: dict[str, float],
) -> ScanResult:
    """Everything that a scan found out.

    Args:
        prepared: what :func:`prepare` returned.
        findings: of all blocks.
        changes: what :func:`join_findings` made of them.
        before: the earlier image.
        after: the later image.
        settings: what the scan worked with.
        network: what looked.
        seconds: wall seconds by part of the work.
    """
    area = prepared.pair.pixel_area_m2
    missing: dict[str, float] = {}
    for finding in findings:
        for reason, pixels in finding.missing_px.items():
            missing[reason] = missing.get(reason, 0.0) + pixels * area
    return ScanResult(
        before=before,
        after=after,
        grid=prepared.pair.grid,
        resolution_m=prepared.pair.resolution_m,
        alignment=prepared.alignment,
        changes=changes,
        looked_at_m2=sum(finding.compared_px for finding in findings) * area,
        not_looked_at_m2={reason: found for reason, found in missing.items() if found},
        settings=settings,
        weights_name=network.name,
        weights_sha256=network.sha256,
        runtime=network.runtime,
        threshold=prepared.threshold,
        timings_s=seconds,
    )
