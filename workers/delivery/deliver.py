"""Delivery job: send one event to one target and record the outcome.

An event is marked as delivered after it was sent. If a process dies in between, the event is sent again with the same
id.
"""

from __future__ import annotations

import datetime as dt

import structlog

from enforcement.events import encode_event
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from store.alerts.outbox import KIND, PendingDelivery, drop, mark_delivered, mark_failed, next_delivery
from store.schema.database import Session
from store.sharing.access_log import record_read
from store.sharing.hook_events import PREFIX, WITHDRAWN, may_receive
from workers.delivery.alert_queue import send_to_queue
from workers.delivery.delivery_errors import DeliveryRejected
from workers.delivery.drop_folder import drop_event
from workers.delivery.web_hooks import post_to_hook

logger = structlog.get_logger("tuban.delivery")


def deliver(context: Context, job: JobRun) -> Commit | None:
    """Send the delivery ``delivery_id`` of the job, unless it is already settled or an earlier event is pending."""
    with context.database.read() as session:
        delivery = next_delivery(session, int(job.payload["delivery_id"]))
        if delivery is not None and delivery.target.startswith(PREFIX):
            body = may_receive(session, delivery.target, str(delivery.event["subject"]), str(delivery.event["type"]))
            if body is None:  # its view has ended since the event was stored
                dropped = delivery.delivery_id
                return lambda session: drop_delivery(session, dropped, context.clock())
    if delivery is None:
        return None
    log = logger.bind(alert=delivery.event["subject"], event_id=delivery.event_id, sequence=delivery.sequence)
    try:
        send(context, delivery)
    except DeliveryRejected as error:
        log.warning("event rejected", attempt=delivery.attempts + 1, reason=str(error))
        return _record_failure(context, delivery, error)
    log.info("event delivered", target=delivery.target.partition(":")[0])
    return lambda session: _record_success(session, delivery, context)


def _record_success(session: Session, delivery: PendingDelivery, context: Context) -> None:
    now = context.clock()
    mark_delivered(session, delivery.delivery_id, now)
    if delivery.target.startswith(PREFIX):
        number, kind = str(delivery.event["subject"]), str(delivery.event["type"])
        body = may_receive(session, delivery.target, number, WITHDRAWN)
        if body is not None:
            what = f"{number} {kind}"
            record_read(session, body, who="system", channel="hook", what=what, rows=1, now=now)


def drop_delivery(session: Session, delivery_id: int, now: dt.datetime) -> None:
    """Drop a delivery whose receiver may no longer see the alert."""
    drop(session, delivery_id, now)


def send(context: Context, delivery: PendingDelivery) -> None:
    """Send one event to its target.

    Raises:
        DeliveryRejected: the target did not accept it, or is no longer configured.
    """
    settings = context.settings
    if delivery.target == "queue":
        send_to_queue(delivery.event, settings)
    elif delivery.target == "drop":
        drop_event(delivery.event, settings.drop_folder, settings.zone)
    else:
        hooks = {f"hook:{hook.url}": hook for hook in settings.delivery.hooks}
        hooks |= {f"{PREFIX}{hook.body}": hook for hook in settings.delivery.body_hooks}
        hook = hooks.get(delivery.target)
        if hook is None:
            raise DeliveryRejected(
                "The settings no longer contain this hook; `tuban deliveries --drop` discards its events."
            )
        post_to_hook(
            encode_event(delivery.event),
            hook,
            event_id=delivery.event_id,
            allowed_hosts=settings.delivery.allowed_hosts,
            timeout_seconds=settings.delivery.timeout_seconds,
            now=context.clock(),
        )


def _record_failure(context: Context, delivery: PendingDelivery, error: DeliveryRejected) -> Commit:
    settings = context.settings.delivery

    def commit(session: Session) -> None:
        mark_failed(
            session,
            delivery.delivery_id,
            str(error),
            context.clock(),
            attempts=settings.attempts,
            backoff_seconds=settings.backoff_seconds,
            not_before_seconds=error.wait_seconds,
        )

    return commit


JOB_KINDS = (JobKind(KIND, "deliver", deliver),)
