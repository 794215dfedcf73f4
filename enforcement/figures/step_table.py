"""Steps of many alerts as columns, from which a fact table of any past day follows without reading anything again.

:mod:`enforcement.figures.facts_from_steps` is the rule for one alert; this is the same rule for all alerts at once. A
test compares the two on random logs. Days are ordinals; 0: none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from enforcement.deadlines.state_deadlines import MAX_DAYS
from enforcement.figures.alert_facts import CONFIRMED, DETERMINATIONS, REOPENED
from enforcement.figures.fact_table import Days, FactTable, Floats, Mask, Names, StateDays
from enforcement.figures.facts_from_steps import DueDays

Columns = TypeVar("Columns", "AlertColumns", "StepColumns")


@dataclass(frozen=True)
class AlertColumns:
    """What the rows of alerts say, each column of shape (n,): by ascending id.

    ``grid``, ``kind``, ``source``, ``origin`` are numbers of :class:`enforcement.figures.fact_table.Names`.
    """

    id: NDArray[np.int64]
    grid: NDArray[np.int32]
    kind: NDArray[np.int16]
    source: NDArray[np.int16]
    origin: NDArray[np.int16]
    created_on: Days
    area_m2: Floats
    farmland_m2: Floats
    basic_farmland_m2: Floats
    went_on: Days

    @staticmethod
    def joined(parts: Sequence[AlertColumns]) -> AlertColumns:
        """Return several parts as one."""
        nothing = AlertColumns(*(np.zeros(0, kind) for kind in (*_ALERT_TYPES, *[np.float64] * 3, np.int32)))
        return _concatenated(AlertColumns, [nothing, *parts])


_ALERT_TYPES = (np.int64, np.int32, np.int16, np.int16, np.int16, np.int32)


@dataclass(frozen=True)
class StepColumns:
    """Steps that were in force at any time, each column of shape (m,): by alert, then in order.

    Attributes:
        alert: id of the alert.
        day: local day.
        state: number of the state entered.
        undone_on: local day on which it was taken back.
        notice: day of the notice that this step issued.
        correct_by: day until which this step orders the correction.
        found: whether it holds findings of a check on the ground.
        found_notice: day of the notice that the findings name.
        ignored: whether the findings say that works go on.
    """

    alert: NDArray[np.int64]
    day: Days
    state: NDArray[np.int16]
    undone_on: Days
    notice: Days
    correct_by: Days
    found: Mask
    found_notice: Days
    ignored: Mask

    @staticmethod
    def empty(alert: NDArray[np.int64], day: Days, state: NDArray[np.int16]) -> StepColumns:
        """Return steps without any evidence."""
        days = [np.zeros(len(alert), np.int32) for _ in range(4)]
        flags = [np.zeros(len(alert), np.bool_) for _ in range(2)]
        return StepColumns(alert, day, state, days[0], days[1], days[2], flags[0], days[3], flags[1])

    @staticmethod
    def joined(parts: Sequence[StepColumns]) -> StepColumns:
        """Return several parts as one."""
        nothing = StepColumns.empty(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int16))
        return _concatenated(StepColumns, [nothing, *parts])

    def chosen(self, mask: Mask) -> StepColumns:
        """Return the steps of a mask."""
        return StepColumns(*(getattr(self, f.name)[mask] for f in fields(self)))


@dataclass(frozen=True)
class StepTable:
    """All alerts with their steps. ``names``: of the columns ``grid``, ``kind``, ``source``, ``origin``, ``state`` …"""

    names: dict[str, Names]
    alerts: AlertColumns
    steps: StepColumns

    def without(self, grids: set[str]) -> StepTable:
        """Return the table without the alerts of some areas."""
        kept = ~np.isin(self.alerts.grid, self.names["grid"].numbers(grids))
        alerts = AlertColumns(*(getattr(self.alerts, f.name)[kept] for f in fields(AlertColumns)))
        return replace(self, alerts=alerts, steps=self.steps.chosen(np.isin(self.steps.alert, alerts.id)))

    def joined(self, other: StepTable) -> StepTable:
        """Return this table with the alerts of another one, which has the same names."""
        alerts = _sorted(AlertColumns.joined([self.alerts, other.alerts]), "id")
        return replace(self, alerts=alerts, steps=_sorted(StepColumns.joined([self.steps, other.steps]), "alert"))

    def as_of(self, day: dt.date | None, due_days: DueDays) -> FactTable:
        """Return the facts at the end of a day; None: now. Alerts that continue in others are left out."""
        alerts, steps = self.alerts, self.steps
        if day is not None:
            last = day.toordinal()
            kept = alerts.created_on <= last
            alerts = AlertColumns(*(getattr(alerts, f.name)[kept] for f in fields(AlertColumns)))
            steps = steps.chosen((steps.day <= last) & ((steps.undone_on == 0) | (steps.undone_on > last)))
        else:
            last = np.iinfo(np.int32).max
            steps = steps.chosen(steps.undone_on == 0)
        return _FactTableOf(self.names, alerts, steps, due_days, last).table()


class _FactTableOf:
    """Facts of alerts by their steps in force."""

    def __init__(
        self, names: dict[str, Names], alerts: AlertColumns, steps: StepColumns, due_days: DueDays, last: int
    ) -> None:
        self.names, self.alerts, self.due_days, self.last = names, alerts, due_days, last
        place = np.searchsorted(alerts.id, steps.alert)
        known = place < len(alerts.id)
        known[known] = alerts.id[place[known]] == steps.alert[known]
        self.steps, self.of = steps.chosen(known), place[known]
        self.size = len(alerts.id)

    def table(self) -> FactTable:
        alerts, steps, of, size = self.alerts, self.steps, self.of, self.size
        order = np.arange(len(of))
        following = np.append(of[1:] == of[:-1], False) if len(of) else np.zeros(0, np.bool_)
        left = np.zeros(len(of), np.int32)
        left[following] = steps.day[1:][following[:-1]] if len(of) else 0
        correct_by = self._latest(steps.correct_by)
        due = self._due(correct_by)
        last_step = self._last(order, np.ones(len(of), np.bool_))
        has = last_step >= 0
        state_names = self.names["state"]
        initial = state_names.number(self.due_days.table.initial)
        state = np.where(has, steps.state[last_step] if len(of) else 0, initial).astype(np.int16)
        entered = _at(steps.day, last_step)
        category = self._by_state(state, lambda name: self.names["category"].number(self._category(name)))
        is_open, is_closed = (self._flags(state, names) for names in (("open", "correcting"), ("closed",)))
        determination, determined_on = self._determination(order)
        confirmed_once = self._last(order, self._is((CONFIRMED,))) >= 0
        rechecked = _at(steps.day, self._last(order, self._is(("rechecked",))))
        dispatched_on = self._first_day("dispatched")
        own = _at(steps.notice, self._last(order, steps.notice > 0))
        with_findings = self._last(order, steps.found)
        notice = np.where(own > 0, own, _at(steps.found_notice, with_findings)).astype(np.int32)
        found = FactTable(
            names=self.names,
            id=alerts.id,
            grid=alerts.grid,
            kind=alerts.kind,
            source=alerts.source,
            origin=alerts.origin,
            state=state,
            determination=determination,
            category=category.astype(np.int16),
            found_on=np.where(has, self._first_of(steps.day, order), alerts.created_on).astype(np.int32),
            dispatched_on=dispatched_on,
            report_due_on=_mapped(dispatched_on, self._report_due),
            reported_on=self._first_day("submitted"),
            checked_on=_at(steps.day, self._last(order, self._is(("field_checked",)))),
            determined_on=determined_on,
            stop_notice_on=notice,
            correct_by=_at(correct_by, last_step),
            corrected_on=np.where(is_closed & confirmed_once, np.where(rechecked > 0, rechecked, entered), 0).astype(
                np.int32
            ),
            closed_on=np.where(is_closed, entered, 0).astype(np.int32),
            case_on=self._first_day("case"),
            ended_on=np.where(has & ~is_open, entered, 0).astype(np.int32),
            due_on=_at(due, last_step),
            area_m2=alerts.area_m2,
            farmland_m2=alerts.farmland_m2,
            basic_farmland_m2=alerts.basic_farmland_m2,
            went_on=((alerts.went_on > 0) & (alerts.went_on <= self.last))
            | (_at(steps.ignored.astype(np.int32), with_findings) > 0),
            supervised=np.zeros(size, np.bool_),
            states=self._stays(order, left, due),
        )
        return found.chosen(~self._flags(state, ("gone",)))

    def _is(self, names: tuple[str, ...]) -> Mask:
        found: Mask = np.isin(self.steps.state, self.names["state"].numbers(names))
        return found

    def _last(self, order: NDArray[np.int64], mask: Mask) -> NDArray[np.int64]:
        """Return the number of each alert's last step of a mask; -1: none."""
        found = np.full(self.size, -1, np.int64)
        found[self.of[mask]] = order[mask]  # of several, the last assignment stays
        return found

    def _first_of(self, values: Days, order: NDArray[np.int64], mask: Mask | None = None) -> Days:
        chosen = order if mask is None else order[mask]
        found = np.zeros(self.size, np.int32)
        found[self.of[chosen][::-1]] = values[chosen][::-1]
        return found

    def _first_day(self, state: str) -> Days:
        return self._first_of(self.steps.day, np.arange(len(self.of)), self._is((state,)))

    def _latest(self, values: Days) -> Days:
        """Return for each step the latest value of its alert up to it."""
        if not len(values):
            return values
        where = np.where(values > 0, np.arange(len(values)), -1)
        latest = np.maximum.accumulate(where)
        same = (latest >= 0) & (self.of[latest] == self.of)
        found: Days = np.where(same, values[latest], 0).astype(np.int32)
        return found

    def _due(self, correct_by: Days) -> Days:
        """Return the deadline of the state that each step entered."""
        day, state = self.steps.day, self.steps.state
        names = self.names["state"].names
        keys = state.astype(np.int64) << 32 | day
        due = _mapped(keys, lambda key: self.due_days.due_after(names[key >> 32], _day(key & 0xFFFFFFFF)))
        by_date = np.isin(state, self.names["state"].numbers(self.due_days.dated_states))
        agreed = by_date & (correct_by >= day) & (correct_by <= day + MAX_DAYS)
        found: Days = np.where(agreed, correct_by, due).astype(np.int32)
        return found

    def _report_due(self, day: int) -> int:
        return self.due_days.report_due(_day(day)).toordinal() if day else 0

    def _determination(self, order: NDArray[np.int64]) -> tuple[NDArray[np.int16], Days]:
        judged, again = (self._last(order, self._is(names)) for names in (DETERMINATIONS, REOPENED))
        in_force = np.where(judged > again, judged, -1)
        names, numbers = self.names["state"].names, self.names["determination"]
        none = numbers.number("")
        by_state = np.array([numbers.number(name) if name in DETERMINATIONS else none for name in names], np.int16)
        state = self.steps.state[in_force] if len(order) else np.zeros(self.size, np.int16)
        found = np.where(in_force >= 0, by_state[state] if len(by_state) else none, none).astype(np.int16)
        return found, _at(self.steps.day, in_force)

    def _stays(self, order: NDArray[np.int64], left: Days, due: Days) -> dict[str, StateDays]:
        found = {}
        for number in np.unique(self.steps.state):
            last = self._last(order, self.steps.state == number)
            name = self.names["state"].names[number]
            found[name] = StateDays(_at(self.steps.day, last), _at(left, last), _at(due, last))
        return found

    def _category(self, state: str) -> str:
        return self.due_days.table.category(state)

    def _by_state(self, state: NDArray[np.int16], value: Callable[[str], int]) -> NDArray[np.int64]:
        by_number = np.array([value(name) for name in self.names["state"].names], np.int64)
        found: NDArray[np.int64] = by_number[state]
        return found

    def _flags(self, state: NDArray[np.int16], categories: tuple[str, ...]) -> Mask:
        return self._by_state(state, lambda name: self._category(name) in categories) > 0


def _at(values: NDArray[Any], places: NDArray[np.int64]) -> Days:
    """Return the values at places; 0 where the place is -1."""
    if not len(values):
        return np.zeros(len(places), np.int32)
    found: Days = np.where(places >= 0, values[places], 0).astype(np.int32)
    return found


def _mapped(keys: NDArray[Any], value: Callable[[int], int]) -> Days:
    """Return a function of each key, computed once for each distinct one."""
    distinct, places = np.unique(keys, return_inverse=True)
    found: Days = np.array([value(int(key)) for key in distinct], np.int32)[places]
    return found


def _day(ordinal: int) -> dt.date:
    return dt.date.fromordinal(ordinal)


def _concatenated(kind: type[Columns], parts: Sequence[Columns]) -> Columns:
    names = [f.name for f in fields(kind)]
    return kind(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _sorted(columns: Columns, key: str) -> Columns:
    order = np.argsort(getattr(columns, key), kind="stable")
    return type(columns)(*(getattr(columns, f.name)[order] for f in fields(columns)))
