"""Tables of fixed cameras: connection, presets, captures and reported changes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.schema.table_base import Base, IdMixin, OutlineMixin


class CameraRow(IdMixin, Base):
    """A camera. Address and credentials are stored encrypted; only host and kind may be displayed."""

    __tablename__ = "cameras"
    name: Mapped[str] = mapped_column(String(100), unique=True)
    area_code: Mapped[str] = mapped_column(String(12), index=True)
    kind: Mapped[str] = mapped_column(String(10))  # rtsp, mjpeg, still, folder
    host: Mapped[str] = mapped_column(String(300))
    secret: Mapped[str] = mapped_column(Text)  # address, user name, password; see store/cameras/secrets.py
    times: Mapped[list[Any]] = mapped_column(JSON, default=list)  # local times of captures, like "09:00"
    active: Mapped[bool] = mapped_column(default=True)
    state: Mapped[str] = mapped_column(String(20), default="new")  # new, ok, no_answer, locked or a quality fault
    state_since: Mapped[dt.datetime | None]
    error: Mapped[str] = mapped_column(Text, default="")
    why: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # the error as a code with values: errors.Reason
    tried_at: Mapped[dt.datetime | None]
    created_by: Mapped[str] = mapped_column(String(100), default="")
    created_at: Mapped[dt.datetime]


class PresetRow(IdMixin, Base):
    """A preset (view) of a camera, with the reference frame of its control points."""

    __tablename__ = "camera_presets"
    camera_id: Mapped[int] = mapped_column(ForeignKey("cameras.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    reference_key: Mapped[str] = mapped_column(String(400))
    width: Mapped[int]
    height: Mapped[int]
    control_points: Mapped[list[Any]] = mapped_column(JSON, default=list)  # [[x, y, lon, lat], …]
    region: Mapped[list[Any]] = mapped_column(JSON, default=list)  # [[x, y], …]
    range_m: Mapped[float]
    calibrated_at: Mapped[dt.datetime | None]
    calibrated_by: Mapped[str] = mapped_column(String(100), default="")
    __table_args__ = (UniqueConstraint("camera_id", "name"),)


class CaptureRow(IdMixin, Base):
    """A frame captured at one time, with the results of the quality check and the comparison."""

    __tablename__ = "camera_captures"
    camera_id: Mapped[int] = mapped_column(ForeignKey("cameras.id", ondelete="CASCADE"))
    preset_id: Mapped[int | None] = mapped_column(ForeignKey("camera_presets.id", ondelete="CASCADE"), index=True)
    taken_at: Mapped[dt.datetime]
    object_key: Mapped[str] = mapped_column(String(400))
    sha256: Mapped[str] = mapped_column(String(64))  # of the fetched pixels
    frames: Mapped[int]
    usable: Mapped[bool]
    quality: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    light: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    comparison: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # changes, pending, not_compared, watched_m2
    scene_id: Mapped[int | None] = mapped_column(ForeignKey("scenes.id"), index=True)  # set if the capture is evidence
    created_at: Mapped[dt.datetime]
    __table_args__ = (
        UniqueConstraint("camera_id", "taken_at"),
        Index("ix_camera_captures_history", "preset_id", "usable", "taken_at"),
    )


class CameraChange(IdMixin, OutlineMixin, Base):
    """A persistent change in a preset that was reported; later captures do not report it again."""

    __tablename__ = "camera_changes"
    preset_id: Mapped[int] = mapped_column(ForeignKey("camera_presets.id", ondelete="CASCADE"), index=True)
    scan_id: Mapped[int] = mapped_column(ForeignKey("scans.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    in_frame: Mapped[str] = mapped_column(Text)  # WKT in pixels of the reference frame
    area_m2: Mapped[float]
    score: Mapped[float]
    first_seen: Mapped[dt.datetime]
    last_seen: Mapped[dt.datetime]
    created_at: Mapped[dt.datetime]
