"""Scans: two scenes that are compared, step by step, whoever does the steps and however often.

A scan is ``waiting``, then ``scanning`` while its blocks are compared in parts, ``merging`` once all parts are in, and
ends as ``done``, ``not_comparable`` or ``failed``. Each step changes it only from the state before, so a step that is
done twice changes nothing the second time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from enforcement.overlap_ratio import area_m2
from errors import Reason, TubanError
from store.scans.nights import UNFINISHED, update_night_state
from store.schema.insert import insert_new
from store.schema.outlines import bounds_of
from store.schema.tables import Scan, SceneRow, UncomparedGround

PLAN = "plan"
"""Where :attr:`store.schema.tables.Scan.result` holds how the scan is cut, until it ends."""

FAILED_FROM = "stopped"
"""Where it holds the state that the scan was in when one of its jobs died; see :mod:`store.scans.failed_scans`."""


@dataclass(frozen=True)
class ScanTask:
    """A scan with its two scenes, as they were read."""

    scan: Scan
    before: SceneRow
    after: SceneRow

    @property
    def plan(self) -> dict[str, Any]:
        """What :func:`start_scan` was given; empty before that and after the end."""
        return dict(self.scan.result.get(PLAN, {}))

    def part_done(self, part: int) -> bool:
        """Whether a part of its blocks is in."""
        return part in self.plan.get("parts_done", ())

    @property
    def accepts_parts(self) -> bool:
        """Whether parts of its blocks may be compared: also while another part is dead, which a person may revive."""
        return _in_parts(self.scan)


@dataclass(frozen=True)
class RunningScan:
    """A scan that has not ended.

    Attributes:
        scan_id, area_code, state: of its row.
        before, after: names of the scenes.
        done: share of its blocks that were compared, 0…1.
        created_at: when it was planned.
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
) -> int | None:
    """Plan a scan; its id, or None when there is one of that key already.

    Args:
        session: of a transaction that writes.
        unique_key: says which scenes are compared and how.
        before: id of the earlier scene.
        after: id of the later one.
        area_code: that the scan is done for.
        night_id: that planned it, if a night did.
        now: this moment.
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
        "created_at": now,
    }
    return insert_new(session, Scan, values, Scan.id)


def read_task(session: Session, scan_id: int) -> ScanTask:
    """A scan with its scenes.

    Raises:
        TubanError: there is no such scan.
    """
    scan = session.get(Scan, scan_id)
    if scan is None:
        raise TubanError(f"There is no scan {scan_id}: was it removed from the database?")
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
    """Note that a scan was prepared and is now compared in parts. False: somebody did that before.

    Args:
        session: of a transaction that writes.
        scan_id: which scan.
        blocks: how many blocks it has.
        parts: in how many jobs they are compared.
        plan: what every part needs to know, as JSON.
        settings_sha256: of the settings of the scan.
        weights_sha256: of the network that every part must use.
        now: this moment.
    """
    scan = _held(session, scan_id)
    if scan.state != "waiting":
        return False
    scan.state, scan.started_at = "scanning", now
    scan.blocks, scan.block_jobs = blocks, parts
    scan.settings_sha256, scan.weights_sha256 = settings_sha256, weights_sha256
    scan.result = {PLAN: {**plan, "parts_done": []}}
    session.flush()
    return True


def finish_part(session: Session, scan_id: int, part: int) -> bool:
    """Note that a part (0, 1, 2 …) of a scan's blocks was compared. True: it was the last one, now they are merged."""
    scan = _held(session, scan_id)
    if not _in_parts(scan):
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
    """Note that a scan is done; the scan, or None when it had ended before.

    Its night is to be settled after this (:func:`store.scans.nights.update_night_state`), when its alerts are written.

    Args:
        session: of a transaction that writes.
        scan_id: which scan.
        result: what ``scan.json`` tells of it.
        changes: how many were found.
        now: this moment.
    """
    scan = _held(session, scan_id)
    if scan.state != "merging":
        return None
    scan.state, scan.finished_at = "done", now
    scan.result, scan.changes = dict(result), changes
    session.flush()
    return scan


def finish_uncompared(session: Session, scan_id: int, state: str, reason: str, now: dt.datetime) -> bool:
    """Note that a scan could not compare its scenes, with the ground that nobody looked at. False: it had ended before.

    Args:
        session: of a transaction that writes.
        scan_id: which scan.
        state: ``not_comparable`` (good images that do not fit) or ``failed`` (an image cannot be used).
        reason: for people.
        now: this moment.
    """
    scan = _held(session, scan_id)
    if scan.state not in UNFINISHED:
        return False
    scan.state, scan.finished_at, scan.result = state, now, {}
    report_uncompared(session, scan, reason)
    if scan.night_id is not None:
        update_night_state(session, scan.night_id, now)
    return True


def report_uncompared(session: Session, scan: Scan, reason: str) -> None:
    """Keep why a scan ended without comparing, with the ground that nobody looked at."""
    scan.reason, scan.why = str(reason), Reason.json_of(reason)
    task = read_task(session, scan.id)
    ground = _common_ground(task.before, task.after)
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
    """Scans that have not ended, the oldest first."""
    before, after = aliased(SceneRow), aliased(SceneRow)
    rows = session.execute(
        select(Scan, before.name, after.name)
        .join(before, before.id == Scan.before_id)
        .join(after, after.id == Scan.after_id)
        .where(Scan.state.in_(UNFINISHED))
        .order_by(Scan.id)
    )
    return [
        RunningScan(scan.id, scan.area_code, scan.state, earlier, later, _share_done(scan), scan.created_at)
        for scan, earlier, later in rows
    ]


def _share_done(scan: Scan) -> float:
    if scan.state == "merging":
        return 1.0
    return len(scan.result.get(PLAN, {}).get("parts_done", ())) / scan.block_jobs if scan.block_jobs else 0.0


def _common_ground(before: SceneRow, after: SceneRow) -> BaseGeometry:
    """What both show; where that is nothing, all that the later one shows."""
    common = before.outline.intersection(after.outline)
    return common if common.area > 0 else after.outline


def lock_scan(session: Session, scan_id: int) -> Scan | None:
    """The scan as it is now that no other transaction can change it; rows that point to it may be added."""
    return session.scalars(
        select(Scan).where(Scan.id == scan_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    ).one_or_none()


def _held(session: Session, scan_id: int) -> Scan:
    scan = lock_scan(session, scan_id)
    assert scan is not None  # scans are not removed
    return scan


def _in_parts(scan: Scan) -> bool:
    return scan.state == "scanning" or scan.result.get(FAILED_FROM) == "scanning"
