"""Tables of messages to people: the inbox, what was sent through which channel, and each person's preferences."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class MessageRow(IdMixin, Base):
    """A message to one person, written in the transaction of the change that it reports."""

    __tablename__ = "messages"
    event_key: Mapped[str] = mapped_column(String(120))  # of the event that it reports; one message per person
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    kind: Mapped[str] = mapped_column(String(30), index=True)  # of configs/messages.yaml
    code: Mapped[str] = mapped_column(String(12))  # area of its content; who may not see that sees no message
    content: Mapped[dict[str, Any]]  # values of the text message.KIND
    created_at: Mapped[dt.datetime] = mapped_column(index=True)
    collected_at: Mapped[dt.datetime | None]  # when it was put into a sending, or was found to need none
    read_at: Mapped[dt.datetime | None]
    __table_args__ = (
        UniqueConstraint("person_id", "event_key"),
        Index("ix_messages_person_id_read_at", "person_id", "read_at"),
        Index(
            "ix_messages_uncollected",
            "person_id",
            "id",
            sqlite_where=text("collected_at IS NULL"),
            postgresql_where=text("collected_at IS NULL"),
        ),
    )


class MessageAlertRow(Base):
    """An alert that a message is about."""

    __tablename__ = "message_alerts"
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), primary_key=True, autoincrement=False)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), primary_key=True, autoincrement=False, index=True)


class SendingRow(IdMixin, Base):
    """One text to one address: the messages of one person, or a part of them where a channel limits the size."""

    __tablename__ = "sendings"
    sending_key: Mapped[str] = mapped_column(String(36), unique=True)  # the same at each attempt
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    channel: Mapped[str] = mapped_column(String(20))  # mail, dingtalk, wecom, hook
    address: Mapped[str] = mapped_column(String(400))  # e-mail address, name of the robot, URL of the hook
    part: Mapped[int]
    parts: Mapped[int]
    subject: Mapped[str] = mapped_column(String(300))
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10), index=True)  # waiting, accepted, dead
    attempts: Mapped[int] = mapped_column(default=0)
    answer: Mapped[str] = mapped_column(Text, default="")  # of the server, at the last attempt
    created_at: Mapped[dt.datetime]
    tried_at: Mapped[dt.datetime | None]
    accepted_at: Mapped[dt.datetime | None]


class SendingMessageRow(Base):
    """A message that a sending contains."""

    __tablename__ = "sending_messages"
    sending_id: Mapped[int] = mapped_column(ForeignKey("sendings.id"), primary_key=True, autoincrement=False)
    message_id: Mapped[int] = mapped_column(
        ForeignKey("messages.id"), primary_key=True, autoincrement=False, index=True
    )


class RobotAttemptRow(IdMixin, Base):
    """A request to a robot, counted against its limit per minute."""

    __tablename__ = "robot_attempts"
    robot: Mapped[str] = mapped_column(String(100))
    at: Mapped[dt.datetime]
    __table_args__ = (Index("ix_robot_attempts_robot_at", "robot", "at"),)


class MessagePreferenceRow(Base):
    """How a person is notified; without a row, by inbox and digest only."""

    __tablename__ = "message_preferences"
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True, autoincrement=False)
    email: Mapped[str] = mapped_column(String(200), default="")
    mobile: Mapped[str] = mapped_column(String(20), default="")  # to be mentioned by robots
    channels: Mapped[list[Any]]  # of mail, dingtalk, wecom, hook
    muted: Mapped[list[Any]]  # kinds of messages that stay in the inbox
    once_a_day: Mapped[bool] = mapped_column(default=False)  # all that may wait comes with the digest
    quiet_from: Mapped[str] = mapped_column(String(5), default="")  # local time; "": no quiet hours
    quiet_to: Mapped[str] = mapped_column(String(5), default="")
    changed_at: Mapped[dt.datetime]
