"""Tips that wait for a user: open ones that the user handles, and overdue ones of the user's area."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, false, func, or_, select
from sqlalchemy.orm import Session, defer

from enforcement.deadlines.working_days import days_overdue
from enforcement.tips.tip_states import OPEN, next_deadline
from store.access.rights import Viewer, visible_to
from store.chain_settings import read_chain_values
from store.deadlines.calendar import calendar_of
from store.schema.chain.tip_tables import TipRow
from store.tips.tip_steps import may_read_tips

MOST = 20
"""Tips on one page; the register lists the others."""

DUE = case(
    (TipRow.state == "received", TipRow.judge_by), (TipRow.state == "accepted", TipRow.check_by), else_=TipRow.answer_by
)
"""Deadline of the next step of an open tip, as :func:`enforcement.tips.tip_states.next_deadline`."""


@dataclass(frozen=True)
class WaitingTip:
    """A tip that waits.

    Attributes:
        tip: the row, without its informant.
        due: deadline of the next step.
        days_left: calendar days until then, negative if overdue; None: no deadline.
        working_days_late: 0 if it is not overdue.
        mine: whether the user handles it.
    """

    tip: TipRow
    due: dt.date | None
    days_left: int | None
    working_days_late: int
    mine: bool


@dataclass(frozen=True)
class TipCounts:
    """Numbers of waiting tips: in all, and overdue."""

    total: int = 0
    overdue: int = 0


def tip_deadline(tip: TipRow) -> dt.date | None:
    """Return the deadline of the next step of a tip; None: it has been answered."""
    return next_deadline(tip.state, (tip.judge_by, tip.check_by, tip.answer_by))


def is_overdue(today: dt.date) -> ColumnElement[bool]:
    """Return the condition that the next step of a tip is overdue."""
    return and_(TipRow.state.in_(OPEN), DUE.op("<")(today))


def waiting_tip_counts(session: Session, viewer: Viewer, today: dt.date) -> TipCounts:
    """Count the tips that wait for a user, for the navigation."""
    late = func.sum(case((is_overdue(today), 1), else_=0))
    query = select(func.count(), late).select_from(TipRow).where(_waits(session, viewer, today))
    total, overdue = session.execute(query).one()
    return TipCounts(total, int(overdue or 0))


def waiting_tips(session: Session, viewer: Viewer, today: dt.date, part: str = "") -> list[WaitingTip]:
    """List the tips that wait for a user, the earliest deadline first, at most :data:`MOST`.

    Users who may not read the register of tips get none.

    Args:
        session: a read transaction.
        viewer: the current user.
        today: local day.
        part: "" for all, ``overdue``, ``today`` (due today) or ``mine``.
    """
    query = select(TipRow).where(_waits(session, viewer, today))
    if part == "overdue":
        query = query.where(is_overdue(today))
    elif part == "today":
        query = query.where(DUE.op("=")(today))
    elif part == "mine":
        query = query.where(TipRow.handler == viewer.login)
    rows = session.scalars(query.options(defer(TipRow.informant)).order_by(DUE, TipRow.id).limit(MOST)).all()
    return _with_days(session, viewer, rows, today)


def _waits(session: Session, viewer: Viewer, today: dt.date) -> ColumnElement[bool]:
    if not may_read_tips(viewer, read_chain_values(session)):
        return false()
    mine = and_(TipRow.state.in_(OPEN), TipRow.handler == viewer.login)
    return and_(visible_to(TipRow.area_code, viewer), or_(mine, is_overdue(today)))


def _with_days(session: Session, viewer: Viewer, rows: Sequence[TipRow], today: dt.date) -> list[WaitingTip]:
    calendar = calendar_of(session) if rows else None
    found = []
    for tip in rows:
        due = tip_deadline(tip)
        late = 0 if due is None or due >= today or calendar is None else days_overdue(due, today, calendar)
        days = None if due is None else (due - today).days
        found.append(WaitingTip(tip, due, days, late, tip.handler == viewer.login))
    return found
