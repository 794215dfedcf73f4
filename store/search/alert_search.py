"""Leads found by a filter: page by page, counted, and one after the other. Outlines are not loaded.

What a person may not see is not there: every question takes the viewer, and adds the condition on their code.
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

from store.access.rights import Viewer, may_see, under
from store.alerts.alert_columns import all_leads
from store.alerts.locks import holders
from store.areas.areas import area_names
from store.schema.tables import Alert
from store.search.alert_counts import asked, beside, keys_of, theirs
from store.search.alert_filter import PARAMETERS, SORTS, AlertFilter, Box, Sort, bbox_of
from store.search.alert_map import AlertOutline, MapCluster, MapPoint, alert_outlines, alerts_on_map
from store.search.alert_order import ORDERS, beyond, cursor_of, place_of, whole

__all__ = [
    "PARAMETERS",
    "SORTS",
    "AlertFilter",
    "AlertOutline",
    "AlertPage",
    "AlertRow",
    "Box",
    "Facets",
    "MapCluster",
    "MapPoint",
    "Neighbours",
    "Sort",
    "alert_by_number",
    "alert_outlines",
    "alerts_on_map",
    "bbox_of",
    "count_alerts",
    "facets",
    "neighbours",
    "row_of",
    "search_alerts",
]

_FIELDS = (
    Alert.id,
    Alert.number,
    Alert.kind,
    Alert.change_type,
    Alert.state,
    Alert.score,
    Alert.area_m2,
    Alert.grid_code,
    Alert.township_code,
    Alert.county_code,
    Alert.legal_weight,
    Alert.rank,
    Alert.seen,
    Alert.sources_seen,
    Alert.first_date,
    Alert.last_date,
    Alert.due_on,
    Alert.assignee,
    Alert.over_cap,
    Alert.overlaps,
    Alert.west,
    Alert.south,
    Alert.east,
    Alert.north,
    Alert.evidence,
    Alert.created_at,
)


@dataclass(frozen=True)
class AlertRow:
    """A lead as a list shows it. Called as the columns of :class:`store.schema.tables.Alert`, besides:

    Attributes:
        grid_name: of the smallest area that answers for it; "" where none is known.
        overlaps: kinds of the layers that it overlaps; of those that were looked at and are not there nothing.
        evidence: pictures: name → key of the object.
        centre: of its bounds; longitude, latitude.
        locked_by: login of who has it open now; "" nobody.
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
    over_cap: bool
    overlaps: tuple[str, ...]
    west: float
    south: float
    east: float
    north: float
    evidence: Mapping[str, str]
    created_at: dt.datetime
    grid_name: str
    locked_by: str

    @property
    def centre(self) -> tuple[float, float]:
        """Longitude, latitude."""
        return (self.west + self.east) / 2, (self.south + self.north) / 2


@dataclass(frozen=True)
class AlertPage:
    """Part of a list; ``after`` is where the next page begins, None on the last one."""

    rows: tuple[AlertRow, ...]
    after: str | None


class Facets(NamedTuple):
    """How many leads there are of each state and each kind; names without any are left out."""

    states: dict[str, int]
    kinds: dict[str, int]


class Neighbours(NamedTuple):
    """Numbers of the leads before and after one, None at the ends; its place from 1, None: no such lead."""

    previous: str | None
    next: str | None
    position: int | None


def search_alerts(
    session: Session,
    viewer: Viewer,
    filter: AlertFilter,  # noqa: A002  (the word of the field)
    *,
    limit: int = 50,
    after: str | None = None,
    now: dt.datetime | None = None,
) -> AlertPage:
    """Return a page of leads in the filter's order.

    Args:
        session: reads.
        viewer: who asks.
        filter: which, and their order.
        limit: rows of a page.
        after: :attr:`AlertPage.after` of the page before; None or "": from the beginning.
        now: at which locks are looked at; None: this moment.

    Raises:
        SettingsError: ``after`` is not of a list in this order.
    """
    where = [under(Alert.grid_code, viewer), *filter.conditions(session)]
    found: list[Any] = []
    for part in beyond(filter.sort, place_of(filter.sort, after)) if after else [whole(filter.sort)]:
        query = select(*_FIELDS).where(*where, part.condition).order_by(*part.order)
        found += session.execute(query.limit(limit + 1 - len(found)))
        if len(found) > limit:
            break
    rows = _rows(session, found[:limit], now or dt.datetime.now(dt.UTC))
    last = found[limit - 1] if len(found) > limit else None
    place = [getattr(last, key.column.key) for key in ORDERS[filter.sort]] if last is not None else []
    return AlertPage(rows, cursor_of(filter.sort, place) if last is not None else None)


def count_alerts(session: Session, viewer: Viewer, filter: AlertFilter, most: int = 10_000) -> int:  # noqa: A002
    """How many there are; ``most``: so many or more, as counting on would take long and tell nobody anything."""
    leads = all_leads(session)
    return min(most, int(np.count_nonzero(theirs(leads, viewer) & asked(leads, filter))))


def facets(session: Session, viewer: Viewer, filter: AlertFilter) -> Facets:  # noqa: A002
    """How many leads there are of each state, whatever states the filter asks for, and likewise of each kind."""
    leads = all_leads(session)
    found = theirs(leads, viewer) & asked(leads, filter, leave_out=("states", "kinds"))
    all_states, all_kinds = leads.words["state"].all, leads.words["kind"].all
    # one number for each pair of state and kind
    counted = np.bincount(leads.state[found] * len(all_kinds) + leads.kind[found])
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
    """The leads before and after one in the filter's order.

    The lead itself may be one that the filter does not ask for, or no longer: it has just been judged.
    """
    own = session.scalar(select(Alert.id).where(Alert.number == number, under(Alert.grid_code, viewer)))
    leads = all_leads(session)
    place = np.flatnonzero(leads.id == own) if own is not None else np.empty(0, np.int64)
    if not place.size:
        return Neighbours(None, None, None)
    among = theirs(leads, viewer) & asked(leads, filter)
    before, after, so_many = beside(keys_of(leads, filter.sort), int(place[0]), among)
    ends = [None if one is None else str(leads.number[one]) for one in (before, after)]
    return Neighbours(ends[0], ends[1], so_many + 1)


def row_of(session: Session, viewer: Viewer, number: str, now: dt.datetime) -> AlertRow | None:
    """One lead as a list shows it; None: there is none, or it is not theirs."""
    own = select(*_FIELDS).where(Alert.number == number, under(Alert.grid_code, viewer))
    return next(iter(_rows(session, session.execute(own).all(), now)), None)


def alert_by_number(session: Session, viewer: Viewer, number: str) -> Alert | None:
    """The lead, with its outline; None: there is none, or it is not theirs."""
    alert = session.scalar(select(Alert).where(Alert.number == number))
    return alert if alert is not None and may_see(viewer, alert.grid_code) else None


def _rows(session: Session, found: Sequence[Any], now: dt.datetime) -> tuple[AlertRow, ...]:
    # names and locks for the page alone: joined, they would be looked up for all leads that the order passes by
    names = area_names(session, {row.grid_code for row in found})
    locks = holders(session, [row.id for row in found], now)
    rows = []
    for row in found:
        values = row._asdict()
        values["overlaps"] = tuple(
            dict.fromkeys(str(overlap["kind"]) for overlap in row.overlaps if overlap.get("share"))
        )
        lock = locks.get(row.id)
        rows.append(AlertRow(**values, grid_name=names.get(row.grid_code, ""), locked_by=lock.login if lock else ""))
    return tuple(rows)
