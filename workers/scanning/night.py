"""Job of the night: plan scans of newly received images, area by area; each scan has jobs of its own."""

from __future__ import annotations

import datetime as dt
import hashlib

from configs.service import NightSettings
from imagery.set_operations import make_valid
from inference.pair_selection import CandidateImage, PairSelection, select_pairs
from inference.settings import ScanConfig, read_config
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from service.scan_jobs import QUEUE, add_prepare_job
from store.scans.baseline_pairs import select_windowed_pairs
from store.scans.hidden_ground import hidden_ground
from store.scans.nights import (
    add_uncompared_ground,
    advance_plan_version,
    area_codes,
    open_night,
    plan_version,
    remove_planned_gaps,
    reported_ground,
    scan_states,
    scenes_of_area,
    scenes_touching,
    update_night_state,
)
from store.scans.scans import add_scan
from store.scenes.scene_areas import add_missing_scene_areas
from store.schema.database import Session
from store.schema.tables import SceneRow


def plan_night(context: Context, job: JobRun) -> Commit:
    """Plan the night of a local date: pair all new ground with its best earlier image, and record ground without one.

    A plan only adds scans: pairs planned by an earlier night are not planned again, even if they are still running.
    """
    day = dt.date.fromisoformat(job.payload["day"])
    config = read_config()
    with context.database.read() as session:
        version = plan_version(session)
        selections = _select_pairs(session, day, context.settings.night, config)

    def commit(session: Session) -> None:
        # if another plan was written in the meantime, select again, so that nothing is planned or reported twice
        add_missing_scene_areas(session)
        current = advance_plan_version(session) == version
        _write_plan(
            session,
            selections if current else _select_pairs(session, day, context.settings.night, config),
            day,
            context,
        )

    return commit


def _select_pairs(session: Session, day: dt.date, night: NightSettings, config: ScanConfig) -> dict[str, PairSelection]:
    """Select the pairs to compare, by area code."""
    selections = {}
    for code in area_codes(session):
        rows = scenes_of_area(session, code)
        selections[code] = select_pairs(
            [_candidate(row) for row in rows],
            [_candidate(row) for row in scenes_touching(session, rows)],
            scan_states(session, code),
            reported_ground(session, code, day),
            night,
            config,
            hidden_ground(session, code),
        )
    return selections


def _write_plan(session: Session, selections: dict[str, PairSelection], day: dt.date, context: Context) -> None:
    now = context.clock()
    night = open_night(session, day, now)
    remove_planned_gaps(session, night.id)
    for code, selection in selections.items():
        for pair in selection.pairs:
            scan_id = add_scan(
                session,
                unique_key=pair.unique_key,
                before=pair.before_id,
                after=pair.after_id,
                area_code=code,
                night_id=night.id,
                now=now,
            )
            if scan_id is not None:
                add_prepare_job(session, scan_id, now)
        for ground in selection.uncovered:
            add_uncompared_ground(
                session,
                night.id,
                scene_id=ground.scene_id,
                area_code=code,
                outline=ground.outline,
                area_m2=ground.area_m2,
                reason=ground.reason,
            )
    _plan_windows(session, night.id, context, now)
    update_night_state(session, night.id, now)


def _plan_windows(session: Session, night_id: int, context: Context, now: dt.datetime) -> None:
    """Add the scans around known alerts that new images show."""
    config = read_config()
    session.flush()
    pairs = select_windowed_pairs(
        session,
        margin_m=context.settings.night.window_margin_m,
        max_scale_ratio=config.max_scale_ratio,
        settings_key=hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:8],
        now=now,
    )
    for pair in pairs:
        scan_id = add_scan(
            session,
            unique_key=pair.unique_key,
            before=pair.before_id,
            after=pair.after_id,
            area_code=pair.area_code,
            night_id=night_id,
            now=now,
            windows=pair.windows,
        )
        if scan_id is not None:
            add_prepare_job(session, scan_id, now)


def _candidate(row: SceneRow) -> CandidateImage:
    return CandidateImage(row.id, make_valid(row.outline), row.date, row.gsd_m, row.valid_share, row.kind)


JOB_KINDS = (JobKind("night.plan", QUEUE, plan_night),)
