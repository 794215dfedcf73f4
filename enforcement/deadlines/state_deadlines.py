"""Owner and deadline of an alert in its state, and the days that a deadline counts (``configs/deadlines.yaml``)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from enforcement.deadlines.working_days import DAY, Calendar, deadline
from enforcement.settings import StrictModel, read_settings
from enforcement.states import StateTable
from errors import SettingsError

MAX_DAYS = 3660
"""A date further in the future than this is not accepted as a deadline."""

LEVEL_DIGITS = {"village": 12, "township": 9, "county": 6, "city": 4}
"""Digits of the administrative code of each level."""


class DeadlineRule(StrictModel):
    """Owner and deadline of one state; the fields are described in ``configs/deadlines.yaml``."""

    owner: str = ""
    working_days: Annotated[int | None, Field(ge=0, le=1000)] = None
    days: Annotated[int | None, Field(ge=0, le=MAX_DAYS)] = None
    date_of: str = ""


class DeadlineRules(StrictModel):
    """All of ``configs/deadlines.yaml``."""

    working_days: Annotated[int, Field(ge=0, le=1000)] = 5
    states: Annotated[dict[str, DeadlineRule], Field(default_factory=dict)]


@dataclass(frozen=True)
class Step:
    """A transition, as far as deadlines depend on it.

    Attributes:
        sequence: 1, 2, 3 … of its alert.
        day: local day.
        to_state: the state entered.
        evidence: of the transition; ``undoes``: the first of the steps that it takes back.
    """

    sequence: int
    day: dt.date
    to_state: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class DayCount:
    """One day between the start and the deadline.

    Attributes:
        day: the day.
        counted: whether it is a working day.
        reason: why it is special: ``weekend``, ``holiday``, ``make_up`` (worked on a weekend), or "".
        name: of the holiday.
    """

    day: dt.date
    counted: bool
    reason: Literal["", "weekend", "holiday", "make_up"]
    name: str = ""


@dataclass(frozen=True)
class Deadline:
    """Deadline of an open alert.

    Attributes:
        due: last day on time.
        start: day from which it counts.
        owner: role that has to act.
        basis: ``working`` days, calendar ``days``, or the ``date`` of a notice.
        allowed: number of days of the rule; 0 for a date.
    """

    due: dt.date
    start: dt.date
    owner: str
    basis: Literal["working", "days", "date"]
    allowed: int = 0


def owner_of(state: str, table: StateTable, rules: DeadlineRules) -> str:
    """Return the role that has to act on an alert in an open state.

    Raises:
        SettingsError: ``configs/deadlines.yaml`` names an unknown role.
    """
    owner = rules.states[state].owner if state in rules.states else ""
    if owner and owner not in table.roles:
        raise SettingsError(f"configs/deadlines.yaml: {state} names the role {owner}, which states.yaml does not list.")
    if owner:
        return owner
    acting = (role for rule in table.transitions if state in rule.from_states for role in rule.by)
    return next((role for role in acting if role != "system"), _highest(table))


def level_above(role: str, table: StateTable) -> str | None:
    """Return the role to which overdue alerts of ``role`` escalate; None: it is the highest."""
    return table.roles[role].escalates if role in table.roles else None


def owner_code(role: str, codes: Sequence[str]) -> str:
    """Return the area whose people of ``role`` are responsible for an alert.

    Args:
        role: a role with a level, like ``township``; others answer for the smallest area.
        codes: codes of the alert's county, township and grid; "" where it has none.
    """
    smallest = max(codes, key=len, default="")
    return smallest[: LEVEL_DIGITS.get(role, 12)]


def deadline_of(steps: Sequence[Step], table: StateTable, rules: DeadlineRules, calendar: Calendar) -> Deadline | None:
    """Return the deadline of an alert; None: it is closed, or has no steps.

    Args:
        steps: its transitions, oldest first.
        table: states and transitions.
        rules: owners and deadlines.
        calendar: working days.
    """
    if not steps or steps[-1].to_state not in table.open:
        return None
    valid = _valid_steps(steps)
    entered = valid[-1]
    state = entered.to_state
    rule = rules.states.get(state, DeadlineRule())
    owner = owner_of(state, table, rules)
    if rule.date_of:
        agreed = next((day for step in reversed(valid) if (day := _date(step.evidence.get(rule.date_of)))), None)
        if agreed is not None and entered.day <= agreed <= entered.day + MAX_DAYS * DAY:
            return Deadline(agreed, entered.day, owner, "date")
    if rule.days is not None:
        due = deadline(entered.day + rule.days * DAY, 0, calendar)
        return Deadline(due, entered.day, owner, "days", rule.days)
    allowed = rule.working_days
    if allowed is None:
        allowed = table.days_allowed(state)
    if allowed is None:
        allowed = rules.working_days
    return Deadline(deadline(entered.day, allowed, calendar), entered.day, owner, "working", allowed)


def count_days(found: Deadline, calendar: Calendar) -> list[DayCount]:
    """List the days after the start up to the deadline, with those that do not count and why."""
    return [_count(found.start + n * DAY, calendar) for n in range(1, (found.due - found.start).days + 1)]


def _count(day: dt.date, calendar: Calendar) -> DayCount:
    weekend = day.weekday() in [_WEEKDAYS.index(name) for name in calendar.weekend]
    if calendar.is_working(day):
        return DayCount(day, True, "make_up" if weekend else "")
    if day in calendar.names:
        return DayCount(day, False, "holiday", calendar.names[day])
    return DayCount(day, False, "weekend")


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _valid_steps(steps: Sequence[Step]) -> Sequence[Step]:
    """Return the steps up to the one that entered the current state, without those that were taken back."""
    last = steps[-1]
    undone = last.evidence.get("undoes")
    if not isinstance(undone, int):
        return steps
    before = [step for step in steps if step.sequence < undone]
    while before:
        valid = _valid_steps(before)
        if valid[-1].to_state == last.to_state:
            return valid
        before = before[:-1]
    return steps


def _highest(table: StateTable) -> str:
    return next((name for name, role in table.roles.items() if role.escalates is None and not _views(role)), "county")


def _views(role: Any) -> bool:
    return bool(getattr(role, "views_only", False))


def _date(value: Any) -> dt.date | None:
    try:
        return dt.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


@cache
def read_deadline_rules(path: Path = Path("deadlines.yaml")) -> DeadlineRules:
    """Read ``configs/deadlines.yaml``, once per process.

    Raises:
        SettingsError: the file is invalid.
    """
    return read_settings(path, DeadlineRules)
