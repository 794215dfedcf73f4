"""Deadlines of alerts: as their steps give them, computed again after a change, and escalated when they have passed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.deadlines import Calendar
from enforcement.state_deadlines import Deadline, Step, deadline_of, level_above, owner_of, read_deadline_rules
from enforcement.states import StateTable, read_states
from store.deadlines.calendar import calendar_of
from store.schema.deadline_tables import DeadlineLogRow
from store.schema.tables import AlertRow, Transition

_CHUNK = 500


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
    session: Session, zone: dt.tzinfo, *, kind: str, who: str, now: dt.datetime, detail: Mapping[str, Any] | None = None
) -> int:
    """Compute the deadlines of all open alerts again; log each one that moves.

    Args:
        session: a writing transaction; all changes are in it.
        zone: of local days.
        kind: cause, as in the log: ``calendar`` or ``rules``.
        who: login of the user who caused it, or ``system``.
        now: current time.
        detail: further values of the log.

    Returns:
        The number of deadlines that have moved.
    """
    table, rules, calendar = read_states(), read_deadline_rules(), calendar_of(session)
    moved = 0
    for alerts, logs in _open_alerts(session, table):
        for alert in alerts:
            steps = steps_for_deadline(logs.get(alert.id, ()), zone)
            moved += _move(session, alert, deadline_of(steps, table, rules, calendar), kind, who, now, detail)
        session.flush()
    return moved


def _move(
    session: Session,
    alert: AlertRow,
    found: Deadline | None,
    kind: str,
    who: str,
    now: dt.datetime,
    detail: Mapping[str, Any] | None,
) -> bool:
    due = found.due if found is not None else now.date()
    if alert.due_on == due or (found is None and alert.due_on is not None):
        return False
    session.add(
        DeadlineLogRow(
            alert_id=alert.id,
            at=now,
            who=who,
            kind=kind,
            from_day=alert.due_on,
            to_day=due,
            detail={"state": alert.state, **(detail or {})},
        )
    )
    alert.due_on = due
    return True


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
    found = []
    for alert in session.scalars(overdue.order_by(AlertRow.id)):
        owner = owner_of(alert.state, table, rules)
        level = level_above(owner, table) or owner
        session.add(
            DeadlineLogRow(
                alert_id=alert.id,
                at=now,
                who="system",
                kind="escalated",
                from_day=alert.due_on,
                to_day=None,
                detail={"owner": owner, "level": level, "state": alert.state},
            )
        )
        found.append(Escalation(alert, owner, level))
    session.flush()
    return found


def due_alerts(session: Session, first: dt.date, last: dt.date) -> list[AlertRow]:
    """List the open alerts whose deadline is from ``first`` to ``last``."""
    query = select(AlertRow).where(
        AlertRow.state.in_(read_states().open), AlertRow.due_on >= first, AlertRow.due_on <= last
    )
    return list(session.scalars(query.order_by(AlertRow.due_on, AlertRow.id)))


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


def _open_alerts(session: Session, table: StateTable) -> Iterable[tuple[list[AlertRow], dict[int, list[Transition]]]]:
    """Yield all open alerts, locked, with their transitions, in chunks by id."""
    after = 0
    while True:
        query = (
            select(AlertRow)
            .where(AlertRow.state.in_(table.open), AlertRow.id > after)
            .order_by(AlertRow.id)
            .limit(_CHUNK)
            .with_for_update(key_share=True)
        )
        alerts = list(session.scalars(query))
        if not alerts:
            return
        after = alerts[-1].id
        logs: dict[int, list[Transition]] = {}
        rows = select(Transition).where(Transition.alert_id.in_([alert.id for alert in alerts]))
        for row in session.scalars(rows.order_by(Transition.alert_id, Transition.sequence)):
            logs.setdefault(row.alert_id, []).append(row)
        yield alerts, logs
