"""The life of a tip: received, accepted or declined, checked, answered; who may do what, and the reply clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import NamedTuple

from enforcement.deadlines.working_days import Calendar, deadline

STATES = ("received", "accepted", "declined", "checked", "answered")
OPEN = ("received", "accepted", "declined", "checked")
"""States of tips that still need an answer."""

LEVELS = ("village", "township", "county", "city")

STEPS: dict[str, tuple[str, ...]] = {
    "received": ("accept", "decline", "extend"),
    "accepted": ("check", "extend"),
    "declined": ("answer",),
    "checked": ("answer", "extend"),
    "answered": (),
}
"""Steps that are possible in each state."""

TARGETS = {"accept": "accepted", "decline": "declined", "check": "checked", "answer": "answered"}


class ReplyClock(NamedTuple):
    """Working days from receipt until a tip is judged, checked and answered; ``extension``: added once."""

    judge: int
    check: int
    answer: int
    extension: int


class ReplyDates(NamedTuple):
    """Last days for each step of a tip."""

    judge_by: dt.date
    check_by: dt.date
    answer_by: dt.date


def reply_dates(received: dt.date, clock: ReplyClock, calendar: Calendar, *, extended: bool = False) -> ReplyDates:
    """Return the last days of a tip; an extension moves check and answer, the judgement never."""
    more = clock.extension if extended else 0
    return ReplyDates(
        deadline(received, clock.judge, calendar),
        deadline(received, clock.check + more, calendar),
        deadline(received, clock.answer + more, calendar),
    )


def next_deadline(state: str, dates: tuple[dt.date | None, dt.date | None, dt.date | None]) -> dt.date | None:
    """Return the deadline of the next step of a tip; None: it has been answered."""
    judge, check, answer = dates
    return {"received": judge, "accepted": check, "declined": answer, "checked": answer}.get(state)


def at_least(roles: Collection[str], least: str) -> bool:
    """Return whether one of a person's roles is on a level or above it."""
    return any(role in LEVELS and LEVELS.index(role) >= LEVELS.index(least) for role in roles)
