"""Outlines of alerts, and the area boundaries around one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.areas import NamedArea
from store.access.rights import Viewer, visible_to
from store.schema.outlines import bounds_intersect
from store.schema.tables import AlertRow, Area

_MARGIN = 0.02  # degrees, two kilometres: a location map shows no more


def areas_around(
    session: Session,
    viewer: Viewer,
    alert: AlertRow,
    *,
    extent: Literal["alert", "area"] = "alert",
    tolerance: float = 0,
    limit: int | None = None,
) -> list[NamedArea]:
    """List the boundaries for a map of an alert: the areas that contain it, then the viewer's areas near it.

    Other areas that the viewer may not see are left out.

    Args:
        session: a read transaction.
        viewer: the current user.
        alert: an alert that the viewer may see.
        extent: include neighbours whose bounds touch those of the alert's smallest area (``area``), or that are within
            two kilometres of the alert (``alert``).
        tolerance: maximum deviation of the simplified outlines, degrees; 0: not simplified.
        limit: maximum number of areas; None: all.

    Returns:
        the areas that contain the alert, smallest first, then its neighbours by code; outlines in longitude, latitude.
    """
    codes = {code for code in (alert.grid_code, alert.township_code, alert.county_code) if code}
    areas = list(session.scalars(select(Area).where(Area.code.in_(codes)).order_by(Area.code.desc())))
    if extent == "area":
        region = areas[0].outline if areas else alert.outline
    else:
        region = box(alert.west - _MARGIN, alert.south - _MARGIN, alert.east + _MARGIN, alert.north + _MARGIN)
    neighbours = select(Area).where(
        visible_to(Area.code, viewer), bounds_intersect(Area, region), Area.code.not_in(codes)
    )
    remaining = None if limit is None else max(limit - len(areas), 0)
    areas += session.scalars(neighbours.order_by(Area.code).limit(remaining))
    return [NamedArea(area.code, area.name, area.level, _simplify(area.outline, tolerance)) for area in areas]


def outlines_of(session: Session, alert_ids: Collection[int]) -> dict[int, BaseGeometry]:
    """Return the outlines of alerts by id; longitude, latitude."""
    rows = session.execute(select(AlertRow.id, AlertRow.outline).where(AlertRow.id.in_(alert_ids)))
    return {alert_id: outline for alert_id, outline in rows}  # noqa: C416  (rows are no pairs to a type checker)


def _simplify(outline: BaseGeometry, tolerance: float) -> BaseGeometry:
    return outline.simplify(tolerance) if tolerance else outline
