"""Weekly quota of alerts per village and ISO week. Alerts beyond it are stored, ranked and visible."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, defer

from enforcement.states import read_states
from enforcement.weekly_quota import RankedAlert, rank_week
from store.schema.tables import AlertRow


def rank_alerts(session: Session, weeks: Collection[tuple[str, str]], cap: int) -> list[AlertRow]:
    """Rank the alerts of some areas and weeks again, after some were added, suppressed or rejected.

    Alerts within the quota keep their place; new ones and those over the quota fill the free places. Suppressed,
    rejected, split and merged alerts take no place.

    Args:
        session: a writing transaction that holds :func:`store.alerts.recording.lock_alerts`.
        weeks: code of the smallest responsible area, and week like ``2026-W48``.
        cap: number of alerts per area and week.

    Returns:
        alerts that moved from over the quota to within it, by area and week; the caller announces them.
    """
    session.flush()
    alerts: dict[tuple[str, str], list[AlertRow]] = {week: [] for week in sorted(weeks)}
    in_weeks = tuple_(AlertRow.grid_code, AlertRow.week).in_(list(alerts))
    for alert in session.scalars(
        select(AlertRow).where(in_weeks).order_by(AlertRow.id).options(defer(AlertRow.outline))
    ):
        alerts[alert.grid_code, alert.week].append(alert)
    released = [alert for week in alerts.values() for alert in _rank_week(week, cap)]
    session.flush()
    return released


def _rank_week(alerts: Sequence[AlertRow], cap: int) -> list[AlertRow]:
    """Rank the alerts of one area and week."""
    states = read_states()
    by_id, ranked = {}, []
    for alert in alerts:
        if states.category(alert.state) in ("suppressed", "rejected", "transient", "gone"):
            alert.rank, alert.over_cap = None, False
            continue
        within_quota = alert.rank is not None and not alert.over_cap
        by_id[alert.id] = alert
        ranked.append(RankedAlert(alert.id, alert.legal_weight, alert.score, alert.area_m2, within_quota))
    released = []
    for alert_id, rank, over in rank_week(ranked, cap):
        alert = by_id[alert_id]
        if alert.over_cap and not over:
            released.append(alert)
        alert.rank, alert.over_cap = rank, over
    return released
