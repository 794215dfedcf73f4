"""Paginated lists of the scenes, scans and nights that a user may see, newest first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, defer

from store.access.rights import Viewer, may_see_scene, scene_visible_to, starts_with
from store.schema.tables import BatchFile, Night, Scan, SceneRow
from store.search.alert_filter import Box
from store.search.night_summary import NightSummaries

MAX_ID = 2**63
"""Upper bound of row ids. Some databases fail on larger values instead of finding nothing."""


@dataclass(frozen=True)
class SceneFilter:
    """Conditions on scenes. An attribute at its default sets no condition.

    Attributes:
        place: prefix of the administrative code of the scene.
        source: drone, satellite or camera.
        since, until: inclusive range of the acquisition day; either one leaves out undated scenes.
        bbox: box that the scene's bounds touch; west, south, east, north in degrees; west > east: across the
            antimeridian.
        batch_id: only scenes of this batch.
        undated: only scenes whose day is unknown.
        state: ready, withdrawn or purged; "any": all.
        ids: only these scenes; None: all.
    """

    place: str = ""
    source: str = ""
    since: dt.date | None = None
    until: dt.date | None = None
    bbox: Box | None = None
    batch_id: int | None = None
    undated: bool = False
    state: str = "ready"
    ids: tuple[int, ...] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions on :class:`store.schema.tables.SceneRow`."""
        conditions: list[ColumnElement[bool]] = [starts_with(SceneRow.area_code, self.place)]
        if self.ids is not None:
            conditions.append(SceneRow.id.in_(self.ids))
        if self.state != "any":
            conditions.append(SceneRow.state == self.state)
        if self.batch_id is not None:
            files = select(BatchFile.scene_id).where(BatchFile.batch_id == self.batch_id)
            conditions.append(SceneRow.id.in_(files))
        if self.undated:
            conditions.append(SceneRow.date.is_(None))
        if self.source:
            conditions.append(SceneRow.source == self.source)
        if self.since is not None:
            conditions.append(SceneRow.date >= self.since)
        if self.until is not None:
            conditions.append(SceneRow.date <= self.until)
        if self.bbox is not None:
            west, south, east, north = self.bbox
            touches_east, touches_west = SceneRow.west <= east, SceneRow.east >= west
            conditions += [touches_east, touches_west] if west <= east else [or_(touches_east, touches_west)]
            conditions += [SceneRow.south <= north, SceneRow.north >= south]
        return conditions


def search_scenes(
    session: Session,
    viewer: Viewer,
    filter: SceneFilter,  # noqa: A002  (the word of the field)
    *,
    limit: int,
    before_id: int | None = None,
    outlines: bool = False,
) -> tuple[list[SceneRow], int | None]:
    """Return a page of scenes, newest first, and the ``before_id`` of the next page (None: last page).

    Args:
        session: a read transaction.
        viewer: the current user.
        filter: conditions.
        limit: maximum number of rows.
        before_id: as returned with the previous page.
        outlines: whether footprints are loaded.
    """
    query = select(SceneRow).where(scene_visible_to(viewer), *filter.conditions())
    if before_id is not None:
        query = query.where(SceneRow.id < before_id)
    if not outlines:
        query = query.options(defer(SceneRow.outline))
    return _page(list(session.scalars(query.order_by(SceneRow.id.desc()).limit(limit + 1))), limit)


def count_scenes(session: Session, viewer: Viewer, filter: SceneFilter) -> int:  # noqa: A002
    """Count the scenes that match a filter."""
    where = [scene_visible_to(viewer), *filter.conditions()]
    return session.scalar(select(func.count()).select_from(SceneRow).where(*where)) or 0


def visible_scene(session: Session, viewer: Viewer, scene_id: int) -> SceneRow | None:
    """Return a scene with its footprint; None: it does not exist, or the viewer may not see it."""
    scene = session.get(SceneRow, scene_id) if 0 < scene_id < MAX_ID else None
    return scene if scene is not None and may_see_scene(session, viewer, scene) else None


class Extent(NamedTuple):
    """Bounding box in degrees and range of days; None where there are no data."""

    bbox: Box | None
    first: dt.date | None
    last: dt.date | None


def extent_of_scenes(session: Session, viewer: Viewer) -> Extent:
    """Return the extent of the viewer's scenes in space and time."""
    columns = (
        func.min(SceneRow.west),
        func.min(SceneRow.south),
        func.max(SceneRow.east),
        func.max(SceneRow.north),
        func.min(SceneRow.date),
        func.max(SceneRow.date),
    )
    usable = scene_visible_to(viewer), SceneRow.state == "ready"
    *bounds, first, last = session.execute(select(*columns).where(*usable)).one()
    west, south, east, north = bounds
    return Extent(None if west is None else (west, south, east, north), first, last)


def search_scans(
    session: Session,
    viewer: Viewer,
    *,
    place: str = "",
    state: str = "",
    night_id: int | None = None,
    limit: int,
    before_id: int | None = None,
) -> tuple[list[Scan], int | None]:
    """Return a page of scans, newest first, and the ``before_id`` of the next page (None: last page).

    Args:
        session: a read transaction.
        viewer: the current user.
        place: prefix of the scan's administrative code.
        state: one of :attr:`store.schema.tables.Scan.state`; "": any.
        night_id: the night that planned the scans; None: any or none.
        limit: maximum number of rows.
        before_id: as returned with the previous page.
    """
    seen = scene_visible_to(viewer, Scan.after_id, Scan.area_code)
    query = select(Scan).where(seen, starts_with(Scan.area_code, place))
    if state:
        query = query.where(Scan.state == state)
    if night_id is not None:
        query = query.where(Scan.night_id == night_id)
    if before_id is not None:
        query = query.where(Scan.id < before_id)
    return _page(list(session.scalars(query.order_by(Scan.id.desc()).limit(limit + 1))), limit)


@dataclass(frozen=True)
class NightTotals:
    """A night with its totals in the viewer's area.

    Attributes:
        night: its row; the row's summary covers all areas.
        scans: number of scans by state.
        changes: number of changes that they found.
        uncompared_m2: new ground that could not be compared, m².
    """

    night: Night
    scans: dict[str, int]
    changes: int
    uncompared_m2: float


def search_nights(
    session: Session, viewer: Viewer, *, limit: int, before: dt.date | None = None
) -> tuple[list[NightTotals], dt.date | None]:
    """Return a page of nights, newest first, and the ``before`` of the next page (None: last page)."""
    query = select(Night).order_by(Night.day.desc()).limit(limit + 1)
    nights = list(session.scalars(query.where(Night.day < before) if before is not None else query))
    shown, more = nights[:limit], len(nights) > limit
    summaries = NightSummaries(session, viewer)
    seen = []
    for night in shown:
        summary = summaries.of(night)
        uncompared_m2 = sum(ground["area_m2"] for ground in summary["uncompared"])
        seen.append(NightTotals(night, summary["states"], summary["changes"], uncompared_m2))
    return seen, shown[-1].day if more else None


def _page(rows: Sequence[Any], limit: int) -> tuple[list[Any], int | None]:
    return list(rows[:limit]), rows[limit - 1].id if len(rows) > limit else None
