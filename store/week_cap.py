"""The cap: how many leads one village is given in one ISO week. What exceeds it is kept, ranked and visible."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.cap import Ranked, rank_week
from enforcement.states import read_states
from store.tables import Alert


def rank_leads(session: Session, grid_code: str, week: str, cap: int) -> list[Alert]:
    """Rank the leads of one grid and week anew, after some were added, suppressed or rejected.

    A lead that was given out keeps its place; one that is new, or was over the cap, gets a place as long as there are
    any. Suppressed and rejected leads, and those that live on in others, take none.

    Args:
        session: of a transaction that writes and holds the leads (:func:`store.alerts.hold_leads`).
        grid_code: of the smallest area that answers for them.
        week: like ``2026-W48``.
        cap: how many it is given.

    Returns:
        leads that were over the cap and are no longer: they are to be announced now.
    """
    session.flush()
    states = read_states()
    leads, ranked = {}, []
    for alert in session.scalars(select(Alert).where(Alert.grid_code == grid_code, Alert.week == week)):
        if states.means(alert.state) in ("suppressed", "rejected", "gone"):
            alert.rank, alert.over_cap = None, False
            continue
        given = alert.rank is not None and not alert.over_cap
        leads[alert.id] = alert
        ranked.append(Ranked(alert.id, alert.legal_weight, alert.score, alert.area_m2, given))
    released = []
    for alert_id, rank, over in rank_week(ranked, cap):
        alert = leads[alert_id]
        if alert.over_cap and not over:
            released.append(alert)
        alert.rank, alert.over_cap = rank, over
    session.flush()
    return released
