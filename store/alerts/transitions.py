"""Append-only log of the state transitions of alerts, linked by a hash chain."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.correction import parse_correction
from enforcement.hash_chain import GENESIS_HASH, Row, canonical_json, row_hash
from enforcement.states import NotAllowed, StateTable, read_states
from errors import Reason
from store.deadlines.alert_deadlines import alert_deadline
from store.messages.step_messages import withdraw_step_messages, write_step_messages
from store.schema.tables import AlertRow, Transition

REASON_KEY = "why"
"""Key of a transition's evidence that holds the code and values of a translatable reason (:class:`errors.Reason`)."""


@dataclass(frozen=True)
class Closing:
    """How an alert was closed.

    Attributes:
        on: local date.
        cleared: whether everything was demolished.
        permitted: whether the works were found to be permitted: it was closed without a correction.
    """

    on: dt.date
    cleared: bool
    permitted: bool = False


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
    """Move an alert to another state and log the transition, in the caller's transaction.

    The first transition may enter the initial state, to record who found the alert.

    Of two processes that move the same alert concurrently, the second gets SQLAlchemy's ``StaleDataError`` or
    ``IntegrityError`` and has to repeat its transaction.

    Args:
        session: a writing transaction.
        alert: with its number set; may be new.
        to_state: the new state.
        who: login of the user, at most 100 characters; or ``system``.
        role: a role of ``configs/states.yaml``.
        why: reason, for people.
        at: timezone-aware time.
        evidence: JSON data of the transition.
        table: the state machine; None: ``configs/states.yaml``.
        zone: time zone of the local day from which the deadline counts.

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
    table.check_transition(from_state, to_state, role, evidence, who=who, history=history)
    row = _append(session, alert, log, to_state, who=who, role=role, why=why, at=at, evidence=evidence)
    found = alert_deadline(session, [*log, row], zone, table)
    alert.due_on = None if found is None else found.due
    session.flush()
    write_step_messages(session, alert, row)
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
    """Undo the last transition of an alert by appending another one: nothing is removed from the log.

    Args:
        session: a writing transaction.
        alert: the alert.
        who: login of the user, who can only undo their own last transition.
        role: role of the user.
        at: timezone-aware time.
        within: how long after a transition it can be undone.
        steps: number of last transitions that were one decision and are undone together.
        table: the state machine; None: ``configs/states.yaml``.
        zone: as of :func:`append_transition`.

    Raises:
        errors.TubanError: :class:`enforcement.states.NotAllowed`: the last transition is another user's, the first one,
            too old, or itself an undo.
    """
    table = table or read_states()
    session.flush()
    log = steps_of(session, alert)
    last = log[-1] if log else None
    first = log[-steps] if 0 < steps <= len(log) else None
    if last is None or first is None or not first.from_state:
        raise NotAllowed(f"{alert.number} has no transition that can be undone.", "undo.nothing", alert=alert.number)
    if any(step.who != who for step in log[-steps:]):
        raise NotAllowed(
            f"The last transition of {alert.number} was made by {last.who}; only that user can undo it.",
            "undo.anothers",
            alert=alert.number,
            who=last.who,
        )
    if any("undoes" in step.evidence for step in log[-steps:]):
        raise NotAllowed(
            f"The last transition of {alert.number} was undone already.", "undo.already", alert=alert.number
        )
    if at - last.at > within:
        minutes = int(within.total_seconds() // 60)
        raise NotAllowed(
            f"The last transition of {alert.number} is older than {minutes} minutes; move the alert instead.",
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
            f"undoes transition {first.sequence}" + (f" to {last.sequence}" if first is not last else ""),
            "alert.taken_back",
            first=first.sequence,
            last=last.sequence,
        ),
        at=at,
        evidence={"undoes": first.sequence},  # and all later ones
    )
    found = alert_deadline(session, [*log, row], zone, table)
    alert.due_on = None if found is None else found.due
    session.flush()
    withdraw_step_messages(session, alert, [step.sequence for step in log[-steps:]])
    return row


def steps_of(session: Session, alert: AlertRow) -> list[Transition]:
    """List the transitions of an alert, oldest first."""
    query = select(Transition).where(Transition.alert_id == alert.id).order_by(Transition.sequence)
    return list(session.scalars(query))


def log_of(session: Session, alert: AlertRow) -> list[Row]:
    """Return the transitions of an alert as a hash chain, oldest first."""
    return [chain_row(alert.number, step) for step in steps_of(session, alert)]


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
    reason = Reason.json_of(why)
    row = Transition(
        alert_id=alert.id,
        sequence=len(log) + 1,
        at=at,
        who=who,
        role=role,
        from_state="" if begins else alert.state,
        to_state=to_state,
        why=str(why),
        evidence=json.loads(canonical_json({**(evidence or {}), **({REASON_KEY: reason} if reason else {})})),
        previous_hash=log[-1].hash if log else GENESIS_HASH,
    )
    row.hash = row_hash(row.previous_hash, _fields(alert.number, row))
    session.add(row)
    alert.state, alert.state_reason, alert.changed_at = to_state, str(why), at
    return row


def closings(
    session: Session, alert_ids: Collection[int], zone: ZoneInfo, table: StateTable | None = None
) -> dict[int, Closing]:
    """Return when and how alerts were closed, by id; open alerts are left out.

    Args:
        session: a read transaction.
        alert_ids: ids of the alerts.
        zone: time zone of the local date.
        table: the state machine, which defines the closed states; None: ``configs/states.yaml``.
    """
    table = table or read_states()
    closed = table.closed
    rows = session.execute(
        select(Transition.alert_id, Transition.at, Transition.evidence, Transition.from_state, Transition.to_state)
        .join(AlertRow, AlertRow.id == Transition.alert_id)
        .where(AlertRow.id.in_(alert_ids), AlertRow.state.in_(closed), Transition.to_state == AlertRow.state)
        .order_by(Transition.alert_id, Transition.sequence)
    )
    found: dict[int, Closing] = {}
    for alert_id, at, evidence, from_state, to_state in rows:
        correction = parse_correction(evidence)
        permitted = table.category(to_state) == "closed" and table.category(from_state or table.initial) == "open"
        found[alert_id] = Closing(at.astimezone(zone).date(), correction is not None and correction.cleared, permitted)
    return found


def last_decision(session: Session, alert: AlertRow) -> dict[str, Any]:
    """Return the last decision of a person about an alert, as evidence of its reopening; {}: there is none."""
    decisions = [step for step in steps_of(session, alert) if step.role != "system" and "undoes" not in step.evidence]
    if not decisions:
        return {}
    last = decisions[-1]
    return {
        "verdict": last.to_state,
        "verdict_reason": last.why,
        "verdict_by": last.who,
        "verdict_at": last.at.isoformat(),
        "verdict_sequence": last.sequence,
    }


def chain_row(number: str, row: Any) -> Row:
    """Return a transition, given as an object or as a row of a query, as a link of the hash chain."""
    return Row(row.sequence, _fields(number, row), row.previous_hash, row.hash)


def _fields(number: str, row: Any) -> dict[str, Any]:
    """Return the hashed fields of a transition, given as an object or as a row of a query."""
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
