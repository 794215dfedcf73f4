"""Weeks of villages with enough patrols (巡田率): due are the weeks that ended in a period."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from enforcement.figures.conditions import Moment
from enforcement.figures.indicators import Share
from enforcement.figures.period import Period, period_of


@dataclass(frozen=True)
class VillageWeek:
    """Patrols of a village in a week that was due."""

    code: str
    week: Period
    patrols: int
    enough: bool


def weeks_due(moment: Moment) -> list[Period]:
    """Return the weeks that ended in the period, before today."""
    week = period_of("week", moment.period.first)
    found = []
    while week.last <= moment.due_through:
        found.append(week)
        week = period_of("week", week.last + dt.timedelta(days=1))
    return found


def village_weeks(
    villages: Sequence[str], patrols: Iterable[tuple[str, dt.date]], moment: Moment, per_week: int
) -> list[VillageWeek]:
    """Return every due week of every village.

    Args:
        villages: their codes.
        patrols: code and day of each patrol; those of other areas do not count.
        moment: period and day.
        per_week: patrols due per village and week.
    """
    made = Counter((code, period_of("week", day)) for code, day in patrols)
    return [
        VillageWeek(code, week, made[code, week], made[code, week] >= per_week)
        for code in villages
        for week in weeks_due(moment)
    ]


def share_of(weeks: Iterable[VillageWeek], code: str = "") -> Share:
    """Return the share of the weeks with enough patrols, of the villages under a code."""
    chosen = [week.enough for week in weeks if week.code.startswith(code)]
    return Share(sum(chosen), len(chosen))
