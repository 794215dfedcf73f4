"""Tables of users: accounts, sessions, API tokens, invitations and the audit log. Timestamps are in UTC."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class User(IdMixin, Base):
    """A user account. The roles and the administrative code decide what the user may see and do."""

    __tablename__ = "people"
    login: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    role: Mapped[str] = mapped_column(String(40))  # the highest, of configs/states.yaml: village, township, county, …
    other_roles: Mapped[list[Any]] = mapped_column(default=list)  # further roles in the same area
    code: Mapped[str] = mapped_column(String(12))  # rights on all areas whose code begins with it; "": all areas
    administrator: Mapped[bool] = mapped_column(default=False)  # may manage users, areas and layers under their code
    password_hash: Mapped[str] = mapped_column(String(200), default="")  # argon2id; "": no sign-in by password
    subject: Mapped[str | None] = mapped_column(String(400), unique=True)  # OpenID Connect: issuer|subject
    language: Mapped[str] = mapped_column(String(2), default="zh")
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[dt.datetime]
    signed_in_at: Mapped[dt.datetime | None]


class WebSession(Base):
    """A signed-in browser. Only the checksum of its cookie's token is stored."""

    __tablename__ = "web_sessions"
    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[dt.datetime]
    seen_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime] = mapped_column(index=True)


class ApiToken(IdMixin, Base):
    """A token with which a program acts for a user, within its scopes. Only its checksum is stored."""

    __tablename__ = "api_tokens"
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(100))  # of store.access.api_keys.SCOPES, separated by spaces
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime | None]
    used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]


class Invitation(Base):
    """A one-time link to set a password; without a user, it creates the first administrator."""

    __tablename__ = "invitations"
    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]


class FailedSignIn(IdMixin, Base):
    """An attempt to sign in that did not succeed; after several, those of the same name and origin are delayed."""

    __tablename__ = "failed_sign_ins"
    login: Mapped[str] = mapped_column(String(100), index=True)  # lower case; of a user or invented
    origin: Mapped[str] = mapped_column(String(100))  # address:IP or device:CHECKSUM
    at: Mapped[dt.datetime] = mapped_column(index=True)


class KnownDevice(Base):
    """A browser in which a user has signed in before. Only the checksum of its cookie is stored."""

    __tablename__ = "known_devices"
    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    seen_at: Mapped[dt.datetime]


class Action(IdMixin, Base):
    """An entry of the audit log; append-only. Transitions of alerts are logged in :class:`Transition` instead."""

    __tablename__ = "actions"
    at: Mapped[dt.datetime] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(String(100), index=True)
    what: Mapped[str] = mapped_column(String(40), index=True)  # signed_in, uploaded, exported, …
    about: Mapped[str] = mapped_column(String(400), default="")
    code: Mapped[str] = mapped_column(String(12), default="", index=True)  # of the area concerned
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    address: Mapped[str] = mapped_column(String(64), default="")
