"""What cameras showed of an alert: the whole frames before and after, with the outline in them."""

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
    """One of the two captures: its id, and when it was taken."""

    capture_id: int
    taken_at: dt.datetime


@dataclass(frozen=True)
class CameraSighting:
    """The last time that a view of a camera showed an alert.

    Attributes:
        camera, view: their names.
        size: width and height of the frames in pixels.
        before, after: the captures that were compared.
        outlines: (x, y) in both frames, see :data:`imagery.cameras.camera.Pixel`.
    """

    camera: str
    view: str
    size: tuple[int, int]
    before: SightingFrame
    after: SightingFrame
    outlines: Sequence[Polygon]


def camera_sightings(session: Session, alert: AlertRow) -> list[CameraSighting]:
    """The last sight of each view that showed the alert, in the order in which they were first reported."""
    rows = session.execute(
        select(Observation, Scan, CameraChange, PresetRow, CameraRow.name)
        .join(Scan, Scan.id == Observation.scan_id)
        .join(CameraChange, CameraChange.scan_id == Scan.id)
        .join(PresetRow, PresetRow.id == CameraChange.preset_id)
        .join(CameraRow, CameraRow.id == PresetRow.camera_id)
        .where(Observation.alert_id == alert.id)
        .order_by(Observation.id, CameraChange.id)
    )
    found: dict[int, tuple[Scan, PresetRow, str, list[Polygon]]] = {}
    for seen, scan, change, view, camera in rows:
        if not change.outline.intersects(seen.outline):  # another place between the same two captures
            continue
        known = found.get(view.id)
        if known is None or known[0].id != scan.id:
            known = found[view.id] = (scan, view, camera, [])
        known[3].append(shapely.from_wkt(change.in_frame))
    sights = []
    for scan, view, camera, outlines in found.values():
        frames = [_frame(session, view.id, scene_id) for scene_id in (scan.before_id, scan.after_id)]
        if frames[0] is not None and frames[1] is not None:
            sights.append(CameraSighting(camera, view.name, (view.width, view.height), frames[0], frames[1], outlines))
    return sights


def alert_capture(session: Session, alert: AlertRow, capture_id: int) -> CaptureRow | None:
    """A capture by its id, if the alert was seen by it."""
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
