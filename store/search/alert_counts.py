"""Counting and sorting of in-memory alert columns, by the comparisons of :mod:`store.search.alert_conditions`.

The database evaluates the same comparisons as SQL. :mod:`store.search.alert_columns` says why alerts are counted here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.access.rights import Viewer
from store.search.alert_columns import CATEGORY_COLUMNS, DAY_COLUMNS, NO_DAY, AlertColumns, Mask, to_column_value
from store.search.alert_conditions import Comparison, Operator, under_code
from store.search.alert_filter import AlertFilter, Sort
from store.search.alert_order import ORDERS


def visible_mask(alerts: AlertColumns, viewer: Viewer) -> Mask:
    """Return which alerts the viewer may see, as :func:`store.access.rights.visible_to`."""
    if viewer.shared_only:
        return np.zeros(len(alerts.id), np.bool_)
    return comparison_mask(alerts, under_code(viewer.code))


def filter_mask(alerts: AlertColumns, filter: AlertFilter, exclude: Collection[str] = ()) -> Mask:  # noqa: A002
    """Return which alerts match a filter, as :meth:`store.search.alert_filter.AlertFilter.conditions`."""
    return comparison_mask(alerts, chain.from_iterable(filter.comparisons(exclude).values()))


def comparison_mask(alerts: AlertColumns, comparisons: Iterable[Comparison]) -> Mask:
    """Return which alerts satisfy all comparisons."""
    mask = np.ones(len(alerts.id), np.bool_)
    for comparison in comparisons:
        matches = _matches(alerts, comparison)
        if comparison.alternative is not None:
            matches = matches | _matches(alerts, comparison.alternative)
        mask &= matches
    return mask


def order_columns(alerts: AlertColumns, sort: Sort) -> list[NDArray[Any]]:
    """Return the columns of a sort order, negated where needed so that all of them ascend."""
    columns = []
    for key in ORDERS[sort]:
        column = getattr(alerts, key.column.key)
        if key.nullable:  # missing values sort last
            column = np.where(column == NO_DAY, np.iinfo(np.int64).max, column)
        columns.append(-column if key.descending else column)
    return columns


def find_neighbours(keys: Sequence[NDArray[Any]], index: int, among: Mask) -> tuple[int | None, int | None, int]:
    """Find the alerts before and after one in a sort order.

    Args:
        keys: columns of the order (:func:`order_columns`).
        index: index of the alert, which need not be in ``among``.
        among: the alerts considered.

    Returns:
        index of the nearest one before, index of the nearest one after (None at an end), number of alerts before.
    """
    before, same = np.zeros(len(among), np.bool_), among.copy()
    for key in keys:
        before |= same & (key < key[index])
        same &= key == key[index]
    after = among & ~before
    after[index] = False
    return _extreme(keys, before, np.max), _extreme(keys, after, np.min), int(np.count_nonzero(before))


def _extreme(keys: Sequence[NDArray[Any]], among: Mask, best: Callable[[NDArray[Any]], Any]) -> int | None:
    candidates = np.flatnonzero(among)
    for key in keys:
        if len(candidates) <= 1:
            break
        values = key[candidates]
        candidates = candidates[values == best(values)]
    return int(candidates[0]) if len(candidates) else None


def _matches(alerts: AlertColumns, comparison: Comparison) -> Mask:
    name, value = comparison.column, comparison.value
    if name in CATEGORY_COLUMNS:  # each category is tested once, however many alerts have it
        string_test = _STRING_TESTS[comparison.operator]
        return alerts.matching(name, lambda string: string_test(string, value))
    column = getattr(alerts, name)
    if name == "number":  # unique strings
        string_test = _STRING_TESTS[comparison.operator]
        return np.fromiter((string_test(string, value) for string in column), np.bool_, len(column))
    mask: Mask = _NUMBER_TESTS[comparison.operator](column, to_column_value(value))
    return mask & (column != NO_DAY) if name in DAY_COLUMNS else mask


_STRING_TESTS: dict[Operator, Callable[[str, Any], bool]] = {
    "begins_with": str.startswith,
    "contains": str.__contains__,
    "one_of": lambda string, strings: string in strings,
    "equals": str.__eq__,
    "differs": str.__ne__,
}

_NUMBER_TESTS: dict[Operator, Callable[[Any, Any], Mask]] = {
    "equals": np.equal,
    "at_least": np.greater_equal,
    "at_most": np.less_equal,
    "below": np.less,
}
