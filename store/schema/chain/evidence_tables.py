"""Tables of evidence that people add: files of alerts, tips and patrols, and outlines that they drew or corrected."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin, OutlineMixin


class EvidenceFile(IdMixin, Base):
    """A photo or document, byte for byte as received. It belongs to an alert, or to a tip, patrol … (``owner_*``).

    A file with a transition is fixed evidence and is never deleted.
    """

    __tablename__ = "evidence_files"
    uid: Mapped[str] = mapped_column(String(36), unique=True)  # UUID, made by the phone, the page or the server
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alerts.id"), index=True)
    owner_kind: Mapped[str] = mapped_column(String(20), default="")  # tip, patrol …; "": belongs to an alert only
    owner_id: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(20))  # photo, document
    state: Mapped[str] = mapped_column(String(20), default="kept")  # kept, quarantine (public form, not yet accepted)
    step: Mapped[str] = mapped_column(String(20), default="")  # state that the step enters, as field_checked
    field: Mapped[str] = mapped_column(String(40), default="")  # evidence name of that step, as photos or basis
    transition_id: Mapped[int | None] = mapped_column(ForeignKey("transitions.id"), index=True)  # None: not submitted
    object_key: Mapped[str] = mapped_column(String(400))
    shown_key: Mapped[str] = mapped_column(String(400), default="")  # JPEG copy that browsers can show; "": none
    sha256: Mapped[str] = mapped_column(String(64), index=True)  # of the original bytes
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    media_type: Mapped[str] = mapped_column(String(100))  # by content, not by name
    name: Mapped[str] = mapped_column(String(400), default="")  # original name, for display only
    # of a photo: lon, lat, accuracy_m, fix_age_s, heading_deg, heading_source, device_time, gps_time, clock_offset_s …
    record: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    taken_at: Mapped[dt.datetime | None]  # best known time of capture
    who: Mapped[str] = mapped_column(String(100))  # login of the uploader; "": public form
    received_at: Mapped[dt.datetime]  # server time
    __table_args__ = (Index("ix_evidence_files_owner_kind_owner_id", "owner_kind", "owner_id"),)


class OutlineEdit(IdMixin, OutlineMixin, Base):
    """An outline that a person drew or corrected, with the reason; append-only. The detected outline stays in it."""

    __tablename__ = "outline_edits"
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    action: Mapped[str] = mapped_column(String(20))  # drawn (a missed change), corrected, restored (the detected one)
    who: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(40))
    at: Mapped[dt.datetime]
    why: Mapped[str] = mapped_column(Text)
    scan_id: Mapped[int | None] = mapped_column(ForeignKey("scans.id"), index=True)  # its images show it; None: none
    detected_wkb: Mapped[str] = mapped_column(Text, default="")  # outline by the sightings at that time, hexadecimal
    before: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # area_m2, areas, overlaps; empty: newly drawn
    after: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
