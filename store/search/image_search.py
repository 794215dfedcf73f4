"""Scenes, scans and nights as a person may see them, page by page, the newest first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, defer

from store.access.rights import Viewer, may_see, starts_with, visible_to
from store.schema.tables import Night, Scan, SceneRow, Uncompared
from store.search.alert_filter import Box

MAX_ID = 2**63
"""From here on no database has a row; asked for one, some fail."""


@dataclass(frozen=True)
class SceneFilter:
    """Scenes that are asked for. What is left at its default asks for nothing.

    Attributes:
        place: how the code begins under which they came in.
        source: drone, satellite, camera.
        since, until: days of acquisition, both included; with either, undated scenes are left out.
        bbox: touched by the scene's bounds; west, south, east, north in degrees.
    """

    place: str = ""
    source: str = ""
    since: dt.date | None = None
    until: dt.date | None = None
    bbox: Box | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As conditions on :class:`store.schema.tables.SceneRow`."""
        made: list[ColumnElement[bool]] = [starts_with(SceneRow.area_code, self.place)]
        if self.source:
            made.append(SceneRow.source == self.source)
        if self.since is not None:
            made.append(SceneRow.date >= self.since)
        if self.until is not None:
            made.append(SceneRow.date <= self.until)
        if self.bbox is not None:
            west, south, east, north = self.bbox
            made += [SceneRow.west <= east, SceneRow.east >= west, SceneRow.south <= north, SceneRow.north >= south]
        return made


def search_scenes(
    session: Session,
    viewer: Viewer,
    filter: SceneFilter,  # noqa: A002  (the word of the field)
    *,
    limit: int,
    before_id: int | None = None,
    outlines: bool = False,
) -> tuple[list[SceneRow], int | None]:
    """Return a page of scenes, the newest first, and where the next one begins (None: this was the last).

    Args:
        session: reads.
        viewer: who asks.
        filter: which scenes.
        limit: rows of a page.
        before_id: what the page before gave.
        outlines: whether footprints are read.
    """
    query = select(SceneRow).where(visible_to(SceneRow.area_code, viewer), *filter.conditions())
    if before_id is not None:
        query = query.where(SceneRow.id < before_id)
    if not outlines:
        query = query.options(defer(SceneRow.outline))
    return _cut(list(session.scalars(query.order_by(SceneRow.id.desc()).limit(limit + 1))), limit)


def count_scenes(session: Session, viewer: Viewer, filter: SceneFilter) -> int:  # noqa: A002
    """How many scenes there are."""
    where = [visible_to(SceneRow.area_code, viewer), *filter.conditions()]
    return session.scalar(select(func.count()).select_from(SceneRow).where(*where)) or 0


def visible_scene(session: Session, viewer: Viewer, scene_id: int) -> SceneRow | None:
    """The scene, with its footprint; None: there is none, or it is not theirs."""
    scene = session.get(SceneRow, scene_id) if 0 < scene_id < MAX_ID else None
    return scene if scene is not None and may_see(viewer, scene.area_code) else None


class Extent(NamedTuple):
    """Bounds in degrees and days; None where there is nothing."""

    bbox: Box | None
    first: dt.date | None
    last: dt.date | None


def extent_of_scenes(session: Session, viewer: Viewer) -> Extent:
    """What the viewer's scenes cover."""
    columns = (
        func.min(SceneRow.west),
        func.min(SceneRow.south),
        func.max(SceneRow.east),
        func.max(SceneRow.north),
        func.min(SceneRow.date),
        func.max(SceneRow.date),
    )
    *bounds, first, last = session.execute(select(*columns).where(visible_to(SceneRow.area_code, viewer))).one()
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
    """Return a page of scans, the newest first, and where the next one begins (None: this was the last).

    Args:
        session: reads.
        viewer: who asks.
        place: how the code begins that they were done for.
        state: of :attr:`store.schema.tables.Scan.state`; "": any.
        night_id: that planned them; None: any or none.
        limit: rows of a page.
        before_id: what the page before gave.
    """
    query = select(Scan).where(visible_to(Scan.area_code, viewer), starts_with(Scan.area_code, place))
    if state:
        query = query.where(Scan.state == state)
    if night_id is not None:
        query = query.where(Scan.night_id == night_id)
    if before_id is not None:
        query = query.where(Scan.id < before_id)
    return _cut(list(session.scalars(query.order_by(Scan.id.desc()).limit(limit + 1))), limit)


@dataclass(frozen=True)
class NightTotals:
    """A night, and what it came to on the viewer's ground.

    Attributes:
        night: its row; its own summary is of all ground.
        scans: their number by state.
        changes: found by them.
        uncompared_m2: new ground that could not be compared.
    """

    night: Night
    scans: dict[str, int]
    changes: int
    uncompared_m2: float


def search_nights(
    session: Session, viewer: Viewer, *, limit: int, before: dt.date | None = None
) -> tuple[list[NightTotals], dt.date | None]:
    """Return a page of nights, the newest first, and the day before which the next one begins (None: the last)."""
    query = select(Night).order_by(Night.day.desc()).limit(limit + 1)
    nights = list(session.scalars(query.where(Night.day < before) if before is not None else query))
    shown, more = nights[:limit], len(nights) > limit
    ids = [night.id for night in shown]
    counted: dict[int, tuple[dict[str, int], int]] = {night_id: ({}, 0) for night_id in ids}
    scans = (
        select(Scan.night_id, Scan.state, func.count(), func.sum(Scan.changes))
        .where(Scan.night_id.in_(ids), visible_to(Scan.area_code, viewer))
        .group_by(Scan.night_id, Scan.state)
    )
    for night_id, state, number, changes in session.execute(scans):
        states, found = counted[night_id or 0]
        counted[night_id or 0] = ({**states, state: number}, found + int(changes))
    ground = (
        select(Uncompared.night_id, func.sum(Uncompared.area_m2))
        .where(Uncompared.night_id.in_(ids), visible_to(Uncompared.area_code, viewer))
        .group_by(Uncompared.night_id)
    )
    missed = {night_id: float(area) for night_id, area in session.execute(ground)}
    seen = [NightTotals(night, *counted[night.id], missed.get(night.id, 0.0)) for night in shown]
    return seen, shown[-1].day if more else None


def _cut(rows: Sequence[Any], limit: int) -> tuple[list[Any], int | None]:
    return list(rows[:limit]), rows[limit - 1].id if len(rows) > limit else None
