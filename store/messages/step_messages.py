"""Messages about steps of alerts: to those who have to act next, in the transaction of the step."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.deadlines.state_deadlines import owner_of, read_deadline_rules
from enforcement.messages.message_kinds import read_message_kinds
from enforcement.states import read_states
from store.messages.recipients import People
from store.messages.writing import write_message
from store.schema.chain.message_tables import MessageRow
from store.schema.tables import AlertRow, Transition


def write_step_messages(session: Session, alert: AlertRow, step: Transition) -> int:
    """Tell those who have to act after a step, except the person who made it; return the number of messages.

    A step of the software itself, which mostly happens at night, waits for the digest of the day.
    """
    kind = read_message_kinds().of_step(step.from_state, step.to_state)
    table = read_states()
    if kind is None or step.to_state not in table.open:
        return 0
    owner = owner_of(step.to_state, table, read_deadline_rules())
    known: dict[str, People] = session.info.setdefault("tuban_people", {})
    people = known.get(alert.grid_code) or People(session, alert.grid_code)
    known[alert.grid_code] = people
    _, owners = people.responsible(owner, alert)
    return write_message(
        session,
        [person for person in owners if person.login != step.who],
        kind,
        event=_event(alert, step.sequence),
        now=step.at,
        content={
            "alert": alert.number,
            "why": step.why if kind != "dispatched" else "",
            "due": alert.due_on.isoformat() if alert.due_on else "",
        },
        alerts=[alert],
        code=alert.grid_code,
        waits=step.role == "system",
    )


def withdraw_step_messages(session: Session, alert: AlertRow, sequences: Collection[int]) -> None:
    """Mark messages about steps that were taken back; those that were not sent yet will not be sent."""
    events = [_event(alert, sequence) for sequence in sequences]
    for message in session.scalars(select(MessageRow).where(MessageRow.event_key.in_(events))):
        message.content = {**message.content, "withdrawn": True}


def _event(alert: AlertRow, sequence: int) -> str:
    return f"step:{alert.id}:{sequence}"
