"""The cap per village and week: leads are ranked, and what exceeds the cap is marked, not dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ranked:
    """What the rank of a lead depends on.

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


def rank_week(leads: Sequence[Ranked], cap: int) -> list[tuple[int, int, bool]]:
    """Rank the leads of one village and one ISO week.

    The graver goes first, then the surer, then the larger, then the older. Leads that were given out already take
    places under the cap and are never taken back; the other places go by rank.

    Args:
        leads: all of that village and week, in any order.
        cap: how many the village gets.

    Returns:
        (id, rank from 1, over the cap) of each, by rank.
    """
    order = sorted(leads, key=lambda lead: (-lead.legal_weight, -lead.score, -lead.area_m2, lead.id))
    places = cap - sum(lead.given for lead in order)
    ranked: list[tuple[int, int, bool]] = []
    for rank, lead in enumerate(order, 1):
        over = False
        if not lead.given:
            over = places <= 0
            places -= 1
        ranked.append((lead.id, rank, over))
    return ranked
