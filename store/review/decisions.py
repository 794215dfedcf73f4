"""What a person does with an alert: open it, judge it, move it on, take that back, give it to somebody.

All of it is refused for alerts that are not under the person's code, or that somebody else has open, and where the table
``configs/states.yaml`` does not allow it. Each function belongs into one transaction that writes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.change_types import read_change_types
from enforcement.states import NotAllowed, read_states
from errors import SettingsError
from store.access.rights import Viewer
from store.alerts.locks import Lock, lock_holder, release_lock, renew_lock, take_lock
from store.review.bulk_review import Rejected, Undone, reject_many, undo_many
from store.review.review_guard import Conflict, hold_for_review
from store.review.review_statistics import DayStatistics, day_statistics
from store.review.review_transaction import UNDO_WITHIN, ReviewTransaction, check_reason
from store.review.split_merge import merge, split, split_at_gaps, split_by_line
from store.review.undo import undo
from store.schema.tables import AlertRow
from store.schema.user_tables import User

__all__ = [
    "UNDO_WITHIN",
    "Conflict",
    "DayStatistics",
    "Lock",
    "Rejected",
    "Undone",
    "Verdict",
    "assign",
    "day_statistics",
    "judge",
    "lock_holder",
    "merge",
    "move",
    "reject_many",
    "release_lock",
    "renew_lock",
    "set_change_type",
    "set_kind_and_type",
    "split",
    "split_at_gaps",
    "split_by_line",
    "take_lock",
    "undo",
    "undo_many",
]

Verdict = Literal["true", "false", "bad_imagery"]

_STATES_AFTER = {"true": ("triaged", "published"), "false": ("false_change",), "bad_imagery": ("bad_imagery",)}


def judge(
    session: Session,
    alert: AlertRow,
    viewer: Viewer,
    verdict: Verdict,
    *,
    reason: str = "",
    works: str | None = None,
    settings: ServiceSettings,
    now: dt.datetime,
    version: int | None = None,
) -> AlertRow:
    """Say what is seen on the two images.

    Args:
        session: a transaction that writes.
        alert: the alert.
        viewer: who judges.
        verdict: ``true``: something changed, it goes on to be checked on the ground, as far as the table lets their
            role take it; ``false``: a false change; ``bad_imagery``: the images are too poor to judge.
        reason: needed for the latter two.
        works: state of the works, if it can be seen: levelled, partly built, built.
        settings: cap, targets of events, time zone.
        now: the moment.
        version: of the alert, as the person saw it; None: whatever it is now.

    Returns:
        the alert as it is then.

    Raises:
        TubanError: :class:`enforcement.states.NotAllowed`, :class:`Conflict`, :class:`errors.SettingsError`.
    """
    if verdict not in _STATES_AFTER:
        raise SettingsError(f"verdict is {verdict!r}; expected one of {', '.join(_STATES_AFTER)}.")
    [alert] = hold_for_review(session, [alert], viewer, now, version)
    states = list(_STATES_AFTER[verdict])
    if verdict == "true":
        if alert.state == "triaged":
            states.remove("triaged")
        elif "published" not in read_states().ways_out("triaged", viewer.role):
            states.remove("published")
    evidence: dict[str, Any] = {"verdict": verdict}
    if reason.strip():
        evidence["reason"] = reason.strip()
    if works:
        check_reason(works)
        evidence["works"] = works
    sitting = ReviewTransaction(session, viewer, settings, now)
    sitting.step(alert, states, reason.strip(), evidence)
    sitting.end()
    return alert


def move(
    session: Session,
    alert: AlertRow,
    viewer: Viewer,
    to_state: str,
    evidence: Mapping[str, Any] | None = None,
    why: str = "",
    *,
    settings: ServiceSettings,
    now: dt.datetime,
    version: int | None = None,
) -> AlertRow:
    """Take any step of the table, with the evidence that it needs.

    Raises:
        TubanError: as :func:`judge`; :class:`enforcement.states.NotAllowed` also for merging and splitting, which have
            functions of their own, as they make alerts.
    """
    states = read_states()
    if to_state in states.states and states.means(to_state) == "gone":
        raise NotAllowed(f"An alert becomes {to_state} by saying into which others; use merge or split.")
    [alert] = hold_for_review(session, [alert], viewer, now, version)
    sitting = ReviewTransaction(session, viewer, settings, now)
    sitting.step(alert, [to_state], why.strip(), evidence or {})
    sitting.end()
    return alert


def assign(session: Session, alert: AlertRow, viewer: Viewer, login: str, now: dt.datetime) -> AlertRow:
    """Give an alert to a person; "": to nobody.

    Raises:
        TubanError: as :func:`judge`; :class:`enforcement.states.NotAllowed` also when there is no such active person,
            or the alert does not lie under their code.
    """
    [alert] = hold_for_review(session, [alert], viewer, now)
    if login:
        code = session.scalar(select(User.code).where(User.login == login, User.active))
        if code is None or not alert.grid_code.startswith(code):
            raise NotAllowed(
                f"{alert.number} cannot be given to {login!r}: expected an active person under whose code "
                f"{alert.grid_code or 'all ground'} lies.",
                "alert.not_theirs",
                alert=alert.number,
                who=login,
            )
    alert.assignee = login
    session.flush()
    return alert


def set_change_type(session: Session, alert: AlertRow, viewer: Viewer, change_type: str, now: dt.datetime) -> AlertRow:
    """Set the official type of an alert, one of its kind; "": none.

    Raises:
        TubanError: as :func:`judge`; :class:`errors.SettingsError` when there is no such type, or of another kind.
    """
    return set_kind_and_type(session, alert, viewer, alert.kind, change_type, now)


def set_kind_and_type(
    session: Session, alert: AlertRow, viewer: Viewer, kind: str, change_type: str, now: dt.datetime
) -> AlertRow:
    """Set kind and official type of an alert together, when the scan took it for something else.

    Raises:
        TubanError: as :func:`set_change_type`.
    """
    words = read_change_types()
    if kind not in words.kinds:
        raise SettingsError(f"No kind is called {kind!r}; there are {', '.join(words.kinds)}.")
    if change_type and words.find(change_type).kind != kind:
        raise SettingsError(
            f"{change_type} is a type of {words.find(change_type).kind}, not of {kind}; "
            f"expected one of {', '.join(words.of_kind(kind)) or 'none'}, or set the kind as well.",
            "type.other_kind",
            type=words.find(change_type).zh,
            kind=words.kinds[kind].zh,
        )
    [alert] = hold_for_review(session, [alert], viewer, now)
    if read_states().means(alert.state) == "gone":
        raise NotAllowed(
            f"{alert.number} lives on in other alerts; set the type of those.", "alert.lives_on", alert=alert.number
        )
    alert.kind, alert.change_type = kind, change_type
    session.flush()
    return alert
