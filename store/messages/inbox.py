"""The inbox of a person, and the record of what was sent: filtered by the reader's rights."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from store.access.rights import Viewer, visible_to
from store.schema.chain.message_tables import MessageAlertRow, MessageRow, SendingMessageRow, SendingRow
from store.schema.tables import AlertRow
from store.schema.user_tables import User


@dataclass(frozen=True)
class SentMessage:
    """A message with its recipient, the alerts that it is about, and what was sent of it.

    Attributes:
        message: the row.
        recipient: its person.
        alerts: numbers.
        sendings: texts that contain it, oldest first.
    """

    message: MessageRow
    recipient: User
    alerts: tuple[str, ...]
    sendings: tuple[SendingRow, ...]


def unread_count(session: Session, viewer: Viewer) -> int:
    """Return the number of messages that the viewer has not read."""
    query = select(func.count()).select_from(MessageRow)
    return session.scalar(query.where(_own(viewer), MessageRow.read_at.is_(None))) or 0


def inbox_messages(
    session: Session, viewer: Viewer, *, unread: bool = False, before_id: int | None = None, limit: int = 50
) -> list[SentMessage]:
    """List the viewer's own messages, newest first."""
    query = select(MessageRow).where(_own(viewer)).order_by(MessageRow.id.desc()).limit(limit)
    if unread:
        query = query.where(MessageRow.read_at.is_(None))
    if before_id is not None:
        query = query.where(MessageRow.id < before_id)
    return _with_outcome(session, viewer, session.scalars(query).all())


def own_message(session: Session, viewer: Viewer, message_id: int) -> MessageRow | None:
    """Return one of the viewer's own messages, unless it is about an area that they may no longer see."""
    return session.scalar(select(MessageRow).where(MessageRow.id == message_id, _own(viewer)))


def mark_read(session: Session, viewer: Viewer, now: dt.datetime, ids: Collection[int] | None = None) -> int:
    """Mark the viewer's messages as read: those with ``ids``, or all; return how many were unread."""
    chosen = [_own(viewer), MessageRow.read_at.is_(None)]
    if ids is not None:
        chosen.append(MessageRow.id.in_(ids))
    changed = session.execute(update(MessageRow).where(*chosen).values(read_at=now).returning(MessageRow.id))
    return len(changed.all())


def sent_messages(
    session: Session,
    viewer: Viewer,
    *,
    login: str = "",
    kind: str = "",
    before_id: int | None = None,
    limit: int = 50,
) -> list[SentMessage]:
    """List the messages to people under the viewer's code about areas under it, newest first."""
    query = (
        select(MessageRow)
        .join(User, User.id == MessageRow.person_id)
        .where(visible_to(User.code, viewer), visible_to(MessageRow.code, viewer))
        .order_by(MessageRow.id.desc())
        .limit(limit)
    )
    if login:
        query = query.where(User.login == login)
    if kind:
        query = query.where(MessageRow.kind == kind)
    if before_id is not None:
        query = query.where(MessageRow.id < before_id)
    return _with_outcome(session, viewer, session.scalars(query).all())


def messages_about(session: Session, viewer: Viewer, alert_id: int, limit: int = 100) -> list[SentMessage]:
    """List the messages about one alert to people under the viewer's code, newest first; check the alert's rights."""
    query = (
        select(MessageRow)
        .join(MessageAlertRow, MessageAlertRow.message_id == MessageRow.id)
        .join(User, User.id == MessageRow.person_id)
        .where(MessageAlertRow.alert_id == alert_id, visible_to(User.code, viewer))
        .order_by(MessageRow.id.desc())
        .limit(limit)
    )
    return _with_outcome(session, viewer, session.scalars(query).all())


def _own(viewer: Viewer) -> ColumnElement[bool]:
    """Own messages about areas that the viewer may see now."""
    return and_(MessageRow.person_id == viewer.person_id, visible_to(MessageRow.code, viewer))


def _with_outcome(session: Session, viewer: Viewer, messages: Sequence[MessageRow]) -> list[SentMessage]:
    ids = [message.id for message in messages]
    people = {
        user.id: user for user in session.scalars(select(User).where(User.id.in_({m.person_id for m in messages})))
    }
    numbers: dict[int, list[str]] = {}
    about = (
        select(MessageAlertRow.message_id, AlertRow.number)
        .join(AlertRow, AlertRow.id == MessageAlertRow.alert_id)
        .where(MessageAlertRow.message_id.in_(ids), visible_to(AlertRow.grid_code, viewer))
        .order_by(AlertRow.id)
    )
    for message_id, number in session.execute(about):
        numbers.setdefault(message_id, []).append(number)
    sendings: dict[int, list[SendingRow]] = {}
    sent = (
        select(SendingMessageRow.message_id, SendingRow)
        .join(SendingRow, SendingRow.id == SendingMessageRow.sending_id)
        .where(SendingMessageRow.message_id.in_(ids))
        .order_by(SendingRow.id)
    )
    for message_id, row in session.execute(sent):
        sendings.setdefault(message_id, []).append(row)
    return [
        SentMessage(
            message, people[message.person_id], tuple(numbers.get(message.id, ())), tuple(sendings.get(message.id, ()))
        )
        for message in messages
    ]
