"""Steps of alerts as columns: only what figures need, so that 100,000 alerts are read in seconds."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, Executable, Text, cast, extract, func, or_, select
from sqlalchemy.orm import Session

from enforcement.figures.fact_table import NAMED, Days, Names
from enforcement.figures.facts_from_steps import land_areas
from enforcement.figures.step_table import AlertColumns, StepColumns, StepTable
from enforcement.states import read_states
from store.schema.chain.deadline_tables import DeadlineLogRow
from store.schema.tables import AlertRow, Transition

_ROWS = 20_000
_SEQUENCE_BITS = 20
_NOTICE = {"stop_notice", "correct_by"}
_CHECKED = "field_checked"
_ORIGINS = ("tip", "patrol", "drawn")
_NEEDED = [f'"{name}"' for name in ("undoes", "findings", *sorted(_NOTICE), *_ORIGINS)]


def read_steps(
    session: Session, which: ColumnElement[bool], zone: dt.tzinfo, names: dict[str, Names] | None = None
) -> StepTable:
    """Return the alerts that meet a condition on their rows, with all their steps.

    Args:
        session: a read transaction.
        which: condition on :class:`store.schema.tables.AlertRow`.
        zone: time zone of local days.
        names: of a table with which this one is to be joined; it is extended.
    """
    names = names if names is not None else {name: Names() for name in (*NAMED, "grid")}
    for state in read_states().states:
        names["state"].number(state)
    days = _LocalDays(zone)
    evidence = _evidence(session, which)
    alerts = _alerts(session, which, names, days, evidence)
    return StepTable(names, alerts, _steps(session, which, names, days, evidence))


class _LocalDays:
    """Local days of times, by the offset of the zone in each hour."""

    def __init__(self, zone: dt.tzinfo) -> None:
        self._zone = zone
        self._offsets: dict[int, int] = {}

    def of(self, seconds: NDArray[np.int64]) -> Days:
        """Return ordinals of the local days of times in seconds since 1970."""
        hours, places = np.unique(seconds // 3600, return_inverse=True)
        offsets = np.array([self._offset(int(hour)) for hour in hours], np.int64)
        epoch = dt.date(1970, 1, 1).toordinal()
        local = seconds + (offsets[places] if len(hours) else 0)
        found: Days = (local // 86400 + epoch).astype(np.int32)
        return found

    def _offset(self, hour: int) -> int:
        if hour not in self._offsets:
            offset = dt.datetime.fromtimestamp(3600 * hour, self._zone).utcoffset()
            self._offsets[hour] = 0 if offset is None else int(offset.total_seconds())
        return self._offsets[hour]


def _rows(session: Session, query: Executable) -> Any:
    """Return the rows of a query as they come from the database, without those of the ORM: a third of the time."""
    return session.connection().execute(query, execution_options={"yield_per": _ROWS})


def _seconds(column: Any) -> ColumnElement[int]:
    return cast(func.floor(extract("epoch", column)), BigInteger)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What figures need of the evidence of a step."""

    undoes: int | None
    notice: bool
    notice_on: int
    correct_by: int
    found: bool
    found_notice: int
    ignored: bool
    origin: str


def _alerts(
    session: Session,
    which: ColumnElement[bool],
    names: dict[str, Names],
    days: _LocalDays,
    evidence: Mapping[tuple[int, int], _Facts],
) -> AlertColumns:
    columns = AlertRow.id, AlertRow.grid_code, AlertRow.kind, AlertRow.source, AlertRow.area_m2, AlertRow.overlaps
    query = select(*columns, _seconds(AlertRow.created_at)).where(which).order_by(AlertRow.id)
    went_on = _went_on(session, which)
    nothing = _Facts(None, False, 0, 0, False, 0, False, "scan")
    parts: list[AlertColumns] = []
    for rows in _rows(session, query).partitions(_ROWS):
        ids, grids, kinds, sources, areas, overlaps, created = zip(*rows, strict=True)
        land = np.array([land_areas(*entry) for entry in zip(areas, overlaps, strict=True)], np.float64)
        parts.append(
            AlertColumns(
                id=np.array(ids, np.int64),
                grid=_numbered(names["grid"], grids, np.int32),
                kind=_numbered(names["kind"], kinds, np.int16),
                source=_numbered(names["source"], sources, np.int16),
                origin=_numbered(names["origin"], [evidence.get((i, 1), nothing).origin for i in ids], np.int16),
                created_on=days.of(np.array(created, np.int64)),
                area_m2=land[:, 0],
                farmland_m2=land[:, 1],
                basic_farmland_m2=land[:, 2],
                went_on=np.array([went_on.get(one, 0) for one in ids], np.int32),
            )
        )
    return AlertColumns.joined(parts)


def _steps(
    session: Session,
    which: ColumnElement[bool],
    names: dict[str, Names],
    days: _LocalDays,
    evidence: Mapping[tuple[int, int], _Facts],
) -> StepColumns:
    query = (
        select(Transition.alert_id, Transition.sequence, _seconds(Transition.at), Transition.to_state)
        .join(AlertRow, AlertRow.id == Transition.alert_id)
        .where(which)
        .order_by(Transition.alert_id, Transition.sequence)
    )
    parts: list[StepColumns] = []
    keys: list[NDArray[np.int64]] = []
    for rows in _rows(session, query).partitions(_ROWS):
        alerts, sequences, seconds, states = zip(*rows, strict=True)
        ids = np.array(alerts, np.int64)
        numbers = _numbered(names["state"], states, np.int16)
        parts.append(StepColumns.empty(ids, days.of(np.array(seconds, np.int64)), numbers))
        keys.append(ids << _SEQUENCE_BITS | np.array(sequences, np.int64))
    found = StepColumns.joined(parts)
    return _with_evidence(found, np.concatenate([np.zeros(0, np.int64), *keys]), evidence)


def _with_evidence(
    found: StepColumns, keys: NDArray[np.int64], evidence: Mapping[tuple[int, int], _Facts]
) -> StepColumns:
    """Return steps with their evidence; ``keys``: alert and sequence of each step, ascending."""
    kept = np.ones(len(keys), np.bool_)
    entries = sorted(evidence.items())
    wanted = np.array([alert << _SEQUENCE_BITS | sequence for (alert, sequence), _ in entries], np.int64)
    places = np.searchsorted(keys, wanted)
    for place, ((_, sequence), facts) in zip(places, entries, strict=True):
        found.notice[place] = facts.notice_on or found.day[place] if facts.notice else 0
        found.correct_by[place], found.found[place] = facts.correct_by, facts.found
        found.found_notice[place], found.ignored[place] = facts.found_notice, facts.ignored
        if facts.undoes is not None:  # it takes back steps of the same alert, just before
            kept[place] = False
            taken_back = found.undone_on[max(0, place - (sequence - facts.undoes)) : place]
            taken_back[taken_back == 0] = found.day[place]
    return found.chosen(kept)


def _evidence(session: Session, which: ColumnElement[bool]) -> dict[tuple[int, int], _Facts]:
    """Return the evidence of the steps that figures depend on, by alert and sequence.

    It is read as text and decoded where it has what figures need: most first steps have not.
    """
    rules = read_states().transitions
    states = sorted({rule.to for rule in rules if _NOTICE & set(rule.evidence)} | {_CHECKED})
    content = cast(Transition.evidence, Text)
    query = (
        select(Transition.alert_id, Transition.sequence, content)
        .join(AlertRow, AlertRow.id == Transition.alert_id)
        .where(which, or_(Transition.to_state.in_(states), Transition.sequence == 1, content.contains('"undoes"')))
    )
    return {
        (alert_id, sequence): _facts(json.loads(words))
        for alert_id, sequence, words in _rows(session, query)
        if any(name in words for name in _NEEDED)
    }


def _facts(evidence: Mapping[str, Any]) -> _Facts:
    findings, undoes = evidence.get("findings"), evidence.get("undoes")
    found = findings if isinstance(findings, Mapping) else {}
    return _Facts(
        undoes=undoes if isinstance(undoes, int) else None,
        notice=bool(evidence.get("stop_notice")),
        notice_on=_ordinal(evidence.get("notice_on")),
        correct_by=_ordinal(evidence.get("correct_by")),
        found=isinstance(findings, Mapping),
        found_notice=_ordinal(found.get("notice_on")) if found.get("notice") else 0,
        ignored=found.get("stopped") == "ignored",
        origin=next((name for name in _ORIGINS if name in evidence), "scan"),
    )


def _went_on(session: Session, which: ColumnElement[bool]) -> dict[int, int]:
    """Return the day on which it was first noticed that works went on, by alert."""
    query = select(DeadlineLogRow.alert_id, func.min(DeadlineLogRow.at)).join(
        AlertRow, AlertRow.id == DeadlineLogRow.alert_id
    )
    rows = session.execute(query.where(which, DeadlineLogRow.kind == "went_on").group_by(DeadlineLogRow.alert_id))
    return {alert_id: at.date().toordinal() for alert_id, at in rows}


def _numbered(names: Names, values: Iterable[str], kind: type) -> NDArray[Any]:
    number: Callable[[str], int] = names.number
    return np.array([number(value or "") for value in values], kind)


def _ordinal(value: Any) -> int:
    try:
        return dt.date.fromisoformat(value).toordinal() if isinstance(value, str) else 0
    except ValueError:
        return 0
