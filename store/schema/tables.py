"""ORM tables. Timestamps are aware and in UTC; outlines are longitude and latitude (EPSG:4490); areas are in m².

States are strings, listed beside their column; the states and transitions of alerts are configured in
``configs/states.yaml``.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from store.schema.audit_tables import AuditRow as AuditRow  # importing this module registers all tables
from store.schema.camera_tables import CameraRow as CameraRow  # as above
from store.schema.chain.chain_tables import ChainSettingRow as ChainSettingRow  # as above
from store.schema.chain.deadline_tables import DeadlineLogRow as DeadlineLogRow  # as above
from store.schema.chain.document_tables import DocumentRow as DocumentRow  # as above
from store.schema.chain.evidence_tables import EvidenceFile as EvidenceFile  # as above
from store.schema.chain.export_tables import ExportRow as ExportRow  # as above
from store.schema.chain.field_tables import FieldStep as FieldStep  # as above
from store.schema.chain.layer_tables import Feature as Feature  # as above
from store.schema.chain.layer_tables import Layer as Layer
from store.schema.chain.layer_tables import LayerVersion as LayerVersion
from store.schema.chain.message_tables import MessageRow as MessageRow  # as above
from store.schema.chain.report_tables import ReportRow as ReportRow  # registered as above
from store.schema.chain.retention_tables import HoldRow as HoldRow  # registered as above
from store.schema.chain.sharing_tables import BodyRow as BodyRow  # registered as above
from store.schema.chain.tip_tables import TipRow as TipRow  # registered as above
from store.schema.integrity_tables import DamagedObject as DamagedObject  # as above
from store.schema.table_base import Base as Base
from store.schema.table_base import IdMixin
from store.schema.table_base import OutlineMixin as OutlineMixin
from store.schema.user_tables import User as User  # foreign key of AlertLock
from store.schema.weights_tables import WeightsRow as WeightsRow  # registered as above


class Area(IdMixin, OutlineMixin, Base):
    """A village, township or county. Its code begins with the code of its parent."""

    __tablename__ = "areas"
    code: Mapped[str] = mapped_column(String(12), unique=True)  # XZQDM: 6 digits county, 9 township, 12 village
    name: Mapped[str] = mapped_column(String(200))
    level: Mapped[str] = mapped_column(String(10))  # county, township, village
    source: Mapped[str] = mapped_column(String(400), default="")
    loaded_at: Mapped[dt.datetime]


class Batch(IdMixin, Base):
    """Files that were received together."""

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
    """One file of a batch and its outcome."""

    __tablename__ = "batch_files"
    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(400))  # original name, including folders inside a zip
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    received: Mapped[str] = mapped_column(String(400), default="")  # object key while the file waits to be checked
    state: Mapped[str] = mapped_column(String(20))  # waiting, placed, duplicate, failed, used, ignored
    reason: Mapped[str] = mapped_column(Text, default="")
    why: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # the reason as a code with values: errors.Reason
    scene_id: Mapped[int | None] = mapped_column(ForeignKey("scenes.id"), index=True)
    finished_at: Mapped[dt.datetime | None]
    __table_args__ = (UniqueConstraint("batch_id", "name"),)


class PhotoRow(IdMixin, OutlineMixin, Base):
    """A drone photo that was checked or placed in a mosaic, with its footprint and positional accuracy."""

    __tablename__ = "photos"
    file_id: Mapped[int] = mapped_column(ForeignKey("batch_files.id", ondelete="CASCADE"), unique=True)
    tied: Mapped[str] = mapped_column(String(20))  # tie points with: not yet, reference, neighbours, nothing
    error_m: Mapped[float | None]  # absolute, on the ground
    residual_m: Mapped[float | None]  # median residual of the tie points
    taken: Mapped[str] = mapped_column(String(40), default="")  # local time of the camera, without a time zone
    date: Mapped[dt.date | None]  # after plausibility checks
    camera: Mapped[str] = mapped_column(String(100), default="")


class SceneRow(IdMixin, OutlineMixin, Base):
    """An image that was checked, georeferenced, dated and converted: ready for comparison."""

    __tablename__ = "scenes"
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)  # of the received file
    name: Mapped[str] = mapped_column(String(400))
    source: Mapped[str] = mapped_column(String(20))  # drone, satellite, camera
    date: Mapped[dt.date | None] = mapped_column(index=True)
    date_source: Mapped[str] = mapped_column(String(100), default="")
    moment: Mapped[str] = mapped_column(String(40), default="")  # ISO 8601 as the file states it; "": only the day
    gsd_m: Mapped[float]
    crs: Mapped[str] = mapped_column(Text)
    transform: Mapped[list[float]] = mapped_column(JSON, default=list)  # column, row → x, y: a b c d e f; []: unknown
    width: Mapped[int]
    height: Mapped[int]
    valid_share: Mapped[float] = mapped_column(default=1.0)  # share of pixels that show ground
    kind: Mapped[str] = mapped_column(String(20), default="picture")  # of imagery.raster_kind; only like is compared
    bands: Mapped[list[int]] = mapped_column(JSON, default=list)  # red, green, blue in the received file; []: unknown
    state: Mapped[str] = mapped_column(String(20), default="ready")  # ready, damaged, withdrawn, purged (no object)
    state_reason: Mapped[str] = mapped_column(Text, default="")
    object_key: Mapped[str] = mapped_column(String(400))  # of the converted COG
    object_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[dt.datetime] = mapped_column(index=True)


class SceneArea(Base):
    """An area whose ground a scene shows, whatever the area code of its batch; see :mod:`store.scenes.scene_areas`."""

    __tablename__ = "scene_areas"
    scene_id: Mapped[int] = mapped_column(ForeignKey("scenes.id", ondelete="CASCADE"), primary_key=True)
    code: Mapped[str] = mapped_column(String(12), primary_key=True, index=True)


class Night(IdMixin, Base):
    """A nightly run. Its day is the local date on which it begins; there is one per day."""

    __tablename__ = "nights"
    day: Mapped[dt.date] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(String(20))  # planning, scanning, done
    begun_at: Mapped[dt.datetime]
    finished_at: Mapped[dt.datetime | None]
    summary: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Scan(IdMixin, Base):
    """A comparison of two scenes, planned, running or finished."""

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
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # contents of scan.json without the changes
    settings_sha256: Mapped[str] = mapped_column(String(64), default="")
    weights_sha256: Mapped[str] = mapped_column(String(64), default="")
    changes: Mapped[int] = mapped_column(default=0)
    windows: Mapped[list[Any] | None] = mapped_column(
        JSON(none_as_null=True)
    )  # [[west, south, east, north]] that are compared, around known alerts; None: all common ground
    withdrawn_at: Mapped[dt.datetime | None]  # no longer a sighting of any alert, as one of its images was withdrawn
    withdrawn_why: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[dt.datetime] = mapped_column(index=True)
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]


class UncomparedGround(IdMixin, OutlineMixin, Base):
    """Newly imaged ground that could not be compared, with the reason. Distinct from "nothing changed"."""

    __tablename__ = "uncompared"
    night_id: Mapped[int | None] = mapped_column(ForeignKey("nights.id"), index=True)
    scene_id: Mapped[int] = mapped_column(ForeignKey("scenes.id"), index=True)
    scan_id: Mapped[int | None] = mapped_column(ForeignKey("scans.id"), index=True)
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    area_m2: Mapped[float]
    reason: Mapped[str] = mapped_column(Text)
    why: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # as of BatchFile
    superseded: Mapped[bool] = mapped_column(default=False)  # its image was corrected since: to be reported again


def _partial_index(name: str, rows: str, *columns: str) -> Index:
    """Return an index of those rows for which the condition ``rows`` holds."""
    return Index(name, *columns, sqlite_where=text(rows), postgresql_where=text(rows))


class Job(IdMixin, Base):
    """A job that is done exactly once. Its life cycle is described in ``workers/README.md``."""

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
        # finished jobs are in none of these; conditions in the same words: store.schema.job_states
        _partial_index("ix_jobs_open", "state <> 'done'", "kind", "state", "queue", "run_after"),
        _partial_index("ix_jobs_unpublished", "state = 'waiting' AND published_at IS NULL", "run_after", "id"),
        _partial_index("ix_jobs_published", "state = 'waiting'", "queue", "published_at", "id"),
        _partial_index("ix_jobs_running", "state = 'running'", "id"),
        _partial_index("ix_jobs_dead", "state = 'dead'", "id"),
    )


class AlertRow(IdMixin, OutlineMixin, Base):
    """An alert: one place with a suspected change, however often it was observed."""

    __tablename__ = "alerts"
    number: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[str] = mapped_column(String(20))  # construction, ground, demolition
    change_type: Mapped[str] = mapped_column(String(40), default="")  # official classification, set by a user
    state: Mapped[str] = mapped_column(String(20), index=True)  # configs/states.yaml
    state_reason: Mapped[str] = mapped_column(Text, default="")
    score: Mapped[float]
    area_m2: Mapped[float] = mapped_column(index=True)
    detected: Mapped[dict[str, Any]] = mapped_column(JSON)  # {"crs": …, "wkt": …} in the last scan
    source: Mapped[str] = mapped_column(String(20))  # of the first observation
    position_error: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True)
    )  # ErrorEllipse; camera alerts only
    county_code: Mapped[str] = mapped_column(String(12), default="", index=True)
    township_code: Mapped[str] = mapped_column(String(12), default="", index=True)
    grid_code: Mapped[str] = mapped_column(String(12), default="")  # the smallest responsible area
    also_in: Mapped[list[Any]] = mapped_column(JSON, default=list)  # [{"code", "name", "share"}] of other areas
    overlaps: Mapped[list[Any]] = mapped_column(JSON, default=list)  # [{"layer", "kind", "dated", "share", "number"}]
    legal_weight: Mapped[int] = mapped_column(default=0)  # higher is more severe; farmland ranks highest
    rank: Mapped[int | None]  # within its grid area and week
    week: Mapped[str] = mapped_column(String(8), default="", index=True)  # ISO, 2026-W48
    over_cap: Mapped[bool] = mapped_column(default=False)
    seen: Mapped[int] = mapped_column(default=1)  # number of observations
    sources_seen: Mapped[int] = mapped_column(default=1)  # number of distinct sources among them
    due_on: Mapped[dt.date | None] = mapped_column(index=True)  # deadline of the next step, local day; None: none
    assignee: Mapped[str] = mapped_column(String(100), default="", index=True)  # login of the assigned user
    first_date: Mapped[dt.date | None]
    last_date: Mapped[dt.date | None]
    # derived from all sightings, see enforcement.ledger
    not_yet_on: Mapped[dt.date | None]
    there_on: Mapped[dt.date | None]
    gone_on: Mapped[dt.date | None]
    area_error_m2: Mapped[float] = mapped_column(default=0.0)  # 0: seen from above
    confidence: Mapped[float | None]  # over all sources; score is that of one comparison
    confidence_parts: Mapped[list[Any]] = mapped_column(JSON, default=list)
    site: Mapped[str] = mapped_column(String(40), default="", index=True)  # number of the first alert of its group
    sighting_hash: Mapped[str] = mapped_column(String(64), default="")  # hash of its latest sighting
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # object keys: {"before": …, "after": …}
    created_at: Mapped[dt.datetime] = mapped_column(index=True)
    changed_at: Mapped[dt.datetime]
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        """Index the bounds, the review order, and the columns that counting and the overview map read.

        Alerts are wide rows: the last index covers those queries, so that they do not read the table.
        """
        shown = ("state", "kind", "over_cap", "legal_weight", "score", "west", "south", "east", "north", "number")
        return (
            Index("ix_alerts_bounds", "west", "east", "south", "north"),
            Index("ix_alerts_gravest", "legal_weight", "score", "id"),
            Index("ix_alerts_shown", "grid_code", *shown),
        )


class Observation(IdMixin, OutlineMixin, Base):
    """A sighting of an alert: what one scan detected, or a person drew. It is never changed, and hash-chained.

    Scans of its ground that detected nothing there are sightings too; they are found by their scenes.
    """

    __tablename__ = "observations"
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    scan_id: Mapped[int | None] = mapped_column(ForeignKey("scans.id"), index=True)  # None: a person drew it
    change_number: Mapped[int]
    source: Mapped[str] = mapped_column(String(20))
    before_date: Mapped[dt.date | None]
    after_date: Mapped[dt.date | None]
    kind: Mapped[str] = mapped_column(String(20))
    score: Mapped[float]
    area_m2: Mapped[float]
    position_error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    gsd_m: Mapped[float | None]  # ground sample distance of the coarser image
    copied_from: Mapped[str] = mapped_column(String(40), default="")  # number of the merged or split alert
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[dt.datetime]
    sequence: Mapped[int]  # 1, 2, 3 … of its alert; see store/alerts/sighting_chain.py
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        """Index the bounds; number the sightings of an alert."""
        return (*super().__table_args__, UniqueConstraint("alert_id", "sequence"))


class Transition(IdMixin, Base):
    """A state transition of an alert; append-only, and hash-chained to the previous one."""

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
    """An edit lock: a user has the alert open. It expires by itself."""

    __tablename__ = "alert_locks"
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"))
    until: Mapped[dt.datetime]


class Delivery(IdMixin, Base):
    """Outbox row: one event for one target, written in the transaction of the change that it reports."""

    __tablename__ = "deliveries"
    event_id: Mapped[str] = mapped_column(String(36), index=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    sequence: Mapped[int]  # per alert; events are delivered in this order
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
    """Sequential numbers, and rows that serve as locks."""

    __tablename__ = "counters"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger, default=0)


class ScheduleSlot(Base):
    """A schedule slot that one scheduler claimed; others find the row and skip the slot."""

    __tablename__ = "ticks"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    slot: Mapped[str] = mapped_column(String(40), primary_key=True)
    taken_at: Mapped[dt.datetime]
    taken_by: Mapped[str] = mapped_column(String(200))


class Process(Base):
    """A process that records heartbeats: worker, scheduler or web server."""

    __tablename__ = "processes"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)  # host:pid:part
    part: Mapped[str] = mapped_column(String(20))  # worker, schedule, web
    started_at: Mapped[dt.datetime]
    seen_at: Mapped[dt.datetime]
