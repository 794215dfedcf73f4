"""Deadlines of alerts: as their steps give them, computed again after a change, and escalated when they have passed."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session, load_only

from enforcement.deadlines.state_deadlines import (
    Deadline,
    Step,
    deadline_of,
    level_above,
    owner_of,
    read_deadline_rules,
)
from enforcement.deadlines.working_days import Calendar
from enforcement.states import StateTable, read_states
from store.deadlines.calendar import calendar_of
from store.schema.chain.deadline_tables import DeadlineLogRow
from store.schema.tables import AlertRow, Transition

_CHUNK = 500

ONLY_RESPONSIBILITY = load_only(
    AlertRow.number,
    AlertRow.state,
    AlertRow.county_code,
    AlertRow.township_code,
    AlertRow.grid_code,
    AlertRow.assignee,
    AlertRow.due_on,
    AlertRow.over_cap,
    AlertRow.version,
)
"""Columns of alerts that decide who is told; outlines and evidence are not read."""


@dataclass(frozen=True)
class Escalation:
    """An overdue alert that was shown to the next level for the first time.

    Attributes:
        alert: the row.
        owner: role that had to act.
        level: role above, which sees it from now on; the same role if there is none above.
    """

    alert: AlertRow
    owner: str
    level: str


def steps_for_deadline(log: Iterable[Transition], zone: dt.tzinfo) -> list[Step]:
    """Return the transitions of an alert as its deadline depends on them."""
    return [Step(row.sequence, row.at.astimezone(zone).date(), row.to_state, row.evidence or {}) for row in log]


def alert_deadline(
    session: Session, log: Sequence[Transition], zone: dt.tzinfo, table: StateTable | None = None
) -> Deadline | None:
    """Return the deadline of an alert by its transitions; None: it is closed."""
    steps = steps_for_deadline(log, zone)
    return deadline_of(steps, table or read_states(), read_deadline_rules(), calendar_of(session))


def recompute_deadlines(
    session: Session,
    zone: dt.tzinfo,
    *,
    kind: str,
    who: str,
    now: dt.datetime,
    detail: Mapping[str, Any] | None = None,
    only_missing: bool = False,
) -> int:
    """Compute the deadlines of all open alerts again; log each one that moves.

    Args:
        session: a writing transaction; all changes are in it.
        zone: of local days.
        kind: cause, as in the log: ``calendar`` or ``rules``.
        who: login of the user who caused it, or ``system``.
        now: current time.
        detail: further values of the log.
        only_missing: leave out alerts that have a deadline.

    Returns:
        The number of deadlines that have moved.
    """
    table, rules, calendar = read_states(), read_deadline_rules(), calendar_of(session)
    moved = 0
    for alerts, logs in _open_alerts(session, table, zone, only_missing=only_missing):
        by_day: dict[dt.date, list[int]] = {}
        log = []
        for alert_id, state, due in alerts:
            found = deadline_of(logs.get(alert_id, ()), table, rules, calendar)
            new = found.due if found is not None else due or now.astimezone(zone).date()
            if new != due:
                values = {"alert_id": alert_id, "at": now, "who": who, "kind": kind, "from_day": due, "to_day": new}
                log.append({**values, "detail": {"state": state, **(detail or {})}})
                by_day.setdefault(new, []).append(alert_id)
        for day, ids in by_day.items():
            changed = update(AlertRow).where(AlertRow.id.in_(ids)).values(due_on=day)
            session.execute(changed.execution_options(synchronize_session=False))
        if log:
            session.execute(insert(DeadlineLogRow), log)
        moved += len(log)
    return moved


def escalate_overdue(session: Session, today: dt.date, now: dt.datetime) -> list[Escalation]:
    """Record each open alert whose deadline has passed as escalated, once for each deadline."""
    table, rules = read_states(), read_deadline_rules()
    known = select(DeadlineLogRow.id).where(
        DeadlineLogRow.alert_id == AlertRow.id,
        DeadlineLogRow.kind == "escalated",
        DeadlineLogRow.from_day == AlertRow.due_on,
        DeadlineLogRow.at >= AlertRow.changed_at,
    )
    overdue = select(AlertRow).where(AlertRow.state.in_(table.open), AlertRow.due_on < today, ~known.exists())
    found, log = [], []
    for alert in session.scalars(overdue.options(ONLY_RESPONSIBILITY).order_by(AlertRow.id)):
        owner = owner_of(alert.state, table, rules)
        level = level_above(owner, table) or owner
        detail = {"owner": owner, "level": level, "state": alert.state}
        values = {"alert_id": alert.id, "at": now, "who": "system", "kind": "escalated", "from_day": alert.due_on}
        log.append({**values, "to_day": None, "detail": detail})
        found.append(Escalation(alert, owner, level))
    if log:
        session.execute(insert(DeadlineLogRow), log)
    return found


def due_alerts(session: Session, first: dt.date, last: dt.date) -> list[AlertRow]:
    """List the open alerts whose deadline is from ``first`` to ``last``."""
    query = select(AlertRow).where(
        AlertRow.state.in_(read_states().open), AlertRow.due_on >= first, AlertRow.due_on <= last
    )
    return list(session.scalars(query.options(ONLY_RESPONSIBILITY).order_by(AlertRow.due_on, AlertRow.id)))


def deadline_log_of(session: Session, alert_id: int) -> list[DeadlineLogRow]:
    """List the changes and escalations of an alert's deadline, oldest first."""
    query = select(DeadlineLogRow).where(DeadlineLogRow.alert_id == alert_id).order_by(DeadlineLogRow.id)
    return list(session.scalars(query))


def states_owned_by(roles: Collection[str], *, above: bool = False) -> list[str]:
    """List the open states in which one of ``roles`` has to act.

    With ``above``: those whose overdue alerts escalate to one of ``roles``.
    """
    table, rules = read_states(), read_deadline_rules()
    owners = {state: owner_of(state, table, rules) for state in table.open}
    if above:
        return sorted(state for state, owner in owners.items() if level_above(owner, table) in roles)
    return sorted(state for state, owner in owners.items() if owner in roles)


def next_working_day(day: dt.date, calendar: Calendar, count: int) -> dt.date:
    """Return the ``count``-th working day after a day."""
    while count > 0:
        day += dt.timedelta(days=1)
        count -= calendar.is_working(day)
    return day


def rules_fingerprint() -> str:
    """Return a checksum of the states, transitions, owners and deadlines, to recompute deadlines when they change."""
    text = read_states().model_dump_json() + read_deadline_rules().model_dump_json()
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _open_alerts(
    session: Session, table: StateTable, zone: dt.tzinfo, *, only_missing: bool
) -> Iterator[tuple[Sequence[tuple[int, str, dt.date | None]], dict[int, list[Step]]]]:
    """Yield id, state and deadline of all open alerts, locked, with their steps, in chunks by id."""
    after = 0
    while True:
        columns = select(AlertRow.id, AlertRow.state, AlertRow.due_on)
        query = columns.where(AlertRow.state.in_(table.open), AlertRow.id > after)
        if only_missing:
            query = query.where(AlertRow.due_on.is_(None))
        locked = query.order_by(AlertRow.id).limit(_CHUNK).with_for_update(key_share=True)
        alerts = [(alert_id, state, due) for alert_id, state, due in session.execute(locked)]
        if not alerts:
            return
        after = alerts[-1][0]
        logs: dict[int, list[Step]] = {}
        log = Transition.alert_id, Transition.sequence, Transition.at, Transition.to_state, Transition.evidence
        rows = select(*log).where(Transition.alert_id.in_([alert_id for alert_id, _, _ in alerts]))
        for alert_id, sequence, at, state, evidence in session.execute(
            rows.order_by(Transition.alert_id, Transition.sequence)
        ):
            step = Step(sequence, at.astimezone(zone).date(), state, evidence or {})
            logs.setdefault(alert_id, []).append(step)
        yield alerts, logs
