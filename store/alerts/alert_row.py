"""Creation of alert rows."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from enforcement.alert_number import alert_number, iso_week
from enforcement.states import read_states
from store.alerts.placed_changes import PlacedChange
from store.schema.counters import next_number
from store.schema.outlines import bounds_of, error_ellipse_to_json
from store.schema.tables import AlertRow


def create_alert(
    session: Session,
    placed: PlacedChange,
    *,
    kind: str,
    source: str,
    county_code: str,
    today: dt.date,
    now: dt.datetime,
) -> AlertRow:
    """Create an alert in the initial state, without observations, ranked in the current week.

    Args:
        session: a writing transaction; the row is added but not flushed.
        placed: the change, with its responsible areas and overlaps.
        kind: construction, ground or demolition.
        source: drone, satellite or camera.
        county_code: county of the alert number.
        today: local day, for the number and the week.
        now: current time.
    """
    change, placement = placed.change, placed.placement
    serial = next_number(session, f"alert:{county_code}:{source}:{today:%Y%m}")
    alert = AlertRow(
        number=alert_number(county_code, source, today, serial),
        kind=kind,
        state=read_states().initial,
        score=change.score,
        area_m2=change.area_m2,
        detected=dict(change.detected),
        source=source,
        position_error=error_ellipse_to_json(change.error),
        county_code=placement.county_code,
        township_code=placement.township_code,
        grid_code=placement.grid_code,
        also_in=placement.also_in,
        overlaps=placed.overlaps,
        legal_weight=placed.legal_weight,
        week=iso_week(today),
        seen=0,
        evidence=dict(change.evidence),
        created_at=now,
        changed_at=now,
        **bounds_of(change.outline),
    )
    session.add(alert)
    return alert
