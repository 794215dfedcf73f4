"""Delivery: one job sends one event to one target, and writes down how it ended.

An event is noted as delivered after it was sent. A process that dies between the two sends it again, with the same id.
"""

from __future__ import annotations

import structlog

from enforcement.events import encode_event
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from store.alerts.outbox import KIND, PendingDelivery, mark_delivered, mark_failed, next_delivery
from store.schema.database import Session
from workers.delivery.alert_queue import send_to_queue
from workers.delivery.delivery_errors import DeliveryRejected
from workers.delivery.drop_folder import drop_event
from workers.delivery.web_hooks import post_to_hook

log = structlog.get_logger(__name__)


def deliver(context: Context, job: JobRun) -> Commit | None:
    """Send what the job's ``delivery_id`` names, if its turn has come and nobody settled it."""
    with context.database.read() as session:
        sending = next_delivery(session, int(job.payload["delivery_id"]))
    if sending is None:
        return None
    told = log.bind(alert=sending.event["subject"], event_id=sending.event_id, sequence=sending.sequence)
    try:
        send(context, sending)
    except DeliveryRejected as error:
        told.warning("event not taken", attempt=sending.attempts + 1, reason=str(error))
        return _failed(context, sending, error)
    told.info("event delivered", target=sending.target.partition(":")[0])
    return lambda session: mark_delivered(session, sending.delivery_id, context.clock())


def send(context: Context, sending: PendingDelivery) -> None:
    """Send one event to its target.

    Raises:
        DeliveryRejected: it did not take it, or the settings name it no more.
    """
    settings = context.settings
    if sending.target == "queue":
        send_to_queue(sending.event, settings)
    elif sending.target == "drop":
        drop_event(sending.event, settings.drop_folder, settings.zone)
    else:
        hook = next((h for h in settings.delivery.hooks if f"hook:{h.url}" == sending.target), None)
        if hook is None:
            raise DeliveryRejected(
                "The settings name this hook no more: `tuban deliveries --drop` gives its events up."
            )
        post_to_hook(
            encode_event(sending.event),
            hook,
            event_id=sending.event_id,
            allowed_hosts=settings.delivery.allowed_hosts,
            timeout_seconds=settings.delivery.timeout_seconds,
            now=context.clock(),
        )


def _failed(context: Context, sending: PendingDelivery, error: DeliveryRejected) -> Commit:
    delivery = context.settings.delivery

    def commit(session: Session) -> None:
        mark_failed(
            session,
            sending.delivery_id,
            str(error),
            context.clock(),
            attempts=delivery.attempts,
            backoff_seconds=delivery.backoff_seconds,
            not_before_seconds=error.wait_seconds,
        )

    return commit


JOB_KINDS = (JobKind(KIND, "deliver", deliver),)
