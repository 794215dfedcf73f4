"""Access, lock and version checks before a user changes alerts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.states import NotAllowed
from errors import TubanError
from store.access.rights import Viewer, may_see
from store.alerts.locks import Lock, lock_holders
from store.alerts.recording import lock_alerts
from store.schema.tables import AlertRow


class Conflict(TubanError):  # noqa: N818  (not a malfunction: the user can look again and repeat the decision)
    """Another user has the alert open, or changed it meanwhile."""


def hold_for_review(
    session: Session, alerts: Sequence[AlertRow], viewer: Viewer, now: dt.datetime, version: int | None = None
) -> list[AlertRow]:
    """Lock alerts, and the ranking of all weeks, until the transaction ends.

    Args:
        session: a writing transaction.
        alerts: as the caller knows them, loaded in this session or an earlier one.
        viewer: the current user.
        now: current time.
        version: version of the single alert that the user saw; None: as in ``alerts``.

    Returns:
        the alerts as stored now, in the given order.

    Raises:
        TubanError: :class:`enforcement.states.NotAllowed`: the viewer may not see one of them; :class:`Conflict`: one
            of them is open with another user, or is no longer of the known version.
    """
    if viewer.views_only:
        raise NotAllowed(f"{viewer.login} has only roles that view alerts and change nothing.", "step.views_only")
    for alert in alerts:
        if not may_see(viewer, alert.grid_code):
            raise NotAllowed(f"{alert.number} is outside the area {viewer.code} of {viewer.login}.")
    known = {alert.id: alert.version if version is None else version for alert in alerts}
    lock_alerts(session)
    rows = session.scalars(
        select(AlertRow)
        .where(AlertRow.id.in_(known))
        .order_by(AlertRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    current = {alert.id: alert for alert in rows}
    for alert in alerts:
        if alert.id not in current or current[alert.id].version != known[alert.id]:
            raise Conflict(
                f"{alert.number} was changed by another user meanwhile. Reload it.",
                "alert.changed",
                alert=alert.number,
            )
    locks = lock_holders(session, list(current), now)
    for alert in current.values():
        check_open(alert, locks.get(alert.id), viewer)
    return [current[alert.id] for alert in alerts]


def check_open(alert: AlertRow, lock: Lock | None, viewer: Viewer) -> None:
    """Check that no other user has the alert open.

    Raises:
        Conflict: ``lock`` belongs to another user.
    """
    if lock is not None and lock.person_id != viewer.person_id:
        raise Conflict(
            f"{alert.number} is open with {lock.name or lock.login}. Try again later.",
            "alert.open_with",
            alert=alert.number,
            who=lock.name or lock.login,
        )
