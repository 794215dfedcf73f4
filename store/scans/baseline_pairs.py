"""Comparisons of new images with the images that known alerts need, around these alerts only.

The area of an alert is that against the last image before its works began, its *baseline*. A new image of the alert is
therefore compared with the baseline, and with the latest image that shows the works: the one measures them, the other
says whether they still stand. Where the regular scan of the image makes such a comparison, none is added.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Row, or_, select
from sqlalchemy.orm import Session

from enforcement.ledger.derive import WHOLE_SHARE
from enforcement.position_uncertainty import METRES_PER_DEGREE
from enforcement.states import read_states
from imagery.set_operations import intersection, make_valid, union_all
from store.scans.nights import NOT_FROM_CAMERA, USABLE
from store.schema.outlines import bounds_intersect
from store.schema.tables import AlertRow, Scan, SceneRow

NEW_DAYS = 14
"""Age in days up to which a received image counts as new."""

_TREATED = ("open", "correcting", "suppressed", "closed", "rejected", "transient")


@dataclass(frozen=True)
class WindowedPair:
    """Two scenes to compare within windows (west, south, east, north); the unique key prevents duplicate scans."""

    before_id: int
    after_id: int
    area_code: str
    windows: tuple[tuple[float, float, float, float], ...]
    unique_key: str


def select_windowed_pairs(
    session: Session, *, margin_m: float, max_scale_ratio: float, settings_key: str, now: dt.datetime
) -> list[WindowedPair]:
    """Select the comparisons that known alerts under new images lack.

    Args:
        session: the transaction of the plan, after its regular scans were added.
        margin_m: ground around each alert that is compared as well, into which it may have grown.
        max_scale_ratio: largest ratio of two ground sample distances.
        settings_key: identifies the settings of the scans.
        now: current time.
    """
    recent = select(SceneRow).where(SceneRow.created_at >= now - dt.timedelta(days=NEW_DAYS), USABLE, NOT_FROM_CAMERA)
    windows: dict[tuple[int, int], dict[int, tuple[float, float, float, float]]] = {}
    codes: dict[int, str] = {}
    for scene in session.scalars(recent.where(SceneRow.date.is_not(None)).order_by(SceneRow.date, SceneRow.id)):
        alerts = _alerts_under(session, scene)
        if not alerts:
            continue
        codes[scene.id] = scene.area_code
        images = _earlier_images(session, scene, max_scale_ratio)
        compared = _comparisons(session, scene)
        for alert in alerts:
            for before in _needed(alert, images, compared):
                windows.setdefault((before.id, scene.id), {})[alert.id] = _window(alert.outline, margin_m)
    return [
        WindowedPair(
            before, after, codes[after], tuple(around.values()), _key(before, after, list(around), settings_key)
        )
        for (before, after), around in windows.items()
    ]


def _alerts_under(session: Session, scene: SceneRow) -> list[Row[Any]]:
    """Return the alerts, known from above and not from a later image, that a scene shows."""
    states = read_states()
    treated = [name for name in states.states if states.category(name) in _TREATED]
    query = select(AlertRow.id, AlertRow.outline, AlertRow.not_yet_on, AlertRow.there_on).where(
        bounds_intersect(AlertRow, scene.outline),
        AlertRow.state.in_(treated),
        AlertRow.position_error.is_(None),
        AlertRow.not_yet_on < scene.date,
        or_(AlertRow.last_date.is_(None), AlertRow.last_date <= scene.date),
    )
    footprint = make_valid(scene.outline)
    shapely.prepare(footprint)
    return [alert for alert in session.execute(query.order_by(AlertRow.id)) if footprint.intersects(alert.outline)]


def _earlier_images(session: Session, scene: SceneRow, max_scale_ratio: float) -> list[tuple[SceneRow, BaseGeometry]]:
    """Return the earlier images of comparable scale that touch a scene, latest and finest first."""
    query = select(SceneRow).where(
        bounds_intersect(SceneRow, scene.outline), USABLE, NOT_FROM_CAMERA, SceneRow.date < scene.date
    )
    rows = [
        row
        for row in session.scalars(query)
        if max(row.gsd_m, scene.gsd_m) <= max_scale_ratio * min(row.gsd_m, scene.gsd_m)
    ]
    rows.sort(key=lambda row: (row.date or dt.date.min, -row.gsd_m, row.id), reverse=True)
    return [(row, make_valid(row.outline)) for row in rows]


def _comparisons(session: Session, scene: SceneRow) -> list[tuple[dt.date, BaseGeometry]]:
    """Return the day of the earlier image and the compared ground of each scan with this later image, in any state."""
    query = (
        select(SceneRow.date, SceneRow.outline, Scan.windows)
        .join(Scan, Scan.before_id == SceneRow.id)
        .where(Scan.after_id == scene.id, Scan.withdrawn_at.is_(None), SceneRow.date.is_not(None))
    )
    return [
        (date, make_valid(outline) if windows is None else union_all([box(*window) for window in windows]))
        for date, outline, windows in session.execute(query)
    ]


def _needed(
    alert: Row[Any],
    images: Sequence[tuple[SceneRow, BaseGeometry]],
    compared: Sequence[tuple[dt.date, BaseGeometry]],
) -> list[SceneRow]:
    """Return the images with which a new image of an alert is still to be compared."""
    outline = make_valid(alert.outline)
    needed = []
    if not any(day <= alert.not_yet_on and _shows(ground, outline) for day, ground in compared):
        needed += _latest(outline, images, lambda day: day <= alert.not_yet_on)
    if alert.there_on is not None and not any(
        day >= alert.there_on and _shows(ground, outline) for day, ground in compared
    ):
        needed += _latest(outline, images, lambda day: day >= alert.there_on)
    return needed


def _latest(
    outline: BaseGeometry, images: Sequence[tuple[SceneRow, BaseGeometry]], fits: Callable[[dt.date], bool]
) -> list[SceneRow]:
    """Return the first image of a fitting day that shows an outline, as a list; empty if there is none."""
    for row, ground in images:
        if row.date is not None and fits(row.date) and _shows(ground, outline):
            return [row]
    return []


def _shows(ground: BaseGeometry, outline: BaseGeometry) -> bool:
    shapely.prepare(ground)  # of an image that shows many alerts
    return bool(ground.covers(outline) or intersection(ground, outline).area >= WHOLE_SHARE * outline.area)


def _window(outline: BaseGeometry, margin_m: float) -> tuple[float, float, float, float]:
    west, south, east, north = outline.bounds
    margin = margin_m / METRES_PER_DEGREE
    return (
        round(west - 1.3 * margin, 7),  # a degree of longitude is shorter
        round(south - margin, 7),
        round(east + 1.3 * margin, 7),
        round(north + margin, 7),
    )


def _key(before: int, after: int, alerts: Sequence[int], settings_key: str) -> str:
    digest = hashlib.sha256(",".join(map(str, sorted(alerts))).encode()).hexdigest()[:12]
    return f"scan:{before}:{after}:{settings_key}:alerts:{digest}"
