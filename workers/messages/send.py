"""Job that sends one text to one address and records the outcome.

A text is marked as accepted after it was sent. If a process dies in between, it is sent again with the same key.
"""

from __future__ import annotations

import json

import structlog

from configs.notice_settings import RobotSettings
from errors import OutputError
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from service.monitoring.mail import send_mail
from store.messages.preferences import preferences_of
from store.messages.sendings import (
    SEND,
    block_robot,
    mark_accepted,
    mark_rejected,
    postpone,
    reserve_robot,
    waiting_sending,
)
from store.schema.chain.message_tables import SendingRow
from store.schema.database import Session
from workers.delivery.delivery_errors import DeliveryRejected
from workers.delivery.web_hooks import post_to_hook
from workers.messages.robots import BLOCKED_SECONDS, send_to_robot

EVENT_KIND = "tuban.message"

logger = structlog.get_logger("tuban.messages")


def send(context: Context, job: JobRun) -> Commit | None:
    """Send the text ``sending_id`` of the job, unless it is settled or its robot has reached its limit."""
    with context.database.read() as session:
        row = waiting_sending(session, int(job.payload["sending_id"]))
        mobile = preferences_of(session, row.person_id).mobile if row is not None else ""
    if row is None:
        return None
    settings, sending_id = context.settings.notices, row.id
    log = logger.bind(sending=row.sending_key, channel=row.channel)
    robot = next((each for each in settings.robots if each.name == row.address and each.kind == row.channel), None)
    if robot is not None:
        with context.database.write() as session:
            until = reserve_robot(session, robot.name, settings.robot_servers.per_minute, context.clock())
        if until is not None:
            return lambda session: postpone(session, sending_id, context.clock(), until)
    try:
        answer = _send(context, row, robot, mobile)
    except (DeliveryRejected, OutputError) as error:
        log.warning("message rejected", attempt=row.attempts + 1, reason=str(error))
        return _record_failure(context, sending_id, error, robot)
    log.info("message accepted")
    return lambda session: mark_accepted(session, sending_id, answer, context.clock())


def _send(context: Context, row: SendingRow, robot: RobotSettings | None, mobile: str) -> str:
    notices, delivery = context.settings.notices, context.settings.delivery
    if row.channel == "mail":
        if not notices.mail.host:
            raise DeliveryRejected("The settings no longer name a mail server (notices.mail).")
        return send_mail(
            notices.mail,
            row.subject,
            row.text,
            context.clock(),
            recipients=[row.address],
            message_id=row.sending_key,
        )
    if robot is not None:
        return send_to_robot(
            robot,
            notices.robot_servers,
            row.text,
            mobile,
            allowed_hosts=delivery.allowed_hosts,
            timeout_seconds=delivery.timeout_seconds,
            now=context.clock(),
        )
    hook = next((each for each in notices.people_hooks if each.url == row.address), None)
    if row.channel != "hook" or hook is None:
        raise DeliveryRejected(f"The settings no longer contain {row.channel} {row.address}.")
    post_to_hook(
        _event(context, row),
        hook,
        event_id=row.sending_key,
        allowed_hosts=delivery.allowed_hosts,
        timeout_seconds=delivery.timeout_seconds,
        now=context.clock(),
    )
    return "accepted"


def _event(context: Context, row: SendingRow) -> bytes:
    event = {
        "specversion": "1.0",
        "id": row.sending_key,
        "source": context.settings.pages_url,
        "type": EVENT_KIND,
        "time": row.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {
            "person": row.person_id,
            "subject": row.subject,
            "text": row.text,
            "part": row.part,
            "parts": row.parts,
        },
    }
    return json.dumps(event, ensure_ascii=False).encode()


def _record_failure(
    context: Context, sending_id: int, error: DeliveryRejected | OutputError, robot: RobotSettings | None
) -> Commit:
    settings = context.settings.notices
    wait = error.wait_seconds if isinstance(error, DeliveryRejected) else 0.0

    def commit(session: Session) -> None:
        now = context.clock()
        mark_rejected(
            session,
            sending_id,
            str(error),
            now,
            attempts=settings.attempts,
            backoff_seconds=settings.backoff_seconds,
            not_before_seconds=wait,
        )
        if robot is not None and wait >= BLOCKED_SECONDS:
            block_robot(session, robot.name, settings.robot_servers.per_minute, now, wait)

    return commit


JOB_KINDS = (JobKind(SEND, "deliver", send),)
