"""Write messages into the inboxes of people, in the transaction of what they report (transactional outbox).

A message is stored once per person and event. Unless its kind waits for the daily digest, a job collects it within a
minute together with the others of the same person (:mod:`store.messages.collecting`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from enforcement.messages.message_kinds import read_message_kinds
from store.jobs.queue import add_job
from store.schema.chain.message_tables import MessageAlertRow, MessageRow
from store.schema.insert import insert_new
from store.schema.tables import AlertRow
from store.schema.user_tables import User

COLLECT = "messages.collect"
"""Kind of the job that puts the messages of one person into texts."""


def write_message(
    session: Session,
    people: Iterable[User],
    kind: str,
    *,
    event: str,
    now: dt.datetime,
    content: Mapping[str, Any],
    alerts: Iterable[AlertRow] = (),
    code: str | None = None,
    waits: bool = False,
) -> int:
    """Write a message to each of several people.

    Args:
        session: the transaction that causes the event.
        people: recipients; each gets the message once for this event.
        kind: one of ``configs/messages.yaml``.
        event: identifies the event, at most 120 characters.
        now: current time.
        content: values of the text ``message.KIND``.
        alerts: that it is about.
        code: area of its content; None: that of the recipient.
        waits: let it wait for the digest, whatever its kind.

    Returns:
        The number of messages written.
    """
    rule = read_message_kinds().kinds[kind]
    rows = list(alerts)
    written = 0
    for person in people:
        values = {
            "event_key": event[:120],
            "person_id": person.id,
            "kind": kind,
            "code": person.code if code is None else code,
            "content": {**content, **({"waits": True} if waits or rule.waits else {})},
            "created_at": now,
        }
        message_id = insert_new(session, MessageRow, values, MessageRow.id)
        if message_id is None:
            continue
        written += 1
        if rows:
            session.execute(
                insert(MessageAlertRow), [{"message_id": message_id, "alert_id": alert.id} for alert in rows]
            )
        if not (waits or rule.waits):
            add_collection(session, person.id, now, cause=str(message_id))
    return written


def add_collection(
    session: Session,
    person_id: int,
    now: dt.datetime,
    *,
    at: dt.datetime | None = None,
    digest: bool = False,
    cause: str = "",
) -> None:
    """Add the job that collects a person's messages.

    There is one for each message: a transaction that commits late must not rely on a job that has run before. The
    first job of several collects all messages.

    Args:
        session: a writing transaction.
        person_id: the person.
        now: current time.
        at: when; None: at the end of the current interval.
        digest: include what waits for the digest of the day.
        cause: of the job, which exists once for each cause and time.
    """
    seconds = read_message_kinds().collect_seconds
    due = at or dt.datetime.fromtimestamp((now.timestamp() // seconds + 1) * seconds, dt.UTC)
    key = f"{COLLECT}:{person_id}:{due.isoformat()}:{'digest' if digest else cause}"
    payload = {"person_id": person_id, "digest": digest}
    add_job(session, kind=COLLECT, queue="deliver", payload=payload, unique_key=key, now=now, run_after=due)
