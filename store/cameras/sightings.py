"""Camera evidence of an alert: full frames before and after, with the outlines of the change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry import Polygon
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from store.schema.camera_tables import CameraChange, CameraRow, CaptureRow, PresetRow
from store.schema.tables import AlertRow, Observation, Scan


@dataclass(frozen=True)
class SightingFrame:
    """One of the two captures of a sighting."""

    capture_id: int
    taken_at: dt.datetime


@dataclass(frozen=True)
class CameraSighting:
    """The latest sighting of an alert in a preset of a camera.

    Attributes:
        camera, view: names of the camera and the preset.
        size: width and height of the frames in pixels.
        before, after: the compared captures.
        outlines: (x, y) in both frames, see :data:`imagery.cameras.camera.Pixel`.
    """

    camera: str
    view: str
    size: tuple[int, int]
    before: SightingFrame
    after: SightingFrame
    outlines: Sequence[Polygon]


def camera_sightings(session: Session, alert: AlertRow) -> list[CameraSighting]:
    """Return the latest sighting in each preset that showed the alert, in the order of their first report."""
    rows = session.execute(
        select(Observation, Scan, CameraChange, PresetRow, CameraRow.name)
        .join(Scan, Scan.id == Observation.scan_id)
        .join(CameraChange, CameraChange.scan_id == Scan.id)
        .join(PresetRow, PresetRow.id == CameraChange.preset_id)
        .join(CameraRow, CameraRow.id == PresetRow.camera_id)
        .where(Observation.alert_id == alert.id)
        .order_by(Observation.id, CameraChange.id)
    )
    latest: dict[int, tuple[Scan, PresetRow, str, list[Polygon]]] = {}
    for observation, scan, change, preset, camera in rows:
        if not change.outline.intersects(observation.outline):  # another place in the same two captures
            continue
        entry = latest.get(preset.id)
        if entry is None or entry[0].id != scan.id:
            entry = latest[preset.id] = (scan, preset, camera, [])
        entry[3].append(shapely.from_wkt(change.in_frame))
    sightings = []
    for scan, preset, camera, outlines in latest.values():
        before, after = (_frame(session, preset.id, scene_id) for scene_id in (scan.before_id, scan.after_id))
        if before is not None and after is not None:
            size = (preset.width, preset.height)
            sightings.append(CameraSighting(camera, preset.name, size, before, after, outlines))
    return sightings


def alert_capture(session: Session, alert: AlertRow, capture_id: int) -> CaptureRow | None:
    """Return a capture with an id if it is evidence of the alert."""
    return session.scalar(
        select(CaptureRow)
        .join(Scan, or_(Scan.before_id == CaptureRow.scene_id, Scan.after_id == CaptureRow.scene_id))
        .join(Observation, Observation.scan_id == Scan.id)
        .where(CaptureRow.id == capture_id, Observation.alert_id == alert.id)
        .limit(1)
    )


def _frame(session: Session, preset_id: int, scene_id: int) -> SightingFrame | None:
    query = select(CaptureRow).where(CaptureRow.preset_id == preset_id, CaptureRow.scene_id == scene_id)
    row = session.scalar(query.order_by(CaptureRow.id).limit(1))
    return None if row is None else SightingFrame(row.id, row.taken_at)
