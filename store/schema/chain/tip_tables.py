"""Tables of tips from the public and of patrol records. Timestamps are in UTC; positions are longitude and latitude."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin


class TipRow(IdMixin, Base):
    """A registered tip (线索). The informant is encrypted; see :mod:`store.tips.informant_key`.

    Its attachments are evidence files with the owner ``tip``.
    """

    __tablename__ = "tips"
    number: Mapped[str] = mapped_column(String(40), unique=True)  # receipt number, without gaps per county and year
    origin: Mapped[str] = mapped_column(String(10))  # desk, api, public
    channel: Mapped[str] = mapped_column(String(20), index=True)  # of configs/tips.yaml
    seriousness: Mapped[str] = mapped_column(String(10), default="ordinary")  # ordinary, major
    handling: Mapped[str] = mapped_column(String(20), default="")  # of configs/tips.yaml; "": not decided
    assignment: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # of a tip assigned by or to another unit
    state: Mapped[str] = mapped_column(String(20), index=True)  # received, accepted, declined, checked, answered
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    place: Mapped[str] = mapped_column(Text, default="")
    lon: Mapped[float | None] = mapped_column(index=True)
    lat: Mapped[float | None]
    radius_m: Mapped[float] = mapped_column(default=0.0)  # how far from the position the place may be
    happened: Mapped[str] = mapped_column(String(100), default="")
    reported_party: Mapped[str] = mapped_column(String(300), default="")
    summary: Mapped[str] = mapped_column(Text)
    anonymous: Mapped[bool] = mapped_column(default=False)
    informant: Mapped[str] = mapped_column(Text, default="")  # ciphertext; "": nothing is known
    code_sha256: Mapped[str] = mapped_column(String(64), default="")  # of the code with which the informant asks
    received_on: Mapped[dt.date]
    judge_by: Mapped[dt.date | None]
    check_by: Mapped[dt.date | None]
    answer_by: Mapped[dt.date | None] = mapped_column(index=True)
    extended_at: Mapped[dt.datetime | None]
    judged_at: Mapped[dt.datetime | None]
    checked_at: Mapped[dt.datetime | None]
    answered_at: Mapped[dt.datetime | None]
    finding: Mapped[str] = mapped_column(String(10), default="")  # true, partly, untrue; "": not known yet
    case_filed: Mapped[bool | None]
    feedback_unit: Mapped[str] = mapped_column(String(200), default="")
    feedback: Mapped[str] = mapped_column(Text, default="")
    remarks: Mapped[str] = mapped_column(Text, default="")
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alerts.id"), index=True)
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("tips.id"))
    handler: Mapped[str] = mapped_column(String(100), default="", index=True)  # login
    created_by: Mapped[str] = mapped_column(String(100), default="")  # login; "": the public form
    created_at: Mapped[dt.datetime] = mapped_column(index=True)
    changed_at: Mapped[dt.datetime]
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class TipStep(IdMixin, Base):
    """A step of a tip, append-only. It never contains anything of the informant."""

    __tablename__ = "tip_steps"
    tip_id: Mapped[int] = mapped_column(ForeignKey("tips.id"), index=True)
    at: Mapped[dt.datetime]
    who: Mapped[str] = mapped_column(String(100), default="")
    what: Mapped[str] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(Text, default="")


class PublicAttempt(IdMixin, Base):
    """A report or question sent by the public form, for its rate limit; deleted after a day."""

    __tablename__ = "public_attempts"
    kind: Mapped[str] = mapped_column(String(10))  # report, ask
    address_hash: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[dt.datetime] = mapped_column(index=True)


class PatrolRow(IdMixin, Base):
    """A patrol record (巡查日志)."""

    __tablename__ = "patrols"
    number: Mapped[str] = mapped_column(String(40), unique=True)
    client_id: Mapped[str | None] = mapped_column(String(64), unique=True)  # made by the client, against doubles
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    day: Mapped[dt.date] = mapped_column(index=True)
    unit: Mapped[str] = mapped_column(String(200), default="")
    region: Mapped[str] = mapped_column(String(300), default="")
    people: Mapped[str] = mapped_column(String(300), default="")
    route: Mapped[str] = mapped_column(Text, default="")
    found: Mapped[bool]  # whether anything suspicious was found
    approvals: Mapped[str] = mapped_column(Text, default="")
    opinion: Mapped[str] = mapped_column(Text, default="")
    remarks: Mapped[str] = mapped_column(Text, default="")
    track: Mapped[list[Any]] = mapped_column(JSON, default=list)  # segments of [lon, lat] or [lon, lat, epoch seconds]
    track_source: Mapped[str] = mapped_column(String(10), default="")  # gpx, drawn; "": none
    track_key: Mapped[str] = mapped_column(String(400), default="")  # object key of the received GPX file
    track_sha256: Mapped[str] = mapped_column(String(64), default="")
    gaps: Mapped[list[Any]] = mapped_column(JSON, default=list)  # [{"seconds", "metres", "from", "to"}]
    length_m: Mapped[float] = mapped_column(default=0.0)
    started_at: Mapped[dt.datetime | None]
    ended_at: Mapped[dt.datetime | None]
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[dt.datetime] = mapped_column(index=True)


class PatrolFinding(IdMixin, Base):
    """A place that a patrol found (建设项目), and the alert that it became."""

    __tablename__ = "patrol_findings"
    patrol_id: Mapped[int] = mapped_column(ForeignKey("patrols.id"), index=True)
    sequence: Mapped[int]
    fields: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alerts.id"), index=True)
    __table_args__ = (UniqueConstraint("patrol_id", "sequence"),)
