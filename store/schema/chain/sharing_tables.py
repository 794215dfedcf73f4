"""Tables of sharing: receiving bodies, what each may see, its reads, places without supply, and the blacklist."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin, OutlineMixin


class BodyRow(IdMixin, Base):
    """A receiving body (共享单位): a department, police, a court …, or a supplier of water or power."""

    __tablename__ = "sharing_bodies"
    key: Mapped[str] = mapped_column(String(40), unique=True)  # a-z, 0-9, hyphen; names its folder and its hook
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))  # of enforcement.sharing.matters.BODY_KINDS
    code: Mapped[str] = mapped_column(String(12), index=True)  # sees only alerts whose area code begins with it
    matters: Mapped[dict[str, Any]] = mapped_column(JSON)  # of enforcement.sharing.matters.Matters
    fields: Mapped[list[Any]] = mapped_column(JSON)  # of enforcement.sharing.fields.FIELDS
    by_rule: Mapped[bool] = mapped_column(default=False)  # every alert of its matters is shared without a letter
    contact: Mapped[str] = mapped_column(String(300), default="")
    active: Mapped[bool] = mapped_column(default=True)
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[dt.datetime]
    changed_at: Mapped[dt.datetime]


class BodyMemberRow(Base):
    """A user, or the user of a key, who acts for a receiving body."""

    __tablename__ = "sharing_members"
    person_id: Mapped[int] = mapped_column(
        ForeignKey("people.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    body_id: Mapped[int] = mapped_column(ForeignKey("sharing_bodies.id"), index=True)


class ShareRow(IdMixin, Base):
    """An alert that a body may see, by its rule or by a person's letter (抄告); the view ends with its withdrawal."""

    __tablename__ = "shares"
    body_id: Mapped[int] = mapped_column(ForeignKey("sharing_bodies.id"))
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    origin: Mapped[str] = mapped_column(String(10))  # rule, letter
    letter: Mapped[str] = mapped_column(String(100), default="")  # number of the letter, if there is one
    reason: Mapped[str] = mapped_column(Text)
    shared_by: Mapped[str] = mapped_column(String(100))  # login; system: the rule
    shared_at: Mapped[dt.datetime]
    withdrawn_by: Mapped[str] = mapped_column(String(100), default="")
    withdrawn_at: Mapped[dt.datetime | None]
    withdrawn_why: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (
        Index("ix_shares_body_id_alert_id", "body_id", "alert_id"),
        Index(
            "uq_shares_in_force",
            "body_id",
            "alert_id",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )


class ShareReadRow(IdMixin, Base):
    """One read by a receiving body; append-only."""

    __tablename__ = "share_reads"
    body_id: Mapped[int] = mapped_column(ForeignKey("sharing_bodies.id"), index=True)
    who: Mapped[str] = mapped_column(String(100))  # login; system: a hook
    at: Mapped[dt.datetime] = mapped_column(index=True)
    channel: Mapped[str] = mapped_column(String(20))  # page, api, file, hook
    what: Mapped[str] = mapped_column(String(400), default="")  # number of an alert, name of a file, the query
    rows: Mapped[int]
    address: Mapped[str] = mapped_column(String(64), default="")


class ServiceStopRow(IdMixin, OutlineMixin, Base):
    """A place that suppliers of water and power must not serve; they see nothing else of the alert."""

    __tablename__ = "service_stops"
    number: Mapped[str] = mapped_column(String(40), unique=True)
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alerts.id"), index=True)
    code: Mapped[str] = mapped_column(String(12), index=True)
    place: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(400))
    since: Mapped[dt.date]
    until: Mapped[dt.date | None]
    reason: Mapped[str] = mapped_column(Text)  # for the bureau; suppliers do not see it
    entered_by: Mapped[str] = mapped_column(String(100))
    entered_at: Mapped[dt.datetime]
    ended_by: Mapped[str] = mapped_column(String(100), default="")
    ended_at: Mapped[dt.datetime | None]


class BlacklistRow(IdMixin, Base):
    """An entry of the credit blacklist (信用惩戒名单); the identity number is kept masked and as a keyed digest."""

    __tablename__ = "blacklist_entries"
    code: Mapped[str] = mapped_column(String(12), index=True)
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alerts.id"), index=True)
    subject: Mapped[str] = mapped_column(String(200))
    identity_kind: Mapped[str] = mapped_column(String(20))  # person, organisation
    identity_masked: Mapped[str] = mapped_column(String(20))
    identity_digest: Mapped[str] = mapped_column(String(64), index=True)  # HMAC-SHA256: finds the same subject again
    representative: Mapped[str] = mapped_column(String(100), default="")
    facts: Mapped[str] = mapped_column(Text)
    place: Mapped[str] = mapped_column(String(400), default="")
    area_m2: Mapped[float | None]
    document: Mapped[str] = mapped_column(String(100))  # number of the document that determined it
    listed_on: Mapped[dt.date] = mapped_column(index=True)
    until: Mapped[dt.date | None]
    measures: Mapped[str] = mapped_column(Text, default="")
    removal_condition: Mapped[str] = mapped_column(Text, default="")
    authority: Mapped[str] = mapped_column(String(200))
    entered_by: Mapped[str] = mapped_column(String(100))
    entered_at: Mapped[dt.datetime]
    removed_on: Mapped[dt.date | None]
    removed_document: Mapped[str] = mapped_column(String(100), default="")
    removed_why: Mapped[str] = mapped_column(Text, default="")
    removed_by: Mapped[str] = mapped_column(String(100), default="")
