"""Conditions on alerts that figures are made of (``configs/indicators.yaml``), as masks over a fact table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from enforcement.figures.alert_facts import CONFIRMED
from enforcement.figures.fact_table import Days, FactTable, Mask, StateDays
from enforcement.figures.period import Period
from enforcement.states import read_states

Condition = str | dict[str, str | list[str]]
"""A name, or one name with a value or a list of values."""


@dataclass(frozen=True)
class Moment:
    """The period of a figure, and the local day on which it is counted.

    Attributes:
        period: of the figure.
        today: local day of now.
    """

    period: Period
    today: dt.date

    @property
    def as_of(self) -> dt.date:
        """Last day that counts: the end of the period, or today."""
        return min(self.period.last, self.today)

    @property
    def over(self) -> bool:
        """Whether the period is over."""
        return self.period.last < self.today

    @property
    def due_through(self) -> dt.date:
        """Last day whose deadlines have passed."""
        return self.period.last if self.over else self.today - dt.timedelta(days=1)

    def contains(self, days: Days) -> Mask:
        """Return which days lie in the period."""
        return self._between(days, self.period.last)

    def due(self, days: Days) -> Mask:
        """Return which deadlines lie in the period and have passed."""
        return self._between(days, self.due_through)

    def passed(self, days: Days) -> Mask:
        """Return which deadlines have passed."""
        found: Mask = (days > 0) & (days <= self.due_through.toordinal())
        return found

    def _between(self, days: Days, last: dt.date) -> Mask:
        found: Mask = (days >= self.period.first.toordinal()) & (days <= last.toordinal())
        return found


def _in_time(done: Days, due: Days) -> Mask:
    found: Mask = (done > 0) & (done <= due)
    return found


def _happened(column: str) -> Callable[[FactTable, Moment], Mask]:
    return lambda table, moment: moment.contains(getattr(table, column))


def _ever(column: str) -> Callable[[FactTable, Moment], Mask]:
    return lambda table, moment: getattr(table, column) > 0


def _confirmed(table: FactTable, moment: Moment | None = None) -> Mask:
    return table.one_of("determination", [CONFIRMED])


def _open(table: FactTable, moment: Moment | None = None) -> Mask:
    return table.one_of("category", ["open", "correcting"])


def _new_land(table: FactTable, moment: Moment) -> Mask:
    judged = table.one_of("determination", ["lawful", CONFIRMED]) & moment.contains(table.determined_on)
    approved = table.one_of("category", ["suppressed"]) & moment.contains(table.ended_on)
    return (judged | approved) & table.one_of("kind", ["construction", "ground"])


_PLAIN: dict[str, Callable[[FactTable, Moment], Mask]] = {
    "found": _happened("found_on"),
    "dispatched": _happened("dispatched_on"),
    "determined": _happened("determined_on"),
    "closed_in_period": _happened("closed_on"),
    "ended_in_period": _happened("ended_on"),
    "confirmed": lambda table, moment: _confirmed(table) & moment.contains(table.determined_on),
    "new_land": _new_land,
    "report_due": lambda table, moment: moment.due(table.report_due_on),
    "correction_due": lambda table, moment: _confirmed(table) & moment.due(table.correct_by),
    "ever_confirmed": _confirmed,
    "ever_determined": _ever("determined_on"),
    "was_dispatched": _ever("dispatched_on"),
    "checked": _ever("checked_on"),
    "reported": _ever("reported_on"),
    "reported_in_time": lambda table, moment: _in_time(table.reported_on, table.report_due_on),
    "notice": _ever("stop_notice_on"),
    "stopped": lambda table, moment: (table.stop_notice_on > 0) & ~table.went_on,
    "case": _ever("case_on"),
    "corrected": _ever("corrected_on"),
    "corrected_in_time": lambda table, moment: _in_time(table.corrected_on, table.correct_by),
    "handled": lambda table, moment: (table.case_on > 0) | (table.corrected_on > 0),
    "false": lambda table, moment: table.one_of("determination", ["false_change"]),
    "lawful": lambda table, moment: table.one_of("determination", ["lawful", "farm_facility", "other_finding"]),
    "signed_off": lambda table, moment: ~_open(table),
    "closed": _ever("closed_on"),
    "open": _open,
    "overdue": lambda table, moment: _open(table) & moment.passed(table.due_on),
    "supervised": lambda table, moment: table.supervised,
}


def _due(table: FactTable, moment: Moment, states: Sequence[str]) -> Mask:
    return _any(table, [moment.due(_stay(table, state).due) for state in states])


def _left_in_time(table: FactTable, moment: Moment, states: Sequence[str]) -> Mask:
    return _any(table, [_in_time(_stay(table, state).left, _stay(table, state).due) for state in states])


_WITH_VALUES: dict[str, Callable[[FactTable, Moment, Sequence[str]], Mask]] = {
    "due": _due,
    "left_in_time": _left_in_time,
    "not_source": lambda table, moment, values: ~table.one_of("source", values),
    **{
        name: lambda table, moment, values, name=name: table.one_of(name, values)  # type: ignore[misc]
        for name in ("source", "kind", "origin", "determination")
    },
}


def condition_fault(condition: Condition) -> str | None:
    """Return what is wrong with a condition of a settings file; None: nothing."""
    if isinstance(condition, str):
        return None if condition in _PLAIN else f"{condition!r} is not a condition; those are {', '.join(_PLAIN)}"
    if len(condition) != 1:
        return f"{condition!r} is not a condition; expected one name with its value"
    name, values = _parts(condition)
    if name not in _WITH_VALUES:
        return f"{name!r} is not a condition with a value; those are {', '.join(_WITH_VALUES)}"
    unknown = [value for value in values if value not in read_states().states]
    if name in ("due", "left_in_time", "determination") and unknown:
        return f"{name}: there is no state {unknown[0]!r}"
    return None


def meets(table: FactTable, conditions: Sequence[Condition], moment: Moment) -> Mask:
    """Return which alerts meet all conditions."""
    found: Mask = np.ones(len(table), np.bool_)
    for condition in conditions:
        if isinstance(condition, str):
            found &= _PLAIN[condition](table, moment)
        else:
            name, values = _parts(condition)
            found &= _WITH_VALUES[name](table, moment, values)
    return found


def _parts(condition: dict[str, str | list[str]]) -> tuple[str, list[str]]:
    [(name, values)] = condition.items()
    return name, [values] if isinstance(values, str) else list(values)


def _stay(table: FactTable, state: str) -> StateDays:
    none = np.zeros(len(table), np.int32)
    return table.states.get(state, StateDays(none, none, none))


def _any(table: FactTable, masks: Sequence[Mask]) -> Mask:
    found: Mask = np.zeros(len(table), np.bool_)
    for mask in masks:
        found |= mask
    return found
