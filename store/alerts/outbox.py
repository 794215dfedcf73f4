"""Transactional outbox: events of alerts are stored for each target in the transaction that causes them.

Events of one alert are sent to a target strictly in order. Only the first unsettled delivery has a job; when it is
delivered or dropped, the next one gets its job. Every change to these deliveries locks the alert's row first, so that
concurrent transactions never decide at the same time.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.alert import alert_feature
from enforcement.events import cloud_event
from store.alerts.alert_data import read_alerts
from store.jobs.queue import add_job
from store.jobs.queue import revive as revive_job
from store.schema.tables import AlertRow, Delivery, Job
from store.sharing.hook_events import body_target, body_targets, shown_feature
from store.sharing.shares import ShareChange, apply_rules, determinations

KIND = "deliver"
"""Kind and queue of the delivery jobs."""

UNSETTLED = ("waiting", "dead")
"""States of a delivery that block later ones of the same alert and target."""


@dataclass(frozen=True)
class PendingDelivery:
    """One event that is due to be sent to one target."""

    delivery_id: int
    event_id: str
    target: str
    event: dict[str, Any]
    sequence: int
    attempts: int


def targets(settings: ServiceSettings) -> tuple[str, ...]:
    """List the targets of events: ``queue``, ``drop``, and ``hook:URL`` for each hook."""
    names = []
    if settings.delivery.queue and not settings.embedded_broker:
        names.append("queue")
    if settings.delivery.drop_folder or settings.embedded_broker:
        names.append("drop")
    return (*names, *(f"hook:{hook.url}" for hook in settings.delivery.hooks))


def announce(session: Session, alert: AlertRow, kind: str, settings: ServiceSettings, now: dt.datetime) -> None:
    """Store an event of ``alert`` for each target; it is sent after the transaction commits.

    Call this last: the event contains the alert, its observations and transitions as they are then.

    Args:
        session: the transaction that causes the event.
        alert: already added to ``session``.
        kind: one of :data:`enforcement.events.EVENT_KINDS`.
        settings: define the targets.
        now: time of the event.

    Raises:
        ValueError: unknown ``kind``.
    """
    announce_all(session, [(alert, kind)], settings, now)


def announce_all(
    session: Session,
    events: Sequence[tuple[AlertRow, str]],
    settings: ServiceSettings,
    now: dt.datetime,
    changes: Mapping[tuple[int, str], Mapping[str, Any]] = MappingProxyType({}),
) -> None:
    """Store several events (alert, kind) in order, as :func:`announce` does, with few statements.

    ``changes`` holds what changed, by alert id and kind of event: the property ``change`` of the feature.
    """
    session.flush()
    ids = sorted({row.id for row, _ in events})
    _lock_alert_rows(session, ids)
    of_these = Delivery.alert_id.in_(ids)
    latest = session.execute(
        select(Delivery.alert_id, func.max(Delivery.sequence)).where(of_these).group_by(Delivery.alert_id)
    )
    sequences = Counter({alert_id: last for alert_id, last in latest})  # noqa: C416  (rows are no pairs to a type checker)
    unsettled = select(Delivery.alert_id, Delivery.target).where(of_these, Delivery.state.in_(UNSETTLED))
    blocked = {(alert_id, target) for alert_id, target in session.execute(unsettled)}
    changed = apply_rules(session, list({row.id: row for row, _ in events}.values()), now)
    bodies = body_targets(session, events, changed, settings)
    alerts = read_alerts(session, [row for row, _ in events], settings.public_url)
    first: list[Delivery] = []
    for (row, kind), alert in zip(events, alerts, strict=True):
        sequences[row.id] += 1
        sequence, event_id = sequences[row.id], str(uuid.uuid4())
        source = settings.public_url.rstrip("/") or f"/tuban/{row.county_code}".rstrip("/")
        feature = alert_feature(alert)
        feature["properties"]["change"] = dict(changes[row.id, kind]) if (row.id, kind) in changes else None
        event = cloud_event(feature, event_id=event_id, kind=kind, time=now, source=source, sequence=sequence)
        for target, own in [*((target, event) for target in targets(settings)), *bodies.events(row, alert, event)]:
            delivery = Delivery(
                event_id=event_id,
                alert_id=row.id,
                sequence=sequence,
                target=target,
                event=own,
                state="waiting",
                attempts=0,
                next_at=now,
                created_at=now,
            )
            session.add(delivery)
            if (row.id, target) not in blocked:
                blocked.add((row.id, target))
                first.append(delivery)
    session.flush()
    for delivery in first:
        _add_job(session, delivery, now, now)


def announce_shares(
    session: Session, changes: Sequence[ShareChange], settings: ServiceSettings, now: dt.datetime
) -> None:
    """Store an event for the hook of each body whose share of an alert was made or withdrawn, in this transaction."""
    targeted = [change for change in changes if body_target(change.body, settings) is not None]
    if not targeted:
        return
    session.flush()
    ids = sorted({change.alert.id for change in targeted})
    _lock_alert_rows(session, ids)
    latest = select(Delivery.alert_id, func.max(Delivery.sequence)).where(Delivery.alert_id.in_(ids))
    sequences = Counter({alert_id: last for alert_id, last in session.execute(latest.group_by(Delivery.alert_id))})  # noqa: C416
    alerts = read_alerts(session, [change.alert for change in targeted], settings.public_url)
    found = determinations(session, ids)
    for change, alert in zip(targeted, alerts, strict=True):
        sequences[change.alert.id] += 1
        sequence, event_id = sequences[change.alert.id], str(uuid.uuid4())
        source = settings.public_url.rstrip("/") or f"/tuban/{change.alert.county_code}".rstrip("/")
        event = cloud_event(
            shown_feature(alert, found.get(change.alert.id, ""), change.body.fields if change.granted else ()),
            event_id=event_id,
            kind="tuban.share.granted" if change.granted else "tuban.share.withdrawn",
            time=now,
            source=source,
            sequence=sequence,
        )
        target = body_target(change.body, settings)
        assert target is not None
        delivery = Delivery(
            event_id=event_id, alert_id=change.alert.id, sequence=sequence, target=target, event=event,
            state="waiting", attempts=0, next_at=now, created_at=now,
        )  # fmt: skip
        session.add(delivery)
        session.flush()
        if _first_unsettled(session, change.alert.id, target) is delivery:
            _add_job(session, delivery, now, now)


def next_delivery(session: Session, delivery_id: int) -> PendingDelivery | None:
    """Return a delivery if it is due; None: it is settled, or an earlier one blocks it."""
    delivery = session.get(Delivery, delivery_id)
    if delivery is None or delivery.state != "waiting":
        return None
    first = _first_unsettled(session, delivery.alert_id, delivery.target)
    if first is None or first.id != delivery.id:
        return None
    return PendingDelivery(
        delivery.id, delivery.event_id, delivery.target, delivery.event, delivery.sequence, delivery.attempts
    )


def mark_delivered(session: Session, delivery_id: int, now: dt.datetime) -> None:
    """Mark a delivery as delivered, and add the job of the next one of the same alert and target."""
    delivery = _lock_delivery(session, delivery_id)
    if delivery.state not in UNSETTLED:
        return
    delivery.state, delivery.delivered_at, delivery.error = "delivered", now, ""
    delivery.attempts += 1
    _start_next(session, delivery, now)


def mark_failed(
    session: Session,
    delivery_id: int,
    error: str,
    now: dt.datetime,
    *,
    attempts: int,
    backoff_seconds: Sequence[float],
    not_before_seconds: float = 0,
) -> str:
    """Record a failed attempt: the delivery is retried later, or becomes dead until a user revives or drops it.

    Args:
        session: a writing transaction.
        delivery_id: id of the delivery.
        error: the target's answer.
        now: current time.
        attempts: number of attempts after which the delivery is dead.
        backoff_seconds: pauses after the first, second … failure; the last value applies to all further ones.
        not_before_seconds: minimum pause that the target requested.

    Returns:
        the state: ``waiting`` or ``dead``, or another one if the delivery was settled meanwhile.
    """
    delivery = _lock_delivery(session, delivery_id)
    if delivery.state != "waiting":
        return delivery.state
    delivery.attempts += 1
    delivery.error = error
    failures = delivery.attempts % attempts  # since it was revived: a revived delivery gets as many attempts again
    if failures == 0:
        delivery.state = "dead"
        return delivery.state
    pause = backoff_seconds[min(failures, len(backoff_seconds)) - 1] if backoff_seconds else 0
    delivery.next_at = now + dt.timedelta(seconds=max(pause, not_before_seconds))
    _add_job(session, delivery, now, delivery.next_at)
    return delivery.state


def revive(session: Session, delivery_id: int, now: dt.datetime) -> bool:
    """Retry a dead delivery immediately, with as many attempts as a new one. Return whether anything was revived.

    A waiting delivery whose job is dead, because its process died at every attempt, is revived as well.
    """
    delivery = _lock_delivery(session, delivery_id)
    if delivery.state == "dead":
        delivery.state, delivery.next_at = "waiting", now
        _add_job(session, delivery, now, now)
        return True
    job = session.scalar(select(Job.id).where(Job.unique_key == _job_key(delivery), Job.state == "dead"))
    return delivery.state == "waiting" and job is not None and revive_job(session, job, now)


def drop(session: Session, delivery_id: int, now: dt.datetime) -> bool:
    """Drop a delivery, so that later ones of its alert proceed. Return whether it was unsettled."""
    delivery = _lock_delivery(session, delivery_id)
    if delivery.state not in UNSETTLED:
        return False
    first = _first_unsettled(session, delivery.alert_id, delivery.target)
    delivery.state = "dropped"
    if first is delivery:
        _start_next(session, delivery, now)
    return True


def list_deliveries(
    session: Session, *, states: Sequence[str] = UNSETTLED, limit: int = 50
) -> list[tuple[Delivery, str]]:
    """List deliveries in any of ``states``, oldest first, each with the number of its alert."""
    rows = session.execute(
        select(Delivery, AlertRow.number)
        .join(AlertRow, AlertRow.id == Delivery.alert_id)
        .where(Delivery.state.in_(states))
        .order_by(Delivery.id)
        .limit(limit)
    )
    return [(delivery, number) for delivery, number in rows]


def find_deliveries(session: Session, *, states: Sequence[str]) -> list[int]:
    """List the ids of all deliveries in any of ``states``, oldest first."""
    return list(session.scalars(select(Delivery.id).where(Delivery.state.in_(states)).order_by(Delivery.id)))


def _lock_alert_rows(session: Session, alert_ids: Sequence[int]) -> None:
    # FOR NO KEY UPDATE: rows that refer to the alert may be added meanwhile. SQLite has a single writer anyway
    rows = select(AlertRow.id).where(AlertRow.id.in_(alert_ids)).order_by(AlertRow.id).with_for_update(key_share=True)
    session.execute(rows)


def _lock_delivery(session: Session, delivery_id: int) -> Delivery:
    """Lock the delivery's alert, then load the delivery."""
    alert_id = session.scalars(select(Delivery.alert_id).where(Delivery.id == delivery_id)).one()
    _lock_alert_rows(session, [alert_id])
    return session.scalars(
        select(Delivery).where(Delivery.id == delivery_id).execution_options(populate_existing=True)
    ).one()


def _first_unsettled(session: Session, alert_id: int, target: str) -> Delivery | None:
    return session.scalar(
        select(Delivery)
        .where(Delivery.alert_id == alert_id, Delivery.target == target, Delivery.state.in_(UNSETTLED))
        .order_by(Delivery.sequence)
        .limit(1)
    )


def _start_next(session: Session, settled: Delivery, now: dt.datetime) -> None:
    following = _first_unsettled(session, settled.alert_id, settled.target)
    if following is not None and following.state == "waiting":
        following.next_at = now
        _add_job(session, following, now, now)


def _add_job(session: Session, delivery: Delivery, now: dt.datetime, run_after: dt.datetime) -> None:
    add_job(
        session,
        kind=KIND,
        queue=KIND,
        payload={"delivery_id": delivery.id},
        unique_key=_job_key(delivery),
        now=now,
        run_after=run_after,
    )


def _job_key(delivery: Delivery) -> str:
    """Return the unique key of the job of the current attempt."""
    target = hashlib.sha256(delivery.target.encode()).hexdigest()[:16]
    return f"deliver:{delivery.event_id}:{target}:{delivery.attempts}"
