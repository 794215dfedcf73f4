"""Undo of the last decision on an alert: a judgement, a transition, a split or a merge.

Nothing is removed. An alert that was split or merged returns to its earlier state by one more transition; the parts of
an undone split are merged back into the original alert.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.states import NotAllowed
from errors import Reason
from store.access.rights import Viewer
from store.alerts.sighting_chain import remove_copies
from store.alerts.transitions import steps_of
from store.review.review_guard import hold_for_review
from store.review.review_transaction import UNDO_WITHIN, ReviewTransaction
from store.review.split_merge import INTO_SNAPSHOT, restored_columns
from store.schema.tables import AlertRow, Observation, Transition


def undo(session: Session, alert: AlertRow, viewer: Viewer, now: dt.datetime, settings: ServiceSettings) -> AlertRow:
    """Undo the last decision on an alert, if it is the user's own and not older than :data:`UNDO_WITHIN`.

    A judgement of two transitions is undone as one. The alert regains its place in its week. A split can be undone on
    the original alert or on any part, as long as none of them was changed; a merge on the remaining alert or on any
    merged one, as long as the remaining alert was not changed.

    Args:
        session: a writing transaction.
        alert: the alert.
        viewer: the current user.
        now: current time.
        settings: quota, targets of events, time zone.

    Returns:
        the alert; for a part, the original alert.

    Raises:
        TubanError: :class:`enforcement.states.NotAllowed`, :class:`store.review.review_guard.Conflict`.
    """
    [alert] = hold_for_review(session, [alert], viewer, now)
    transaction = ReviewTransaction(session, viewer, settings, now)
    effective = _effective_steps(steps_of(session, alert))
    last = effective[-1] if effective else None
    merged = _merged_into(session, alert, viewer, now)
    if last is not None and last.to_state == alert.state == "split":
        _unsplit(transaction, alert, last)
    elif last is not None and last.to_state == alert.state == "merged":
        [into] = _alerts_by_number(session, [last.evidence["into"]])
        _unmerge(transaction, into, last)
        [alert] = _alerts_by_number(session, [alert.number])
    elif len(effective) == 1 and last is not None and not last.from_state and "from" in last.evidence:
        [alert] = _alerts_by_number(session, [last.evidence["from"]])
        _unsplit(transaction, alert, _effective_steps(steps_of(session, alert))[-1])
    elif merged is not None and (last is None or last.at < merged.at):
        _unmerge(transaction, alert, merged)
    else:
        transaction.undo(alert)
    transaction.finish()
    return alert


def _unsplit(transaction: ReviewTransaction, alert: AlertRow, step: Transition) -> None:
    session = transaction.session
    parts = _alerts_by_number(session, step.evidence["into"])
    alert, *parts = hold_for_review(session, [alert, *parts], transaction.viewer, transaction.now)
    for part in parts:
        _check_unchanged(session, part, step)
    transaction.undo(alert)
    why = Reason(f"the split of {alert.number} was taken back", "alert.split_taken_back", alert=alert.number)
    for part in parts:
        transaction.step(part, ["merged"], why, {"into": alert.number, "undoes": 1})


def _unmerge(transaction: ReviewTransaction, into: AlertRow, step: Transition) -> None:
    session = transaction.session
    merges = _steps_into(session, into.number, Transition.at == step.at, Transition.who == step.who)
    into, *others = hold_for_review(
        session, [into, *(alert for alert, _ in merges)], transaction.viewer, transaction.now
    )
    _check_unchanged(session, into, step)
    snapshot = next((row.evidence[INTO_SNAPSHOT] for _, row in merges if INTO_SNAPSHOT in row.evidence), None)
    if snapshot is None:
        raise NotAllowed(
            f"The state of {into.number} before the merge was not stored.", "alert.not_kept", alert=into.number
        )
    remove_copies(session, into, [other.number for other in others])
    for other in others:
        transaction.undo(other)
    transaction.announce(
        into
    )  # before the columns are restored: receivers know it, even if it is beyond the quota again
    for name, value in restored_columns(snapshot).items():
        setattr(into, name, value)
    into.changed_at = transaction.now


def _merged_into(session: Session, into: AlertRow, viewer: Viewer, now: dt.datetime) -> Transition | None:
    """Return the user's last merge into this alert, if it can still be undone."""
    recent = (Transition.at >= now - UNDO_WITHIN, Transition.who == viewer.login)
    return max((row for _, row in _steps_into(session, into.number, *recent)), key=lambda row: row.id, default=None)


def _steps_into(session: Session, number: str, *conditions: ColumnElement[bool]) -> list[tuple[AlertRow, Transition]]:
    """Return the alerts merged into one, each with its merge transition, if that matches the conditions."""
    rows = session.execute(
        select(AlertRow, Transition)
        .join(Transition, Transition.alert_id == AlertRow.id)
        .where(AlertRow.state == "merged", Transition.to_state == "merged", *conditions)
        .order_by(Transition.id)
    )
    merges = [(alert, row) for alert, row in rows if row.evidence.get("into") == number]
    return [(alert, row) for alert, row in merges if "undoes" not in row.evidence]


def _alerts_by_number(session: Session, numbers: Sequence[str]) -> list[AlertRow]:
    """Return alerts sorted by number."""
    return list(session.scalars(select(AlertRow).where(AlertRow.number.in_(numbers)).order_by(AlertRow.number)))


def _effective_steps(log: Sequence[Transition]) -> list[Transition]:
    """Return the transitions that were not undone, oldest first."""
    effective: list[Transition] = []
    for step in log:
        if "undoes" in step.evidence:
            effective = [earlier for earlier in effective if earlier.sequence < step.evidence["undoes"]]
        else:
            effective.append(step)
    return effective


def _check_unchanged(session: Session, alert: AlertRow, since: Transition) -> None:
    """Check that an alert was neither changed nor observed since a split or merge."""
    later = [step for step in _effective_steps(steps_of(session, alert)) if step.id > since.id and step.from_state]
    seen = select(Observation.id).where(Observation.alert_id == alert.id, Observation.created_at > since.at).limit(1)
    if later or session.scalar(seen) is not None:
        raise NotAllowed(
            f"{alert.number} was changed or observed again since; undo that first, if it is your own change.",
            "alert.worked_on",
            alert=alert.number,
        )
