"""Jobs of a scan: prepare it once, compare its blocks on any workers, merge the results into alerts.

``scan.prepare`` registers both scenes and divides the grid into blocks; ``scan.blocks`` compares some blocks; the last
of these adds ``scan.merge``, which merges the detections, renders the thumbnails and writes the alerts. The jobs pass
data to each other as objects under ``scans/ID/``. Every job is idempotent: a repetition writes the same objects and
changes no row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import shapely
from pyproj import CRS

from errors import ImageError, NotComparable, SettingsError, TubanError, WeightsError
from imagery import Scene, open_scene
from imagery.datum import datum_remark
from inference.block_results import read_block_results, write_block_results
from inference.block_scan import scan_blocks
from inference.changes import Change
from inference.detect_changes import build_scan_result, merge_block_results, network_facts
from inference.fragments import BlockResult
from inference.outputs.pictures import draw_pictures, in_reading_order, parallel_map
from inference.outputs.scan_json import compared_record, record_bytes
from inference.outputs.wording import crs_code
from inference.outputs.write import thumbnail_name
from inference.scan_plan import ScanPlan, plan_scan
from inference.scan_plan_file import read_scan_plan, write_scan_plan
from inference.scan_result import NetworkFacts, ScanResult, SceneFacts
from inference.settings import AUTO, ScanSettings, read_config, settings_for
from inference.windows import blocks_in_windows, changes_in_windows
from service.context import Commit, Context, JobRun
from service.intact_image import intact_image
from service.job_registry import JobKind, ReleaseJob
from service.scan_jobs import QUEUE, add_blocks_job, add_merge_job
from store.alerts.placed_changes import DetectedChange, PlacedChange, place_changes
from store.alerts.recording import record_changes
from store.evidence.correction_news import report_continued_works
from store.scans.nights import update_night_state
from store.scans.scans import ScanTask, finish_part, finish_scan, finish_uncompared, read_task, start_scan
from store.schema.database import Session
from store.schema.tables import SceneRow


def prepare_scan(context: Context, job: JobRun) -> Commit | None:
    """Register both scenes and divide their common ground into jobs of some blocks each."""
    task = _read_task(context, job)
    if task.scan.state != "waiting":
        return None
    scan_id, config, detector = task.scan.id, read_config(), context.current_detector()
    try:
        with _open_scenes(context, task) as (before, after):
            accuracy_m = config.pair_accuracy_m(task.before.source, task.after.source)
            settings = settings_for(config, AUTO, max(before.gsd_m, after.gsd_m), position_accuracy_m=accuracy_m)
            plan = plan_scan(before, after, detector, settings, _progress_of(job, 0.0, 0.9))
    except NotComparable as outcome:
        return partial(_not_compared, context, scan_id, "not_comparable", outcome.reason)
    except (ImageError, SettingsError) as error:
        return partial(_not_compared, context, scan_id, "failed", error.reason)
    blocks = blocks_in_windows(plan.blocks(detector, settings.block_px), plan.pair.grid, task.scan.windows)
    size = context.settings.jobs.blocks_per_job
    parts = [(first, min(first + size, len(blocks))) for first in range(0, len(blocks), size)]
    context.objects.put(_plan_key(scan_id), write_scan_plan(plan))
    network = network_facts(detector)

    def commit(session: Session) -> None:
        now = context.clock()
        started = start_scan(
            session,
            scan_id,
            blocks=len(blocks),
            parts=len(parts),
            plan={"settings": settings.model_dump(mode="json"), "network": asdict(network)},
            settings_sha256=settings.sha256,
            weights_sha256=network.sha256,
            now=now,
        )
        for part, block_range in enumerate(parts if started else ()):
            add_blocks_job(session, scan_id, part, block_range, now)

    return commit


def compare_blocks(context: Context, job: JobRun) -> Commit | None:
    """Compare some blocks of a prepared scan.

    Raises:
        WeightsError: the scan was prepared with other weights than those of this process.
    """
    task = _read_task(context, job)
    scan_id, part = task.scan.id, int(job.payload["part"])
    if not task.accepts_parts or task.part_done(part):
        return None
    detector = context.detector_with(task.scan.weights_sha256)
    if detector is None:
        raise WeightsError(
            f"Scan {scan_id} was prepared with the weights {task.scan.weights_sha256[:12]}…, and this worker has "
            f"{context.detector.weights.name} {context.detector.weights.sha256[:12]}…: one scan needs one network. "
            "Install the same version of Tuban and the same profiles.yaml for all workers, then revive this job."
        )
    try:
        with _open_plan(context, task) as (plan, settings):
            blocks = blocks_in_windows(plan.blocks(detector, settings.block_px), plan.pair.grid, task.scan.windows)
            selected = blocks[job.payload["first"] : job.payload["end"]]
            results = scan_blocks(plan, selected, detector, _progress_of(job, 0.0, 1.0))
    except ImageError as error:
        return partial(_not_compared, context, scan_id, "failed", error.reason)
    context.objects.put(_part_key(scan_id, part), write_block_results(results))

    def commit(session: Session) -> None:
        if finish_part(session, scan_id, part):
            add_merge_job(session, scan_id, context.clock())

    return commit


def merge_scan(context: Context, job: JobRun) -> Commit | None:
    """Merge the results of all blocks, render the thumbnails, and write the alerts."""
    task = _read_task(context, job)
    scan_id = task.scan.id
    if task.scan.state != "merging":
        return None
    results = [
        result
        for part in range(task.scan.block_jobs)
        for result in read_block_results(context.objects.read(_part_key(scan_id, part)))
    ]
    if len(results) != task.scan.blocks:
        raise TubanError(f"Scan {scan_id} has {task.scan.blocks} blocks, but the results of {len(results)} were found.")
    try:
        with _open_plan(context, task) as (plan, settings):
            result = _scan_result(task, plan, results, settings)
            detected = _store_thumbnails(context, scan_id, result, plan, _progress_of(job, 0.1, 0.9))
    except ImageError as error:
        return partial(_not_compared, context, scan_id, "failed", error.reason)
    record = compared_record(result)
    context.objects.put(f"scans/{scan_id}/scan.json", record_bytes(record))
    with context.database.read() as session:
        placed = place_changes(
            session,
            detected,
            area_code=task.scan.area_code,
            on=task.after.date,
            settings=context.settings.alerts,
            today=context.today,
        )
    return partial(_write_alerts, context, scan_id, record, placed)


def _write_alerts(
    context: Context, scan_id: int, record: dict[str, Any], placed: list[PlacedChange], session: Session
) -> None:
    now = context.clock()
    scan = finish_scan(session, scan_id, result=record, changes=len(placed), now=now)
    if scan is None:
        return
    recorded = record_changes(session, scan, placed, context.settings, now)
    report_continued_works(session, scan.id, context.settings.zone, now)
    scan.result = {**record, "alerts": recorded.counts()}
    if scan.night_id is not None:
        update_night_state(session, scan.night_id, now)


def _not_compared(context: Context, scan_id: int, state: str, reason: str, session: Session) -> None:
    finish_uncompared(session, scan_id, state, reason, context.clock())


def _scan_result(task: ScanTask, plan: ScanPlan, results: list[BlockResult], settings: ScanSettings) -> ScanResult:
    changes = changes_in_windows(merge_block_results(plan, results, settings), task.scan.windows)
    network = NetworkFacts(**task.plan["network"])
    return build_scan_result(
        plan, results, changes, _scene_facts(task.before), _scene_facts(task.after), settings, network, {}
    )


def _scene_facts(row: SceneRow) -> SceneFacts:
    """Return the facts of the original file, not of the stored COG."""
    remark = datum_remark(CRS.from_user_input(row.crs))
    return SceneFacts(
        row.name, row.sha256, row.date, row.date_source, row.gsd_m, row.crs, row.width, row.height,
        (remark,) if remark else (),
    )  # fmt: skip


def _store_thumbnails(
    context: Context, scan_id: int, result: ScanResult, plan: ScanPlan, progress: Callable[[str, float], None]
) -> list[DetectedChange]:
    """Store a thumbnail of both dates for each change; return all changes with the object keys."""
    draw = partial(draw_pictures, result, plan.pair.before, plan.pair.after)
    detected = []
    for done, pictures in enumerate(parallel_map(draw, in_reading_order(result.changes, result.grid))):
        progress("pictures", done / len(result.changes))
        keys = {}
        for when, jpeg in pictures.thumbnails.items():
            keys[when] = f"scans/{scan_id}/{thumbnail_name(pictures.change.number, when)}"
            context.objects.put(keys[when], jpeg)
        detected.append(_detected_change(pictures.change, result, keys))
    return sorted(detected, key=lambda one: one.number)


def _detected_change(change: Change, result: ScanResult, evidence: dict[str, str]) -> DetectedChange:
    assert change.lonlat is not None  # scenes of the service are georeferenced
    return DetectedChange(
        change.number,
        change.kind,
        change.score,
        change.area_m2,
        change.lonlat,
        {"crs": crs_code(result.grid.crs), "wkt": shapely.to_wkt(change.polygon, rounding_precision=3)},
        evidence,
    )


def _read_task(context: Context, job: JobRun) -> ScanTask:
    with context.database.read() as session:
        return read_task(session, int(job.payload["scan"]))


@contextmanager
def _open_scenes(context: Context, task: ScanTask) -> Iterator[tuple[Scene, Scene]]:
    """Open both scenes with their original names and dates."""
    with ExitStack() as stack:
        opened = []
        for row in (task.before, task.after):
            path = stack.enter_context(intact_image(context, row))
            opened.append(stack.enter_context(open_scene(path, date=row.date, name=row.name)))
        yield opened[0], opened[1]


@contextmanager
def _open_plan(context: Context, task: ScanTask) -> Iterator[tuple[ScanPlan, ScanSettings]]:
    """Open the scenes of a prepared scan and read its plan and settings."""
    settings = ScanSettings.model_validate(task.plan["settings"])
    data = context.objects.read(_plan_key(task.scan.id))
    with _open_scenes(context, task) as (before, after):
        yield read_scan_plan(data, before, after, settings), settings


def _progress_of(job: JobRun, start: float, end: float) -> Callable[[str, float], None]:
    """Return a callback that maps progress 0…1 to ``start``…``end`` of the job, and releases it on shutdown."""

    def report(_: str, fraction: float) -> None:
        job.progress(start + (end - start) * fraction)
        if fraction < 1 and job.should_stop():
            raise ReleaseJob

    return report


def _plan_key(scan_id: int) -> str:
    return f"scans/{scan_id}/prepared.npz"


def _part_key(scan_id: int, part: int) -> str:
    return f"scans/{scan_id}/blocks/{part}.npz"


JOB_KINDS = (
    JobKind("scan.prepare", QUEUE, prepare_scan),
    JobKind("scan.blocks", QUEUE, compare_blocks),
    JobKind("scan.merge", QUEUE, merge_scan),
)
