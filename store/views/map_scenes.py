"""Scenes on the map."""

from __future__ import annotations

import datetime as dt

from shapely.geometry import box
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.access.rights import Viewer, scene_visible_to
from store.schema.outlines import bounds_intersect
from store.schema.tables import SceneRow
from store.search.alert_filter import Box


def scenes_in_box(
    session: Session,
    viewer: Viewer,
    bbox: Box,
    *,
    since: dt.date | None = None,
    until: dt.date | None = None,
    limit: int = 200,
) -> list[SceneRow]:
    """List the scenes whose bounds touch ``bbox``, latest first, undated ones last.

    Args:
        session: a read transaction.
        viewer: the current user.
        bbox: west, south, east, north in degrees.
        since: first acquisition day; ``since`` and ``until`` leave out undated scenes.
        until: last acquisition day, inclusive.
        limit: maximum number of scenes.
    """
    usable = scene_visible_to(viewer), SceneRow.state == "ready"
    query = select(SceneRow).where(bounds_intersect(SceneRow, box(*bbox)), *usable)
    if since is not None:
        query = query.where(SceneRow.date >= since)
    if until is not None:
        query = query.where(SceneRow.date <= until)
    order = (SceneRow.date.is_(None), SceneRow.date.desc(), SceneRow.id.desc())
    return list(session.scalars(query.order_by(*order).limit(limit)))
