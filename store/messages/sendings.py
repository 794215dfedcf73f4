"""Texts on their way to people: one row per address and part, sent at least once, with the outcome.

A sending is marked as accepted after the server accepted it. If a process dies in between, it is sent again with the
same key. What a person has read, only the inbox knows.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store.jobs.queue import add_job
from store.schema.chain.message_tables import MessageRow, RobotAttemptRow, SendingMessageRow, SendingRow
from store.schema.counters import lock_counter

SEND = "messages.send"
"""Kind of the job that sends one text."""

ROBOT_SECONDS = 60
"""Interval of the limit of a robot."""


@dataclass(frozen=True)
class Text:
    """A text to one address.

    Attributes:
        channel: of :data:`store.messages.preferences.CHANNELS`.
        address: e-mail address, name of the robot, or URL of the hook.
        subject: one line.
        parts: the text, split where the channel limits its size.
    """

    channel: str
    address: str
    subject: str
    parts: tuple[str, ...]


def lock_person(session: Session, person_id: int) -> None:
    """Let no other transaction collect messages of this person until this one ends."""
    lock_counter(session, f"messages:{person_id}")


def uncollected(session: Session, person_id: int) -> list[MessageRow]:
    """List a person's messages that are in no text yet, oldest first."""
    query = select(MessageRow).where(MessageRow.person_id == person_id, MessageRow.collected_at.is_(None))
    return list(session.scalars(query.order_by(MessageRow.id).execution_options(populate_existing=True)))


def people_with_messages(session: Session) -> list[int]:
    """List the ids of people who have messages that are in no text yet."""
    return list(session.scalars(select(MessageRow.person_id).where(MessageRow.collected_at.is_(None)).distinct()))


def add_sendings(
    session: Session, person_id: int, texts: Sequence[Text], messages: Collection[MessageRow], now: dt.datetime
) -> int:
    """Store texts with the messages that they contain, and add their jobs; return the number of sendings."""
    count = 0
    for text in texts:
        for number, part in enumerate(text.parts, 1):
            row = SendingRow(
                sending_key=str(uuid.uuid4()),
                person_id=person_id,
                channel=text.channel,
                address=text.address[:400],
                part=number,
                parts=len(text.parts),
                subject=text.subject[:300],
                text=part,
                state="waiting",
                attempts=0,
                answer="",
                created_at=now,
            )
            session.add(row)
            session.flush()
            session.add_all(SendingMessageRow(sending_id=row.id, message_id=message.id) for message in messages)
            _add_job(session, row, now, now)
            count += 1
    return count


def waiting_sending(session: Session, sending_id: int) -> SendingRow | None:
    """Return a sending that is not settled."""
    row = session.get(SendingRow, sending_id)
    return row if row is not None and row.state == "waiting" else None


def mark_accepted(session: Session, sending_id: int, answer: str, now: dt.datetime) -> None:
    """Mark a sending as accepted by the server of its channel."""
    row = session.get_one(SendingRow, sending_id, with_for_update=True)
    row.attempts += 1
    row.tried_at = now
    if row.state != "accepted":
        row.state, row.answer, row.accepted_at = "accepted", answer[:500], now


def mark_rejected(
    session: Session,
    sending_id: int,
    answer: str,
    now: dt.datetime,
    *,
    attempts: int,
    backoff_seconds: Sequence[float],
    not_before_seconds: float = 0,
) -> str:
    """Record a failed attempt: it is repeated later, or the sending is dead; return its state."""
    row = session.get_one(SendingRow, sending_id, with_for_update=True)
    if row.state != "waiting":
        return row.state
    row.attempts += 1
    row.tried_at, row.answer = now, answer[:500]
    if row.attempts >= attempts:
        row.state = "dead"
        return row.state
    pause = backoff_seconds[min(row.attempts, len(backoff_seconds)) - 1] if backoff_seconds else 0
    _add_job(session, row, now, now + dt.timedelta(seconds=max(pause, not_before_seconds)))
    return row.state


def postpone(session: Session, sending_id: int, now: dt.datetime, until: dt.datetime) -> None:
    """Let a sending wait for the limit of its robot, without counting an attempt."""
    row = session.get_one(SendingRow, sending_id)
    if row.state == "waiting":
        _add_job(session, row, now, until)


def reserve_robot(session: Session, robot: str, per_minute: int, now: dt.datetime) -> dt.datetime | None:
    """Count a request to a robot that is about to be made.

    Args:
        session: a writing transaction of its own; the request follows its commit.
        robot: name of the robot.
        per_minute: most requests within 60 seconds, over all processes.
        now: current time.

    Returns:
        None: the request may be made; else when the next one may be tried, and nothing was counted.
    """
    lock_counter(session, f"robot:{robot}"[:100])
    since = now - dt.timedelta(seconds=ROBOT_SECONDS)
    recent = RobotAttemptRow.robot == robot, RobotAttemptRow.at > since
    times = list(session.scalars(select(RobotAttemptRow.at).where(*recent).order_by(RobotAttemptRow.at)))
    if len(times) >= per_minute:
        return times[len(times) - per_minute] + dt.timedelta(seconds=ROBOT_SECONDS)
    old = RobotAttemptRow.robot == robot, RobotAttemptRow.at < since - dt.timedelta(hours=1)
    session.execute(delete(RobotAttemptRow).where(*old))
    session.add(RobotAttemptRow(robot=robot, at=now))
    return None


def block_robot(session: Session, robot: str, per_minute: int, now: dt.datetime, seconds: float) -> None:
    """Make no request to a robot for some time, because its server refused one as too many."""
    at = now + dt.timedelta(seconds=seconds - ROBOT_SECONDS)
    session.add_all(RobotAttemptRow(robot=robot, at=at) for _ in range(per_minute))


def revive_sending(session: Session, sending_id: int, now: dt.datetime) -> bool:
    """Try a dead sending again; return whether it was dead."""
    row = session.get(SendingRow, sending_id)
    if row is None or row.state != "dead":
        return False
    row.state, row.attempts = "waiting", 0
    _add_job(session, row, now, now, again=now.isoformat())
    return True


def dead_sendings(session: Session) -> int:
    """Return the number of texts that no server accepted."""
    return session.scalar(select(func.count()).select_from(SendingRow).where(SendingRow.state == "dead")) or 0


def _add_job(session: Session, row: SendingRow, now: dt.datetime, run_after: dt.datetime, again: str = "") -> None:
    key = f"{SEND}:{row.sending_key}:{row.attempts}:{again or run_after.isoformat()}"
    payload = {"sending_id": row.id}
    add_job(session, kind=SEND, queue="deliver", payload=payload, unique_key=key, now=now, run_after=run_after)
