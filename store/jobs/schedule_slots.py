"""Planned moments, each taken once, and the one scheduler of several that acts. Both are rows of one table."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from store.schema.insert import insert_new
from store.schema.tables import ScheduleSlot

LEADER = "leader"


def claim_slot(session: Session, name: str, slot: str, who: str, now: dt.datetime) -> bool:
    """Take a planned moment, like (``night``, ``2026-11-20``). False: it is taken already.

    Taken in the transaction that adds what is to be done then, so that both are there or neither.
    """
    values = {"name": name, "slot": slot, "taken_at": now, "taken_by": who}
    return insert_new(session, ScheduleSlot, values, ScheduleSlot.name) is not None


def become_leader(session: Session, who: str, now: dt.datetime, seconds: float) -> bool:
    """Become or stay the scheduler that acts. False: another one does, and said so within ``seconds``."""
    if claim_slot(session, LEADER, "", who, now):
        return True
    stale = ScheduleSlot.taken_at < now - dt.timedelta(seconds=seconds)
    renewed = session.execute(
        update(ScheduleSlot)
        .where(ScheduleSlot.name == LEADER, ScheduleSlot.slot == "", or_(ScheduleSlot.taken_by == who, stale))
        .values(taken_by=who, taken_at=now)
        .returning(ScheduleSlot.name)
        .execution_options(synchronize_session=False)
    )
    return renewed.one_or_none() is not None


def resign_leadership(session: Session, who: str) -> None:
    """Let another scheduler alert at once; nothing happens when ``who`` does not alert."""
    leader = session.get(ScheduleSlot, (LEADER, ""))
    if leader is not None and leader.taken_by == who:
        session.delete(leader)
