"""Many alerts rejected with one reason, and that taken back."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings
from enforcement.states import NotAllowed, read_states
from errors import SettingsError
from store.access.rights import Viewer, visible_to
from store.alerts.locks import lock_holders
from store.alerts.recording import hold_alerts
from store.review.review_guard import Conflict, check_open
from store.review.review_transaction import UNDO_WITHIN, ReviewTransaction, check_reason
from store.schema.tables import AlertRow, Transition

MAX_BULK_ALERTS = 200
"""Alerts that are rejected in one transaction: others wait while it goes on."""


@dataclass(frozen=True)
class Rejected:
    """What became of alerts that were to be rejected.

    Attributes:
        done: numbers of those that were.
        skipped: numbers of the others, and why.
        token: by which all of them are taken back; "": none was rejected.
    """

    done: tuple[str, ...]
    skipped: dict[str, str]
    token: str


@dataclass(frozen=True)
class Undone:
    """Numbers of alerts whose last decision was taken back, and of the others, with the reason."""

    done: tuple[str, ...]
    skipped: dict[str, str]


def reject_many(
    session: Session,
    viewer: Viewer,
    numbers: Sequence[str],
    reason: str,
    now: dt.datetime,
    settings: ServiceSettings,
) -> Rejected:
    """Say of many alerts that nothing changed there; those of which that cannot be said are skipped.

    Args:
        session: a transaction that writes.
        viewer: who says so.
        numbers: of the alerts, at most :data:`MAX_BULK_ALERTS`.
        reason: one for all; needed.
        now: the moment.
        settings: cap, targets of events, time zone.

    Raises:
        SettingsError: too many, or no reason.
    """
    reason = reason.strip()
    if not reason:
        raise SettingsError("No reason was given; expected why nothing changed there: greenhouse, shadow, crops …")
    check_reason(reason)
    token = secrets.token_hex(8)
    sitting = ReviewTransaction(session, viewer, settings, now)
    evidence = {"verdict": "false", "reason": reason, "together": token}

    def reject(alert: AlertRow) -> None:
        sitting.step(alert, ["false_change"], reason, evidence)

    done, skipped = _each(session, viewer, numbers, now, reject)
    sitting.end()
    return Rejected(done, skipped, token if done else "")


def undo_many(
    session: Session, viewer: Viewer, which: str | Sequence[str], now: dt.datetime, settings: ServiceSettings
) -> Undone:
    """Take back the person's last decision on many alerts.

    Args:
        session: a transaction that writes.
        viewer: who takes it back.
        which: :attr:`Rejected.token`, or numbers of alerts.
        now: the moment.
        settings: cap, targets of events, time zone.

    Raises:
        SettingsError: too many numbers, or no alerts were rejected under that token within
            :data:`store.review.review_transaction.UNDO_WITHIN`.
    """
    numbers = _rejected_together(session, viewer, which, now) if isinstance(which, str) else which
    sitting = ReviewTransaction(session, viewer, settings, now)

    def take_back(alert: AlertRow) -> None:
        if read_states().means(alert.state) == "gone":
            raise NotAllowed(f"{alert.number} lives on in other alerts; take that back by itself.")
        sitting.undo(alert)

    done, skipped = _each(session, viewer, numbers, now, take_back)
    sitting.end()
    return Undone(done, skipped)


def _each(
    session: Session, viewer: Viewer, numbers: Sequence[str], now: dt.datetime, act: Callable[[AlertRow], None]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Do something with each alert that is theirs; numbers of those that it was done with, and why not with others."""
    wanted = list(dict.fromkeys(numbers))
    if len(wanted) > MAX_BULK_ALERTS:
        raise SettingsError(
            f"{len(wanted)} alerts were given; expected at most {MAX_BULK_ALERTS} at once.",
            "many.too_many",
            alerts=len(wanted),
            most=MAX_BULK_ALERTS,
        )
    hold_alerts(session)
    rows = session.scalars(
        select(AlertRow)
        .where(AlertRow.number.in_(wanted), visible_to(AlertRow.grid_code, viewer))
        .order_by(AlertRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    alerts = {alert.number: alert for alert in rows}
    skipped = {number: "there is no such alert" for number in wanted if number not in alerts}
    locks = lock_holders(session, [alert.id for alert in alerts.values()], now)
    done = []
    for number, alert in alerts.items():
        try:
            check_open(alert, locks.get(alert.id), viewer)
            act(alert)
        except (NotAllowed, Conflict) as error:  # refused before anything was written
            skipped[number] = str(error)
        else:
            done.append(number)
    return tuple(number for number in wanted if number in done), skipped


def _rejected_together(session: Session, viewer: Viewer, token: str, now: dt.datetime) -> list[str]:
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
