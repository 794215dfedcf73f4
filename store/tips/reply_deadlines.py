"""Reply deadlines of tips after a change of the calendar."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.tips.tip_states import OPEN, next_deadline, reply_dates
from store.chain_settings import read_chain_values
from store.deadlines.calendar import calendar_of
from store.schema.chain.tip_tables import TipRow
from store.tips.tip_steps import add_step, reply_clock


def recompute_reply_dates(session: Session, *, who: str, now: dt.datetime) -> int:
    """Compute the reply dates of all open tips again; the log of a tip says when its next deadline has moved.

    Args:
        session: a writing transaction.
        who: login of the user who changed the calendar.
        now: current time.

    Returns:
        The number of tips whose next deadline has moved.
    """
    clock, calendar = reply_clock(read_chain_values(session)), calendar_of(session)
    moved = 0
    for tip in session.scalars(select(TipRow).where(TipRow.state.in_(OPEN)).order_by(TipRow.id).with_for_update()):
        dates = reply_dates(tip.received_on, clock, calendar, extended=tip.extended_at is not None)
        before = next_deadline(tip.state, (tip.judge_by, tip.check_by, tip.answer_by))
        after = next_deadline(tip.state, dates)
        tip.judge_by, tip.check_by, tip.answer_by = dates
        if after != before:
            add_step(session, tip, "moved", who, now, f"{before} → {after}")
            moved += 1
    return moved
