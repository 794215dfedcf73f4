"""Alerts counted and sorted on columns in memory, by the comparisons of :mod:`store.search.alert_conditions`.

The database evaluates the same comparisons as SQL. Why alerts are counted here and not there: :mod:`store.alerts.alert_columns`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.access.rights import Viewer
from store.alerts.alert_columns import DAY_COLUMNS, NO_DAY, WORD_COLUMNS, AlertColumns, Mask, to_column_value
from store.search.alert_conditions import Comparison, Operator, under_code
from store.search.alert_filter import AlertFilter, Sort
from store.search.alert_order import ORDERS


def theirs(alerts: AlertColumns, viewer: Viewer) -> Mask:
    """Alerts that lie under the viewer's code, as :func:`store.access.rights.under`."""
    return matching(alerts, under_code(viewer.code))


def asked(alerts: AlertColumns, filter: AlertFilter, leave_out: Collection[str] = ()) -> Mask:  # noqa: A002
    """Alerts that a filter asks for, as :meth:`store.search.alert_filter.AlertFilter.conditions`."""
    return matching(alerts, chain.from_iterable(filter.comparisons(leave_out).values()))


def matching(alerts: AlertColumns, comparisons: Iterable[Comparison]) -> Mask:
    """Alerts that match all comparisons."""
    mask = np.ones(len(alerts.id), np.bool_)
    for comparison in comparisons:
        mask &= _matches(alerts, comparison)
    return mask


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


def _matches(alerts: AlertColumns, comparison: Comparison) -> Mask:
    name, value = comparison.column, comparison.value
    if name in WORD_COLUMNS:  # each word is looked at once, however many alerts have it
        word_test = _WORD_TESTS[comparison.operator]
        return alerts.such(name, lambda word: word_test(word, value))
    column = getattr(alerts, name)
    if name == "number":  # of words that are all different
        word_test = _WORD_TESTS[comparison.operator]
        return np.fromiter((word_test(word, value) for word in column), np.bool_, len(column))
    mask: Mask = _NUMBER_TESTS[comparison.operator](column, to_column_value(value))
    return mask & (column != NO_DAY) if name in DAY_COLUMNS else mask


_WORD_TESTS: dict[Operator, Callable[[str, Any], bool]] = {
    "begins_with": str.startswith,
    "contains": str.__contains__,
    "one_of": lambda word, words: word in words,
    "equals": str.__eq__,
}

_NUMBER_TESTS: dict[Operator, Callable[[Any, Any], Mask]] = {
    "equals": np.equal,
    "at_least": np.greater_equal,
    "at_most": np.less_equal,
    "below": np.less,
}
