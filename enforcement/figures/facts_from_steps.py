"""Facts about an alert from its steps.

What happened after the moment does not count, so that the facts of last week do not change later. Steps that were taken
back do not count either, from the moment on at which they were taken back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from enforcement.correction import parse_correction
from enforcement.deadlines.state_deadlines import DeadlineRules, Step, deadline_of, owner_of
from enforcement.deadlines.working_days import Calendar
from enforcement.figures.alert_facts import (
    BEFORE_REPORT,
    CONFIRMED,
    DETERMINATIONS,
    REOPENED,
    AlertFacts,
    RelatedRecords,
    StateEntry,
)
from enforcement.overlaps import shares_by_kind
from enforcement.states import StateTable
from enforcement.steps.evidence_words import latest_evidence


@dataclass(frozen=True, slots=True)
class LoggedStep:
    """A row of the log of an alert.

    Attributes:
        sequence: 1, 2, 3 … of its alert.
        at: timezone-aware time.
        day: local day.
        who: login, or ``system``.
        role: of ``configs/states.yaml``.
        to_state: the state entered.
        evidence: of the step; ``undoes``: the first of the steps that it takes back.
    """

    sequence: int
    at: dt.datetime
    day: dt.date
    who: str
    role: str
    to_state: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """What the row of an alert says, apart from its steps; areas in m², days local.

    Attributes:
        overlaps: as of :func:`enforcement.overlaps.find_overlaps`.
        created_at: time of recording.
    """

    alert_id: int
    number: str
    county_code: str
    township_code: str
    grid_code: str
    kind: str
    official_type: str
    source: str
    first_image_day: dt.date | None
    area_m2: float
    overlaps: Sequence[Mapping[str, Any]]
    over_cap: bool
    created_at: dt.datetime
    created_on: dt.date


class DueDays:
    """Deadlines of states, each computed once per state and day."""

    def __init__(self, table: StateTable, rules: DeadlineRules, calendar: Calendar) -> None:
        """``table``, ``rules``, ``calendar``: as of :func:`enforcement.deadlines.state_deadlines.deadline_of`."""
        self.table = table
        self._rules = rules
        self._calendar = calendar
        self._known: dict[tuple[str, dt.date], dt.date | None] = {}
        self._reports: dict[dt.date, dt.date] = {}
        self._owners = {state: owner_of(state, table, rules) for state in table.open}

    def owner(self, state: str) -> str:
        """Return the role that has to act in a state; "": a final state."""
        return self._owners.get(state, "")

    def due(self, steps: Sequence[LoggedStep]) -> dt.date | None:
        """Return the deadline of the state that the last of ``steps`` entered; None: a final state."""
        last = steps[-1]
        if last.to_state not in self._owners:
            return None
        rule = self._rules.states.get(last.to_state)
        if rule is not None and rule.date_of:
            return self._compute([Step(s.sequence, s.day, s.to_state, s.evidence) for s in steps])
        key = last.to_state, last.day
        if key not in self._known:
            self._known[key] = self._compute([Step(1, last.day, last.to_state, {})])
        return self._known[key]

    @property
    def dated_states(self) -> list[str]:
        """States whose deadline is a date that a notice names."""
        return [name for name, rule in self._rules.states.items() if rule.date_of and name in self._owners]

    def due_after(self, state: str, day: dt.date) -> int:
        """Return the deadline, as an ordinal, of a state entered on a day, without a date of a notice; 0: none."""
        if state not in self._owners:
            return 0
        key = state, day
        if key not in self._known:
            self._known[key] = self._compute([Step(1, day, state, {})])
        due = self._known[key]
        return 0 if due is None else due.toordinal()

    def report_due(self, dispatched_on: dt.date) -> dt.date:
        """Return the day by which an alert is reported that was dispatched on a day."""
        found = self._reports.get(dispatched_on)
        if found is None:
            found = dispatched_on
            for state in BEFORE_REPORT:
                due = self._compute([Step(1, found, state, {})]) if state in self._owners else None
                found = due or found
            self._reports[dispatched_on] = found
        return found

    def _compute(self, steps: Sequence[Step]) -> dt.date | None:
        found = deadline_of(steps, self.table, self._rules, self._calendar)
        return None if found is None else found.due


def steps_in_force(log: Sequence[LoggedStep]) -> list[LoggedStep]:
    """Return the steps of an alert that were not taken back, without those that took them back, oldest first."""
    valid: list[LoggedStep] = []
    for step in log:
        undone = step.evidence.get("undoes")
        if isinstance(undone, int):
            valid = [one for one in valid if one.sequence < undone]
        else:
            valid.append(step)
    return valid


def facts_of(
    record: AlertRecord, log: Sequence[LoggedStep], due_days: DueDays, related: RelatedRecords | None = None
) -> AlertFacts:
    """Return the facts of an alert.

    Args:
        record: the row of the alert.
        log: its steps up to the moment, oldest first; empty: it counts as in the initial state.
        due_days: deadlines.
        related: what other rows say.
    """
    steps = steps_in_force(log)
    table = due_days.table
    history = tuple(_history(steps, due_days))
    state = steps[-1].to_state if steps else table.initial
    category = table.category(state)
    first: dict[str, LoggedStep] = {}
    last: dict[str, LoggedStep] = {}
    for step in steps:
        first.setdefault(step.to_state, step)
        last[step.to_state] = step
    determined = _determination(steps)
    values = latest_evidence(step.evidence for step in steps)
    findings = values.get("findings")
    findings = findings if isinstance(findings, Mapping) else {}
    notice, notice_on = _stop_notice(steps, findings)
    closing = steps[-1] if steps and category == "closed" else None
    areas = parse_correction(values)
    area, farmland, basic = land_areas(record.area_m2, record.overlaps)
    related = related or RelatedRecords()
    begun = steps[0].evidence if steps else {}
    return AlertFacts(
        alert_id=record.alert_id,
        number=record.number,
        county_code=record.county_code,
        township_code=record.township_code,
        village_code=record.grid_code,
        kind=record.kind,
        official_type=record.official_type,
        source=record.source,
        origin="tip" if "tip" in begun else "patrol" if "patrol" in begun else "drawn" if "drawn" in begun else "scan",
        found_on=log[0].day if log else record.created_on,
        first_image_day=record.first_image_day,
        area_m2=area,
        farmland_m2=farmland,
        basic_farmland_m2=basic,
        over_cap=record.over_cap,
        state=state,
        category=category,
        determination=determined.to_state if determined else None,
        determined_on=determined.day if determined else None,
        determined_by=determined.who if determined else "",
        history=history,
        entered={name: step.at for name, step in first.items()},
        last_entered={name: step.at for name, step in last.items()},
        dispatched_on=_day(first.get("dispatched")),
        checked_on=_day(last.get("field_checked")),
        checked_by=last["field_checked"].who if "field_checked" in last else "",
        reported_on=_day(first.get("submitted")),
        stop_notice=notice,
        stop_notice_on=notice_on,
        stopped=str(findings.get("stopped") or ""),
        correct_by=_date(values.get("correct_by")),
        corrected_on=_corrected_on(steps) if closing else None,
        closed_on=_day(closing),
        total_m2=areas.total_m2 if areas else 0.0,
        demolished_m2=areas.demolished_m2 if areas else 0.0,
        regularised_m2=areas.regularised_m2 if areas else 0.0,
        case_number=str(values.get("case_number") or "") if "case" in last else "",
        case_on=_day(first.get("case")),
        report_due_on=due_days.report_due(first["dispatched"].day) if "dispatched" in first else None,
        entered_values=values,
        related=related,
    )


def _history(steps: Sequence[LoggedStep], due_days: DueDays) -> list[StateEntry]:
    return [
        StateEntry(
            step.to_state,
            step.at,
            step.day,
            step.who,
            step.role,
            steps[place + 1].day if place + 1 < len(steps) else None,
            due_days.due(steps[: place + 1]),
            due_days.owner(step.to_state),
        )
        for place, step in enumerate(steps)
    ]


def _determination(steps: Sequence[LoggedStep]) -> LoggedStep | None:
    """Return the step of the determination in force; None: there is none, or the alert is judged again."""
    found: LoggedStep | None = None
    for step in steps:
        if step.to_state in DETERMINATIONS:
            found = step
        elif step.to_state in REOPENED:
            found = None
    return found


def _stop_notice(steps: Sequence[LoggedStep], findings: Mapping[str, Any]) -> tuple[str, dt.date | None]:
    """Return number and day of the notice: that of the correction, else the one that the check on the ground found."""
    for step in reversed(steps):
        if step.evidence.get("stop_notice"):
            return str(step.evidence["stop_notice"]), _date(step.evidence.get("notice_on")) or step.day
    if findings.get("notice"):
        return str(findings.get("notice_number") or ""), _date(findings.get("notice_on"))
    return "", None


def _corrected_on(steps: Sequence[LoggedStep]) -> dt.date | None:
    """Return the day of the last recheck before closing, else that of closing; None: nothing was to be corrected."""
    if not any(step.to_state == CONFIRMED for step in steps):
        return None
    rechecked = [step.day for step in steps if step.to_state == "rechecked"]
    return rechecked[-1] if rechecked else steps[-1].day


def land_areas(area_m2: float, overlaps: Sequence[Mapping[str, Any]]) -> tuple[float, float, float]:
    """Return the area of an alert, of which cultivated land, of which permanent basic farmland, in m²."""
    shares = shares_by_kind(overlaps)
    basic = shares.get("basic_farmland", 0.0)
    farmland = max(basic, shares.get("cultivated", 0.0))
    return area_m2, round(farmland * area_m2, 2), round(basic * area_m2, 2)


def _day(step: LoggedStep | None) -> dt.date | None:
    return None if step is None else step.day


def _date(value: Any) -> dt.date | None:
    try:
        return dt.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
