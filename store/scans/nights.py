"""Nights: what was compared for which local day, what could not be, and how it ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, exists, func, select, true
from sqlalchemy.orm import Session

from errors import Reason
from store.schema.camera_tables import CaptureRow
from store.schema.counters import lock_counter
from store.schema.insert import insert_new
from store.schema.outlines import bounds_intersect, bounds_of
from store.schema.tables import Counter, Night, Scan, SceneRow, UncomparedGround

UNFINISHED = ("waiting", "scanning", "merging")
"""States of scans that have not ended."""

_PLANS = "nights planned"

_FROM_ABOVE = ~exists().where(CaptureRow.scene_id == SceneRow.id)  # captures of cameras are compared by themselves


def plan_version(session: Session) -> int:
    """How many plans were written so far: a plan that was made before the last one is out of date."""
    return session.scalar(select(Counter.value).where(Counter.name == _PLANS)) or 0


def advance_plan_version(session: Session) -> int:
    """Let no other plan be written until this transaction ends, and count this one; :func:`plan_version` before it."""
    counter = lock_counter(session, _PLANS)
    before = counter.value
    counter.value += 1
    session.flush()
    return before


def area_codes(session: Session) -> list[str]:
    """Codes under which scenes came in."""
    return list(session.scalars(select(SceneRow.area_code).where(_FROM_ABOVE).distinct().order_by(SceneRow.area_code)))


def scenes_of_area(session: Session, area_code: str) -> list[SceneRow]:
    """Scenes that came in under one code."""
    return list(
        session.scalars(select(SceneRow).where(SceneRow.area_code == area_code, _FROM_ABOVE).order_by(SceneRow.id))
    )


def scenes_touching(session: Session, scenes: Iterable[SceneRow]) -> list[SceneRow]:
    """Scenes of any code whose bounds touch the bounds of all of ``scenes`` together."""
    around = shapely.total_bounds([scene.outline for scene in scenes])
    return list(
        session.scalars(select(SceneRow).where(bounds_intersect(SceneRow, box(*around)), _FROM_ABOVE).order_by(SceneRow.id))
    )


def scan_states(session: Session, area_code: str) -> dict[tuple[int, int], str]:
    """State of each scan whose later scene came in under one code, by the ids (earlier, later)."""
    rows = session.execute(
        select(Scan.before_id, Scan.after_id, Scan.state)
        .join(SceneRow, SceneRow.id == Scan.after_id)
        .where(SceneRow.area_code == area_code)
    )
    return {(before, after): state for before, after, state in rows}


def reported_ground(session: Session, area_code: str) -> dict[int, BaseGeometry]:
    """Ground of scenes of one code that was reported as without an earlier image, by scene."""
    rows = session.execute(
        select(UncomparedGround.scene_id, UncomparedGround.outline)
        .join(SceneRow, SceneRow.id == UncomparedGround.scene_id)
        .where(SceneRow.area_code == area_code, UncomparedGround.scan_id.is_(None))
    )
    told: dict[int, list[BaseGeometry]] = {}
    for scene_id, outline in rows:
        told.setdefault(scene_id, []).append(outline)
    return {scene_id: shapely.union_all(outlines) for scene_id, outlines in told.items()}


def open_night(session: Session, day: dt.date, now: dt.datetime) -> Night:
    """The night of a local day, which is planned now: for the first time or once more."""
    values = {"day": day, "state": "planning", "begun_at": now, "summary": {}}
    insert_new(session, Night, values, Night.id)
    night = session.scalars(
        select(Night).where(Night.day == day).with_for_update(key_share=True).execution_options(populate_existing=True)
    ).one()
    night.state, night.finished_at = "planning", None
    session.flush()
    return night


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
    """Report ground of a scene that has no usable earlier image (outline in longitude and latitude)."""
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
    """Bring a night's state up to its scans: it is done, with its summary, when all of them have ended.

    Call it last in a transaction that changes one of its scans: of two that end at once, the later then sees both.
    """
    session.flush()
    # "no key": both of those may have added rows that point to the night
    night = session.scalars(
        select(Night)
        .where(Night.id == night_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    counted = _count_scans(session, night_id)
    done = not any(counted.get(state) for state in UNFINISHED)
    if done and night.state != "done":
        night.finished_at = now
    elif not done:
        night.finished_at = None  # a scan of it goes on that had failed
    night.state = "done" if done else "scanning"
    if done:
        night.summary = _summary(session, night_id, counted)
    session.flush()
    return night


def night_summary(session: Session, night: Night) -> dict[str, Any]:
    """What a night has come to so far.

    Returns:
        ``scans``; their number by state, ``states``; ``looked_at_m2``; ``changes``; ``alerts`` by what they were to the
        alerts (see :class:`store.alerts.alert_recorder.Recorded`); ``uncompared``: ``{"reason", "why", "pieces", "area_m2"}`` of each
        reason.
    """
    return night.summary if night.state == "done" else _summary(session, night.id, _count_scans(session, night.id))


def partial_night_summary(
    session: Session, night: Night, scans: ColumnElement[bool], ground: ColumnElement[bool]
) -> dict[str, Any]:
    """The same of some of its scans and of some of the ground that was not compared.

    Args:
        session: reads.
        night: which.
        scans: condition on :class:`store.schema.tables.Scan`.
        ground: condition on :class:`store.schema.tables.UncomparedGround`.
    """
    return _summary(session, night.id, _count_scans(session, night.id, scans), scans, ground)


def recent_nights(session: Session, limit: int = 7) -> list[Night]:
    """The last nights, the newest first."""
    return list(session.scalars(select(Night).order_by(Night.day.desc()).limit(limit)))


def uncompared_ground(session: Session, night_id: int) -> list[tuple[UncomparedGround, str]]:
    """Ground that a night could not compare, each with the name of its scene; the largest first."""
    rows = session.execute(
        select(UncomparedGround, SceneRow.name)
        .join(SceneRow, SceneRow.id == UncomparedGround.scene_id)
        .where(UncomparedGround.night_id == night_id)
        .order_by(UncomparedGround.area_m2.desc(), UncomparedGround.id)
    )
    return [(ground, name) for ground, name in rows]


def _count_scans(session: Session, night_id: int, theirs: ColumnElement[bool] | None = None) -> dict[str, int]:
    counted = select(Scan.state, func.count()).where(Scan.night_id == night_id, _or_all(theirs))
    states = session.execute(counted.group_by(Scan.state))
    return {state: number for state, number in states}  # noqa: C416  (rows are no pairs to the type checker)


def _or_all(condition: ColumnElement[bool] | None) -> ColumnElement[bool]:
    return true() if condition is None else condition


def _summary(
    session: Session,
    night_id: int,
    counted: Mapping[str, int],
    scans: ColumnElement[bool] | None = None,
    ground: ColumnElement[bool] | None = None,
) -> dict[str, Any]:
    done = select(Scan.changes, Scan.result).where(Scan.night_id == night_id, Scan.state == "done", _or_all(scans))
    results = session.execute(done)
    changes, looked_at, alerts = 0, 0.0, dict[str, int]()
    for found, result in results:
        changes += found
        looked_at += result.get("looked_at", {}).get("area_m2", 0.0)
        for verdict, number in result.get("alerts", {}).items():
            alerts[verdict] = alerts.get(verdict, 0) + number
    missed = session.execute(
        select(UncomparedGround.reason, func.count(), func.sum(UncomparedGround.area_m2), func.min(UncomparedGround.id))
        .where(UncomparedGround.night_id == night_id, _or_all(ground))
        .group_by(UncomparedGround.reason)
        .order_by(UncomparedGround.reason)
    ).all()
    first = select(UncomparedGround.id, UncomparedGround.why).where(UncomparedGround.id.in_([one for *_, one in missed]))
    whys = {number: why for number, why in session.execute(first)}  # noqa: C416  (rows are no pairs to the type checker)
    return {
        "scans": sum(counted.values()),
        "states": dict(sorted(counted.items())),
        "looked_at_m2": round(looked_at, 2),
        "changes": changes,
        "alerts": dict(sorted(alerts.items())),
        "uncompared": [
            {"reason": reason, "why": whys[one], "pieces": pieces, "area_m2": round(float(area), 2)}
            for reason, pieces, area, one in missed
        ],
    }
