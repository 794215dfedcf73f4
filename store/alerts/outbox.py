"""The outbox: what happened to an alert is written down for each target in the transaction in which it happens.

For each alert and target, events are sent one after the other. Only the first that is not yet settled has a job; when
it is delivered, or a person drops it, the next one gets its own. Whoever changes this row of events holds the alert's
row, so that two never decide at once.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
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

KIND = "deliver"
"""Kind and queue of the jobs that send."""

UNSETTLED = ("waiting", "dead")
"""States of a delivery behind which later ones of the same alert and target wait."""


@dataclass(frozen=True)
class PendingDelivery:
    """One event that is to be sent to one target now."""

    delivery_id: int
    event_id: str
    target: str
    event: dict[str, Any]
    sequence: int
    attempts: int


def targets(settings: ServiceSettings) -> tuple[str, ...]:
    """Where events go: ``queue``, ``drop``, ``hook:URL`` for each hook."""
    named = []
    if settings.delivery.queue and not settings.embedded_broker:
        named.append("queue")
    if settings.delivery.drop_folder or settings.embedded_broker:
        named.append("drop")
    return (*named, *(f"hook:{hook.url}" for hook in settings.delivery.hooks))


def announce(session: Session, alert: AlertRow, kind: str, settings: ServiceSettings, now: dt.datetime) -> None:
    """Write down, for each target, that something happened to ``alert``; it is sent after the transaction.

    Call it last, when the alert, its observations and transitions are as they shall be told.

    Args:
        session: the transaction in which it happened.
        alert: already added to ``session``.
        kind: one of :data:`enforcement.events.EVENT_KINDS`.
        settings: which targets there are.
        now: when it happened.

    Raises:
        ValueError: ``kind`` is none.
    """
    announce_all(session, [(alert, kind)], settings, now)


def announce_all(
    session: Session, events: Sequence[tuple[AlertRow, str]], settings: ServiceSettings, now: dt.datetime
) -> None:
    """The same of several alerts, in few statements: each with what happened, in the order in which it is told."""
    session.flush()
    ids = sorted({row.id for row, _ in events})
    _hold(session, ids)
    of_these = Delivery.alert_id.in_(ids)
    lasts = session.execute(
        select(Delivery.alert_id, func.max(Delivery.sequence)).where(of_these).group_by(Delivery.alert_id)
    )
    sequences = Counter({alert_id: last for alert_id, last in lasts})  # noqa: C416  (rows are no pairs to a type checker)
    waits = select(Delivery.alert_id, Delivery.target).where(of_these, Delivery.state.in_(UNSETTLED))
    waiting = {(alert_id, target) for alert_id, target in session.execute(waits)}
    alerts = read_alerts(session, [row for row, _ in events], settings.public_url)
    first: list[Delivery] = []
    for (row, kind), alert in zip(events, alerts, strict=True):
        sequences[row.id] += 1
        sequence, event_id = sequences[row.id], str(uuid.uuid4())
        source = settings.public_url.rstrip("/") or f"/tuban/{row.county_code}".rstrip("/")
        feature = alert_feature(alert)
        event = cloud_event(feature, event_id=event_id, kind=kind, at=now, source=source, sequence=sequence)
        for target in targets(settings):
            delivery = Delivery(
                event_id=event_id,
                alert_id=row.id,
                sequence=sequence,
                target=target,
                event=event,
                state="waiting",
                attempts=0,
                next_at=now,
                created_at=now,
            )
            session.add(delivery)
            if (row.id, target) not in waiting:
                waiting.add((row.id, target))
                first.append(delivery)
    session.flush()
    for delivery in first:
        _add_job(session, delivery, now, now)


def next_delivery(session: Session, delivery_id: int) -> PendingDelivery | None:
    """What is to be sent, or None when that is settled or its turn has not come."""
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
    """The target has it; the next event of the same alert gets its job."""
    delivery = _held(session, delivery_id)
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
    """The target did not take it; it is sent again later, or is dead and waits for a person.

    Args:
        session: a transaction.
        delivery_id: of the delivery.
        error: what the target answered.
        now: the moment.
        attempts: after so many it is dead.
        backoff_seconds: how long to wait after the first, second … failure; the last one stands for all further.
        not_before_seconds: how long the target asked to wait at least.

    Returns:
        Its state: ``waiting`` or ``dead``; another one when a person settled it meanwhile.
    """
    delivery = _held(session, delivery_id)
    if delivery.state != "waiting":
        return delivery.state
    delivery.attempts += 1
    delivery.error = error
    tried = delivery.attempts % attempts  # since it was revived: a revived one gets the same number again
    if tried == 0:
        delivery.state = "dead"
        return delivery.state
    pause = backoff_seconds[min(tried, len(backoff_seconds)) - 1] if backoff_seconds else 0
    delivery.next_at = now + dt.timedelta(seconds=max(pause, not_before_seconds))
    _add_job(session, delivery, now, delivery.next_at)
    return delivery.state


def revive(session: Session, delivery_id: int, now: dt.datetime) -> bool:
    """Send a dead delivery again, at once, with as many attempts as a new one; whether there was something to revive.

    One that waits although its job is dead (the process died each time it was at it) is revived as well.
    """
    delivery = _held(session, delivery_id)
    if delivery.state == "dead":
        delivery.state, delivery.next_at = "waiting", now
        _add_job(session, delivery, now, now)
        return True
    job = session.scalar(select(Job.id).where(Job.unique_key == _job_key(delivery), Job.state == "dead"))
    return delivery.state == "waiting" and job is not None and revive_job(session, job, now)


def drop(session: Session, delivery_id: int, now: dt.datetime) -> bool:
    """Give a delivery up, so that the later ones of its alert go on; whether it was still to be sent."""
    delivery = _held(session, delivery_id)
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
    """Deliveries in any of ``states``, oldest first, each with the number of its alert."""
    rows = session.execute(
        select(Delivery, AlertRow.number)
        .join(AlertRow, AlertRow.id == Delivery.alert_id)
        .where(Delivery.state.in_(states))
        .order_by(Delivery.id)
        .limit(limit)
    )
    return [(delivery, number) for delivery, number in rows]


def find_deliveries(session: Session, *, states: Sequence[str]) -> list[int]:
    """Ids of all deliveries in any of ``states``, oldest first."""
    return list(session.scalars(select(Delivery.id).where(Delivery.state.in_(states)).order_by(Delivery.id)))


def _hold(session: Session, alert_ids: Sequence[int]) -> None:
    # "no key": rows that point to the alert may be added meanwhile. On SQLite a writing transaction is alone anyway
    held = select(AlertRow.id).where(AlertRow.id.in_(alert_ids)).order_by(AlertRow.id).with_for_update(key_share=True)
    session.execute(held)


def _held(session: Session, delivery_id: int) -> Delivery:
    """The delivery as it is now that its alert's row is held."""
    alert_id = session.scalars(select(Delivery.alert_id).where(Delivery.id == delivery_id)).one()
    _hold(session, [alert_id])
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
    """One job for each attempt."""
    target = hashlib.sha256(delivery.target.encode()).hexdigest()[:16]
    return f"deliver:{delivery.event_id}:{target}:{delivery.attempts}"
