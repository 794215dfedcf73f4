"""Facts of many alerts as columns: counting 100,000 alerts takes milliseconds.

Days are ordinals (:meth:`datetime.date.toordinal`); 0: none.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.int32]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Codes = NDArray[np.int16]

NAMED = ("kind", "source", "origin", "state", "determination", "category")


class Names:
    """The distinct strings of a column, each with a permanent number from 0."""

    def __init__(self) -> None:
        """Start without any."""
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """Return the number of a string, adding it if it is new."""
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self.names)
            self.names.append(name)
        return found

    def numbers(self, names: Collection[str]) -> list[int]:
        """Return the numbers of those strings that are known."""
        return [self._numbers[name] for name in names if name in self._numbers]


@dataclass(frozen=True)
class StateDays:
    """Last stay of each alert in one state: entered, left (0: still in it) and due; 0: never in it."""

    entered: Days
    left: Days
    due: Days


@dataclass(frozen=True)
class FactTable:
    """Columns of :class:`enforcement.figures.alert_facts.AlertFacts`, each of shape (n,), in no particular order.

    Attributes:
        names: strings of the columns of :data:`NAMED` and of ``grid``.
        id: of the alerts.
        grid: code of the smallest responsible area.
        ended_on: day of entering the present state, if it is final.
        due_on: deadline of the present state.
        went_on: whether the check on the ground or a later image says that works went on after the notice.
        states: by state.
    """

    names: dict[str, Names] = field(repr=False)
    id: NDArray[np.int64]
    grid: NDArray[np.int32]
    kind: Codes
    source: Codes
    origin: Codes
    state: Codes
    determination: Codes
    category: Codes
    found_on: Days
    dispatched_on: Days
    report_due_on: Days
    reported_on: Days
    checked_on: Days
    determined_on: Days
    stop_notice_on: Days
    correct_by: Days
    corrected_on: Days
    closed_on: Days
    case_on: Days
    ended_on: Days
    due_on: Days
    area_m2: Floats
    farmland_m2: Floats
    basic_farmland_m2: Floats
    went_on: Mask
    supervised: Mask
    states: dict[str, StateDays] = field(repr=False)

    def __len__(self) -> int:
        """Number of alerts."""
        return len(self.id)

    def one_of(self, column: str, values: Collection[str]) -> Mask:
        """Return which alerts have one of some strings in a column of :data:`NAMED`."""
        found: Mask = np.isin(getattr(self, column), self.names[column].numbers(values))
        return found

    def under(self, code: str) -> Mask:
        """Return which alerts lie in the areas whose code begins with ``code``."""
        if not code:
            return np.ones(len(self), np.bool_)
        begins = np.fromiter((name.startswith(code) for name in self.names["grid"].names), np.bool_)
        found: Mask = begins[self.grid] if len(begins) else np.zeros(0, np.bool_)
        return found

    def area_numbers(self, digits: int) -> tuple[NDArray[np.int64], list[str]]:
        """Return for each alert the number of its area of a level, and the codes by number; -1: none is known."""
        areas = Names()
        codes = self.names["grid"].names
        by_grid = np.array([areas.number(c[:digits]) if len(c) >= digits else -1 for c in codes], np.int64)
        return (by_grid[self.grid] if len(codes) else np.zeros(0, np.int64)), areas.names

    def chosen(self, mask: Mask) -> FactTable:
        """Return the alerts of a mask."""
        columns: dict[str, Any] = {
            f.name: getattr(self, f.name)[mask] for f in fields(self) if f.name not in ("names", "states")
        }
        states = {
            name: StateDays(days.entered[mask], days.left[mask], days.due[mask]) for name, days in self.states.items()
        }
        return replace(self, **columns, states=states)
