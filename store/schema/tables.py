"""What is kept. Moments are aware and in UTC; outlines are longitude and latitude (EPSG:4490); areas are m².

States are words, listed beside their column; the transitions between them for alerts stands in
``configs/states.yaml``.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from store.schema.audit_tables import AuditRow as AuditRow  # where these tables are known, all others are
from store.schema.camera_tables import CameraRow as CameraRow  # as above
from store.schema.table_base import Base as Base
from store.schema.table_base import IdMixin
from store.schema.table_base import OutlineMixin as OutlineMixin
from store.schema.user_tables import User as User  # locks name them


class Area(IdMixin, OutlineMixin, Base):
    """A village, township or county. Its code begins with the code of the one it lies in."""

    __tablename__ = "areas"
    code: Mapped[str] = mapped_column(String(12), unique=True)  # XZQDM: 6 digits county, 9 township, 12 village
    name: Mapped[str] = mapped_column(String(200))
    level: Mapped[str] = mapped_column(String(10))  # county, township, village
    source: Mapped[str] = mapped_column(String(400), default="")
    loaded_at: Mapped[dt.datetime]


class Layer(IdMixin, Base):
    """A layer that the bureau loaded: approvals, cultivated land, plan …"""

    __tablename__ = "layers"
    name: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(
        String(20)
    )  # approval, cultivated, basic_farmland, plan, farm_facility, protected
    dated: Mapped[dt.date | None]
    loaded_at: Mapped[dt.datetime]


class Feature(IdMixin, OutlineMixin, Base):
    """One polygon of a layer. An approval without dates is valid always."""

    __tablename__ = "features"
    layer_id: Mapped[int] = mapped_column(ForeignKey("layers.id", ondelete="CASCADE"), index=True)
    number: Mapped[str] = mapped_column(String(200), default="")  # of the approval
    valid_from: Mapped[dt.date | None]
    valid_to: Mapped[dt.date | None]
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Batch(IdMixin, Base):
    """Files that came in together."""

    __tablename__ = "batches"
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    name: Mapped[str] = mapped_column(String(400))
    origin: Mapped[str] = mapped_column(String(20))  # command, folder, upload
    source: Mapped[str] = mapped_column(String(20), default="drone")  # drone, satellite, camera
    state: Mapped[str] = mapped_column(String(20), index=True)  # receiving, working, done
    unique_key: Mapped[str | None] = mapped_column(String(200), unique=True)
    created_by: Mapped[str] = mapped_column(String(100), default="")
    created_at: Mapped[dt.datetime]
    finished_at: Mapped[dt.datetime | None]


class BatchFile(IdMixin, Base):
    """One file of a batch and what became of it."""

    __tablename__ = "batch_files"
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(400))  # as the person called it, folders of a zip included
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    received: Mapped[str] = mapped_column(String(400), default="")  # key of the object that waits to be checked
    state: Mapped[str] = mapped_column(String(20))  # waiting, placed, duplicate, failed, used, ignored
    reason: Mapped[str] = mapped_column(Text, default="")
    why: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # the reason for other languages: errors.Reason
    scene_id: Mapped[int | None] = mapped_column(ForeignKey("scenes.id"), index=True)
    finished_at: Mapped[dt.datetime | None]
    __table_args__ = (UniqueConstraint("batch_id", "name"),)


class PhotoRow(IdMixin, OutlineMixin, Base):
    """A photo of a drone, checked or become part of a mosaic: where it lies, and how well that is known."""

    __tablename__ = "photos"
    file_id: Mapped[int] = mapped_column(ForeignKey("batch_files.id", ondelete="CASCADE"), unique=True)
    tied: Mapped[str] = mapped_column(String(20))  # to: not yet, reference, neighbours, nothing
    error_m: Mapped[float | None]  # on the ground, absolute
    residual_m: Mapped[float | None]  # median distance to what it was tied to
    taken: Mapped[str] = mapped_column(String(40), default="")  # by the camera's clock, which knows no zone
    date: Mapped[dt.date | None]  # as it is believed
    camera: Mapped[str] = mapped_column(String(100), default="")


class SceneRow(IdMixin, OutlineMixin, Base):
    """An image that was checked, placed, dated and rewritten: ready to be compared."""

    __tablename__ = "scenes"
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)  # of the file as it came
    name: Mapped[str] = mapped_column(String(400))
    source: Mapped[str] = mapped_column(String(20))  # drone, satellite, camera
    date: Mapped[dt.date | None] = mapped_column(index=True)
    date_source: Mapped[str] = mapped_column(String(100), default="")
    gsd_m: Mapped[float]
    crs: Mapped[str] = mapped_column(Text)
    width: Mapped[int]
    height: Mapped[int]
    valid_share: Mapped[float] = mapped_column(default=1.0)  # of its pixels that show ground
    object_key: Mapped[str] = mapped_column(String(400))  # our COG
    object_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[dt.datetime] = mapped_column(index=True)


class Night(IdMixin, Base):
    """One night: its day is the local date of its beginning, and there is one for each day."""

    __tablename__ = "nights"
    day: Mapped[dt.date] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(String(20))  # planning, scanning, done
    begun_at: Mapped[dt.datetime]
    finished_at: Mapped[dt.datetime | None]
    summary: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Scan(IdMixin, Base):
    """Two scenes compared, or to be compared."""

    __tablename__ = "scans"
    unique_key: Mapped[str] = mapped_column(String(200), unique=True)
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    night_id: Mapped[int | None] = mapped_column(ForeignKey("nights.id"), index=True)
    before_id: Mapped[int] = mapped_column(ForeignKey("scenes.id"), index=True)
    after_id: Mapped[int] = mapped_column(ForeignKey("scenes.id"), index=True)
    state: Mapped[str] = mapped_column(
        String(20), index=True
    )  # waiting, scanning, merging, done, not_comparable, failed
    reason: Mapped[str] = mapped_column(Text, default="")
    why: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # as of BatchFile
    blocks: Mapped[int] = mapped_column(default=0)
    block_jobs: Mapped[int] = mapped_column(default=0)
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # as scan.json tells it, without the changes
    settings_sha256: Mapped[str] = mapped_column(String(64), default="")
    weights_sha256: Mapped[str] = mapped_column(String(64), default="")
    changes: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[dt.datetime] = mapped_column(index=True)
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]


class UncomparedGround(IdMixin, OutlineMixin, Base):
    """New ground that could not be compared, and why: never the same as "nothing changed"."""

    __tablename__ = "uncompared"
    night_id: Mapped[int | None] = mapped_column(ForeignKey("nights.id"), index=True)
    scene_id: Mapped[int] = mapped_column(ForeignKey("scenes.id"), index=True)
    scan_id: Mapped[int | None] = mapped_column(ForeignKey("scans.id"), index=True)
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    area_m2: Mapped[float]
    reason: Mapped[str] = mapped_column(Text)
    why: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # as of BatchFile


class Job(IdMixin, Base):
    """Something to be done once. See ``workers/README.md`` for the life of a job."""

    __tablename__ = "jobs"
    kind: Mapped[str] = mapped_column(String(40))
    queue: Mapped[str] = mapped_column(String(20))  # ingest, scan, deliver, capture
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    unique_key: Mapped[str] = mapped_column(String(200), unique=True)
    state: Mapped[str] = mapped_column(String(10), default="waiting")  # waiting, running, done, dead
    attempts: Mapped[int] = mapped_column(default=0)
    run_after: Mapped[dt.datetime]
    published_at: Mapped[dt.datetime | None]
    lease_owner: Mapped[str] = mapped_column(String(200), default="")
    lease_token: Mapped[str] = mapped_column(String(32), default="")
    lease_until: Mapped[dt.datetime | None]
    progress: Mapped[float] = mapped_column(default=0.0)
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[dt.datetime]
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
    __table_args__ = (
        Index("ix_jobs_state_run_after", "state", "run_after"),
        Index("ix_jobs_queue_state", "queue", "state"),
    )


class AlertRow(IdMixin, OutlineMixin, Base):
    """An alert: one place that is suspected to have changed, however often it was seen."""

    __tablename__ = "alerts"
    number: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[str] = mapped_column(String(20))  # construction, ground, demolition
    change_type: Mapped[str] = mapped_column(String(40), default="")  # official one, set by a person
    state: Mapped[str] = mapped_column(String(20), index=True)  # configs/states.yaml
    state_reason: Mapped[str] = mapped_column(Text, default="")
    score: Mapped[float]
    area_m2: Mapped[float] = mapped_column(index=True)
    detected: Mapped[dict[str, Any]] = mapped_column(JSON)  # {"crs": …, "wkt": …} as the last scan saw it
    source: Mapped[str] = mapped_column(String(20))  # of the first observation
    position_error: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True)
    )  # as ErrorEllipse; of cameras
    county_code: Mapped[str] = mapped_column(String(12), default="", index=True)
    township_code: Mapped[str] = mapped_column(String(12), default="", index=True)
    grid_code: Mapped[str] = mapped_column(String(12), default="")  # the smallest area that answers for it
    also_in: Mapped[list[Any]] = mapped_column(JSON, default=list)  # [{"code", "name", "share"}] of other areas
    overlaps: Mapped[list[Any]] = mapped_column(JSON, default=list)  # [{"layer", "kind", "dated", "share", "number"}]
    legal_weight: Mapped[int] = mapped_column(default=0)  # larger is graver: farmland first
    rank: Mapped[int | None]  # within its grid and week
    week: Mapped[str] = mapped_column(String(8), default="", index=True)  # ISO, 2026-W48
    over_cap: Mapped[bool] = mapped_column(default=False)
    seen: Mapped[int] = mapped_column(default=1)  # observations
    sources_seen: Mapped[int] = mapped_column(default=1)  # different sources among them
    due_on: Mapped[dt.date | None] = mapped_column(index=True)  # last local day for the next step; None: no limit
    assignee: Mapped[str] = mapped_column(String(100), default="", index=True)  # login of the person who has it
    first_date: Mapped[dt.date | None]
    last_date: Mapped[dt.date | None]
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # object keys: {"before": …, "after": …}
    created_at: Mapped[dt.datetime] = mapped_column(index=True)
    changed_at: Mapped[dt.datetime]
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        """By place; in the order of the review, the gravest first; and by area, with all that a map from afar needs.

        Alerts are wide rows: a hundred thousand of them are counted and drawn from the last index alone.
        """
        shown = ("state", "kind", "over_cap", "legal_weight", "score", "west", "south", "east", "north", "number")
        return (
            Index("ix_alerts_bounds", "west", "east", "south", "north"),
            Index("ix_alerts_gravest", "legal_weight", "score", "id"),
            Index("ix_alerts_shown", "grid_code", *shown),
        )


class Observation(IdMixin, OutlineMixin, Base):
    """One scan's sight of an alert's place."""

    __tablename__ = "observations"
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    scan_id: Mapped[int] = mapped_column(ForeignKey("scans.id"), index=True)
    change_number: Mapped[int]
    source: Mapped[str] = mapped_column(String(20))
    before_date: Mapped[dt.date | None]
    after_date: Mapped[dt.date | None]
    kind: Mapped[str] = mapped_column(String(20))
    score: Mapped[float]
    area_m2: Mapped[float]
    position_error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[dt.datetime]


class Transition(IdMixin, Base):
    """One step in the life of an alert: only ever appended, each holding the hash of the one before it."""

    __tablename__ = "transitions"
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"))
    sequence: Mapped[int]  # 1, 2, 3 …
    at: Mapped[dt.datetime] = mapped_column(index=True)
    who: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(40))
    from_state: Mapped[str] = mapped_column(String(20))
    to_state: Mapped[str] = mapped_column(String(20))
    why: Mapped[str] = mapped_column(Text, default="")
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    __table_args__ = (UniqueConstraint("alert_id", "sequence"),)


class AlertLock(Base):
    """Someone has an alert open; released by itself at its end."""

    __tablename__ = "alert_locks"
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    until: Mapped[dt.datetime]


class Delivery(IdMixin, Base):
    """The outbox: one event that one target is to receive, written with what it tells of in one transaction."""

    __tablename__ = "deliveries"
    event_id: Mapped[str] = mapped_column(String(36), index=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    sequence: Mapped[int]  # of the alert's events: delivered in this order
    target: Mapped[str] = mapped_column(String(400))  # queue, drop, hook:URL
    event: Mapped[dict[str, Any]] = mapped_column(JSON)  # the CloudEvent
    state: Mapped[str] = mapped_column(String(10), default="waiting")  # waiting, delivered, dead
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[dt.datetime]
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[dt.datetime]
    delivered_at: Mapped[dt.datetime | None]
    __table_args__ = (
        UniqueConstraint("alert_id", "sequence", "target"),
        UniqueConstraint("event_id", "target"),
        Index("ix_deliveries_state_next_at", "state", "next_at"),
    )


class Counter(Base):
    """Running numbers, and rows that are locked to do things one after the other."""

    __tablename__ = "counters"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger, default=0)


class ScheduleSlot(Base):
    """A planned moment that one scheduler took: a second one finds it taken."""

    __tablename__ = "ticks"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    slot: Mapped[str] = mapped_column(String(40), primary_key=True)
    taken_at: Mapped[dt.datetime]
    taken_by: Mapped[str] = mapped_column(String(200))


class Process(Base):
    """A worker process or scheduler that says from time to time that it lives."""

    __tablename__ = "processes"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)  # host:pid:part
    part: Mapped[str] = mapped_column(String(20))  # worker, schedule, web
    started_at: Mapped[dt.datetime]
    seen_at: Mapped[dt.datetime]
