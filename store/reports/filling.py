"""Fill reports from alerts, patrols, tips and the reports below them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.texts import LANGUAGES, text
from enforcement.figures.alert_facts import AlertFacts
from enforcement.reports.alert_rows import alert_row
from enforcement.reports.content import SUMMED, Content, ContentRow, closing_stock, figures
from enforcement.reports.inspection_rows import inspection_rows
from enforcement.reports.layout import read_layout
from enforcement.reports.quarter import (
    QuarterFacts,
    months_chart,
    quarter_values,
    rows_by_kind,
    rows_by_township,
    townships_chart,
    townships_map,
)
from enforcement.reports.schedule import Period, ReportRule, read_schedule
from enforcement.reports.stock import ADDED, in_stock, movements
from store.reports.decisions import decision_rows
from store.reports.listed_cases import listed_rows
from store.reports.report_facts import ReportFacts
from store.reports.report_rows import corrected_content, corrected_contents, report_at, reports_below
from store.schema.chain.report_tables import ReportRow
from store.schema.tables import Area
from store.search.alert_filter import ZONE

SUBMITTED = ("submitted", "locked")
_MAP_TOLERANCE = 0.0005  # degrees, about 50 m: a map of a county is ten centimetres wide
_LEFT_OUT = ("false_change", "lawful")


def fill_content(session: Session, kind: str, code: str, period: Period, facts: ReportFacts) -> Content:
    """Return the content of a report as of the end of its period.

    Args:
        session: any transaction.
        kind: of ``configs/reports/schedule.yaml``.
        code: administrative code of the area.
        period: of the report.
        facts: read for this area or one that contains it.

    Raises:
        SettingsError: there is no such kind.
    """
    rule = read_schedule().rule(kind)
    layout = read_layout(kind)
    sources = {table.rows for table in layout.tables()}
    values: dict[str, Any] = _heading(facts, code, period, rule)
    if rule.sums:
        return _summary(session, rule, code, period, facts, values)
    if sources & {"by_kind", "by_township", "listed", "decisions"}:
        return _bulletin(session, kind, code, period, facts, values)
    tables: dict[str, Sequence[ContentRow]] = {}
    since = _since(period, facts.zone, whole_year="ledger" in sources)
    now, before = facts.at(period.until, code, since), facts.at(period.after, code, since)
    if "alerts" in sources:
        tables["alerts"] = _alert_rows(code, period, facts, values["patrols"], since)
    if "ledger" in sources:
        tables["ledger"] = _ledger_rows(list(now.values()), period, facts)
        values["count"] = len(tables["ledger"])
    if "inspections" in sources:
        patrolled = facts.of_patrols(code, period.first, period.last, period.until)
        inspections = facts.inspections(code, period.first, period.last, {**now, **patrolled})
        known = {one.facts.alert_id for one in inspections if one.facts is not None}
        tables["inspections"] = inspection_rows(inspections, facts.places(known), facts.names)
        values["count"] = len(tables["inspections"])
    values["opening"] = sum(in_stock(one) for one in before.values())
    return Content(tables, values, {}, _previous_closing(session, kind, code, period))


def fill_lower(session: Session, row: ReportRow, content: Content) -> Content:
    """Return the content of a summary with the reports below as they are now; its other values stay."""
    rule = read_schedule().rule(row.kind)
    rows, values = _lower_rows(session, rule, row.area_code, row.first_day, row.last_day)
    return Content(
        {**content.tables, "lower_reports": rows},
        {**content.values, **values},
        content.own,
        content.previous_closing,
        content.charts,
    )


def _heading(facts: ReportFacts, code: str, period: Period, rule: ReportRule) -> dict[str, Any]:
    above = next((code[:digits] for digits in (9, 6) if digits < len(code)), "")
    last = period.last
    year, week, _ = last.isocalendar()
    quarter = {
        language: text("reports.quarter_name", language, year=last.year, quarter=(last.month + 2) // 3)
        for language in LANGUAGES
    }
    return {
        "area": facts.names.get(code, code),
        "above": facts.names.get(above, above),
        "first": period.first.isoformat(),
        "last": last.isoformat(),
        "week": f"{year}-W{week:02d}",
        "month": f"{last.year}-{last.month:02d}",
        "quarter": quarter,
        "year": str(last.year),
        "until": f"{period.until.astimezone(facts.zone):%Y-%m-%d %H:%M}",
        "patrols": sum(facts.patrols(code, period.after, period.until).values()),
    }


def _since(period: Period, zone: dt.tzinfo, *, whole_year: bool = False) -> dt.datetime:
    """Return the moment from which steps matter: alerts decided before it and not touched since are in no table."""
    first = period.first.replace(month=1, day=1) if whole_year else period.first
    return min(period.after, dt.datetime.combine(first, dt.time(), zone) - dt.timedelta(microseconds=1))


def _alert_rows(code: str, period: Period, facts: ReportFacts, patrols: int, since: dt.datetime) -> list[ContentRow]:
    found = movements(facts.at(period.after, code, since), facts.at(period.until, code, since).values(), period.after)
    places = facts.places([one.alert_id for one, _ in found])
    return [
        alert_row(
            one, places.get(one.alert_id), facts.names, number=number, movement=what, patrols=patrols,
            year=period.last.year,
        )
        for number, (one, what) in enumerate(found, 1)
    ]  # fmt: skip


def _ledger_rows(now: list[AlertFacts], period: Period, facts: ReportFacts) -> list[ContentRow]:
    """Return the rows of open alerts and of those closed this year, without those found to be in order."""
    kept = [
        one
        for one in now
        if one.determination not in _LEFT_OUT
        and (in_stock(one) or (one.closed_on is not None and one.closed_on.year == period.last.year))
    ]
    kept.sort(key=lambda one: (one.found_on, one.number))
    places = facts.places([one.alert_id for one in kept])
    return [
        alert_row(one, places.get(one.alert_id), facts.names, number=number, year=period.last.year)
        for number, one in enumerate(kept, 1)
    ]


def _summary(
    session: Session, rule: ReportRule, code: str, period: Period, facts: ReportFacts, values: dict[str, Any]
) -> Content:
    rows, more = _lower_rows(session, rule, code, period.first, period.last)
    since = _since(period, facts.zone)
    alerts = _alert_rows(code, period, facts, 0, since)
    own = figures(Content({"alerts": alerts}))
    own["area_mu"] = sum(
        float(row.values.get("area_mu", 0)) for row in alerts if row.values.get("movement_key") in ADDED
    )
    own["opening"] = sum(in_stock(one) for one in facts.at(period.after, code, since).values())
    kind = next(name for name, other in read_schedule().reports.items() if other is rule)
    chosen = {name: own[name] for name in (*SUMMED, "zero") if name != "patrols"}
    return Content({"lower_reports": rows}, {**values, **more}, chosen, _previous_closing(session, kind, code, period))


def _lower_rows(
    session: Session, rule: ReportRule, code: str, first: dt.date, last: dt.date
) -> tuple[list[ContentRow], dict[str, Any]]:
    """Return a row per area below, also of those that have not submitted, and values about them."""
    lower = read_schedule().rule(rule.sums)
    level = lower.level
    names = session.execute(
        select(Area.code, Area.name)
        .where(Area.level == level, Area.code.startswith(code, autoescape=True))
        .order_by(Area.code)
    )
    reports = {row.area_code: row for row in reports_below(session, rule.sums, code, first, last)}
    contents = corrected_contents(session, [row for row in reports.values() if row.state in SUBMITTED])
    rows: list[ContentRow] = []
    missing: list[str] = []
    for number, (area_code, name) in enumerate(names, 1):
        report = reports.get(area_code)
        values: dict[str, Any] = {"serial": number, "area": name}
        if report is None or report.state not in SUBMITTED:
            missing.append(name)
            counted = _leaves_below(session, lower, rule.sums, area_code, first, last)
            values |= {"due": counted[0], "submitted": counted[1], "missing": counted[0] - counted[1]}
            values["remarks"] = {language: text("reports.not_submitted", language) for language in LANGUAGES}
            rows.append(ContentRow(area_code, values, f"/reports/{report.id}" if report else "", emphasis=True))
            continue
        found = figures(contents[report.id])
        values |= {name: found[name] for name in SUMMED}
        if lower.sums:
            values |= {name: found[name] for name in ("due", "submitted", "zero", "missing", "late")}
        else:
            values |= {"due": 1, "submitted": 1, "zero": found["zero"], "missing": 0, "late": int(report.late)}
        if report.submitted_at is not None:
            values["submitted_on"] = report.submitted_at.astimezone(ZONE).date().isoformat()
        if report.late:
            values["remarks"] = {language: text("reports.late_row", language) for language in LANGUAGES}
        rows.append(ContentRow(area_code, values, f"/reports/{report.id}"))
    return rows, {"missing_names": "、".join(missing) or {"zh": "无", "en": "none"}}


def _leaves_below(
    session: Session, rule: ReportRule, kind: str, code: str, first: dt.date, last: dt.date
) -> tuple[int, int]:
    """Count the lowest reports due and submitted of an area whose own report is missing."""
    if not rule.sums:
        return 1, 0
    lowest, name = rule, kind
    while lowest.sums:
        name, lowest = lowest.sums, read_schedule().rule(lowest.sums)
    due = len(
        session.scalars(
            select(Area.id).where(Area.level == lowest.level, Area.code.startswith(code, autoescape=True))
        ).all()
    )
    return due, sum(row.state in SUBMITTED for row in reports_below(session, name, code, first, last))


def _bulletin(
    session: Session, kind: str, code: str, period: Period, facts: ReportFacts, values: dict[str, Any]
) -> Content:
    now = list(facts.at(period.until, code).values())
    found = QuarterFacts(
        now,
        facts.at(period.after, code),
        period.after,
        period.first,
        period.last,
        min(period.last, (period.until - dt.timedelta(seconds=1)).astimezone(facts.zone).date()),
        _quarter_before(period.first),
        (_years_back(period.first), _years_back(period.last)),
    )
    areas = session.scalars(
        select(Area).where(Area.level == "township", Area.code.startswith(code, autoescape=True)).order_by(Area.code)
    ).all()
    townships = rows_by_township(found, [(area.code, area.name) for area in areas])
    outlines = {area.code: _rings(area.outline) for area in areas}
    listed = listed_rows(session, code, period, facts)
    tips, answered = facts.tips(code, period.after, period.until)
    values |= quarter_values(found) | {"tips": tips, "tips_answered": answered, "listed": len(listed)}
    return Content(
        {
            "by_kind": rows_by_kind(found),
            "by_township": townships,
            "listed": listed,
            "decisions": decision_rows(session, code, period.last),
        },
        values,
        {},
        _previous_closing(session, kind, code, period),
        {
            "months": months_chart(found),
            "townships": townships_chart(townships),
            "map_townships": townships_map(townships, outlines),
        },
    )


def _previous_closing(session: Session, kind: str, code: str, period: Period) -> int | None:
    """Return the closing stock of the submitted report of the period before; None: there is none."""
    before = report_at(session, kind, code, period.first - dt.timedelta(days=1))
    if before is None or before.state not in SUBMITTED:
        return None
    return closing_stock(corrected_content(session, before))


def _rings(outline: Any) -> list[list[list[float]]]:
    simple = shapely.simplify(outline, _MAP_TOLERANCE)
    parts = [part for part in shapely.get_parts(simple) if part.geom_type == "Polygon"]
    return [[[round(x, 6), round(y, 6)] for x, y in part.exterior.coords] for part in parts]


def _quarter_before(first: dt.date) -> tuple[dt.date, dt.date]:
    last = first - dt.timedelta(days=1)
    month = (last.month - 1) // 3 * 3 + 1
    return dt.date(last.year, month, 1), last


def _years_back(day: dt.date) -> dt.date:
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)
