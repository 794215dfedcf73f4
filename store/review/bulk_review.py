"""Rejection of many alerts with one reason, and its undo."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.states import NotAllowed, read_states
from errors import Reason, SettingsError
from store.access.rights import Viewer, visible_to
from store.alerts.locks import lock_holders
from store.alerts.recording import lock_alerts
from store.review.review_guard import Conflict, check_open
from store.review.review_transaction import UNDO_WITHIN, ReviewTransaction, check_reason, strip_reason
from store.schema.tables import AlertRow, Transition

MAX_BULK_ALERTS = 200
"""Maximum number of alerts per transaction, which blocks other writers while it runs."""


@dataclass(frozen=True)
class BulkRejection:
    """Result of a bulk rejection.

    Attributes:
        done: numbers of the rejected alerts.
        skipped: number → reason of the alerts that were not rejected.
        token: undoes all of them together; "": none was rejected.
    """

    done: tuple[str, ...]
    skipped: dict[str, str]
    token: str


@dataclass(frozen=True)
class BulkUndo:
    """Result of a bulk undo: numbers of the undone alerts; number → reason of the others."""

    done: tuple[str, ...]
    skipped: dict[str, str]


def reject_many(
    session: Session,
    viewer: Viewer,
    numbers: Sequence[str],
    reason: str,
    now: dt.datetime,
    settings: ServiceSettings,
) -> BulkRejection:
    """Reject many alerts as false changes; those that cannot be rejected are skipped.

    Args:
        session: a writing transaction.
        viewer: the current user.
        numbers: numbers of the alerts, at most :data:`MAX_BULK_ALERTS`.
        reason: required, the same for all alerts; the code of a :class:`errors.Reason` is stored too.
        now: current time.
        settings: quota, targets of events, time zone.

    Raises:
        SettingsError: too many alerts, or no reason.
    """
    reason = strip_reason(reason)
    if not reason:
        raise SettingsError("No reason was given; expected why this is a false change: greenhouse, shadow, crops …")
    check_reason(reason)
    token = secrets.token_hex(8)
    transaction = ReviewTransaction(session, viewer, settings, now)
    evidence = {"verdict": "false", "reason": str(reason), "together": token}

    def reject(alert: AlertRow) -> None:
        transaction.step(alert, ["false_change"], reason, evidence)

    done, skipped = apply_to_each(session, viewer, numbers, now, reject)
    transaction.finish()
    return BulkRejection(done, _words(skipped), token if done else "")


def undo_many(
    session: Session, viewer: Viewer, which: str | Sequence[str], now: dt.datetime, settings: ServiceSettings
) -> BulkUndo:
    """Undo the user's last decision on many alerts.

    Args:
        session: a writing transaction.
        viewer: the current user.
        which: :attr:`BulkRejection.token`, or numbers of alerts.
        now: current time.
        settings: quota, targets of events, time zone.

    Raises:
        SettingsError: too many numbers, or the user rejected nothing under this token within
            :data:`store.review.review_transaction.UNDO_WITHIN`.
    """
    numbers = _numbers_of_token(session, viewer, which, now) if isinstance(which, str) else which
    transaction = ReviewTransaction(session, viewer, settings, now)

    def undo(alert: AlertRow) -> None:
        if read_states().category(alert.state) == "gone":
            raise NotAllowed(f"{alert.number} was split or merged; undo that separately.")
        transaction.undo(alert)

    done, skipped = apply_to_each(session, viewer, numbers, now, undo)
    transaction.finish()
    return BulkUndo(done, _words(skipped))


def apply_to_each(
    session: Session,
    viewer: Viewer,
    numbers: Sequence[str],
    now: dt.datetime,
    act: Callable[[AlertRow], None],
    most: int = MAX_BULK_ALERTS,
) -> tuple[tuple[str, ...], dict[str, Reason]]:
    """Apply ``act``, which raises before it writes anything, to each alert that the viewer may change.

    Returns:
        numbers of the changed alerts, and number → reason of the others.

    Raises:
        SettingsError: more than ``most`` alerts.
        NotAllowed: the viewer's roles change nothing.
    """
    if viewer.views_only:
        raise NotAllowed(f"{viewer.login} has only roles that view alerts and change nothing.", "step.views_only")
    requested = list(dict.fromkeys(numbers))
    if len(requested) > most:
        raise SettingsError(
            f"{len(requested)} alerts were given; expected at most {most} at once.",
            "many.too_many",
            alerts=len(requested),
            most=most,
        )
    lock_alerts(session)
    rows = session.scalars(
        select(AlertRow)
        .where(AlertRow.number.in_(requested), visible_to(AlertRow.grid_code, viewer))
        .order_by(AlertRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    alerts = {alert.number: alert for alert in rows}
    unknown = Reason("there is no such alert", "alert.missing")
    skipped = {number: unknown for number in requested if number not in alerts}
    locks = lock_holders(session, [alert.id for alert in alerts.values()], now)
    done = []
    for number, alert in alerts.items():
        try:
            check_open(alert, locks.get(alert.id), viewer)
            act(alert)
        except (NotAllowed, Conflict) as error:  # raised before anything is written
            skipped[number] = error.reason
        else:
            done.append(number)
    return tuple(number for number in requested if number in done), skipped


def _words(skipped: dict[str, Reason]) -> dict[str, str]:
    return {number: str(reason) for number, reason in skipped.items()}


def _numbers_of_token(session: Session, viewer: Viewer, token: str, now: dt.datetime) -> list[str]:
    rows = session.execute(
        select(AlertRow.number, Transition.evidence)
        .join(Transition, Transition.alert_id == AlertRow.id)
        .where(Transition.at >= now - UNDO_WITHIN, Transition.who == viewer.login)
        .order_by(Transition.id)
    )
    numbers = [number for number, evidence in rows if token and evidence.get("together") == token]
    if not numbers:
        minutes = int(UNDO_WITHIN.total_seconds() // 60)
        raise SettingsError(
            f"token is {token[:40]!r}, under which you rejected nothing within {minutes} minutes.",
            "many.nothing",
            minutes=minutes,
        )
    return numbers
