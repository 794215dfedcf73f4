"""Scans as jobs: prepared once, compared in parts by any worker, joined once into alerts.

``scan.prepare`` lays both scenes onto each other and cuts the grid; ``scan.blocks`` compares some blocks; the last one
of them adds ``scan.merge``, which joins what was found, makes the pictures and writes the alerts. What goes from one to
the next are objects under ``scans/ID/``. A job that is done again writes the same objects and changes no row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import shapely

from errors import ImageError, NotComparable, SettingsError, TubanError, WeightsError
from imagery import Scene, open_scene
from inference.block_results import read_block_results, write_block_results
from inference.block_scan import scan_blocks
from inference.blocks import plan_blocks
from inference.changes import Change
from inference.detect_changes import build_scan_result, merge_block_results, network_facts
from inference.fragments import BlockResult
from inference.outputs.crop_evidence import close_up, crop_evidence
from inference.outputs.scan_json import compared_record, record_bytes
from inference.outputs.thumbnails import SIDE_PX, thumbnail
from inference.outputs.wording import crs_code
from inference.outputs.write import thumbnail_name
from inference.scan_plan import ScanPlan, plan_scan
from inference.scan_plan_file import read_scan_plan, write_scan_plan
from inference.scan_result import NetworkFacts, ScanResult, SceneFacts
from inference.settings import AUTO, ScanSettings, read_config, settings_for
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind, ReleaseJob
from service.scan_jobs import QUEUE, add_blocks_job, add_merge_job
from store.alerts.placed_changes import DetectedChange, PlacedChange, place_changes
from store.alerts.recording import record_changes
from store.scans.nights import update_night_state
from store.scans.scans import ScanTask, finish_part, finish_scan, finish_uncompared, read_task, start_scan
from store.schema.database import Session
from store.schema.tables import SceneRow


def prepare_scan(context: Context, job: JobRun) -> Commit | None:
    """Lay both scenes onto each other, and cut what they have in common into parts."""
    task = _read(context, job)
    if task.scan.state != "waiting":
        return None
    scan_id, config, detector = task.scan.id, read_config(), context.detector
    try:
        with _scenes(context, task) as (before, after):
            settings = settings_for(config, AUTO, max(before.gsd_m, after.gsd_m))
            plan = plan_scan(before, after, detector, settings, _told(job, 0.0, 0.9))
    except NotComparable as outcome:
        return partial(_not_compared, context, scan_id, "not_comparable", outcome.reason)
    except (ImageError, SettingsError) as fault:
        return partial(_not_compared, context, scan_id, "failed", fault.reason)
    blocks = plan_blocks(plan.grid_shape, settings.block_px, detector.halo, detector.stride)
    size = context.settings.jobs.blocks_per_job
    parts = [(first, min(first + size, len(blocks))) for first in range(0, len(blocks), size)]
    context.objects.put(_prepared_key(scan_id), write_scan_plan(plan))
    network = network_facts(detector)

    def commit(session: Session) -> None:
        now = context.clock()
        begun = start_scan(
            session,
            scan_id,
            blocks=len(blocks),
            parts=len(parts),
            plan={"settings": settings.model_dump(mode="json"), "network": asdict(network)},
            settings_sha256=settings.sha256,
            weights_sha256=network.sha256,
            now=now,
        )
        for part, range_ in enumerate(parts if begun else ()):
            add_blocks_job(session, scan_id, part, range_, now)

    return commit


def compare_blocks(context: Context, job: JobRun) -> Commit | None:
    """Compare some blocks of a prepared scan.

    Raises:
        WeightsError: this process has other weights than the one that prepared the scan.
    """
    task = _read(context, job)
    scan_id, part = task.scan.id, int(job.payload["part"])
    if not task.accepts_parts or task.part_done(part):
        return None
    detector = context.detector
    if detector.weights.sha256 != task.scan.weights_sha256:
        raise WeightsError(
            f"Scan {scan_id} was prepared with the weights {task.scan.weights_sha256[:12]}…, and this worker has "
            f"{detector.weights.name} {detector.weights.sha256[:12]}…: one scan needs one network. Give all workers "
            "the same version of Tuban and the same profiles.yaml, then revive this job."
        )
    try:
        with _prepared(context, task) as (plan, settings):
            blocks = plan_blocks(plan.grid_shape, settings.block_px, detector.halo, detector.stride)
            mine = blocks[job.payload["first"] : job.payload["end"]]
            results = scan_blocks(plan, mine, detector, _told(job, 0.0, 1.0))
    except ImageError as fault:
        return partial(_not_compared, context, scan_id, "failed", fault.reason)
    context.objects.put(_part_key(scan_id, part), write_block_results(results))

    def commit(session: Session) -> None:
        if finish_part(session, scan_id, part):
            add_merge_job(session, scan_id, context.clock())

    return commit


def merge_scan(context: Context, job: JobRun) -> Commit | None:
    """Join what all blocks found, make the pictures, and write the alerts."""
    task = _read(context, job)
    scan_id = task.scan.id
    if task.scan.state != "merging":
        return None
    results = [
        result
        for part in range(task.scan.block_jobs)
        for result in read_block_results(context.objects.read(_part_key(scan_id, part)))
    ]
    if len(results) != task.scan.blocks:
        raise TubanError(f"Scan {scan_id} has {task.scan.blocks} blocks, and {len(results)} were found compared.")
    try:
        with _prepared(context, task) as (plan, settings):
            result = _result(task, plan, results, settings)
            seen = _pictured(context, scan_id, result, plan, _told(job, 0.1, 0.9))
    except ImageError as fault:
        return partial(_not_compared, context, scan_id, "failed", fault.reason)
    record = compared_record(result)
    context.objects.put(f"scans/{scan_id}/scan.json", record_bytes(record))
    with context.database.read() as session:
        sightings = place_changes(
            session, seen, area_code=task.scan.area_code, on=task.after.date, settings=context.settings.alerts
        )
    return partial(_write_alerts, context, scan_id, record, sightings)


def _write_alerts(
    context: Context, scan_id: int, record: dict[str, Any], sightings: list[PlacedChange], session: Session
) -> None:
    now = context.clock()
    scan = finish_scan(session, scan_id, result=record, changes=len(sightings), now=now)
    if scan is None:
        return
    recorded = record_changes(session, scan, sightings, context.settings, now)
    scan.result = {**record, "alerts": recorded.counts()}
    if scan.night_id is not None:
        update_night_state(session, scan.night_id, now)


def _not_compared(context: Context, scan_id: int, state: str, reason: str, session: Session) -> None:
    finish_uncompared(session, scan_id, state, reason, context.clock())


def _result(task: ScanTask, plan: ScanPlan, results: list[BlockResult], settings: ScanSettings) -> ScanResult:
    changes = merge_block_results(plan, results, settings)
    network = NetworkFacts(**task.plan["network"])
    return build_scan_result(plan, results, changes, _facts(task.before), _facts(task.after), settings, network, {})


def _facts(row: SceneRow) -> SceneFacts:
    """Of the file as it came, not of our copy."""
    return SceneFacts(row.name, row.sha256, row.date, row.date_source, row.gsd_m, row.crs, row.width, row.height)


def _pictured(
    context: Context, scan_id: int, result: ScanResult, plan: ScanPlan, progress: Callable[[str, float], None]
) -> list[DetectedChange]:
    """All changes, each with its pictures put among the objects."""
    seen = []
    for done, change in enumerate(result.changes):
        progress("pictures", done / len(result.changes))
        shown = crop_evidence(result, plan.pair.before, plan.pair.after, close_up(result, change, SIDE_PX))
        keys = {}
        for when, picture, facts in (("before", shown.before, result.before), ("after", shown.after, result.after)):
            keys[when] = f"scans/{scan_id}/{thumbnail_name(change.number, when)}"
            drawn = thumbnail(picture, shown.view, change.polygon, change.kind, change.number, when, facts.date)
            context.objects.put(keys[when], drawn)
        seen.append(_seen(change, result, keys))
    return seen


def _seen(change: Change, result: ScanResult, evidence: dict[str, str]) -> DetectedChange:
    assert change.lonlat is not None  # scenes of the service have a place
    return DetectedChange(
        change.number,
        change.kind,
        change.score,
        change.area_m2,
        change.lonlat,
        {"crs": crs_code(result.grid.crs), "wkt": shapely.to_wkt(change.polygon, rounding_precision=3)},
        evidence,
    )


def _read(context: Context, job: JobRun) -> ScanTask:
    with context.database.read() as session:
        return read_task(session, int(job.payload["scan"]))


@contextmanager
def _scenes(context: Context, task: ScanTask) -> Iterator[tuple[Scene, Scene]]:
    """Both scenes, under the names and with the dates that people know."""
    with ExitStack() as stack:
        opened = []
        for row in (task.before, task.after):
            path = stack.enter_context(context.objects.local(row.object_key))
            opened.append(stack.enter_context(open_scene(path, date=row.date, name=row.name)))
        yield opened[0], opened[1]


@contextmanager
def _prepared(context: Context, task: ScanTask) -> Iterator[tuple[ScanPlan, ScanSettings]]:
    """A prepared scan over its scenes, with its settings."""
    settings = ScanSettings.model_validate(task.plan["settings"])
    data = context.objects.read(_prepared_key(task.scan.id))
    with _scenes(context, task) as (before, after):
        yield read_scan_plan(data, before, after, settings), settings


def _told(job: JobRun, begin: float, end: float) -> Callable[[str, float], None]:
    """Tells a job's progress from ``begin`` to ``end``, and gives the job back when the process is to stop."""

    def tell(_: str, done: float) -> None:
        job.progress(begin + (end - begin) * done)
        if done < 1 and job.should_stop():
            raise ReleaseJob

    return tell


def _prepared_key(scan_id: int) -> str:
    return f"scans/{scan_id}/prepared.npz"


def _part_key(scan_id: int, part: int) -> str:
    return f"scans/{scan_id}/blocks/{part}.npz"


JOB_KINDS = (
    JobKind("scan.prepare", QUEUE, prepare_scan),
    JobKind("scan.blocks", QUEUE, compare_blocks),
    JobKind("scan.merge", QUEUE, merge_scan),
)
