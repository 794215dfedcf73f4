"""Nightly runs: planning queries, state and summary of each night."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, delete, exists, func, or_, select, true
from sqlalchemy.orm import Session

from enforcement.overlap_ratio import area_m2
from errors import Reason
from imagery.set_operations import difference, make_valid, union_all
from store.schema.camera_tables import CaptureRow
from store.schema.counters import lock_counter
from store.schema.insert import insert_new
from store.schema.outlines import bounds_intersect, bounds_of
from store.schema.tables import Counter, Night, Scan, SceneRow, UncomparedGround

UNFINISHED = ("waiting", "scanning", "merging")
"""States of unfinished scans."""

_PLAN_VERSION = "nights planned"
_SLIVER_M2 = 1.0  # what remains of ground after subtracting the same ground, by rounding

USABLE = SceneRow.state == "ready"
NOT_FROM_CAMERA = ~exists().where(CaptureRow.scene_id == SceneRow.id)  # camera captures have a comparison of their own


def plan_version(session: Session) -> int:
    """Return the number of plans written so far; a plan computed at an older version is outdated."""
    return session.scalar(select(Counter.value).where(Counter.name == _PLAN_VERSION)) or 0


def advance_plan_version(session: Session) -> int:
    """Lock the plan version until the transaction ends, increment it, and return its previous value."""
    counter = lock_counter(session, _PLAN_VERSION)
    previous = counter.value
    counter.value += 1
    session.flush()
    return previous


def area_codes(session: Session) -> list[str]:
    """Return the distinct area codes of the scenes, without camera captures."""
    return list(
        session.scalars(
            select(SceneRow.area_code).where(USABLE, NOT_FROM_CAMERA).distinct().order_by(SceneRow.area_code)
        )
    )


def scenes_of_area(session: Session, area_code: str) -> list[SceneRow]:
    """Return the scenes of one area code, without camera captures."""
    return list(
        session.scalars(
            select(SceneRow).where(SceneRow.area_code == area_code, USABLE, NOT_FROM_CAMERA).order_by(SceneRow.id)
        )
    )


def scenes_touching(session: Session, scenes: Iterable[SceneRow]) -> list[SceneRow]:
    """Return the scenes of any area code whose bounds intersect the total bounds of ``scenes``."""
    bounds = shapely.total_bounds([scene.outline for scene in scenes])
    return list(
        session.scalars(
            select(SceneRow)
            .where(bounds_intersect(SceneRow, box(*bounds)), USABLE, NOT_FROM_CAMERA)
            .order_by(SceneRow.id)
        )
    )


def scan_states(session: Session, area_code: str) -> dict[tuple[int, int], str]:
    """Return {(earlier scene id, later scene id): state} of scans whose later scene has the area code.

    Withdrawn scans are left out: their pairs are to be planned again; so are those around alerts only.
    """
    rows = session.execute(
        select(Scan.before_id, Scan.after_id, Scan.state)
        .join(SceneRow, SceneRow.id == Scan.after_id)
        .where(SceneRow.area_code == area_code, Scan.withdrawn_at.is_(None), Scan.windows.is_(None))
    )
    return {(before, after): state for before, after, state in rows}


def reported_ground(session: Session, area_code: str, day: dt.date) -> dict[int, BaseGeometry]:
    """Return {scene id: ground} reported as lacking an earlier image by other nights than that of ``day``.

    What that night has reported is found again by its next plan. Ground of scenes that were corrected since is left
    out, since its reason may no longer hold.
    """
    rows = session.execute(
        select(UncomparedGround.scene_id, UncomparedGround.outline)
        .join(SceneRow, SceneRow.id == UncomparedGround.scene_id)
        .outerjoin(Night, Night.id == UncomparedGround.night_id)
        .where(SceneRow.area_code == area_code, UncomparedGround.scan_id.is_(None))
        .where(UncomparedGround.superseded.is_(False), or_(Night.id.is_(None), Night.day != day))
    )
    reported: dict[int, list[BaseGeometry]] = {}
    for scene_id, outline in rows:
        reported.setdefault(scene_id, []).append(outline)
    return {scene_id: union_all(outlines) for scene_id, outlines in reported.items()}


def open_night(session: Session, day: dt.date, now: dt.datetime) -> Night:
    """Return the night of a local day in the state ``planning``; it is created, or reopened if it exists."""
    values = {"day": day, "state": "planning", "begun_at": now, "summary": {}}
    insert_new(session, Night, values, Night.id)
    night = session.scalars(
        select(Night).where(Night.day == day).with_for_update(key_share=True).execution_options(populate_existing=True)
    ).one()
    night.state, night.finished_at = "planning", None
    session.flush()
    return night


def remove_planned_gaps(session: Session, night_id: int) -> None:
    """Remove the ground without an earlier image that a previous plan of the same night found; a new plan follows."""
    session.execute(
        delete(UncomparedGround)
        .where(UncomparedGround.night_id == night_id, UncomparedGround.scan_id.is_(None))
        .execution_options(synchronize_session=False)
    )


def remove_uncompared_ground(session: Session, night_id: int, scene_id: int, ground: BaseGeometry) -> None:
    """Remove ground from that which a night could not compare: another of its scans has compared or reported it."""
    of_scene = UncomparedGround.night_id == night_id, UncomparedGround.scene_id == scene_id
    compared = make_valid(ground)
    for row in session.scalars(select(UncomparedGround).where(*of_scene)).all():
        rest = difference(make_valid(row.outline), compared)
        left_m2 = area_m2(rest)
        if left_m2 < _SLIVER_M2:
            session.delete(row)
        elif left_m2 < row.area_m2:
            row.area_m2 = left_m2
            for column, value in bounds_of(rest).items():
                setattr(row, column, value)
    session.flush()


def add_uncompared_ground(
    session: Session,
    night_id: int,
    *,
    scene_id: int,
    area_code: str,
    outline: BaseGeometry,
    area_m2: float,
    reason: str,
) -> None:
    """Record ground of a scene that has no usable earlier image; ``outline`` in longitude and latitude."""
    session.add(
        UncomparedGround(
            night_id=night_id,
            scene_id=scene_id,
            area_code=area_code,
            area_m2=area_m2,
            reason=str(reason),
            why=Reason.json_of(reason),
            **bounds_of(outline),
        )
    )


def update_night_state(session: Session, night_id: int, now: dt.datetime) -> Night:
    """Derive a night's state from its scans; it is done, and gets its summary, when all scans have ended.

    Call it last in a transaction that changes a scan of the night: of two scans that end concurrently, the later
    transaction sees both.
    """
    session.flush()
    # FOR NO KEY UPDATE: both transactions may have added rows that refer to the night
    night = session.scalars(
        select(Night)
        .where(Night.id == night_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    counts = _count_scans(session, night_id)
    done = not any(counts.get(state) for state in UNFINISHED)
    if done and night.state != "done":
        night.finished_at = now
    elif not done:
        night.finished_at = None  # a failed scan was resumed
    night.state = "done" if done else "scanning"
    if done:
        night.summary = _summary(session, night_id, counts)
    session.flush()
    return night


def night_summary(session: Session, night: Night) -> dict[str, Any]:
    """Return the summary of a night, up to now if it is not done.

    Returns:
        ``scans``: number of scans; ``states``: number of scans by state; ``looked_at_m2``: compared ground;
        ``changes``: number of detected changes; ``alerts``: number of changes by outcome (see
        :class:`store.alerts.alert_recorder.Recorded`); ``uncompared``: ``{"reason", "why", "pieces", "area_m2"}`` for
        each reason.
    """
    return night.summary if night.state == "done" else _summary(session, night.id, _count_scans(session, night.id))


def partial_night_summary(
    session: Session, night: Night, scans: ColumnElement[bool], ground: ColumnElement[bool]
) -> dict[str, Any]:
    """Return the summary of a night for a subset of its scans and of its uncompared ground.

    Args:
        session: a read transaction.
        night: which night.
        scans: condition on :class:`store.schema.tables.Scan`.
        ground: condition on :class:`store.schema.tables.UncomparedGround`.
    """
    return _summary(session, night.id, _count_scans(session, night.id, scans), scans, ground)


def recent_nights(session: Session, limit: int = 7) -> list[Night]:
    """Return the most recent nights, newest first."""
    return list(session.scalars(select(Night).order_by(Night.day.desc()).limit(limit)))


def uncompared_ground(session: Session, night_id: int) -> list[tuple[UncomparedGround, str]]:
    """Return the ground that a night could not compare with the name of its scene, largest area first."""
    rows = session.execute(
        select(UncomparedGround, SceneRow.name)
        .join(SceneRow, SceneRow.id == UncomparedGround.scene_id)
        .where(UncomparedGround.night_id == night_id)
        .order_by(UncomparedGround.area_m2.desc(), UncomparedGround.id)
    )
    return [(ground, name) for ground, name in rows]


def _count_scans(session: Session, night_id: int, condition: ColumnElement[bool] | None = None) -> dict[str, int]:
    query = select(Scan.state, func.count()).where(Scan.night_id == night_id, _condition_or_true(condition))
    rows = session.execute(query.group_by(Scan.state))
    return {state: number for state, number in rows}  # noqa: C416  (mypy does not accept rows as pairs)


def _condition_or_true(condition: ColumnElement[bool] | None) -> ColumnElement[bool]:
    return true() if condition is None else condition


def _summary(
    session: Session,
    night_id: int,
    counts: Mapping[str, int],
    scans: ColumnElement[bool] | None = None,
    ground: ColumnElement[bool] | None = None,
) -> dict[str, Any]:
    done = select(Scan.changes, Scan.result, Scan.windows).where(
        Scan.night_id == night_id, Scan.state == "done", _condition_or_true(scans)
    )
    changes, compared_m2, alerts = 0, 0.0, dict[str, int]()
    for scan_changes, result, windows in session.execute(done):
        changes += scan_changes
        if windows is None:  # ground around known alerts is also part of the scan of the whole image
            compared_m2 += result.get("looked_at", {}).get("area_m2", 0.0)
        for outcome, number in result.get("alerts", {}).items():
            alerts[outcome] = alerts.get(outcome, 0) + number
    uncompared = session.execute(
        select(UncomparedGround.reason, func.count(), func.sum(UncomparedGround.area_m2), func.min(UncomparedGround.id))
        .where(UncomparedGround.night_id == night_id, _condition_or_true(ground))
        .group_by(UncomparedGround.reason)
        .order_by(UncomparedGround.reason)
    ).all()
    examples = select(UncomparedGround.id, UncomparedGround.why).where(
        UncomparedGround.id.in_([row_id for *_, row_id in uncompared])
    )
    codes = {row_id: why for row_id, why in session.execute(examples)}  # noqa: C416  (mypy does not accept rows as pairs)
    return {
        "scans": sum(counts.values()),
        "states": dict(sorted(counts.items())),
        "looked_at_m2": round(compared_m2, 2),
        "changes": changes,
        "alerts": dict(sorted(alerts.items())),
        "uncompared": [
            {"reason": reason, "why": codes[row_id], "pieces": pieces, "area_m2": round(float(area), 2)}
            for reason, pieces, area, row_id in uncompared
        ],
    }
