"""Search for alerts by a filter: pages, counts and neighbours. Outlines are not loaded.

Every query takes the viewer and is restricted to the alerts that the viewer may see.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.overlaps import shares_by_kind
from store.access.rights import Viewer, may_see, visible_to
from store.alerts.locks import lock_holders
from store.alerts.sites import count_site_alerts
from store.areas.areas import area_names
from store.schema.tables import AlertRow
from store.search.alert_columns import all_alerts
from store.search.alert_counts import filter_mask, find_neighbours, order_columns, visible_mask
from store.search.alert_filter import PARAMETERS, SORTS, AlertFilter, Box, Sort, parse_bbox
from store.search.alert_map import AlertOutline, MapCluster, MapPoint, alert_outlines, alerts_on_map
from store.search.alert_order import ORDERS, after_position, decode_cursor, encode_cursor, from_start

__all__ = [
    "PARAMETERS",
    "SORTS",
    "AlertFilter",
    "AlertListItem",
    "AlertOutline",
    "AlertPage",
    "Box",
    "Facets",
    "MapCluster",
    "MapPoint",
    "Neighbours",
    "Sort",
    "alert_by_number",
    "alert_outlines",
    "alerts_on_map",
    "count_alerts",
    "facets",
    "find_list_item",
    "list_items",
    "neighbours",
    "parse_bbox",
    "search_alerts",
]

_FIELDS = (
    AlertRow.id,
    AlertRow.number,
    AlertRow.kind,
    AlertRow.change_type,
    AlertRow.state,
    AlertRow.score,
    AlertRow.area_m2,
    AlertRow.grid_code,
    AlertRow.township_code,
    AlertRow.county_code,
    AlertRow.legal_weight,
    AlertRow.rank,
    AlertRow.seen,
    AlertRow.sources_seen,
    AlertRow.first_date,
    AlertRow.last_date,
    AlertRow.due_on,
    AlertRow.assignee,
    AlertRow.site,
    AlertRow.over_cap,
    AlertRow.overlaps,
    AlertRow.west,
    AlertRow.south,
    AlertRow.east,
    AlertRow.north,
    AlertRow.evidence,
    AlertRow.created_at,
)


@dataclass(frozen=True)
class AlertListItem:
    """An alert as a row of a list, with the columns of :class:`store.schema.tables.AlertRow` and:

    Attributes:
        grid_name: name of the smallest responsible area; "" if unknown.
        overlaps: kinds of the layers that it overlaps → share, 0…1; layers without an overlap are left out.
        evidence: pictures: name → object key.
        centre: centre of its bounds; longitude, latitude.
        locked_by: login of the user who has it open; "": not open.
        site_alerts: number of open alerts of its site that the viewer may see; 0: it is in none.
    """

    id: int
    number: str
    kind: str
    change_type: str
    state: str
    score: float
    area_m2: float
    grid_code: str
    township_code: str
    county_code: str
    legal_weight: int
    rank: int | None
    seen: int
    sources_seen: int
    first_date: dt.date | None
    last_date: dt.date | None
    due_on: dt.date | None
    assignee: str
    site: str
    over_cap: bool
    overlaps: Mapping[str, float]
    west: float
    south: float
    east: float
    north: float
    evidence: Mapping[str, str]
    created_at: dt.datetime
    grid_name: str
    locked_by: str
    site_alerts: int

    @property
    def centre(self) -> tuple[float, float]:
        """Longitude, latitude."""
        return (self.west + self.east) / 2, (self.south + self.north) / 2


@dataclass(frozen=True)
class AlertPage:
    """One page of a list. ``after`` is the cursor of the next page; None on the last page."""

    rows: tuple[AlertListItem, ...]
    after: str | None


class Facets(NamedTuple):
    """Number of alerts of each state and each kind; those without alerts are left out."""

    states: dict[str, int]
    kinds: dict[str, int]


class Neighbours(NamedTuple):
    """The alerts before and after one in a list.

    Attributes:
        previous, next: their numbers; None at the ends.
        position: its place in the list, from 1; None: it is not in the list.
        total: number of alerts in the list.
    """

    previous: str | None
    next: str | None
    position: int | None
    total: int


def search_alerts(
    session: Session,
    viewer: Viewer,
    filter: AlertFilter,  # noqa: A002  (the word of the field)
    *,
    limit: int = 50,
    after: str | None = None,
    now: dt.datetime | None = None,
) -> AlertPage:
    """Return a page of alerts in the filter's order.

    Args:
        session: a read transaction.
        viewer: the current user.
        filter: conditions and order.
        limit: maximum number of rows.
        after: :attr:`AlertPage.after` of the previous page; None or "": start at the beginning.
        now: time at which locks are evaluated; None: the current time.

    Raises:
        SettingsError: ``after`` is not a cursor of a list in this order.
    """
    where = [visible_to(AlertRow.grid_code, viewer), *filter.conditions(session)]
    found: list[Any] = []
    for part in after_position(filter.sort, decode_cursor(filter.sort, after)) if after else [from_start(filter.sort)]:
        query = select(*_FIELDS).where(*where, part.condition).order_by(*part.order)
        found += session.execute(query.limit(limit + 1 - len(found)))
        if len(found) > limit:
            break
    rows = _rows(session, viewer, found[:limit], now or dt.datetime.now(dt.UTC))
    last = found[limit - 1] if len(found) > limit else None
    position = [getattr(last, key.column.key) for key in ORDERS[filter.sort]] if last is not None else []
    return AlertPage(rows, encode_cursor(filter.sort, position) if last is not None else None)


def count_alerts(session: Session, viewer: Viewer, filter: AlertFilter, limit: int = 10_000) -> int:  # noqa: A002
    """Count the alerts that match a filter, at most ``limit``."""
    alerts = all_alerts(session)
    return min(limit, int(np.count_nonzero(visible_mask(alerts, viewer) & filter_mask(alerts, filter))))


def facets(session: Session, viewer: Viewer, filter: AlertFilter) -> Facets:  # noqa: A002
    """Count the alerts of each state, ignoring the filter's states, and of each kind, ignoring its kinds."""
    alerts = all_alerts(session)
    found = visible_mask(alerts, viewer) & filter_mask(alerts, filter, exclude=("states", "kinds"))
    all_states, all_kinds = alerts.categories["state"].names, alerts.categories["kind"].names
    # one bin for each pair of state and kind
    counted = np.bincount(alerts.state[found] * len(all_kinds) + alerts.kind[found])
    states: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for pair in np.flatnonzero(counted).tolist():
        state, kind = all_states[pair // len(all_kinds)], all_kinds[pair % len(all_kinds)]
        if not filter.kinds or kind in filter.kinds:
            states[state] += int(counted[pair])
        if not filter.states or state in filter.states:
            kinds[kind] += int(counted[pair])
    return Facets(dict(states), dict(kinds))


def neighbours(session: Session, viewer: Viewer, filter: AlertFilter, number: str) -> Neighbours:  # noqa: A002
    """Find the alerts before and after one in the filter's order.

    The alert itself need not match the filter: it may just have been judged.
    """
    own = session.scalar(select(AlertRow.id).where(AlertRow.number == number, visible_to(AlertRow.grid_code, viewer)))
    alerts = all_alerts(session)
    index = np.flatnonzero(alerts.id == own) if own is not None else np.empty(0, np.int64)
    if not index.size:
        return Neighbours(None, None, None, 0)
    among = visible_mask(alerts, viewer) & filter_mask(alerts, filter)
    before, after, preceding = find_neighbours(order_columns(alerts, filter.sort), int(index[0]), among)
    ends = [None if one is None else str(alerts.number[one]) for one in (before, after)]
    listed = bool(among[index[0]])
    return Neighbours(ends[0], ends[1], preceding + 1 if listed else None, int(np.count_nonzero(among)))


def find_list_item(session: Session, viewer: Viewer, number: str, now: dt.datetime) -> AlertListItem | None:
    """Return one alert as a row of a list; None: it does not exist, or the viewer may not see it."""
    own = select(*_FIELDS).where(AlertRow.number == number, visible_to(AlertRow.grid_code, viewer))
    return next(iter(_rows(session, viewer, session.execute(own).all(), now)), None)


def list_items(session: Session, viewer: Viewer, alert_ids: Sequence[int], now: dt.datetime) -> list[AlertListItem]:
    """Return alerts as rows of a list, in the given order; those that the viewer may not see are left out."""
    query = select(*_FIELDS).where(AlertRow.id.in_(alert_ids), visible_to(AlertRow.grid_code, viewer))
    found = {row.id: row for row in _rows(session, viewer, session.execute(query).all(), now)}
    return [found[alert_id] for alert_id in alert_ids if alert_id in found]


def alert_by_number(session: Session, viewer: Viewer, number: str) -> AlertRow | None:
    """Return an alert with its outline; None: it does not exist, or the viewer may not see it."""
    alert = session.scalar(select(AlertRow).where(AlertRow.number == number))
    return alert if alert is not None and may_see(viewer, alert.grid_code) else None


def _rows(session: Session, viewer: Viewer, found: Sequence[Any], now: dt.datetime) -> tuple[AlertListItem, ...]:
    # queried for this page only: joined, they would be looked up for every row that the scan passes
    names = area_names(session, {row.grid_code for row in found})
    locks = lock_holders(session, [row.id for row in found], now)
    sites = count_site_alerts(session, viewer, {row.site for row in found})
    rows = []
    for row in found:
        values = row._asdict()
        values["overlaps"] = {kind: share for kind, share in shares_by_kind(row.overlaps).items() if share}
        lock = locks.get(row.id)
        rows.append(
            AlertListItem(
                **values,
                grid_name=names.get(row.grid_code, ""),
                locked_by=lock.login if lock else "",
                site_alerts=sites.get(row.site, 0),
            )
        )
    return tuple(rows)
