"""Alerts counted and put in order by a filter: the same conditions as those of a query, on columns in memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enforcement.states import read_states
from store.access.rights import Viewer
from store.alerts.alert_columns import NO_DAY, AlertColumns, Mask, micros
from store.search.alert_filter import AlertFilter, Box, Sort
from store.search.alert_order import ORDERS


def theirs(alerts: AlertColumns, viewer: Viewer) -> Mask:
    """Those that lie under the viewer's code, as :func:`store.access.rights.under`."""
    return _begins(alerts, viewer.code)


def asked(alerts: AlertColumns, filter: AlertFilter, leave_out: Collection[str] = ()) -> Mask:  # noqa: A002
    """Those that a filter asks for, as :meth:`store.search.alert_filter.AlertFilter.conditions`."""
    mask = np.ones(len(alerts.id), np.bool_)
    for name, condition in _CONDITIONS.items():
        value = getattr(filter, name)
        if name not in leave_out and value is not None and value not in ("", ()):
            mask &= condition(alerts, value, filter.zone)
    return mask


def touching(alerts: AlertColumns, bbox: Box) -> Mask:
    """Those whose bounds touch a box, as :func:`store.search.alert_filter.touches`."""
    west, south, east, north = bbox
    return (alerts.west <= east) & (alerts.east >= west) & (alerts.south <= north) & (alerts.north >= south)


def keys_of(alerts: AlertColumns, sort: Sort) -> list[NDArray[Any]]:
    """The columns of an order, turned so that the smallest comes first."""
    columns = []
    for key in ORDERS[sort]:
        column = getattr(alerts, key.column.key)
        if key.nullable:  # the empty ones last
            column = np.where(column == NO_DAY, np.iinfo(np.int64).max, column)
        columns.append(-column if key.down else column)
    return columns


def beside(keys: Sequence[NDArray[Any]], place: int, among: Mask) -> tuple[int | None, int | None, int]:
    """The nearest before and after one in an order, each by its index or None, and how many come before it.

    Args:
        keys: columns of the order (:func:`keys_of`).
        place: index of the one, which need not be among them.
        among: those that are looked at.
    """
    before, same = np.zeros(len(among), np.bool_), among.copy()
    for key in keys:
        before |= same & (key < key[place])
        same &= key == key[place]
    after = among & ~before
    after[place] = False
    return _end(keys, before, np.max), _end(keys, after, np.min), int(np.count_nonzero(before))


def _end(keys: Sequence[NDArray[Any]], among: Mask, best: Callable[[NDArray[Any]], Any]) -> int | None:
    left = np.flatnonzero(among)
    for key in keys:
        if len(left) <= 1:
            break
        values = key[left]
        left = left[values == best(values)]
    return int(left[0]) if len(left) else None


def _begins(alerts: AlertColumns, code: str) -> Mask:
    if not code:
        return np.ones(len(alerts.id), np.bool_)
    return alerts.such("grid_code", lambda known: known.startswith(code))


def _midnight(day: dt.date, zone: dt.tzinfo) -> int:
    return micros(dt.datetime.combine(day, dt.time(), zone))


def _overdue(alerts: AlertColumns, day: dt.date) -> Mask:
    late: Mask = (alerts.due_on != NO_DAY) & (alerts.due_on < day.toordinal())
    return late & alerts.such("state", read_states().open.__contains__)


def _until(alerts: AlertColumns, day: dt.date) -> Mask:
    known: Mask = alerts.last_date != NO_DAY
    return known & (alerts.last_date <= day.toordinal())


def _numbered(alerts: AlertColumns, text: str) -> Mask:
    sought = text.upper()
    return np.fromiter((sought in number for number in alerts.number), np.bool_, len(alerts.number))


_CONDITIONS: dict[str, Callable[[AlertColumns, Any, dt.tzinfo], Mask]] = {
    "place": lambda alerts, code, _: _begins(alerts, code),
    "kinds": lambda alerts, kinds, _: alerts.such("kind", kinds.__contains__),
    "types": lambda alerts, types, _: alerts.such("change_type", types.__contains__),
    "states": lambda alerts, states, _: alerts.such("state", states.__contains__),
    "min_score": lambda alerts, score, _: alerts.score >= score,
    "min_area_m2": lambda alerts, area, _: alerts.area_m2 >= area,
    "max_area_m2": lambda alerts, area, _: alerts.area_m2 <= area,
    "since": lambda alerts, day, _: alerts.last_date >= day.toordinal(),
    "until": lambda alerts, day, _: _until(alerts, day),
    "created_since": lambda alerts, day, zone: alerts.created_at >= _midnight(day, zone),
    "created_until": lambda alerts, day, zone: alerts.created_at < _midnight(day + dt.timedelta(days=1), zone),
    "overdue_on": lambda alerts, day, _: _overdue(alerts, day),
    "sources_at_least": lambda alerts, number, _: alerts.sources_seen >= number,
    "assignee": lambda alerts, login, _: alerts.such("assignee", lambda known: known == login),
    "over_cap": lambda alerts, over, _: alerts.over_cap == over,
    "bbox": lambda alerts, bbox, _: touching(alerts, bbox),
    "text": lambda alerts, text, _: _numbered(alerts, text),
}
