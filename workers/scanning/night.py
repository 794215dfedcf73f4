"""The night as a job: what is new since the last one is planned, area by area; its scans are jobs of their own."""

from __future__ import annotations

import datetime as dt

from configs.service import NightSettings
from enforcement.overlap_ratio import make_valid
from inference.pair_selection import CandidateImage, PairSelection, select_pairs
from inference.settings import ScanConfig, read_config
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from service.scan_jobs import QUEUE, add_prepare_job
from store.scans.nights import (
    add_uncompared_ground,
    advance_plan_version,
    area_codes,
    open_night,
    plan_version,
    reported_ground,
    scan_states,
    scenes_of_area,
    scenes_touching,
    update_night_state,
)
from store.scans.scans import add_scan
from store.schema.database import Session
from store.schema.tables import SceneRow


def plan_night(context: Context, job: JobRun) -> Commit:
    """Plan the night of a day: for all new ground its best earlier image, and what has none.

    A plan only adds: what an earlier night planned, be it still running, is not planned again.
    """
    day = dt.date.fromisoformat(job.payload["day"])
    config = read_config()
    with context.database.read() as session:
        before = plan_version(session)
        made = _make_plan(session, context.settings.night, config)

    def commit(session: Session) -> None:
        # where another plan came in between, this one is made anew: nothing is planned or reported twice
        stands = advance_plan_version(session) == before
        plan = made if stands else _make_plan(session, context.settings.night, config)
        _write_plan(session, plan, day, context)

    return commit


def _make_plan(session: Session, night: NightSettings, config: ScanConfig) -> dict[str, PairSelection]:
    """What is to be done for each area code."""
    plans = {}
    for code in area_codes(session):
        rows = scenes_of_area(session, code)
        plans[code] = select_pairs(
            [_image(row) for row in rows],
            [_image(row) for row in scenes_touching(session, rows)],
            scan_states(session, code),
            reported_ground(session, code),
            night,
            config,
        )
    return plans


def _write_plan(session: Session, plans: dict[str, PairSelection], day: dt.date, context: Context) -> None:
    now = context.clock()
    night = open_night(session, day, now)
    for code, plan in plans.items():
        for scan in plan.pairs:
            scan_id = add_scan(
                session,
                unique_key=scan.unique_key,
                before=scan.before_id,
                after=scan.after_id,
                area_code=code,
                night_id=night.id,
                now=now,
            )
            if scan_id is not None:
                add_prepare_job(session, scan_id, now)
        for left in plan.uncovered:
            add_uncompared_ground(
                session,
                night.id,
                scene_id=left.scene_id,
                area_code=code,
                outline=left.outline,
                area_m2=left.area_m2,
                reason=left.reason,
            )
    update_night_state(session, night.id, now)


def _image(row: SceneRow) -> CandidateImage:
    return CandidateImage(row.id, make_valid(row.outline), row.date, row.gsd_m, row.valid_share)


JOB_KINDS = (JobKind("night.plan", QUEUE, plan_night),)
