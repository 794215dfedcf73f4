"""A user's actions on alerts: judge, move, assign, set the type; and the rest of the review API.

Every action is refused for alerts outside the user's area, for alerts that another user has open, and where the state
machine of ``configs/states.yaml`` does not allow it. Each function has to run in one writing transaction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.change_types import read_change_types
from enforcement.states import NotAllowed, read_states
from errors import SettingsError
from store.access.rights import Viewer, may_see
from store.alerts.locks import Lock, lock_holder, release_lock, renew_lock, take_lock
from store.review.bulk_review import BulkRejection, BulkUndo, reject_many, undo_many
from store.review.bulk_steps import check_assignee, codes_of, take_step
from store.review.review_guard import Conflict, hold_for_review
from store.review.review_statistics import DayStatistics, day_statistics
from store.review.review_transaction import UNDO_WITHIN, ReviewTransaction, check_reason, strip_reason
from store.review.split_merge import merge, split, split_at_gaps, split_by_line
from store.review.undo import undo
from store.schema.tables import AlertRow

__all__ = [
    "UNDO_WITHIN",
    "BulkRejection",
    "BulkUndo",
    "Conflict",
    "DayStatistics",
    "Lock",
    "Verdict",
    "assign",
    "day_statistics",
    "judge",
    "lock_holder",
    "may_judge",
    "merge",
    "move",
    "reject_many",
    "release_lock",
    "renew_lock",
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
    """Judge an alert on its two images.

    Args:
        session: a writing transaction.
        alert: the alert.
        viewer: the current user.
        verdict: ``true``: a real change, moved towards the field check as far as the user's role allows; ``false``: a
            false change; ``bad_imagery``: the images are too poor to judge.
        reason: required for ``false`` and ``bad_imagery``; the code of a :class:`errors.Reason` is stored too.
        works: state of the works, if visible: levelled, partly built, built.
        settings: quota, targets of events, time zone.
        now: current time.
        version: version of the alert that the user saw; None: as in ``alert``.

    Returns:
        the updated alert.

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
        elif "published" not in read_states().allowed_targets("triaged", viewer.roles):
            states.remove("published")
    reason = strip_reason(reason)
    evidence: dict[str, Any] = {"verdict": verdict}
    if reason:
        evidence["reason"] = str(reason)
    if works:
        check_reason(works)
        evidence["works"] = works
    transaction = ReviewTransaction(session, viewer, settings, now)
    transaction.step(alert, states, reason, evidence)
    transaction.finish()
    return alert


def may_judge(session: Session, alert: AlertRow, viewer: Viewer, verdict: Verdict) -> bool:
    """Return whether the state table and the user's area allow this verdict on an alert of a site."""
    targets = read_states().allowed_targets(alert.state, viewer.roles)
    started = verdict == "true" and alert.state == "triaged" and "published" in targets
    return may_see(viewer, alert.grid_code) and (started or _STATES_AFTER[verdict][0] in targets)


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
    """Move an alert to a state that the pages offer to this user, with the required evidence.

    A path of ``configs/states.yaml`` takes several steps at once, all of them or none.

    Raises:
        TubanError: as :func:`judge`; :class:`enforcement.states.NotAllowed` also for merging and splitting, which have
            functions of their own.
    """
    states = read_states()
    if to_state in states.states and states.category(to_state) == "gone":
        raise NotAllowed(f"An alert cannot be moved to {to_state} directly; use merge or split.")
    [alert] = hold_for_review(session, [alert], viewer, now, version)
    transaction = ReviewTransaction(session, viewer, settings, now)
    take_step(transaction, alert, to_state, evidence or {}, strip_reason(why))
    transaction.finish()
    return alert


def assign(session: Session, alert: AlertRow, viewer: Viewer, login: str, now: dt.datetime) -> AlertRow:
    """Assign an alert to a user; "": to no one.

    Raises:
        TubanError: as :func:`judge`; :class:`enforcement.states.NotAllowed` also if there is no such active user, or
            that user may not see the alert.
    """
    [alert] = hold_for_review(session, [alert], viewer, now)
    if login:
        check_assignee(alert, login, codes_of(session, [login]).get(login))
    alert.assignee = login
    session.flush()
    return alert


def set_kind_and_type(
    session: Session, alert: AlertRow, viewer: Viewer, kind: str, change_type: str, now: dt.datetime
) -> AlertRow:
    """Set kind and official type of an alert together, to correct the kind that the scan assigned.

    Raises:
        TubanError: as :func:`judge`; :class:`errors.SettingsError`: unknown kind or type, or a type of another kind.
    """
    types = read_change_types()
    if kind not in types.kinds:
        raise SettingsError(f"{kind!r} is not a kind; expected one of {', '.join(types.kinds)}.")
    if change_type and types.find(change_type).kind != kind:
        raise SettingsError(
            f"{change_type} is a type of {types.find(change_type).kind}, not of {kind}; "
            f"expected one of {', '.join(types.of_kind(kind)) or 'none'}, or set the kind as well.",
            "type.other_kind",
            type=types.find(change_type).zh,
            kind=types.kinds[kind].zh,
        )
    [alert] = hold_for_review(session, [alert], viewer, now)
    if read_states().category(alert.state) == "gone":
        raise NotAllowed(
            f"{alert.number} was split or merged; set the type of the alerts that replace it.",
            "alert.lives_on",
            alert=alert.number,
        )
    alert.kind, alert.change_type = kind, change_type
    session.flush()
    return alert
