"""The cap: how many alerts one village is given in one ISO week. What exceeds it is kept, ranked and visible."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, defer

from enforcement.states import read_states
from enforcement.weekly_quota import Ranked, rank_week
from store.schema.tables import AlertRow


def rank_alerts(session: Session, weeks: Collection[tuple[str, str]], cap: int) -> list[AlertRow]:
    """Rank the alerts of some grids and weeks anew, after some were added, suppressed or rejected.

    An alert that was given out keeps its place; one that is new, or was over the cap, gets a place as long as there are
    any. Suppressed and rejected alerts, and those that live on in others, take none.

    Args:
        session: of a transaction that writes and holds the alerts (:func:`store.alerts.recording.hold_alerts`).
        weeks: code of the smallest area that answers for the alerts, and week like ``2026-W48``.
        cap: how many alerts an area is given in a week.

    Returns:
        alerts that were over the cap and are no longer, by area and week: they are to be announced now.
    """
    session.flush()
    alerts: dict[tuple[str, str], list[AlertRow]] = {week: [] for week in sorted(weeks)}
    wanted = tuple_(AlertRow.grid_code, AlertRow.week).in_(list(alerts))
    for alert in session.scalars(select(AlertRow).where(wanted).order_by(AlertRow.id).options(defer(AlertRow.outline))):
        alerts[alert.grid_code, alert.week].append(alert)
    released = [alert for week in alerts.values() for alert in _rank(week, cap)]
    session.flush()
    return released


def _rank(alerts: Sequence[AlertRow], cap: int) -> list[AlertRow]:
    """Those of one grid and week."""
    states = read_states()
    by_id, ranked = {}, []
    for alert in alerts:
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
