"""List tips that a user may see, and find those near a place. Informants are never searched or listed."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from pyproj import Geod
from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, defer

from enforcement.position_uncertainty import METRES_PER_DEGREE
from enforcement.states import read_states
from enforcement.tips.tip_states import OPEN, STATES
from store.access.rights import Viewer, visible_region, visible_to
from store.schema.chain.tip_tables import TipRow
from store.schema.outlines import bounds_intersect
from store.schema.tables import AlertRow
from store.tips.waiting_tips import is_overdue

_GEOD = Geod(ellps="GRS80")


@dataclass(frozen=True)
class TipFilter:
    """Which tips are listed; empty values: all.

    Attributes:
        state: a state, ``open`` or ``overdue``.
        channel: a channel.
        text: part of the number, the place, the reported party or the summary.
        mine: login of the handler.
    """

    state: str = ""
    channel: str = ""
    text: str = ""
    mine: str = ""


@dataclass(frozen=True)
class NearbyTip:
    """A tip near a place, with its distance in metres."""

    tip: TipRow
    metres: float


@dataclass(frozen=True)
class NearbyAlert:
    """An alert near a place: its distance in metres, 0 inside, and whether it is open."""

    alert: AlertRow
    metres: float
    open: bool


def may_see_place(session: Session, viewer: Viewer, lon: float, lat: float) -> bool:
    """Return whether a place lies in the viewer's area."""
    region = visible_region(session, viewer)
    return region is None or bool(region.intersects(shapely.Point(lon, lat)))


def visible_tip(session: Session, viewer: Viewer, tip_id: int, *, lock: bool = False) -> TipRow | None:
    """Return a tip that the viewer may see; None: there is none for this viewer."""
    query = select(TipRow).where(TipRow.id == tip_id, visible_to(TipRow.area_code, viewer))
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return session.scalar(query)


def list_tips(
    session: Session,
    viewer: Viewer,
    wanted: TipFilter,
    today: dt.date,
    *,
    before_id: int | None = None,
    limit: int = 50,
) -> list[TipRow]:
    """List tips, newest first; keyset pagination by ``before_id``."""
    query = select(TipRow).where(visible_to(TipRow.area_code, viewer), *_conditions(wanted, today))
    if before_id is not None:
        query = query.where(TipRow.id < before_id)
    return list(session.scalars(query.options(defer(TipRow.informant)).order_by(TipRow.id.desc()).limit(limit)))


def count_tips(session: Session, viewer: Viewer, today: dt.date) -> dict[str, int]:
    """Return the number of tips by state, with ``open`` and ``overdue``."""
    visible = visible_to(TipRow.area_code, viewer)
    rows = session.execute(select(TipRow.state, func.count()).where(visible).group_by(TipRow.state))
    counts = dict.fromkeys(STATES, 0) | {state: count for state, count in rows}  # noqa: C416
    counts["open"] = sum(counts[state] for state in OPEN)
    late = select(func.count()).select_from(TipRow).where(visible, *_conditions(TipFilter("overdue"), today))
    counts["overdue"] = session.scalar(late) or 0
    return counts


def tips_of_alert(session: Session, viewer: Viewer, alert_id: int) -> list[TipRow]:
    """List the tips that led to an alert, which the viewer may see, oldest first."""
    query = select(TipRow).where(TipRow.alert_id == alert_id, visible_to(TipRow.area_code, viewer))
    return list(session.scalars(query.options(defer(TipRow.informant)).order_by(TipRow.id)))


def tips_near(
    session: Session, viewer: Viewer, lon: float, lat: float, metres: float, *, besides: int | None = None
) -> list[NearbyTip]:
    """List the tips within a distance of a place, nearest first."""
    west, south, east, north = _around(lon, lat, metres)
    query = select(TipRow).where(
        visible_to(TipRow.area_code, viewer), TipRow.lon.between(west, east), TipRow.lat.between(south, north)
    )
    if besides is not None:
        query = query.where(TipRow.id != besides)
    found = []
    for tip in session.scalars(query.options(defer(TipRow.informant)).order_by(TipRow.id.desc()).limit(200)):
        distance = _GEOD.inv(lon, lat, tip.lon, tip.lat)[2]
        if distance <= metres + tip.radius_m:
            found.append(NearbyTip(tip, distance))
    return sorted(found, key=lambda near: near.metres)[:20]


def alerts_near(session: Session, viewer: Viewer, lon: float, lat: float, metres: float) -> list[NearbyAlert]:
    """List the alerts within a distance of a place, nearest first, open ones before others."""
    states = read_states()
    gone = [name for name in states.states if states.category(name) == "gone"]
    box = shapely.box(*_around(lon, lat, metres))
    query = select(AlertRow).where(
        bounds_intersect(AlertRow, box), AlertRow.state.not_in(gone), visible_to(AlertRow.grid_code, viewer)
    )
    point = shapely.Point(lon, lat)
    found = []
    for alert in session.scalars(query.limit(500)):
        nearest = shapely.shortest_line(point, alert.outline)
        distance = float(_GEOD.geometry_length(nearest)) if nearest is not None else math.inf
        if distance <= metres:
            found.append(NearbyAlert(alert, distance, alert.state in states.open))
    return sorted(found, key=lambda near: (not near.open, near.metres))[:20]


def _around(lon: float, lat: float, metres: float) -> tuple[float, float, float, float]:
    north = metres / METRES_PER_DEGREE * 1.01
    east = north / max(math.cos(math.radians(lat)), 0.01)
    return lon - east, lat - north, lon + east, lat + north


def _conditions(wanted: TipFilter, today: dt.date) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.state == "open":
        found.append(TipRow.state.in_(OPEN))
    elif wanted.state == "overdue":
        found.append(is_overdue(today))
    elif wanted.state:
        found.append(TipRow.state == wanted.state)
    if wanted.channel:
        found.append(TipRow.channel == wanted.channel)
    if wanted.mine:
        found.append(TipRow.handler == wanted.mine)
    if wanted.text.strip():
        part = wanted.text.strip()[:100]
        columns = (TipRow.number, TipRow.place, TipRow.reported_party, TipRow.summary)
        found.append(or_(*(column.icontains(part, autoescape=True) for column in columns)))
    return found
