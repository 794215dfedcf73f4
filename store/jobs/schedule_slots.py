"""Schedule slots, each claimed once, and leader election among schedulers. Both are rows of one table."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from store.jobs.job_clock import job_time
from store.schema.insert import insert_new
from store.schema.tables import ScheduleSlot

LEADER = "leader"


def claim_slot(session: Session, name: str, slot: str, scheduler: str, now: dt.datetime) -> bool:
    """Claim a schedule slot such as (``night``, ``2026-11-20``); False if it was claimed already.

    Call it in the transaction that adds the slot's jobs, so that both are committed or neither.
    """
    values = {"name": name, "slot": slot, "taken_at": now, "taken_by": scheduler}
    return insert_new(session, ScheduleSlot, values, ScheduleSlot.name) is not None


def release_slot(session: Session, name: str, slot: str) -> None:
    """Release a claimed slot whose work has failed, so that it can be claimed again."""
    row = session.get(ScheduleSlot, (name, slot))
    if row is not None:
        session.delete(row)


def become_leader(session: Session, scheduler: str, now: dt.datetime, timeout_seconds: float) -> bool:
    """Become or remain the leader; False if another scheduler renewed its leadership within ``timeout_seconds``."""
    at = job_time(session, now)
    if claim_slot(session, LEADER, "", scheduler, at):
        return True
    stale = ScheduleSlot.taken_at < at - dt.timedelta(seconds=timeout_seconds)
    renewed = session.execute(
        update(ScheduleSlot)
        .where(ScheduleSlot.name == LEADER, ScheduleSlot.slot == "", or_(ScheduleSlot.taken_by == scheduler, stale))
        .values(taken_by=scheduler, taken_at=at)
        .returning(ScheduleSlot.name)
        .execution_options(synchronize_session=False)
    )
    return renewed.one_or_none() is not None


def resign_leadership(session: Session, scheduler: str) -> None:
    """Give up leadership so that another scheduler can become leader at once; no effect on other leaders."""
    leader = session.get(ScheduleSlot, (LEADER, ""))
    if leader is not None and leader.taken_by == scheduler:
        session.delete(leader)
