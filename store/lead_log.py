"""What is told of one lead beside the lead itself: its steps as the chain they are, and the boundaries around it."""

from __future__ import annotations

from collections.abc import Collection

from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.areas import NamedArea
from enforcement.chain import Row
from store.alert_search import AlertFilter, AlertRow, alert_by_number, search_alerts
from store.outlines import near
from store.rights import Viewer, may_see
from store.tables import Alert, Area, Transition

_AROUND = 0.02  # degrees, two kilometres: a location map shows no more


def log_of(session: Session, alert: Alert) -> list[Row]:
    """The steps of a lead, oldest first, with what was hashed of each."""
    steps = session.scalars(
        select(Transition).where(Transition.alert_id == alert.id).order_by(Transition.sequence)
    ).all()
    return [
        Row(
            step.sequence,
            {
                "alert": alert.number,
                "sequence": step.sequence,
                "at": step.at,
                "who": step.who,
                "role": step.role,
                "from_state": step.from_state,
                "to_state": step.to_state,
                "why": step.why,
                "evidence": step.evidence,
            },
            step.previous_hash,
            step.hash,
        )
        for step in steps
    ]


def areas_around(session: Session, viewer: Viewer, alert: Alert) -> list[NamedArea]:
    """Areas whose bounds lie on or near a lead, by code: the viewer's, and those that these and the lead lie in."""
    around = box(alert.west - _AROUND, alert.south - _AROUND, alert.east + _AROUND, alert.north + _AROUND)
    rows = session.scalars(select(Area).where(near(Area, around)).order_by(Area.code))
    return [
        NamedArea(area.code, area.name, area.level, area.outline)
        for area in rows
        if may_see(viewer, area.code) or alert.grid_code.startswith(area.code) or viewer.code.startswith(area.code)
    ]


def outlines_of(session: Session, alert_ids: Collection[int]) -> dict[int, BaseGeometry]:
    """Outlines of leads by id; longitude, latitude."""
    rows = session.execute(select(Alert.id, Alert.outline).where(Alert.id.in_(alert_ids)))
    return {alert_id: outline for alert_id, outline in rows}  # noqa: C416  (rows are no pairs to a type checker)


def row_of(session: Session, viewer: Viewer, number: str) -> AlertRow | None:
    """One lead as a list shows it; None: there is none, or it is not theirs."""
    alert = alert_by_number(session, viewer, number)
    if alert is None:
        return None
    here = AlertFilter(text=number, bbox=(alert.west, alert.south, alert.east, alert.north))
    return next((row for row in search_alerts(session, viewer, here, limit=100).rows if row.id == alert.id), None)
