"""Weekly quota of alerts per village: alerts are ranked, and those beyond the quota are marked, not dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RankedAlert:
    """Ranking criteria of an alert.

    Attributes:
        id: database id of the alert.
        legal_weight: larger is more severe.
        score: mean probability, 0…1.
        area_m2: ellipsoidal m².
        within_quota: whether the alert already takes a place within the quota, which it then keeps.
    """

    id: int
    legal_weight: int
    score: float
    area_m2: float
    within_quota: bool = False


def rank_week(alerts: Sequence[RankedAlert], quota: int) -> list[tuple[int, int, bool]]:
    """Rank the alerts of one village and one ISO week.

    Sort by legal weight, then score, then area, all decreasing, then by increasing id. Alerts within the quota keep
    their places; the free places are assigned by rank.

    Args:
        alerts: all alerts of that village and week, in any order.
        quota: number of alerts per village and week.

    Returns:
        (id, rank from 1, whether over the quota) of each alert, by rank.
    """
    order = sorted(alerts, key=lambda alert: (-alert.legal_weight, -alert.score, -alert.area_m2, alert.id))
    free = quota - sum(alert.within_quota for alert in order)
    ranked: list[tuple[int, int, bool]] = []
    for rank, alert in enumerate(order, 1):
        over = False
        if not alert.within_quota:
            over = free <= 0
            free -= 1
        ranked.append((alert.id, rank, over))
    return ranked
