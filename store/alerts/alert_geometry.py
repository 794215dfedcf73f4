"""Where alerts are: their outlines, and the boundaries around one."""

from __future__ import annotations

from collections.abc import Collection

from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.areas import NamedArea
from store.access.rights import Viewer, may_see
from store.schema.outlines import bounds_intersect
from store.schema.tables import AlertRow, Area

_AROUND = 0.02  # degrees, two kilometres: a location map shows no more


def areas_around(session: Session, viewer: Viewer, alert: AlertRow) -> list[NamedArea]:
    """Areas whose bounds lie on or near an alert, by code: the viewer's, and those that these and the alert lie in."""
    around = box(alert.west - _AROUND, alert.south - _AROUND, alert.east + _AROUND, alert.north + _AROUND)
    rows = session.scalars(select(Area).where(bounds_intersect(Area, around)).order_by(Area.code))
    return [
        NamedArea(area.code, area.name, area.level, area.outline)
        for area in rows
        if may_see(viewer, area.code) or alert.grid_code.startswith(area.code) or viewer.code.startswith(area.code)
    ]


def outlines_of(session: Session, alert_ids: Collection[int]) -> dict[int, BaseGeometry]:
    """Outlines of alerts by id; longitude, latitude."""
    rows = session.execute(select(AlertRow.id, AlertRow.outline).where(AlertRow.id.in_(alert_ids)))
    return {alert_id: outline for alert_id, outline in rows}  # noqa: C416  (rows are no pairs to a type checker)
