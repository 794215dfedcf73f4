"""Places that suppliers of water and power must not serve. Suppliers see number, place, outline and days only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from errors import SettingsError
from store.access.rights import Viewer, starts_with, visible_to
from store.schema.chain.sharing_tables import BodyRow, ServiceStopRow
from store.schema.counters import next_number
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow
from store.sharing.bodies import SUPPLIER

SUPPLIER_FIELDS: dict[str, tuple[str, str]] = {
    "number": ("编号", "Number"),
    "place": ("场所名称", "Place"),
    "address": ("地址", "Address"),
    "lon": ("经度", "Longitude"),
    "lat": ("纬度", "Latitude"),
    "since": ("起始日期", "Since"),
    "until": ("截止日期", "Until"),
}
"""All that a supplier sees, beside the outline on a map: nothing of the alert, its parties or its case."""


def add_stop(
    session: Session,
    alert: AlertRow,
    *,
    place: str,
    address: str,
    since: dt.date,
    until: dt.date | None,
    reason: str,
    who: str,
    now: dt.datetime,
) -> ServiceStopRow:
    """Enter the place of an alert. The caller checks the rights to the alert.

    Raises:
        SettingsError: place, address or reason is missing, or the last day lies before the first.
    """
    if not (place.strip() and address.strip() and reason.strip()) or (until is not None and until < since):
        raise SettingsError(
            "A place without supply needs its name, address, reason and first day, and no last day before that.",
            "sharing.stop",
        )
    value = next_number(session, f"service stops {alert.county_code} {since.year}")
    row = ServiceStopRow(
        number=f"{alert.county_code}G{since.year}{value:04d}",
        alert_id=alert.id,
        code=alert.grid_code,
        place=place.strip()[:200],
        address=address.strip()[:400],
        since=since,
        until=until,
        reason=reason.strip()[:1000],
        entered_by=who,
        entered_at=now,
        **bounds_of(alert.outline),
    )
    session.add(row)
    session.flush()
    return row


def end_stop(session: Session, row: ServiceStopRow, *, who: str, now: dt.datetime) -> None:
    """Let the place be served again: it leaves the list of the suppliers at once."""
    if row.ended_at is None:
        row.ended_by, row.ended_at = who, now
        session.flush()


def stops_for(session: Session, body: BodyRow, today: dt.date) -> Iterator[ServiceStopRow]:
    """Generate the places in force that a supplier must not serve, by number; none for any other body."""
    if body.kind != SUPPLIER or not body.active:
        return
    query = select(ServiceStopRow).where(
        starts_with(ServiceStopRow.code, body.code),
        ServiceStopRow.ended_at.is_(None),
        ServiceStopRow.since <= today,
        or_(ServiceStopRow.until.is_(None), ServiceStopRow.until >= today),
    )
    yield from session.scalars(query.order_by(ServiceStopRow.number))


def visible_stops(session: Session, viewer: Viewer, limit: int = 500) -> list[ServiceStopRow]:
    """List all places of the viewer's area, those in force first."""
    query = select(ServiceStopRow).where(visible_to(ServiceStopRow.code, viewer))
    return list(
        session.scalars(query.order_by(ServiceStopRow.ended_at.is_not(None), ServiceStopRow.id.desc()).limit(limit))
    )


def stops_of_alert(session: Session, alert_id: int) -> list[ServiceStopRow]:
    """List the entries of an alert's place, the latest first. The caller checks the rights to the alert."""
    query = select(ServiceStopRow).where(ServiceStopRow.alert_id == alert_id)
    return list(session.scalars(query.order_by(ServiceStopRow.id.desc())))


def visible_stop(session: Session, viewer: Viewer, stop_id: int) -> ServiceStopRow | None:
    """Return one place of the viewer's area, or None."""
    return session.scalar(
        select(ServiceStopRow).where(ServiceStopRow.id == stop_id, visible_to(ServiceStopRow.code, viewer))
    )


def supplier_values(row: ServiceStopRow) -> dict[str, object]:
    """Return what a supplier sees of a place, by the names of :data:`SUPPLIER_FIELDS`."""
    centre = row.outline.centroid
    return {
        "number": row.number,
        "place": row.place,
        "address": row.address,
        "lon": round(centre.x, 7),
        "lat": round(centre.y, 7),
        "since": row.since,
        "until": row.until,
    }
