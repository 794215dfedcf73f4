"""Alerts whose images were withdrawn or corrected."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from configs.service import AlertSettings, ServiceSettings
from enforcement.events import EventKind
from enforcement.states import read_states
from errors import Reason
from imagery.set_operations import make_valid
from store.alerts.derived_alert import refresh_alerts
from store.alerts.ledger import comparisons_of
from store.alerts.outbox import announce_all
from store.alerts.recording import lock_alerts
from store.alerts.transitions import append_transition
from store.alerts.weekly_quota import rank_alerts
from store.schema.outlines import bounds_intersect
from store.schema.tables import AlertRow, Observation, Scan, SceneRow, Transition

SYSTEM = "system"
WITHDRAWN = "withdrawn"
"""State of an alert that no image shows any more."""


def alerts_of_scans(session: Session, scan_ids: Collection[int]) -> list[AlertRow]:
    """Return the alerts that any of these scans observed, by id."""
    ids = select(Observation.alert_id).where(Observation.scan_id.in_(scan_ids))
    return list(session.scalars(select(AlertRow).where(AlertRow.id.in_(ids)).order_by(AlertRow.id)))


def alerts_concerned(session: Session, scan_ids: Collection[int]) -> list[AlertRow]:
    """Return the alerts that any of these scans observed, or showed and detected nothing there, by id."""
    found = {alert.id: alert for alert in alerts_of_scans(session, scan_ids)}
    states = read_states()
    gone = [name for name in states.states if states.category(name) == "gone"]
    for comparison in comparisons_of(session, scan_ids):
        if comparison.visible.is_empty:
            continue
        query = select(AlertRow).where(bounds_intersect(AlertRow, comparison.visible), AlertRow.state.not_in(gone))
        for alert in session.scalars(query):
            if alert.id not in found and comparison.visible.intersects(make_valid(alert.outline)):
                found[alert.id] = alert
    return [found[alert_id] for alert_id in sorted(found)]


def judged_alerts(alerts: Sequence[AlertRow], session: Session) -> list[AlertRow]:
    """Return the alerts that people are working on or have determined: their images are evidence."""
    states = read_states()
    kept = [alert for alert in alerts if states.category(alert.state) in ("open", "correcting", "closed")]
    by_people = select(Transition.alert_id).where(
        Transition.alert_id.in_([alert.id for alert in kept]), Transition.role != SYSTEM
    )
    judged = set(session.scalars(by_people))
    return [alert for alert in kept if alert.id in judged]


def withdraw_alerts(
    session: Session,
    scans: Sequence[Scan],
    why: Reason,
    *,
    who: str,
    settings: ServiceSettings,
    now: dt.datetime,
) -> list[AlertRow]:
    """Withdraw the alerts that rest on withdrawn scans alone, unless people have checked them on the ground since.

    Args:
        session: a write transaction in which the scans were withdrawn.
        scans: the withdrawn scans.
        why: what happened to their images; logged with each alert.
        who: login of the person who withdrew them.
        settings: quota and targets of events.
        now: current time.

    Returns:
        the withdrawn alerts; all others that the scans observed or showed are derived again from what they have left.
    """
    lock_alerts(session)
    alerts = alerts_of_scans(session, [scan.id for scan in scans])
    standing = set(
        session.scalars(
            select(Observation.alert_id)
            .outerjoin(Scan, Scan.id == Observation.scan_id)
            .where(Observation.alert_id.in_([alert.id for alert in alerts]), Scan.withdrawn_at.is_(None))
        )
    )
    states = read_states()
    withdrawn: list[AlertRow] = []
    for alert in alerts:
        if alert.id in standing or WITHDRAWN not in states.allowed_targets(alert.state, SYSTEM):
            continue
        append_transition(
            session,
            alert,
            WITHDRAWN,
            who=who,
            role=SYSTEM,
            why=why,
            at=now,
            evidence={"reason": str(why)},
            zone=settings.zone,
        )
        withdrawn.append(alert)
    gone = {alert.id for alert in withdrawn}
    left = [alert for alert in alerts_concerned(session, [scan.id for scan in scans]) if alert.id not in gone]
    refresh_alerts(session, left, settings.alerts, now)
    weeks = {(alert.grid_code, alert.week) for alert in withdrawn}
    released = rank_alerts(session, weeks, settings.alerts.cap_per_grid_and_week) if weeks else []
    events: list[tuple[AlertRow, EventKind]] = [(alert, "tuban.alert.state_changed") for alert in withdrawn]
    events += [(alert, "tuban.alert.created") for alert in released]
    announce_all(session, events, settings, now)
    return withdrawn


def update_observed_dates(session: Session, scene: SceneRow, settings: AlertSettings, now: dt.datetime) -> None:
    """Correct the dates of observations, and of their alerts, after the day of a scene was corrected.

    They are derived again from their other sightings, as are those of whose works the comparisons saw nothing.
    """
    lock_alerts(session)
    scans = session.scalars(select(Scan).where((Scan.before_id == scene.id) | (Scan.after_id == scene.id))).all()
    by_id = {scan.id: scan for scan in scans}
    observations = session.scalars(select(Observation).where(Observation.scan_id.in_(by_id))).all()
    for observation in observations:
        if observation.scan_id is not None and by_id[observation.scan_id].before_id == scene.id:
            observation.before_date = scene.date
        else:
            observation.after_date = scene.date
    session.flush()
    ids = sorted({observation.alert_id for observation in observations})
    for alert_id in ids:
        first, last = session.execute(
            select(func.min(Observation.after_date), func.max(Observation.after_date)).where(
                Observation.alert_id == alert_id
            )
        ).one()
        alert = session.get_one(AlertRow, alert_id)
        alert.first_date, alert.last_date = first, last
    refresh_alerts(session, alerts_concerned(session, list(by_id)), settings, now)
    session.flush()


def withdrawn_basis(session: Session, alert_id: int) -> Reason | None:
    """Return why all comparisons that observed an alert were withdrawn; None: at least one of them stands."""
    scans = session.scalars(
        select(Scan).where(Scan.id.in_(select(Observation.scan_id).where(Observation.alert_id == alert_id)))
    ).all()
    drawn = select(Observation.id).where(Observation.alert_id == alert_id, Observation.scan_id.is_(None)).limit(1)
    if not scans or any(scan.withdrawn_at is None for scan in scans) or session.scalar(drawn) is not None:
        return None
    last = max(scans, key=lambda scan: scan.withdrawn_at or scan.created_at)
    return Reason.from_json(last.withdrawn_why, last.why)
