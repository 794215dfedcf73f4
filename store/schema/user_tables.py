"""Tables of people: who signs in, by what, and what they did. Moments are aware and in UTC."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class User(IdMixin, Base):
    """Somebody who signs in. What they may see and do is decided by their role and their administrative code."""

    __tablename__ = "people"
    login: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    role: Mapped[str] = mapped_column(String(40))  # of configs/states.yaml: village, township, county, city
    code: Mapped[str] = mapped_column(String(12))  # rights on whatever lies under it; "": on everything
    administrator: Mapped[bool] = mapped_column(default=False)  # may manage people, areas and layers under their code
    password_hash: Mapped[str] = mapped_column(String(200), default="")  # argon2id; "": cannot sign in by password
    subject: Mapped[str | None] = mapped_column(String(400), unique=True)  # of OpenID Connect: issuer|subject
    language: Mapped[str] = mapped_column(String(2), default="zh")
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[dt.datetime]
    signed_in_at: Mapped[dt.datetime | None]


class WebSession(Base):
    """A browser that is signed in. Only the checksum of what its cookie holds is kept."""

    __tablename__ = "web_sessions"
    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[dt.datetime]
    seen_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime] = mapped_column(index=True)


class ApiToken(IdMixin, Base):
    """A key by which a program acts for a person. Only its checksum is kept."""

    __tablename__ = "api_tokens"
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime | None]
    used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]


class Invitation(Base):
    """A link by which a password is set, once. Without a person: by which the first administrator is made."""

    __tablename__ = "invitations"
    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]


class FailedSignIn(IdMixin, Base):
    """A wrong password: after several, the name and the address have to wait."""

    __tablename__ = "failed_sign_ins"
    subject: Mapped[str] = mapped_column(String(110), index=True)  # login:NAME or address:IP
    at: Mapped[dt.datetime] = mapped_column(index=True)


class Action(IdMixin, Base):
    """What a person did, besides steps of alerts (:class:`Transition`): only ever appended."""

    __tablename__ = "actions"
    at: Mapped[dt.datetime] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(String(100), index=True)
    what: Mapped[str] = mapped_column(String(40), index=True)  # signed_in, uploaded, exported, …
    about: Mapped[str] = mapped_column(String(400), default="")
    code: Mapped[str] = mapped_column(String(12), default="", index=True)  # whose ground it concerns
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    address: Mapped[str] = mapped_column(String(64), default="")
