"""The cap: how many leads one village is given in one ISO week. What exceeds it is kept, ranked and visible."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, defer

from enforcement.states import read_states
from enforcement.weekly_quota import Ranked, rank_week
from store.schema.tables import Alert


def rank_leads(session: Session, weeks: Collection[tuple[str, str]], cap: int) -> list[Alert]:
    """Rank the leads of some grids and weeks anew, after some were added, suppressed or rejected.

    A lead that was given out keeps its place; one that is new, or was over the cap, gets a place as long as there are
    any. Suppressed and rejected leads, and those that live on in others, take none.

    Args:
        session: of a transaction that writes and holds the leads (:func:`store.alerts.recording.hold_leads`).
        weeks: code of the smallest area that answers for the leads, and week like ``2026-W48``.
        cap: how many leads an area is given in a week.

    Returns:
        leads that were over the cap and are no longer, by area and week: they are to be announced now.
    """
    session.flush()
    leads: dict[tuple[str, str], list[Alert]] = {week: [] for week in sorted(weeks)}
    wanted = tuple_(Alert.grid_code, Alert.week).in_(list(leads))
    for alert in session.scalars(select(Alert).where(wanted).order_by(Alert.id).options(defer(Alert.outline))):
        leads[alert.grid_code, alert.week].append(alert)
    released = [alert for week in leads.values() for alert in _rank(week, cap)]
    session.flush()
    return released


def _rank(leads: Sequence[Alert], cap: int) -> list[Alert]:
    """Those of one grid and week."""
    states = read_states()
    by_id, ranked = {}, []
    for alert in leads:
        if states.means(alert.state) in ("suppressed", "rejected", "gone"):
            alert.rank, alert.over_cap = None, False
            continue
        given = alert.rank is not None and not alert.over_cap
        by_id[alert.id] = alert
        ranked.append(Ranked(alert.id, alert.legal_weight, alert.score, alert.area_m2, given))
    released = []
    for alert_id, rank, over in rank_week(ranked, cap):
        alert = by_id[alert_id]
        if alert.over_cap and not over:
            released.append(alert)
        alert.rank, alert.over_cap = rank, over
    return released
