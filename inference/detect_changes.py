"""Change detection between two dates of one place: the whole scan on one machine.

:func:`detect_changes` runs all steps. A cluster runs them as separate jobs: :func:`inference.scan_plan.plan_scan` once,
:func:`inference.block_scan.scan_blocks` for some blocks on any machine, then :func:`merge_block_results` and
:func:`build_scan_result` over the results of all blocks. :mod:`inference.scan_plan_file` and
:mod:`inference.block_results` serialize what the jobs exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from configs.stage_clock import StageClock, StageTime
from imagery import Scene
from inference.block_scan import ProbabilitySink, scan_blocks
from inference.changes import Change
from inference.fragments import BlockResult
from inference.merge import merge_changes
from inference.pair import Pair
from inference.progress import Progress
from inference.scan_plan import ScanPlan, plan_scan
from inference.scan_result import NetworkFacts, ScanResult, SceneFacts
from inference.settings import ScanSettings
from inference.visibility.outlines import hidden_outlines
from model.detector import Detector


def detect_changes(
    before: Scene,
    after: Scene,
    detector: Detector,
    settings: ScanSettings,
    progress: Progress | None = None,
    sink: Callable[[Pair], ProbabilitySink] | None = None,
    clock: StageClock | None = None,
) -> ScanResult:
    """Detect changes between two dates of one place.

    Args:
        before: the earlier image.
        after: the later image; changes are located by its geometry.
        detector: loaded weights.
        settings: see :func:`inference.settings.settings_for`.
        progress: called with the step and the fraction of it that is done.
        sink: called with the pair once the grid is known; returns the receiver of the probabilities.
        clock: of the stages; None: a new one.

    Raises:
        NotComparable: the dates cannot be compared; the message says why. This never means "nothing changed".
        ImageError: pixels cannot be read.
    """
    clock = clock or StageClock()
    for scene in (before, after):
        clock.stages.setdefault("open", StageTime()).add(*scene.opening_s)
    plan = plan_scan(before, after, detector, settings, progress, clock)
    blocks = plan.blocks(detector, settings.block_px)
    results = scan_blocks(plan, blocks, detector, progress, sink(plan.pair) if sink else None, clock)
    with clock.stage("merge"):
        changes = merge_block_results(plan, results, settings)
    with clock.stage("checksums"):
        facts = scene_facts(before), scene_facts(after)
    return build_scan_result(plan, results, changes, *facts, settings, network_facts(detector), clock.stages)


def scene_facts(scene: Scene) -> SceneFacts:
    """Describe an input image; reads the whole file once for its checksum."""
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
        scene.remarks,
    )


def network_facts(detector: Detector) -> NetworkFacts:
    """Describe the network that ran."""
    weights = detector.weights
    return NetworkFacts(weights.name, weights.sha256, f"{detector.runtime} {detector.precision}")


def merge_block_results(plan: ScanPlan, results: Sequence[BlockResult], settings: ScanSettings) -> tuple[Change, ...]:
    """Merge the results of all blocks of a scan, in any order, into changes.

    Where the registration is not confirmed by the images, changes have the lower score that the possible shift costs.
    """
    changes = merge_changes(
        [fragment for result in results for fragment in result.fragments],
        plan.pair.grid,
        plan.pair.pixel_area_m2,
        settings.profile.min_area_m2,
    )
    accuracy_px = plan.alignment.accuracy_px
    if accuracy_px is None:
        return changes
    confidence = settings.confidence_at(accuracy_px)
    return tuple(replace(change, score=round(change.score * confidence, 4)) for change in changes)


def build_scan_result(
    plan: ScanPlan,
    results: Sequence[BlockResult],
    changes: tuple[Change, ...],
    before: SceneFacts,
    after: SceneFacts,
    settings: ScanSettings,
    network: NetworkFacts,
    stages: dict[str, StageTime],
) -> ScanResult:
    """Collect everything that a scan found.

    Args:
        plan: the scan's plan.
        results: of all blocks.
        changes: merged from ``results`` by :func:`merge_block_results`.
        before: the earlier image.
        after: the later image.
        settings: of the scan.
        network: the network that ran.
        stages: time spent so far.
    """
    pixel_area = plan.pair.pixel_area_m2
    missing: dict[str, float] = {}
    for result in results:
        for reason, pixels in result.missing_px.items():
            missing[reason] = missing.get(reason, 0.0) + pixels * pixel_area
    return ScanResult(
        before=before,
        after=after,
        grid=plan.pair.grid,
        resolution_m=plan.pair.resolution_m,
        alignment=plan.alignment,
        changes=changes,
        compared_area_m2=sum(result.compared_px for result in results) * pixel_area,
        not_compared_area_m2={reason: area for reason, area in missing.items() if area},
        settings=settings,
        weights_name=network.name,
        weights_sha256=network.sha256,
        runtime=network.runtime,
        threshold=plan.threshold,
        stages=stages,
        hidden_outlines=hidden_outlines(plan.hidden, plan.pair.grid, plan.alignment.field.parts),
    )
