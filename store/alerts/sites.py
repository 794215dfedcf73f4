"""Sites: open alerts close to each other, like a factory with its yard, which are reviewed together."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import shapely
from shapely.geometry import box
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from enforcement.ledger.metric_plane import MetricPlane
from enforcement.position_uncertainty import METRES_PER_DEGREE
from enforcement.states import read_states
from store.access.rights import Viewer, visible_to
from store.schema.outlines import bounds_intersect
from store.schema.tables import AlertRow

_MAX_ALERTS = 200  # of one site; a chain of neighbours through a whole town is none


def update_sites(session: Session, alerts: Iterable[AlertRow], distance_m: float) -> None:
    """Group open alerts again around some that are new or changed.

    A site is named after its alert with the lowest number; an alert alone is no site.

    Args:
        session: a writing transaction.
        alerts: new and changed alerts.
        distance_m: largest gap between two alerts of one site; 0: no sites.
    """
    session.flush()
    done: set[int] = set()
    for alert in alerts:
        if alert.id in done:
            continue
        if alert.state not in read_states().open or distance_m <= 0:
            alert.site = ""
            continue
        site = _neighbourhood(session, alert, distance_m)
        done |= {member.id for member in site}
        name = min(member.number for member in site) if len(site) > 1 else ""
        for member in site:
            if member.site != name:
                member.site = name
    session.flush()


def site_alerts(session: Session, alert: AlertRow) -> list[AlertRow]:
    """Return the open alerts of an alert's site, by number; empty if it is alone."""
    if not alert.site:
        return []
    query = select(AlertRow).where(AlertRow.site == alert.site, AlertRow.state.in_(read_states().open))
    members = list(session.scalars(query.order_by(AlertRow.number)))
    return members if len(members) > 1 else []


def count_site_alerts(session: Session, viewer: Viewer, sites: Collection[str]) -> dict[str, int]:
    """Return the number of open alerts of each site that a user may see; sites with only one of them are left out."""
    named = set(sites) - {""}
    query = (
        select(AlertRow.site, func.count())
        .where(AlertRow.site.in_(named), AlertRow.state.in_(read_states().open), visible_to(AlertRow.grid_code, viewer))
        .group_by(AlertRow.site)
    )
    return {site: count for site, count in session.execute(query) if count > 1} if named else {}


def touching_alerts(session: Session, alert: AlertRow, distance_m: float) -> list[AlertRow]:
    """Return other open alerts that touch an alert, by number: a person may merge them."""
    found = [other for other in _close(session, alert, distance_m) if other.id != alert.id]
    return sorted(found, key=lambda other: other.number)


def _neighbourhood(session: Session, alert: AlertRow, distance_m: float) -> list[AlertRow]:
    """Return all open alerts that a chain of gaps of at most ``distance_m`` connects with an alert."""
    site = {alert.id: alert}
    waiting = [alert]
    while waiting and len(site) < _MAX_ALERTS:
        for other in _close(session, waiting.pop(), distance_m):
            if other.id not in site:
                site[other.id] = other
                waiting.append(other)
    return list(site.values())


def _close(session: Session, alert: AlertRow, distance_m: float) -> list[AlertRow]:
    margin = 3 * distance_m / METRES_PER_DEGREE  # a degree of longitude is shorter, by up to this factor
    west, south, east, north = alert.outline.bounds
    around = box(west - margin, south - margin, east + margin, north + margin)
    query = select(AlertRow).where(bounds_intersect(AlertRow, around), AlertRow.state.in_(read_states().open))
    plane = MetricPlane([alert.outline])
    outline = plane.metres(alert.outline)
    return [
        other for other in session.scalars(query) if shapely.dwithin(plane.metres(other.outline), outline, distance_m)
    ]
