"""View models of the dashboard and the ranking: numbers with the addresses of what is behind them, charts, choices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from configs.texts import text
from enforcement.figures.charts import CLASSES, MapArea, Series, area_map, mark_path, trend_chart
from enforcement.figures.dashboard import Compared, Dashboard, PartShare, Trend
from enforcement.figures.indicators import Figures, Indicator, Share
from enforcement.figures.period import KINDS, Period, period_of
from enforcement.figures.ranking import AreaRank, InterviewReason, Ranking
from service.figures.figure_sheets import (
    interview_words,
    kind_words,
    period_words,
    source_words,
    unit_words,
)
from store.schema.tables import Area
from web.figures.requested_figures import RequestedFigures

COUNTED_ON_MAP = ("found", "confirmed")
"""Numbers of :class:`enforcement.figures.ranking.AreaRank` that the map can show, beside the indicators."""


@dataclass(frozen=True)
class ShareView:
    """A share with the addresses of its numerator and denominator.

    Attributes:
        name: of the indicator, source or kind.
        help: what is counted.
        share, before, year_before: values.
        unit: of numerator and denominator.
        target: in words; "": none.
        met: whether the target is reached; None: no value, or not ranked.
        counted, of: addresses.
    """

    name: str
    help: str
    share: Share
    unit: str
    counted: str
    of: str
    before: Share | None = None
    year_before: Share | None = None
    target: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class NumberView:
    """A number of alerts with the address of their list; ``part``: share of the first one of its group."""

    name: str
    value: int
    link: str
    before: int | None = None
    worse: bool = False
    part: float = 0.0


@dataclass(frozen=True)
class Choice:
    """A link or option: words, value or address, and whether it is the present one."""

    words: str
    value: str
    chosen: bool


class FigureView:
    """Makes the view models of one request."""

    def __init__(self, requested: RequestedFigures, figures: Figures, language: str, root: str) -> None:
        """``root``: prepended to every address."""
        self.requested, self.figures, self.language, self.root = requested, figures, language, root

    def totals(self, dashboard: Dashboard) -> list[NumberView]:
        """Return the numbers at the top."""
        return [self._number("totals", one) for one in dashboard.totals]

    def funnel(self, dashboard: Dashboard) -> list[NumberView]:
        """Return the steps of the funnel, each with its part of the first."""
        first = max(dashboard.funnel[0].value if dashboard.funnel else 0, 1)
        return [self._number("funnel", one, one.value / first) for one in dashboard.funnel]

    def indicators(self, dashboard: Dashboard) -> list[ShareView]:
        """Return all indicators with their targets and the values of earlier periods."""
        found = []
        for one in dashboard.indicators:
            indicator = self.figures.indicators[one.name]
            met = _meets(indicator, one.share.value) if indicator.weight > 0 else None
            view = self._share(one.name, one.share, before=one.before, year_before=one.year_before)
            found.append(_with_target(view, self._target(indicator), met))
        return found

    def false_alerts(self, parts: Sequence[PartShare], column: Literal["source", "kind"]) -> list[ShareView]:
        """Return the share of false alerts by source or kind."""
        words = source_words if column == "source" else kind_words
        name = self.figures.false_alerts
        return [
            self._share(name, one.share, label=words(one.key, self.language), only={column: one.key}) for one in parts
        ]

    def trend_labels(self, trend: Trend) -> list[str]:
        """Return short names of the periods of a trend."""
        months = text("figures.months", self.language).split()
        return [
            months[period.first.month - 1]
            if trend.kind == "month"
            else text("figures.short.week", self.language, number=int(period.name[-2:]))
            for period in trend.periods
        ]

    def trend(self, trend: Trend) -> Markup:
        """Return the chart of a trend."""
        series = [Series(self._name(self.figures.trend[key]), values) for key, values in trend.series.items()]
        title = text(f"figures.trend_{trend.kind}", self.language)
        return Markup(trend_chart(title, self.trend_labels(trend), series))

    def legend(self, trend: Trend) -> list[tuple[str, str]]:
        """Return name and mark of each series."""
        return [
            (self._name(self.figures.trend[key]), mark_path(number, 12, 6)) for number, key in enumerate(trend.series)
        ]

    def trend_rows(self, trend: Trend) -> list[tuple[str, list[NumberView]]]:
        """Return the periods of a trend with their numbers, latest first."""
        rows = []
        as_of = self.requested.scope.moment.as_of.isoformat()
        for number, period in enumerate(trend.periods):
            numbers = [
                NumberView(name, values[number], self._alerts(f"trend.{name}", period=period.name, as_of=as_of))
                for name, values in trend.series.items()
            ]
            rows.append((period_words(period, self.language), numbers))
        return rows[::-1]

    def map_choices(self, shown: str) -> list[Choice]:
        """Return what the map can show."""
        counted = [Choice(text(f"figures.{name}", self.language), name, name == shown) for name in COUNTED_ON_MAP]
        return counted + [Choice(self._name(one), name, name == shown) for name, one in self.figures.indicators.items()]

    def map(self, parts: Ranking, outlines: Sequence[Area], shown: str) -> tuple[Markup, list[str]]:
        """Return the map of the parts of the area and the words of its classes."""
        counted = shown in COUNTED_ON_MAP
        by_code = {row.code: row for row in parts.areas}
        values = {code: _value(row, shown) for code, row in by_code.items()}
        most = max((value for value in values.values() if value is not None), default=0.0) if counted else 1.0
        areas = [
            MapArea(
                area.name,
                area.outline,
                values.get(area.code),
                self._map_words(by_code.get(area.code), shown),
                f"{self.root}/dashboard?{self.requested.query(area=area.code, map=shown)}",
            )
            for area in outlines
        ]
        words = next(choice.words for choice in self.map_choices(shown) if choice.chosen)
        drawn = area_map(words, areas, most)
        return Markup(drawn), _classes(most, counted)

    def rank_shares(self, row: AreaRank, names: Sequence[str]) -> list[ShareView]:
        """Return the indicators of an area in the ranking."""
        return [self._share(name, row.shares[name], area=row.code) for name in names]

    def number_link(self, figure: str, area: str) -> str:
        """Return the address of the alerts of a number of a part of the area."""
        return self._alerts(figure, area=area)

    def interview(self, reasons: Sequence[InterviewReason]) -> list[str]:
        """Return the reasons for an interview in words."""
        return [interview_words(reason, self.figures, self.language) for reason in reasons]

    def periods(self, today: dt.date, path: str) -> list[Choice]:
        """Return the links of the present week, month, quarter and year."""
        found = []
        for kind in KINDS[:-1]:
            period = period_of(kind, today)
            chosen = period.name == self.requested.period.name
            words = text(f"figures.period.this_{kind}", self.language)
            found.append(Choice(words, self.page(path, period), chosen))
        return found

    def page(self, path: str, period: Period, **further: str) -> str:
        """Return the address of a page for the same area and another period."""
        return f"{self.root}{path}?{self.requested.query(period=period.name, **further)}"

    def following(self) -> Period | None:
        """Return the period after the shown one; None: it has not begun."""
        period = self.requested.period
        begins = period.last + dt.timedelta(days=1)
        if begins > self.requested.scope.today:
            return None
        if period.kind == "days":
            return Period("days", begins, begins + (period.last - period.first))
        return period_of(period.kind, begins)

    def _number(self, group: str, one: Compared, part: float = 0.0) -> NumberView:
        figure = getattr(self.figures, group)[one.name]
        return NumberView(
            self._name(figure), one.value, self._alerts(f"{group}.{one.name}"), one.before, figure.worse, part
        )

    def _share(
        self,
        name: str,
        share: Share,
        *,
        label: str = "",
        area: str = "",
        only: Mapping[str, str] | None = None,
        before: Share | None = None,
        year_before: Share | None = None,
    ) -> ShareView:
        indicator = self.figures.indicators[name]
        further = {**(only or {}), **({"area": area} if area else {})}
        if indicator.measure == "patrols":
            of = f"{self.root}/dashboard/patrols?{self.requested.query(**further)}"
            counted = f"{of}&enough=1"
        else:
            counted, of = (
                self._alerts(f"indicators.{name}", **{**further, "part": part}) for part in ("counted", "of")
            )
        return ShareView(
            name=label or self._name(indicator),
            help=str(getattr(indicator, f"help_{self.language}")),
            share=share,
            unit=unit_words(indicator, self.language),
            counted=counted,
            of=of,
            before=before,
            year_before=year_before,
        )

    def _alerts(self, figure: str, **changed: str) -> str:
        return f"{self.root}/dashboard/alerts?{self.requested.query(figure=figure, **changed)}"

    def _name(self, named: object) -> str:
        return str(getattr(named, self.language))

    def _target(self, indicator: Indicator) -> str:
        if indicator.weight == 0:
            return ""
        key = "figures.target_least" if indicator.direction == "higher" else "figures.target_most"
        return text(key, self.language, value=f"{100 * indicator.target:g}")

    def _map_words(self, row: AreaRank | None, shown: str) -> str:
        value = None if row is None else _value(row, shown)
        if row is None or value is None:
            return text("figures.map_no_value", self.language)
        if shown in COUNTED_ON_MAP:
            return f"{value:g}"
        share = row.shares[shown]
        return f"{100 * value:.1f} % ({share.numerator:g}/{share.denominator:g})"


def _with_target(view: ShareView, target: str, met: bool | None) -> ShareView:
    return ShareView(**{**vars(view), "target": target, "met": met})


def _meets(indicator: Indicator, value: float | None) -> bool | None:
    if value is None:
        return None
    return value >= indicator.target if indicator.direction == "higher" else value <= indicator.target


def _value(row: AreaRank, shown: str) -> float | None:
    return float(getattr(row, shown)) if shown in COUNTED_ON_MAP else row.shares[shown].value


def _classes(most: float, counted: bool) -> list[str]:
    if not counted:
        return [f"{20 * n}–{20 * (n + 1)} %" for n in range(CLASSES)]
    bounds = [most * n / CLASSES for n in range(CLASSES + 1)]
    return [f"{bounds[n]:g}–{bounds[n + 1]:g}" for n in range(CLASSES)] if most > 0 else ["0"]
