"""Steps in the life of an alert: appended, each holding the hash of the one before, and never changed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.correction import correction_of
from enforcement.deadlines import deadline, read_calendar
from enforcement.hash_chain import START, Row, canonical, first_break, link
from enforcement.states import NotAllowed, StateTable, read_states
from errors import Reason
from store.schema.tables import AlertRow, Transition

REASON_KEY = "why"
"""In a step's evidence: the words of the software for other languages, as :class:`errors.Reason` tells them."""


@dataclass(frozen=True)
class BrokenChain:
    """An alert whose log is not as it was written.

    Attributes:
        alert_id: of its row.
        number: of the alert.
        sequence: place in the log of the first transition that is missing or changed.
        difference: as of :class:`enforcement.hash_chain.Break`; ``state``: the states of two transitions, or of the alert
            and its last transition, do not fit together; ``alert``: the alert itself is missing.
        reason: for people.
    """

    alert_id: int
    number: str
    sequence: int
    difference: str
    reason: str


@dataclass(frozen=True)
class Closing:
    """How an alert came to its end.

    Attributes:
        on: local date.
        cleared: whether everything was demolished and nothing left standing.
    """

    on: dt.date
    cleared: bool


def append_transition(
    session: Session,
    alert: AlertRow,
    to_state: str,
    *,
    who: str,
    role: str,
    why: str,
    at: dt.datetime,
    evidence: Mapping[str, Any] | None = None,
    table: StateTable | None = None,
    zone: dt.tzinfo = dt.UTC,
) -> Transition:
    """Move an alert to another state, and write that down, in the caller's transaction.

    The first step of an alert may enter the initial state: it tells who found it.

    Two processes that move one alert at once cannot both succeed: the second gets SQLAlchemy's ``StaleDataError`` or
    ``IntegrityError``, and does its transaction again on what is there then.

    Args:
        session: a transaction that writes.
        alert: with its number set; may be new.
        to_state: where it goes.
        who: the person, at most 100 letters; or ``system``.
        role: a role of ``configs/states.yaml``.
        why: for people.
        at: aware moment.
        evidence: what is given with the step, as JSON.
        table: what may follow what; ``configs/states.yaml``, if None.
        zone: in which the day of ``at`` is told, from which the deadline counts.

    Returns:
        the row, added to the session. ``alert.state``, ``state_reason``, ``changed_at`` and ``due_on`` are set.

    Raises:
        errors.TubanError: :class:`enforcement.states.NotAllowed`, when the table does not allow the step or something
            is missing for it.
    """
    table = table or read_states()
    session.flush()
    log = steps_of(session, alert)
    begins = not log and to_state == table.initial and alert.state in ("", table.initial)
    from_state = "" if begins else alert.state
    history = [(row.to_state, row.who) for row in log]
    table.step(from_state, to_state, role, evidence, who=who, history=history)
    row = _append(session, alert, log, to_state, who=who, role=role, why=why, at=at, evidence=evidence)
    alert.due_on = due_on(to_state, at.astimezone(zone).date(), table)
    session.flush()
    return row


def undo_transition(
    session: Session,
    alert: AlertRow,
    *,
    who: str,
    role: str,
    at: dt.datetime,
    within: dt.timedelta,
    steps: int = 1,
    table: StateTable | None = None,
    zone: dt.tzinfo = dt.UTC,
) -> Transition:
    """Take back the last step of an alert, by one more step: nothing is removed from the log.

    Args:
        session: a transaction that writes.
        alert: whose last step was taken by mistake.
        who: the person; only their own last step can be taken back.
        role: theirs.
        at: aware moment.
        within: how long after a step it may be taken back.
        steps: how many of the last steps were one judgement, and are taken back together.
        table: ``configs/states.yaml``, if None.
        zone: as of :func:`append_transition`.

    Raises:
        errors.TubanError: :class:`enforcement.states.NotAllowed`: the last step is another person's, the first one, too
            old, or itself an undoing.
    """
    table = table or read_states()
    session.flush()
    log = steps_of(session, alert)
    last = log[-1] if log else None
    first = log[-steps] if 0 < steps <= len(log) else None
    if last is None or first is None or not first.from_state:
        raise NotAllowed(f"{alert.number} has no step that could be taken back.", "undo.nothing", alert=alert.number)
    if any(step.who != who for step in log[-steps:]):
        raise NotAllowed(
            f"The last step of {alert.number} was taken by {last.who}; only they can take it back.",
            "undo.anothers",
            alert=alert.number,
            who=last.who,
        )
    if any("undoes" in step.evidence for step in log[-steps:]):
        raise NotAllowed(f"The last step of {alert.number} was taken back already.", "undo.already", alert=alert.number)
    if at - last.at > within:
        minutes = int(within.total_seconds() // 60)
        raise NotAllowed(
            f"The last step of {alert.number} is older than {minutes} minutes; move the alert on instead.",
            "undo.too_old",
            alert=alert.number,
            minutes=minutes,
        )
    row = _append(
        session,
        alert,
        log,
        first.from_state,
        who=who,
        role=role,
        why=Reason(
            f"takes back step {first.sequence}" + (f" to {last.sequence}" if first is not last else ""),
            "alert.taken_back",
            first=first.sequence,
            last=last.sequence,
        ),
        at=at,
        evidence={"undoes": first.sequence},  # and all that came after it
    )
    entered = next((step.at for step in reversed(log[:-steps]) if step.to_state == first.from_state), at)
    alert.due_on = due_on(first.from_state, entered.astimezone(zone).date(), table)
    session.flush()
    return row


def due_on(state: str, entered: dt.date, table: StateTable) -> dt.date | None:
    """Last local day on which the next step is in time, for an alert that came into ``state`` on ``entered``."""
    days = table.within(state)
    return None if days is None else deadline(entered, days, read_calendar())


def steps_of(session: Session, alert: AlertRow) -> list[Transition]:
    """The steps of an alert, oldest first."""
    log = select(Transition).where(Transition.alert_id == alert.id).order_by(Transition.sequence)
    return list(session.scalars(log))


def log_of(session: Session, alert: AlertRow) -> list[Row]:
    """The same as the chain that they are, with what was hashed of each."""
    return [_chained(alert.number, step) for step in steps_of(session, alert)]


def _append(
    session: Session,
    alert: AlertRow,
    log: list[Transition],
    to_state: str,
    *,
    who: str,
    role: str,
    why: str,
    at: dt.datetime,
    evidence: Mapping[str, Any] | None,
) -> Transition:
    begins = not log and alert.state in ("", to_state)
    told = Reason.json_of(why)
    row = Transition(
        alert_id=alert.id,
        sequence=len(log) + 1,
        at=at,
        who=who,
        role=role,
        from_state="" if begins else alert.state,
        to_state=to_state,
        why=str(why),
        evidence=json.loads(canonical({**(evidence or {}), **({REASON_KEY: told} if told else {})})),
        previous_hash=log[-1].hash if log else START,
    )
    row.hash = link(row.previous_hash, _fields(alert.number, row))
    session.add(row)
    alert.state, alert.state_reason, alert.changed_at = to_state, str(why), at
    return row


def verify_transitions(session: Session, table: StateTable | None = None) -> list[BrokenChain]:
    """Look at the log of every alert.

    Found are rows that were changed, inserted or removed behind the software's back, and alerts that are in another
    state than their last row says: that is also how a removed last row shows. Not found is a change by someone who
    rewrote all later rows with their hashes.

    Args:
        session: reads; by one query, so that a step that is written meanwhile does not look broken.
        table: which state is the initial one; ``configs/states.yaml``, if None.

    Returns:
        the broken ones, by id; empty: all is as it was written.
    """
    initial = (table or read_states()).initial
    # columns, not objects: what the database holds, whatever this session has loaded before
    rows = session.execute(
        select(AlertRow.id, AlertRow.number, AlertRow.state, *Transition.__table__.columns)
        .outerjoin(Transition, Transition.alert_id == AlertRow.id)
        .order_by(AlertRow.id, Transition.sequence)
        .execution_options(yield_per=1000)
    )
    broken: list[BrokenChain] = []
    for (alert_id, number, state), group in groupby(rows, key=lambda row: (row[0], row[1], row[2])):
        fault = broken_chain(alert_id, number, state, [row for row in group if row.sequence is not None], initial)
        if fault is not None:
            broken.append(fault)
    return broken


_DIFFERENCES = {
    "missing": "transition {0} is missing: the next one that is there is number {1}",
    "number": "transition {0} carries the number {1}: it was renumbered or inserted",
    "link": "transition {0} does not hold the hash of the one before it: one was changed, removed or inserted there",
    "content": "transition {0} was changed: its content does not give its hash",
}


def broken_chain(alert_id: int, number: str, state: str, log: Sequence[Any], initial: str) -> BrokenChain | None:
    """Verify the log of one alert.

    Args:
        alert_id: of the alert's row.
        number: of the alert.
        state: of the alert's row.
        log: its transitions by sequence, as objects or as rows of a query.
        initial: the state of an alert that has no transition yet.

    Returns:
        the first fault; None: the log is as it was written, and ends at the alert's state.
    """

    def fault(sequence: int, difference: str, reason: str) -> BrokenChain:
        return BrokenChain(alert_id, number, sequence, difference, reason)

    bad = first_break(_chained(number, row) for row in log)
    if bad is not None:
        return fault(bad.sequence, bad.difference, _DIFFERENCES[bad.difference].format(bad.sequence, bad.found))
    for before, row in pairwise(log):
        if row.from_state != before.to_state:
            reason = f"transition {row.sequence} begins at {row.from_state}, not at {before.to_state}"
            return fault(row.sequence, "state", reason)
    last = log[-1].to_state if log else initial
    if state != last:
        reason = f"the alert is {state}, but its log ends at {last}: a step was removed or never written"
        return fault(len(log) + 1, "state", reason)
    return None


def closings(
    session: Session, alert_ids: Collection[int], zone: ZoneInfo, table: StateTable | None = None
) -> dict[int, Closing]:
    """When alerts came to their present end.

    Args:
        session: reads.
        alert_ids: those asked for; alerts that are open are left out of the answer.
        zone: in which the date is told.
        table: which states are ends; ``configs/states.yaml``, if None.
    """
    ends = (table or read_states()).closed
    rows = session.execute(
        select(Transition.alert_id, Transition.at, Transition.evidence)
        .join(AlertRow, AlertRow.id == Transition.alert_id)
        .where(AlertRow.id.in_(alert_ids), AlertRow.state.in_(ends), Transition.to_state == AlertRow.state)
        .order_by(Transition.alert_id, Transition.sequence)
    )
    found: dict[int, Closing] = {}
    for alert_id, at, evidence in rows:
        correction = correction_of(evidence)
        found[alert_id] = Closing(at.astimezone(zone).date(), correction is not None and correction.cleared)
    return found


def _chained(number: str, row: Any) -> Row:
    return Row(row.sequence, _fields(number, row), row.previous_hash, row.hash)


def _fields(number: str, row: Any) -> dict[str, Any]:
    """What is hashed of a transition, given as an object or as a row of a query."""
    return {
        "alert": number,
        "sequence": row.sequence,
        "at": row.at,
        "who": row.who,
        "role": row.role,
        "from_state": row.from_state,
        "to_state": row.to_state,
        "why": row.why,
        "evidence": row.evidence,
    }
