"""Figures, tables and charts of the quarterly bulletin from facts of alerts at several moments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.texts import LANGUAGES, text
from enforcement.change_types import read_change_types
from enforcement.figures.alert_facts import AlertFacts
from enforcement.reports.content import ContentRow
from enforcement.reports.stock import ADDED, REMOVED, in_stock, movements, was_opened
from enforcement.units import mu

CHART_MONTHS = 12


@dataclass(frozen=True)
class QuarterFacts:
    """What a bulletin is made of.

    Attributes:
        now: facts at the end of the quarter.
        before: facts at its beginning, by alert.
        after: its beginning.
        first, last: its local days.
        as_of: local day of the figures: the last one, or today where the quarter is not over.
        last_quarter, last_year: local days of the quarter before, and of the same quarter of the year before.
    """

    now: Sequence[AlertFacts]
    before: Mapping[int, AlertFacts]
    after: dt.datetime
    first: dt.date
    last: dt.date
    as_of: dt.date
    last_quarter: tuple[dt.date, dt.date]
    last_year: tuple[dt.date, dt.date]


def opened_on(facts: AlertFacts) -> dt.date | None:
    """Return the local day from which an alert counts: its dispatch, or its recording where people reported it."""
    if not was_opened(facts):
        return None
    if facts.origin in ("tip", "patrol"):
        return facts.found_on
    return facts.dispatched_on or facts.found_on


def quarter_values(found: QuarterFacts) -> dict[str, Any]:
    """Return the numbers of the texts: new alerts, compared, determined, corrected, closed."""
    chosen = _numbers(found.now, found)
    values: dict[str, Any] = {**chosen, "count": chosen["found"]}
    values["change_quarter"] = _change(chosen["found"], chosen["found_last_quarter"])
    values["change_year"] = _change(chosen["found"], chosen["found_last_year"])
    values["opening"] = sum(in_stock(facts) for facts in found.before.values())
    values["added"] = sum(what in ADDED for _, what in movements(found.before, found.now, found.after))
    values["case"] = sum(_within(facts.case_on, found) for facts in found.now)
    values["corrected"] = sum(_within(facts.corrected_on, found) for facts in found.now)
    closed = [facts for facts in found.now if _within(facts.closed_on, found)]
    values["closed_area_mu"] = _total_mu(facts.area_m2 for facts in closed)
    return values


def rows_by_township(found: QuarterFacts, townships: Sequence[tuple[str, str]]) -> list[ContentRow]:
    """Return one row per township (code, name), also of those without alerts."""
    rows = []
    for code, name in townships:
        facts = [one for one in found.now if one.township_code == code or one.village_code.startswith(code)]
        rows.append(ContentRow(code, {"area": name, **_numbers(facts, found)}))
    rest = [one for one in found.now if not any(one.village_code.startswith(code) for code, _ in townships)]
    rest = [one for one in rest if one.township_code not in {code for code, _ in townships}]
    if rest:
        other = {language: text("reports.other_area", language) for language in LANGUAGES}
        rows.append(ContentRow("other", {"area": other, **_numbers(rest, found)}))
    return rows


def rows_by_kind(found: QuarterFacts) -> list[ContentRow]:
    """Return one row per kind of change that has any alerts."""
    rows = []
    for key, name in read_change_types().kinds.items():
        facts = [one for one in found.now if one.kind == key]
        if facts:
            rows.append(ContentRow(key, {"kind": {"zh": name.zh, "en": name.en}, **_numbers(facts, found)}))
    return rows


def months_chart(found: QuarterFacts) -> dict[str, Any]:
    """Return new and signed-off alerts of the last months, as values of a chart."""
    months = []
    year, month = found.as_of.year, found.as_of.month
    for _ in range(CHART_MONTHS):
        months.append((year, month))
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    months.reverse()
    opened = _per_month(found.now, opened_on)
    closed = _per_month(found.now, _left_on)
    return {
        "title": _texts("reports.chart_months"),
        "labels": [f"{year}-{month:02d}" for year, month in months],
        "series": [
            {"name": _texts("reports.series_new"), "values": [opened.get(month, 0) for month in months]},
            {"name": _texts("reports.series_closed"), "values": [closed.get(month, 0) for month in months]},
        ],
        "unit": _texts("reports.unit_alerts"),
    }


def townships_chart(rows: Sequence[ContentRow]) -> dict[str, Any]:
    """Return new and open alerts of each township, as values of a chart."""
    return {
        "title": _texts("reports.chart_townships"),
        "labels": [row.values["area"] for row in rows],
        "series": [
            {"name": _texts("reports.series_new"), "values": [row.values["found"] for row in rows]},
            {"name": _texts("reports.series_open"), "values": [row.values["closing"] for row in rows]},
        ],
        "unit": _texts("reports.unit_alerts"),
    }


def townships_map(rows: Sequence[ContentRow], outlines: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return the map of townships by new alerts.

    Args:
        rows: of :func:`rows_by_township`.
        outlines: rings (longitude, latitude) by code.
    """
    areas = [
        {"name": row.values["area"], "value": row.values["found"], "outline": outlines[row.key]}
        for row in rows
        if row.key in outlines
    ]
    return {"title": _texts("reports.map_townships"), "areas": areas, "unit": _texts("reports.unit_alerts")}


def _numbers(facts: Sequence[AlertFacts], found: QuarterFacts) -> dict[str, Any]:
    new = [one for one in facts if _between(opened_on(one), (found.first, found.last))]
    before = {one.alert_id: found.before[one.alert_id] for one in facts if one.alert_id in found.before}
    changes = movements(before, facts, found.after)
    return {
        "found": len(new),
        "found_last_quarter": sum(_between(opened_on(one), found.last_quarter) for one in facts),
        "found_last_year": sum(_between(opened_on(one), found.last_year) for one in facts),
        "area_mu": _total_mu(one.area_m2 for one in new),
        "farmland_mu": _total_mu(one.farmland_m2 for one in new),
        "basic_mu": _total_mu(one.basic_farmland_m2 for one in new),
        "confirmed": sum(one.confirmed and _within(one.determined_on, found) for one in facts),
        "false": sum(one.determination == "false_change" and _within(one.determined_on, found) for one in facts),
        "removed": sum(what in REMOVED for _, what in changes),
        "closing": sum(in_stock(one) for one in facts),
        "overdue": sum(in_stock(one) and one.overdue(found.as_of) for one in facts),
    }


def _left_on(facts: AlertFacts) -> dt.date | None:
    return facts.history[-1].day if was_opened(facts) and not facts.open and facts.history else None


def _per_month(
    facts: Sequence[AlertFacts], day_of: Callable[[AlertFacts], dt.date | None]
) -> dict[tuple[int, int], int]:
    counts: dict[tuple[int, int], int] = {}
    for one in facts:
        day = day_of(one)
        if day is not None:
            counts[day.year, day.month] = counts.get((day.year, day.month), 0) + 1
    return counts


def _within(day: dt.date | None, found: QuarterFacts) -> bool:
    return _between(day, (found.first, found.last))


def _between(day: dt.date | None, days: tuple[dt.date, dt.date]) -> bool:
    return day is not None and days[0] <= day <= days[1]


def _change(now: int, before: int) -> dict[str, str]:
    if now == before:
        return _texts("reports.change_none")
    if not before:
        return _texts("reports.change_new")
    share = round(100 * abs(now - before) / before)
    key = "reports.change_up" if now > before else "reports.change_down"
    return {language: text(key, language, share=share) for language in LANGUAGES}


def _texts(key: str) -> dict[str, str]:
    return {language: text(key, language) for language in LANGUAGES}


def _total_mu(areas_m2: Iterable[float]) -> float:
    """Return a total in mu of areas that are each rounded as on their sheets, so that all totals agree."""
    return round(sum(round(mu(area_m2), 2) for area_m2 in areas_m2), 2)
