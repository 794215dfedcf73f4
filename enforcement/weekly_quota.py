"""The cap per village and week: alerts are ranked, and what exceeds the cap is marked, not dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ranked:
    """What the rank of an alert depends on.

    Attributes:
        id: of its row.
        legal_weight: larger is graver.
        score: mean probability, 0…1.
        area_m2: ellipsoidal m².
        given: whether the village has it already (published or later): it then keeps its place.
    """

    id: int
    legal_weight: int
    score: float
    area_m2: float
    given: bool = False


def rank_week(alerts: Sequence[Ranked], cap: int) -> list[tuple[int, int, bool]]:
    """Rank the alerts of one village and one ISO week.

    The graver goes first, then the surer, then the larger, then the older. Alerts that were given out already take
    places under the cap and are never taken back; the other places go by rank.

    Args:
        alerts: all of that village and week, in any order.
        cap: how many the village gets.

    Returns:
        (id, rank from 1, over the cap) of each, by rank.
    """
    order = sorted(alerts, key=lambda alert: (-alert.legal_weight, -alert.score, -alert.area_m2, alert.id))
    places = cap - sum(alert.given for alert in order)
    ranked: list[tuple[int, int, bool]] = []
    for rank, alert in enumerate(order, 1):
        over = False
        if not alert.given:
            over = places <= 0
            places -= 1
        ranked.append((alert.id, rank, over))
    return ranked
