"""Checks of alerts by rules written a second time, slow and simple: legal steps, deadlines, escalations, hash chains.

The rules are read from ``configs/states.yaml`` and ``configs/deadlines.yaml`` as plain data, working days from the
package of holidays; nothing of :mod:`enforcement` is used.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar
from sqlalchemy import select
from sqlalchemy.orm import Session

from configs import read_yaml
from store.schema.chain.deadline_tables import DeadlineLogRow
from store.schema.tables import AlertRow, Transition
from store.schema.user_tables import User

ZONE = ZoneInfo("Asia/Shanghai")
UNDO_MINUTES = 10


@dataclass(frozen=True)
class Step:
    """A row of the log of an alert."""

    sequence: int
    at: dt.datetime
    who: str
    role: str
    from_state: str
    to_state: str
    evidence: Mapping[str, Any]

    @property
    def day(self) -> dt.date:
        """Local day."""
        return self.at.astimezone(ZONE).date()


def read_steps(session: Session) -> dict[int, list[Step]]:
    """Return the logs of all alerts by id."""
    columns = (
        Transition.alert_id, Transition.sequence, Transition.at, Transition.who, Transition.role,
        Transition.from_state, Transition.to_state, Transition.evidence,
    )  # fmt: skip
    found: dict[int, list[Step]] = {}
    for alert_id, *values in session.execute(select(*columns).order_by(Transition.alert_id, Transition.sequence)):
        found.setdefault(alert_id, []).append(Step(*values))
    return found


@cache
def _file(name: str) -> dict[str, Any]:
    return read_yaml(Path(name))


@cache
def rules() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the transitions of the file by (from, to)."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for rule in _file("states.yaml")["transitions"]:
        starts = [rule["from"]] if isinstance(rule["from"], str) else rule["from"]
        found |= {(start, rule["to"]): rule for start in starts}
    return found


@cache
def categories() -> dict[str, str]:
    """Return the category of each state of the file."""
    return {name: state["category"] for name, state in _file("states.yaml")["states"].items()}


def is_open(state: str) -> bool:
    """Return whether an alert in a state needs work."""
    return categories()[state] in ("open", "correcting")


def step_faults(number: str, log: Sequence[Step], people: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return what is not legal in the log of an alert.

    Args:
        number: of the alert.
        log: its steps, oldest first.
        people: login → roles.
    """
    faults: list[str] = []
    kept: list[Step] = []  # without what was undone
    for place, step in enumerate(log, 1):
        where = f"{number} step {place} to {step.to_state}"
        if step.sequence != place:
            faults.append(f"{where} has the number {step.sequence}")
        if place > 1 and step.at < log[place - 2].at:
            faults.append(f"{where} is earlier than the step before")
        if step.role != "system" and step.role not in people.get(step.who, ()):
            faults.append(f"{where}: {step.who} has no role {step.role}")
        if "undoes" in step.evidence:
            faults += _undo_faults(where, step, log[: place - 1])
            kept = [one for one in kept if one.sequence < step.evidence["undoes"]]
            continue
        if not kept:
            if (step.from_state, step.to_state) != ("", "new"):
                faults.append(f"{where} is the first one")
        elif step.from_state != kept[-1].to_state:
            faults.append(f"{where} begins at {step.from_state}, the alert was {kept[-1].to_state}")
        else:
            faults += _rule_faults(where, step, kept)
        kept.append(step)
    return faults


def _undo_faults(where: str, step: Step, before: Sequence[Step]) -> list[str]:
    undone = [one for one in before if one.sequence >= step.evidence["undoes"]]
    if not undone or undone[0].from_state != step.to_state or any(one.who != step.who for one in undone):
        return [f"{where} undoes what it may not"]
    if step.at - undone[-1].at > dt.timedelta(minutes=UNDO_MINUTES):
        return [f"{where} undoes after more than {UNDO_MINUTES} minutes"]
    return []


def _rule_faults(where: str, step: Step, kept: Sequence[Step]) -> list[str]:
    rule = rules().get((step.from_state, step.to_state))
    if rule is None:
        return [f"{where} from {step.from_state} is not listed"]
    faults = [f"{where} by the role {step.role}"] if step.role not in rule["by"] else []
    faults += [f"{where} without {name}" for name in rule.get("evidence", ()) if not step.evidence.get(name)]
    if rule.get("not_by"):
        entered = [one.who for one in kept if one.to_state == rule["not_by"]]
        if entered and entered[-1] == step.who:
            faults.append(f"{where} by {step.who}, who moved it to {rule['not_by']}")
    if rule.get("balanced"):
        areas = [step.evidence.get(name, -1) for name in ("total_m2", "demolished_m2", "regularised_m2")]
        if abs(areas[0] - areas[1] - areas[2]) > 0.02 or min(areas) < 0 or step.evidence.get("agreed") is not True:
            faults.append(f"{where} with areas {areas}")
    return faults


def is_workday(day: dt.date) -> bool:
    """Return whether a day is worked, by the package of holidays; of years that it lacks, Monday to Friday."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < 5


def entered_on(log: Sequence[Step]) -> tuple[str, dt.date, list[Step]]:
    """Return the state of an alert, the day on which it was entered, and the steps that stand."""
    kept: list[Step] = []
    for step in log:
        if "undoes" in step.evidence:
            kept = [one for one in kept if one.sequence < step.evidence["undoes"]]
        else:
            kept.append(step)
    return kept[-1].to_state, kept[-1].day, kept


def slow_deadline(log: Sequence[Step]) -> dt.date | None:
    """Return the deadline of an alert by counting days one by one; None: it is closed."""
    state, day, kept = entered_on(log)
    if not is_open(state):
        return None
    settings = _file("deadlines.yaml")
    rule = settings["states"].get(state, {})
    if "date_of" in rule:
        for step in reversed(kept):
            if step.evidence.get(rule["date_of"]):
                agreed = dt.date.fromisoformat(step.evidence[rule["date_of"]])
                if agreed >= day:
                    return agreed
                break
    if "days" in rule:
        due = day + dt.timedelta(days=rule["days"])
        while not is_workday(due):
            due += dt.timedelta(days=1)
        return due
    within = [one["within"] for (start, _), one in rules().items() if start == state and "within" in one]
    left = rule.get("working_days", min(within, default=settings["working_days"]))
    due = day
    while left > 0:
        due += dt.timedelta(days=1)
        left -= is_workday(due)
    while not is_workday(due):
        due += dt.timedelta(days=1)
    return due


def alert_faults(session: Session, today: dt.date, logs: Mapping[int, Sequence[Step]]) -> list[str]:
    """Return the faults of all alerts on the evening of a day: state, steps, deadline, escalation."""
    people = {
        login: (role, *others)
        for login, role, others in session.execute(select(User.login, User.role, User.other_roles))
    }
    escalated = {
        (alert_id, day)
        for alert_id, day in session.execute(
            select(DeadlineLogRow.alert_id, DeadlineLogRow.from_day).where(DeadlineLogRow.kind == "escalated")
        )
    }
    columns = (AlertRow.id, AlertRow.number, AlertRow.state, AlertRow.due_on, AlertRow.changed_at, AlertRow.grid_code)
    faults: list[str] = []
    for alert_id, number, state, due, changed_at, code in session.execute(select(*columns).order_by(AlertRow.id)):
        log = logs.get(alert_id, [])
        if not log or log[-1].to_state != state:
            faults.append(f"{number} is {state}; its log says {log[-1].to_state if log else 'nothing'}")
            continue
        faults += step_faults(number, log, people)
        expected = slow_deadline(log)
        if due != expected:
            faults.append(f"{number} ({state}) is due on {due}; counted: {expected}")
        if len(code) != 12:
            faults.append(f"{number} belongs to {code or 'no area'}")
        digest = dt.datetime.combine(today, dt.time(7, 30), ZONE)
        if due is not None and due < today and changed_at < digest and (alert_id, due) not in escalated:
            faults.append(f"{number} ({state}) was due on {due} and was not escalated")
    return faults
