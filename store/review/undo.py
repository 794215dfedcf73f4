"""The last decision on an alert taken back, whatever it was: a judgement, a step, a division, alerts merged.

Nothing is removed. An alert that was split, or merged into another, goes back to where it was by one more step; parts of
a split that is taken back live on in the alert that they were made of.
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
from store.alerts.transitions import steps_of
from store.review.review_guard import hold_for_review
from store.review.review_transaction import UNDO_WITHIN, ReviewTransaction
from store.review.split_merge import INTO_SNAPSHOT, restored_columns
from store.schema.tables import AlertRow, Observation, Transition


def undo(session: Session, alert: AlertRow, viewer: Viewer, now: dt.datetime, settings: ServiceSettings) -> AlertRow:
    """Take back the last decision on an alert, if it is this person's and not older than :data:`UNDO_WITHIN`.

    A judgement that took two steps is taken back as one. The alert gets the place back that it had in its week.
    A split is taken back on the alert or on one of its parts, as long as nothing was done with any of them; merging on
    the alert that stayed or on one that ended, as long as nothing was done with the one that stayed.

    Args:
        session: a transaction that writes.
        alert: the alert.
        viewer: who takes it back.
        now: the moment.
        settings: cap, targets of events, time zone.

    Returns:
        the alert; of a part, the one that it was made of.

    Raises:
        TubanError: :class:`enforcement.states.NotAllowed`, :class:`store.review.review_guard.Conflict`.
    """
    [alert] = hold_for_review(session, [alert], viewer, now)
    sitting = ReviewTransaction(session, viewer, settings, now)
    standing = _standing(steps_of(session, alert))
    last = standing[-1] if standing else None
    merged = _merged_into(session, alert, viewer, now)
    if last is not None and last.to_state == alert.state == "split":
        _unsplit(sitting, alert, last)
    elif last is not None and last.to_state == alert.state == "merged":
        [into] = _alerts(session, [last.evidence["into"]])
        _unmerge(sitting, into, last)
        [alert] = _alerts(session, [alert.number])
    elif len(standing) == 1 and last is not None and not last.from_state and "from" in last.evidence:
        [alert] = _alerts(session, [last.evidence["from"]])
        _unsplit(sitting, alert, _standing(steps_of(session, alert))[-1])
    elif merged is not None and (last is None or last.at < merged.at):
        _unmerge(sitting, alert, merged)
    else:
        sitting.undo(alert)
    sitting.end()
    return alert


def _unsplit(sitting: ReviewTransaction, alert: AlertRow, step: Transition) -> None:
    session = sitting.session
    parts = _alerts(session, step.evidence["into"])
    alert, *parts = hold_for_review(session, [alert, *parts], sitting.viewer, sitting.now)
    for part in parts:
        _check_untouched(session, part, step)
    sitting.undo(alert)
    why = Reason(f"the split of {alert.number} was taken back", "alert.split_taken_back", alert=alert.number)
    for part in parts:
        sitting.step(part, ["merged"], why, {"into": alert.number, "undoes": 1})


def _unmerge(sitting: ReviewTransaction, into: AlertRow, step: Transition) -> None:
    session = sitting.session
    ended = _steps_into(session, into.number, Transition.at == step.at, Transition.who == step.who)
    into, *others = hold_for_review(session, [into, *(alert for alert, _ in ended)], sitting.viewer, sitting.now)
    _check_untouched(session, into, step)
    was = next((row.evidence[INTO_SNAPSHOT] for _, row in ended if INTO_SNAPSHOT in row.evidence), None)
    if was is None:
        raise NotAllowed(f"How {into.number} was before the merging was not kept.", "alert.not_kept", alert=into.number)
    for other in others:
        sitting.undo(other)
    sitting.tell(into)  # to who was told of it as it is now, even if it exceeds the share of its week again
    for name, value in restored_columns(was).items():
        setattr(into, name, value)
    into.changed_at = sitting.now


def _merged_into(session: Session, into: AlertRow, viewer: Viewer, now: dt.datetime) -> Transition | None:
    """The last step by which this person let another alert live on in this one, if they may still take it back."""
    recent = (Transition.at >= now - UNDO_WITHIN, Transition.who == viewer.login)
    return max((row for _, row in _steps_into(session, into.number, *recent)), key=lambda row: row.id, default=None)


def _steps_into(session: Session, number: str, *such: ColumnElement[bool]) -> list[tuple[AlertRow, Transition]]:
    """Alerts that are merged into one, each with the step that did it, of those steps that are ``such``."""
    rows = session.execute(
        select(AlertRow, Transition)
        .join(Transition, Transition.alert_id == AlertRow.id)
        .where(AlertRow.state == "merged", Transition.to_state == "merged", *such)
        .order_by(Transition.id)
    )
    wanted = [(alert, row) for alert, row in rows if row.evidence.get("into") == number]
    return [(alert, row) for alert, row in wanted if "undoes" not in row.evidence]


def _alerts(session: Session, numbers: Sequence[str]) -> list[AlertRow]:
    """In the order of their numbers."""
    return list(session.scalars(select(AlertRow).where(AlertRow.number.in_(numbers)).order_by(AlertRow.number)))


def _standing(log: Sequence[Transition]) -> list[Transition]:
    """The steps that were not taken back, oldest first."""
    standing: list[Transition] = []
    for step in log:
        if "undoes" in step.evidence:
            standing = [kept for kept in standing if kept.sequence < step.evidence["undoes"]]
        else:
            standing.append(step)
    return standing


def _check_untouched(session: Session, alert: AlertRow, since: Transition) -> None:
    """Refuse when something was done with an alert, or it was seen again, after a division."""
    later = [step for step in _standing(steps_of(session, alert)) if step.id > since.id and step.from_state]
    seen = select(Observation.id).where(Observation.alert_id == alert.id, Observation.created_at > since.at).limit(1)
    if later or session.scalar(seen) is not None:
        raise NotAllowed(
            f"{alert.number} was worked on or seen again since; take that back first, if it is yours.",
            "alert.worked_on",
            alert=alert.number,
        )
