"""The dashboard and the ranking as sheets: the numbers of the pages, for xlsx, CSV, docx and PDF."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from configs.texts import text
from enforcement.change_types import read_change_types
from enforcement.figures.dashboard import Dashboard, PartShare
from enforcement.figures.indicators import Figures, Indicator, Share, read_figures
from enforcement.figures.period import Period
from enforcement.figures.ranking import AreaRank, InterviewReason, Level, Ranking
from enforcement.reports.sheet import Cell, Column, Kind, Row, Sheet
from enforcement.settings import read_enforcement
from errors import SettingsError
from store.access.rights import Viewer
from store.figures.area_figures import AreaFigures, scope_for
from store.schema.database import Session


def period_words(period: Period, language: str) -> str:
    """Return a period in words, with its days."""
    year, number = f"{period.first:%Y}", ""
    if period.kind == "week":
        year, number = period.name.split("-W")
    elif period.kind == "month":
        number = str(period.first.month)
    elif period.kind == "quarter":
        number = period.name[-1]
    days = {"first": period.first.isoformat(), "last": period.last.isoformat()}
    days["month"] = text("figures.months", language).split()[period.first.month - 1]
    return text(f"figures.period.{period.kind}", language, year=year, number=number.lstrip("0"), **days)


def source_words(key: str, language: str) -> str:
    """Return the name of a source."""
    found = read_enforcement().sources.get(key)
    return str(getattr(found, language)) if found else key


def kind_words(key: str, language: str) -> str:
    """Return the name of a kind of change."""
    found = read_change_types().kinds.get(key)
    return str(getattr(found, language)) if found else key


def unit_words(indicator: Indicator, language: str) -> str:
    """Return the unit of numerator and denominator."""
    return text(f"figures.unit.{indicator.measure}", language)


def interview_words(reason: InterviewReason, figures: Figures, language: str) -> str:
    """Return a reason for an interview in words, with its value and limit."""
    rule = figures.interview[reason.rule]
    name = str(getattr(rule, language))
    if rule.indicator:
        percent = {"value": f"{100 * reason.value:.1f}", "limit": f"{100 * reason.limit:g}"}
        return text("figures.interview.share", language, name=name, **percent)
    key = "figures.interview.area" if rule.measure == "area" else "figures.interview.count"
    return text(key, language, name=name, value=f"{reason.value:g}", limit=f"{reason.limit:g}")


def ranking_sheet(
    ranking: Ranking, area_name: str, language: str, figures: Figures | None = None, status: str = ""
) -> Sheet:
    """Return a ranking as a sheet: one row per area, value with numerator and denominator of each ranked indicator.

    Args:
        ranking: of :meth:`store.figures.area_figures.AreaFigures.ranking`.
        area_name: name of the area whose parts are ranked.
        language: ``zh`` or ``en``.
        figures: definitions; None: ``configs/indicators.yaml``.
        status: printed at the top, as 草稿.
    """
    figures = figures or read_figures()

    def words(key: str, **values: object) -> str:
        return text(f"figures.{key}", language, **values)

    columns = [
        Column("rank", words("rank"), kind="whole", width=5),
        Column("name", words("area"), width=12),
        Column("score", words("score"), kind="number", decimals=1, width=6),
        Column("found", words("found"), kind="whole", width=5),
        Column("confirmed", words("confirmed"), kind="whole", width=6),
        Column("confirmed_mu", words("confirmed_mu"), kind="number", unit=words("unit.area"), width=9),
    ]
    ranked = figures.ranked(ranking.level)
    for name, indicator in ranked.items():
        group = f"{getattr(indicator, language)} ({words('weight', weight=f'{indicator.weight:g}')})"
        kind: Kind = "number" if indicator.measure in ("area", "farmland") else "whole"
        columns += [
            Column(f"{name}_counted", words("numerator"), group, kind=kind, width=5),
            Column(f"{name}_of", words("denominator"), group, kind=kind, width=5),
            Column(name, words("value"), group, kind="percent", width=7),
        ]
    columns.append(Column("interview", words("interview.title"), width=20))
    moment = ranking.moment
    notes = [f"{getattr(one, language)}: {getattr(one, f'help_{language}')}" for one in ranked.values()]
    heading = [
        (words("area"), area_name or words("all_areas")),
        (words("period.title"), period_words(moment.period, language)),
    ]
    if not moment.over:
        heading.append((words("as_of"), moment.as_of.isoformat()))
    return Sheet(
        title=words(f"ranking.{ranking.level}"),
        name=words("ranking.name"),
        columns=tuple(columns),
        rows=tuple(_ranked_row(row, ranked, figures, language) for row in ranking.areas),
        heading=tuple(heading),
        notes=(words("ranking.note"), *notes),
        language=language,
        status=status,
    )


def read_ranking_sheet(
    session: Session,
    viewer: Viewer,
    code: str,
    period: Period,
    *,
    today: dt.date,
    zone: dt.tzinfo,
    language: str,
    level: Level | None = None,
) -> Sheet:
    """Return the ranking of the parts of an area as a sheet.

    Args:
        session: a read transaction.
        viewer: whose rights limit it.
        code: of the area; "": all that the viewer may see.
        period: of the figures.
        today: local day of now.
        zone: time zone of local days.
        language: ``zh`` or ``en``.
        level: of the ranked areas; None: townships of a county, villages of a township.

    Raises:
        SettingsError: the viewer may not see the area, or the level is not below it.
    """
    scope = scope_for(viewer, code, period, today, zone)
    if scope is None:
        raise SettingsError(f"The area {code} does not exist for this user.", "figures.area", area=code)
    found = AreaFigures(session, viewer, scope)
    return ranking_sheet(found.ranking(level or found.default_level), found.area_name, language)


def dashboard_sheets(dashboard: Dashboard, parts: Ranking, area_name: str, language: str) -> list[Sheet]:
    """Return what the dashboard shows as sheets: indicators, totals and funnel, trend, false alerts, and its parts."""
    figures = read_figures()

    def words(key: str, **values: object) -> str:
        return text(f"figures.{key}", language, **values)

    heading = (
        (words("area"), area_name or words("all_areas")),
        (words("period.title"), period_words(dashboard.moment.period, language)),
        (words("as_of"), dashboard.moment.as_of.isoformat()),
    )

    def sheet(key: str, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], notes: Sequence[str] = ()) -> Sheet:
        return Sheet(
            title=f"{words('title')} {words(key)}",
            name=words(key),
            columns=tuple(columns),
            rows=tuple(Row(tuple(row)) for row in rows),
            heading=heading,
            notes=tuple(notes),
            language=language,
        )

    name = Column("name", words("figure"), width=24)
    counts = [name, Column("value", words("number"), kind="whole"), Column("before", words("before"), kind="whole")]
    shares = [
        name,
        Column("counted", words("numerator"), words("number"), kind="whole"),
        Column("of", words("denominator"), words("number"), kind="whole"),
        Column("unit", words("unit_title"), words("number"), width=10),
        Column("counted_mu", words("numerator"), words("area_of"), unit=words("unit.area"), kind="number", width=12),
        Column("of_mu", words("denominator"), words("area_of"), unit=words("unit.area"), kind="number", width=12),
        Column("value", words("value"), kind="percent"),
        Column("before", words("before"), kind="percent", width=12),
        Column("year_before", words("year_before"), kind="percent", width=12),
        Column("target", words("target"), kind="percent"),
    ]
    indicators: list[tuple[Cell, ...]] = []
    for one in dashboard.indicators:
        indicator = figures.indicators[one.name]
        numbers = one.share.numerator, one.share.denominator
        in_mu = indicator.measure in ("area", "farmland")
        cells = (None, None, None, *numbers) if in_mu else (*numbers, unit_words(indicator, language), None, None)
        values = one.share.value, one.before.value, one.year_before.value
        indicators.append((getattr(indicator, language), *cells, *values, indicator.target))
    totals: list[tuple[Cell, ...]] = [
        (getattr(figures.totals[one.name], language), one.value, one.before) for one in dashboard.totals
    ]
    funnel: list[tuple[Cell, ...]] = [
        (getattr(figures.funnel[one.name], language), one.value) for one in dashboard.funnel
    ]
    trend = dashboard.trend
    series = [Column(key, getattr(figures.trend[key], language), kind="whole") for key in trend.series]
    trend_rows: list[tuple[Cell, ...]] = [
        (period_words(period, language), *(values[n] for values in trend.series.values()))
        for n, period in enumerate(trend.periods)
    ]
    notes = [f"{getattr(one, language)}: {getattr(one, f'help_{language}')}" for one in figures.indicators.values()]
    return [
        sheet("indicators", shares, indicators, notes),
        sheet("totals", counts, totals),
        sheet("funnel", counts[:2], funnel),
        sheet("trend", [Column("period", words("period.title"), width=26), *series], trend_rows),
        sheet("false_alerts", _false_columns(language), _false_rows(dashboard, language)),
        ranking_sheet(parts, area_name, language, figures),
    ]


def _false_columns(language: str) -> list[Column]:
    return [
        Column("by", text("figures.by", language), width=12),
        Column("name", text("figures.part", language), width=20),
        Column("counted", text("figures.false", language), kind="whole"),
        Column("of", text("figures.judged", language), kind="whole"),
        Column("value", text("figures.value", language), kind="percent"),
    ]


def _false_rows(dashboard: Dashboard, language: str) -> list[tuple[Cell, ...]]:
    def rows(key: str, parts: Sequence[PartShare], names: Sequence[str]) -> list[tuple[Cell, ...]]:
        by = text(f"figures.by_{key}", language)
        return [
            (by, name, int(one.share.numerator), int(one.share.denominator), one.share.value)
            for one, name in zip(parts, names, strict=True)
        ]

    sources = [source_words(one.key, language) for one in dashboard.false_by_source]
    kinds = [kind_words(one.key, language) for one in dashboard.false_by_kind]
    return rows("source", dashboard.false_by_source, sources) + rows("kind", dashboard.false_by_kind, kinds)


def _ranked_row(row: AreaRank, ranked: dict[str, Indicator], figures: Figures, language: str) -> Row:
    cells: list[Cell] = [row.rank, row.name, row.score, row.found, row.confirmed, row.confirmed_mu]
    for name in ranked:
        share: Share = row.shares[name]
        cells += [share.numerator, share.denominator, share.value]
    separator = "；" if language == "zh" else "; "
    cells.append(separator.join(interview_words(reason, figures, language) for reason in row.interview))
    return Row(tuple(cells), key=row.code, emphasis=bool(row.interview))
