"""Messages about overdue tips: once per deadline, to the handler and to the level above."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from enforcement.chain_settings import ChainValues
from enforcement.deadlines.state_deadlines import level_above
from enforcement.states import read_states
from enforcement.tips.tip_states import LEVELS
from store.access.users import viewer_of
from store.messages.recipients import People
from store.messages.writing import write_message
from store.schema.chain.tip_tables import TipRow
from store.schema.user_tables import User
from store.tips.tip_steps import may_read_tips
from store.tips.waiting_tips import is_overdue, tip_deadline


def write_overdue_tips(
    session: Session, people: People, today: dt.date, now: dt.datetime, values: ChainValues
) -> dict[str, int]:
    """Write the messages about overdue tips; return the number of messages by kind.

    A tip without a handler is that of the level that registers tips. Nobody who may not read the register is told.

    Args:
        session: a writing transaction.
        people: active people.
        today: local day.
        now: current time.
        values: chain settings: who handles tips.
    """
    counts = {"tip_overdue": 0, "tip_overdue_below": 0}
    query = select(TipRow).where(is_overdue(today)).options(defer(TipRow.informant)).order_by(TipRow.id)
    for tip in session.scalars(query):
        level, handlers = _handlers(people, tip, values)
        handlers = _readers(handlers, values)
        above = level_above(level, read_states())
        superiors = people.at_or_above(above, tip.area_code)[1] if above is not None else []
        told = {person.id for person in handlers}
        superiors = [person for person in _readers(superiors, values) if person.id not in told]
        due = tip_deadline(tip)
        content = {"tip": tip.number, "due": due.isoformat() if due else "", "address": f"/tips/{tip.id}"}
        for kind, recipients in (("tip_overdue", handlers), ("tip_overdue_below", superiors)):
            counts[kind] += write_message(
                session,
                recipients,
                kind,
                event=f"{kind}:{tip.id}:{tip.state}:{due}",
                now=now,
                content=content,
                code=tip.area_code,
                waits=True,
            )
    return counts


def _handlers(people: People, tip: TipRow, values: ChainValues) -> tuple[str, list[User]]:
    """Return the level that answers for a tip, and its people: the handler, else the level that registers tips."""
    found = people.by_login(tip.handler, tip.area_code) if tip.handler else None
    if found is not None:
        user, roles = found
        levels = [level for level in LEVELS if level in roles]
        if levels:
            return levels[-1], [user]
    return people.at_or_above(values.text("tips.registrar"), tip.area_code)


def _readers(people: Sequence[User], values: ChainValues) -> list[User]:
    return [person for person in people if may_read_tips(viewer_of(person), values)]
