"""Life cycle of scans, the comparisons of two scenes.

A scan is ``waiting``, then ``scanning`` while its blocks are compared in parts, ``merging`` when all parts are done,
and ends as ``done``, ``not_comparable`` or ``failed``. Each step checks the previous state, so steps are idempotent.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from enforcement.overlap_ratio import area_m2
from errors import Reason, TubanError
from imagery.set_operations import difference, intersection, union_all
from store.scans.hidden_ground import outlines_of, report_hidden_ground
from store.scans.nights import UNFINISHED, remove_uncompared_ground, update_night_state
from store.schema.insert import insert_new
from store.schema.outlines import bounds_of
from store.schema.tables import Scan, SceneRow, UncomparedGround

PLAN = "plan"
"""Key of :attr:`store.schema.tables.Scan.result` with the partition of an unfinished scan."""

FAILED_FROM = "stopped"
"""Key with the state of the scan when one of its jobs died; see :mod:`store.scans.failed_scans`."""


@dataclass(frozen=True)
class ScanTask:
    """A scan with its two scenes."""

    scan: Scan
    before: SceneRow
    after: SceneRow

    @property
    def plan(self) -> dict[str, Any]:
        """The plan passed to :func:`start_scan`; empty before the start and after the end."""
        return dict(self.scan.result.get(PLAN, {}))

    def part_done(self, part: int) -> bool:
        """Return whether a part of the blocks is done."""
        return part in self.plan.get("parts_done", ())

    @property
    def accepts_parts(self) -> bool:
        """Whether parts may be compared; also true while another part is dead, since its job may be revived."""
        return _accepts_parts(self.scan)


@dataclass(frozen=True)
class RunningScan:
    """An unfinished scan.

    Attributes:
        scan_id, area_code, state: of the scan.
        before, after: names of the scenes.
        done: share of the blocks that were compared, 0…1.
        created_at: when the scan was planned.
    """

    scan_id: int
    area_code: str
    state: str
    before: str
    after: str
    done: float
    created_at: dt.datetime


def add_scan(
    session: Session,
    *,
    unique_key: str,
    before: int,
    after: int,
    area_code: str,
    night_id: int | None,
    now: dt.datetime,
    windows: Sequence[Sequence[float]] | None = None,
) -> int | None:
    """Add a scan and return its id; None if the key exists already.

    Args:
        session: a write transaction.
        unique_key: identifies the scenes and the settings.
        before: id of the earlier scene.
        after: id of the later scene.
        area_code: area that the scan is for.
        night_id: the night that planned it, if any.
        now: current time.
        windows: bounds (west, south, east, north) of the only ground that is compared; None: all common ground.
    """
    values: dict[str, Any] = {
        "unique_key": unique_key,
        "area_code": area_code,
        "night_id": night_id,
        "before_id": before,
        "after_id": after,
        "state": "waiting",
        "reason": "",
        "why": {},
        "blocks": 0,
        "block_jobs": 0,
        "result": {},
        "settings_sha256": "",
        "weights_sha256": "",
        "changes": 0,
        "windows": None if windows is None else [list(window) for window in windows],
        "withdrawn_why": "",
        "created_at": now,
    }
    return insert_new(session, Scan, values, Scan.id)


def read_task(session: Session, scan_id: int) -> ScanTask:
    """Return a scan with its scenes.

    Raises:
        TubanError: there is no such scan.
    """
    scan = session.get(Scan, scan_id)
    if scan is None:
        raise TubanError(f"Scan {scan_id} does not exist; was it deleted from the database?")
    before, after = session.get(SceneRow, scan.before_id), session.get(SceneRow, scan.after_id)
    assert before is not None  # foreign keys
    assert after is not None
    return ScanTask(scan, before, after)


def start_scan(
    session: Session,
    scan_id: int,
    *,
    blocks: int,
    parts: int,
    plan: Mapping[str, Any],
    settings_sha256: str,
    weights_sha256: str,
    now: dt.datetime,
) -> bool:
    """Move a prepared scan to ``scanning``; False if it was started before.

    Args:
        session: a write transaction.
        scan_id: which scan.
        blocks: number of blocks.
        parts: number of jobs that compare them.
        plan: data that every part needs, as JSON.
        settings_sha256: checksum of the scan's settings.
        weights_sha256: checksum of the network that every part must use.
        now: current time.
    """
    scan = _locked_scan(session, scan_id)
    if scan.state != "waiting":
        return False
    scan.state, scan.started_at = "scanning", now
    scan.blocks, scan.block_jobs = blocks, parts
    scan.settings_sha256, scan.weights_sha256 = settings_sha256, weights_sha256
    scan.result = {PLAN: {**plan, "parts_done": []}}
    session.flush()
    return True


def finish_part(session: Session, scan_id: int, part: int) -> bool:
    """Record that a part (0, 1, 2 …) of the blocks was compared; True if it was the last and merging may begin."""
    scan = _locked_scan(session, scan_id)
    if not _accepts_parts(scan):
        return False
    plan = scan.result[PLAN]
    done = sorted({*plan["parts_done"], part})
    scan.result = {**scan.result, PLAN: {**plan, "parts_done": done}}
    if len(done) == scan.block_jobs:
        scan.state = "merging"
    session.flush()
    return scan.state == "merging"


def finish_scan(
    session: Session, scan_id: int, *, result: Mapping[str, Any], changes: int, now: dt.datetime
) -> Scan | None:
    """Mark a merged scan as done and return it; None if it had ended before.

    After writing the alerts, the caller updates its night with :func:`store.scans.nights.update_night_state`.

    Args:
        session: a write transaction.
        scan_id: which scan.
        result: contents of ``scan.json``.
        changes: number of detected changes.
        now: current time.
    """
    scan = _locked_scan(session, scan_id)
    if scan.state != "merging":
        return None
    scan.state, scan.finished_at = "done", now
    scan.result, scan.changes = dict(result), changes
    session.flush()
    if scan.night_id is not None and scan.windows is None:
        task = read_task(session, scan_id)
        unseen = union_all(list(outlines_of(scan.result).values()))
        compared = difference(_common_ground(task.before, task.after), unseen)
        remove_uncompared_ground(session, scan.night_id, scan.after_id, compared)
        report_hidden_ground(session, scan)
    return scan


def finish_uncompared(session: Session, scan_id: int, state: str, reason: str, now: dt.datetime) -> bool:
    """End a scan without a comparison and record its ground as not compared; False if it had ended before.

    Args:
        session: a write transaction.
        scan_id: which scan.
        state: ``not_comparable`` (intact images that cannot be registered) or ``failed`` (an image is unusable).
        reason: message for users.
        now: current time.
    """
    scan = _locked_scan(session, scan_id)
    if scan.state not in UNFINISHED:
        return False
    scan.state, scan.finished_at, scan.result = state, now, {}
    report_uncompared(session, scan, reason)
    if scan.night_id is not None:
        update_night_state(session, scan.night_id, now)
    return True


def report_uncompared(session: Session, scan: Scan, reason: str) -> None:
    """Store why a scan ended without a comparison, and record its ground as not compared."""
    scan.reason, scan.why = str(reason), Reason.json_of(reason)
    if scan.windows is not None:  # the regular scan reports the ground of its images
        return
    task = read_task(session, scan.id)
    ground = _common_ground(task.before, task.after)
    if scan.night_id is not None:
        remove_uncompared_ground(session, scan.night_id, scan.after_id, ground)
    session.add(
        UncomparedGround(
            night_id=scan.night_id,
            scene_id=scan.after_id,
            scan_id=scan.id,
            area_code=scan.area_code,
            area_m2=area_m2(ground),
            reason=str(reason),
            why=scan.why,
            **bounds_of(ground),
        )
    )
    session.flush()


def running_scans(session: Session) -> list[RunningScan]:
    """Return the unfinished scans, oldest first."""
    before, after = aliased(SceneRow), aliased(SceneRow)
    rows = session.execute(
        select(Scan, before.name, after.name)
        .join(before, before.id == Scan.before_id)
        .join(after, after.id == Scan.after_id)
        .where(Scan.state.in_(UNFINISHED))
        .order_by(Scan.id)
    )
    return [
        RunningScan(scan.id, scan.area_code, scan.state, earlier, later, share_done(scan), scan.created_at)
        for scan, earlier, later in rows
    ]


def share_done(scan: Scan) -> float:
    """Return the share of the blocks of an unfinished scan that were compared, 0…1."""
    if scan.state == "merging":
        return 1.0
    return len(scan.result.get(PLAN, {}).get("parts_done", ())) / scan.block_jobs if scan.block_jobs else 0.0


def _common_ground(before: SceneRow, after: SceneRow) -> BaseGeometry:
    """Return the intersection of both footprints, or the later footprint if they are disjoint."""
    common = intersection(before.outline, after.outline)
    return common if common.area > 0 else after.outline


def lock_scan(session: Session, scan_id: int) -> Scan | None:
    """Lock a scan for update and return its current row; other transactions may still add rows that refer to it."""
    return session.scalars(
        select(Scan).where(Scan.id == scan_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    ).one_or_none()


def _locked_scan(session: Session, scan_id: int) -> Scan:
    scan = lock_scan(session, scan_id)
    assert scan is not None  # scans are never deleted
    return scan


def _accepts_parts(scan: Scan) -> bool:
    return scan.state == "scanning" or scan.result.get(FAILED_FROM) == "scanning"
