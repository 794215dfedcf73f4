"""Fact tables made from facts, one alert at a time: the reference for those made from steps, for tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from enforcement.figures.alert_facts import AlertFacts
from enforcement.figures.fact_table import NAMED, FactTable, Names, StateDays


def fact_table(facts: Iterable[AlertFacts], names: dict[str, Names] | None = None) -> FactTable:
    """Return facts as columns, without alerts that continue in others or have no image any more (category ``gone``).

    Args:
        facts: one entry per alert; read once, so that not all of them need to be in memory.
        names: of a table with which this one is to be joined; it is extended.
    """
    names = names if names is not None else {name: Names() for name in (*NAMED, "grid")}
    rows: list[tuple[object, ...]] = []
    stays: dict[str, list[tuple[int, int, int, int]]] = {}
    for one in facts:
        if one.category == "gone":
            continue
        for entry in one.history:
            left, due = _ordinal(entry.left_on), _ordinal(entry.due)
            stays.setdefault(entry.state, []).append((len(rows), entry.day.toordinal(), left, due))
        rows.append(_row(one, names))
    columns = list(zip(*rows, strict=True)) if rows else [()] * _WIDTH
    return FactTable(names=names, states=_stays(stays, len(rows)), **_arrays(columns))


_COLUMN_NAMES = [f.name for f in fields(FactTable) if f.name not in ("names", "states")]
_WIDTH = len(_COLUMN_NAMES)
_TYPES: dict[str, type] = (
    dict.fromkeys(NAMED, np.int16)
    | {
        name: np.int32
        for name in (*_COLUMN_NAMES, "grid")
        if name.endswith(("_on", "_by", "grid")) and name != "went_on"
    }
    | {"id": np.int64, "went_on": np.bool_, "supervised": np.bool_}
)


def _row(one: AlertFacts, names: dict[str, Names]) -> tuple[object, ...]:
    last = one.history[-1] if one.history else None
    ended = last.day if last is not None and not one.open else None
    return (
        one.alert_id,
        names["grid"].number(one.village_code),
        *(names[name].number(getattr(one, name) or "") for name in NAMED),
        _ordinal(one.found_on),
        _ordinal(one.dispatched_on),
        _ordinal(one.report_due_on),
        _ordinal(one.reported_on),
        _ordinal(one.checked_on),
        _ordinal(one.determined_on),
        _ordinal(one.stop_notice_on),
        _ordinal(one.correct_by),
        _ordinal(one.corrected_on),
        _ordinal(one.closed_on),
        _ordinal(one.case_on),
        _ordinal(ended),
        _ordinal(one.due),
        one.area_m2,
        one.farmland_m2,
        one.basic_farmland_m2,
        bool(one.related.went_on) or one.stopped == "ignored",
        one.related.supervision_open,
    )


def _arrays(columns: Sequence[Sequence[object]]) -> dict[str, Any]:
    return {
        name: np.array(column, _TYPES.get(name, np.float64))
        for name, column in zip(_COLUMN_NAMES, columns, strict=True)
    }


def _stays(stays: dict[str, list[tuple[int, int, int, int]]], size: int) -> dict[str, StateDays]:
    found = {}
    for state, entries in stays.items():
        columns = np.array(entries, np.int64).T
        days = [np.zeros(size, np.int32) for _ in range(3)]
        for column, values in zip(days, columns[1:], strict=True):
            column[columns[0]] = values  # of several stays, the last one
        found[state] = StateDays(*days)
    return found


def _ordinal(day: dt.date | None) -> int:
    return 0 if day is None else day.toordinal()
