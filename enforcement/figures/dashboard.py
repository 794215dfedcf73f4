"""The figures of one area in one period: totals, funnel, trend, indicators, false alerts by source and kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from enforcement.figures.conditions import Moment, meets
from enforcement.figures.fact_table import FactTable
from enforcement.figures.indicators import Figures, Share, count, share
from enforcement.figures.period import Period, periods_until

TREND_LENGTH = 12
"""Weeks or months of a trend."""


@dataclass(frozen=True)
class Compared:
    """A number of alerts in the period, and in the period before; None: not compared."""

    name: str
    value: int
    before: int | None = None


@dataclass(frozen=True)
class ComparedShare:
    """An indicator in the period, in the one before and in the same one of the year before."""

    name: str
    share: Share
    before: Share
    year_before: Share


@dataclass(frozen=True)
class Trend:
    """Numbers of alerts by week or month, oldest first; ``series``: one number per period, by name."""

    kind: Literal["week", "month"]
    periods: tuple[Period, ...]
    series: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class PartShare:
    """An indicator of the alerts of one source or kind."""

    key: str
    share: Share


@dataclass(frozen=True)
class Dashboard:
    """Everything that the leader's page shows of an area, apart from its parts on the map.

    Attributes:
        moment: period and day.
        totals, funnel: in the order of ``configs/indicators.yaml``.
        trend: up to the end of the period.
        indicators: all of them.
        false_by_source, false_by_kind: share of false alerts; only those with any judged alert.
    """

    moment: Moment
    totals: tuple[Compared, ...]
    funnel: tuple[Compared, ...]
    trend: Trend
    indicators: tuple[ComparedShare, ...]
    false_by_source: tuple[PartShare, ...]
    false_by_kind: tuple[PartShare, ...]


@dataclass(frozen=True)
class PeriodFacts:
    """Facts at the end of a period, and the patrols in it."""

    moment: Moment
    table: FactTable
    patrols: Share


def make_dashboard(now: PeriodFacts, before: PeriodFacts, year_before: PeriodFacts, figures: Figures) -> Dashboard:
    """Return the figures of an area.

    Args:
        now: of the period.
        before: of the period before.
        year_before: of the same period a year before.
        figures: definitions.
    """
    false_alerts = figures.indicators[figures.false_alerts]
    parts = {
        column: tuple(
            PartShare(key, part)
            for key in sorted(now.table.names[column].names)
            if (part := share(now.table, false_alerts, now.moment, {column: key})).denominator > 0
        )
        for column in ("source", "kind")
    }
    return Dashboard(
        moment=now.moment,
        totals=tuple(
            Compared(name, count(now.table, one, now.moment), count(before.table, one, before.moment))
            for name, one in figures.totals.items()
        ),
        funnel=tuple(Compared(name, count(now.table, one, now.moment)) for name, one in figures.funnel.items()),
        trend=_trend(now, figures),
        indicators=tuple(
            ComparedShare(name, *(_share(facts, figures, name) for facts in (now, before, year_before)))
            for name in figures.indicators
        ),
        false_by_source=parts["source"],
        false_by_kind=parts["kind"],
    )


def _share(facts: PeriodFacts, figures: Figures, name: str) -> Share:
    indicator = figures.indicators[name]
    return facts.patrols if indicator.measure == "patrols" else share(facts.table, indicator, facts.moment)


def _trend(facts: PeriodFacts, figures: Figures) -> Trend:
    period = facts.moment.period
    kind: Literal["week", "month"] = "week" if period.days <= 31 else "month"
    end = Period("days", facts.moment.as_of, facts.moment.as_of)
    periods: Sequence[Period] = periods_until(end, kind, TREND_LENGTH)
    series = {
        name: tuple(int(meets(facts.table, one.of, Moment(part, facts.moment.as_of)).sum()) for part in periods)
        for name, one in figures.trend.items()
    }
    return Trend(kind, tuple(periods), series)
