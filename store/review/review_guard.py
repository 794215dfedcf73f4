"""Alerts that a person is about to change: theirs, not open with somebody else, and as that person saw them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.states import NotAllowed
from errors import TubanError
from store.access.rights import Viewer, may_see
from store.alerts.locks import Lock, lock_holders
from store.alerts.recording import hold_alerts
from store.schema.tables import AlertRow


class Conflict(TubanError):  # noqa: N818  (an answer to the person, who may look again and decide anew)
    """Somebody else has the alert open, or changed it meanwhile."""


def hold_for_review(
    session: Session, alerts: Sequence[AlertRow], viewer: Viewer, now: dt.datetime, version: int | None = None
) -> list[AlertRow]:
    """Let nobody else change these alerts until the transaction ends, nor rank those of their weeks.

    Args:
        session: a transaction that writes.
        alerts: as the caller knows them, of this session or of an earlier one.
        viewer: who wants to change them.
        now: the moment.
        version: of the one alert, as the person saw it; None: as ``alerts`` has it.

    Returns:
        the alerts as they are, in the order given.

    Raises:
        TubanError: :class:`enforcement.states.NotAllowed`, when one is not theirs; :class:`Conflict`, when somebody
            else has one open, or it is no longer as it was known.
    """
    for alert in alerts:
        if not may_see(viewer, alert.grid_code):
            raise NotAllowed(f"{alert.number} does not lie under {viewer.code}, the code of {viewer.login}.")
    known = {alert.id: alert.version if version is None else version for alert in alerts}
    hold_alerts(session)
    rows = session.scalars(
        select(AlertRow)
        .where(AlertRow.id.in_(known))
        .order_by(AlertRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    held = {alert.id: alert for alert in rows}
    for alert in alerts:
        if alert.id not in held or held[alert.id].version != known[alert.id]:
            raise Conflict(
                f"{alert.number} was changed by somebody else meanwhile. Look at it again.",
                "alert.changed",
                alert=alert.number,
            )
    locks = lock_holders(session, list(held), now)
    for alert in held.values():
        check_open(alert, locks.get(alert.id), viewer)
    return [held[alert.id] for alert in alerts]


def check_open(alert: AlertRow, lock: Lock | None, viewer: Viewer) -> None:
    """Refuse to change an alert that somebody else has open.

    Raises:
        Conflict: ``lock`` is another person's.
    """
    if lock is not None and lock.person_id != viewer.person_id:
        raise Conflict(
            f"{alert.number} is open with {lock.name or lock.login}. Try again later.",
            "alert.open_with",
            alert=alert.number,
            who=lock.name or lock.login,
        )
