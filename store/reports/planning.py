"""Plan the reports of every area by the schedule, and fill those whose period has ended."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from enforcement.reports.schedule import CODE_DIGITS, Period, ReportRule, period_of, periods, read_schedule
from store.access.users import has_active_user
from store.deadlines.calendar import calendar_of
from store.reports.filling import fill_content
from store.reports.report_facts import ReportFacts
from store.reports.report_rows import report_at
from store.reports.report_steps import SYSTEM, add_step, store_content
from store.schema.chain.report_tables import ReportRow
from store.schema.insert import insert_new
from store.schema.tables import Area

CATCH_UP = dt.timedelta(days=7)
"""Periods that ended earlier are not planned any more; ``tuban report`` and the page make them on demand."""


def plan_reports(session: Session, now: dt.datetime, zone: dt.tzinfo) -> int:
    """Add the reports of running periods, and of those that ended within a week; return how many were added.

    Areas that were loaded after a period ended do not owe its report, and nobody owes one of a period that ended before
    the first report of its kind was planned.
    """
    if not has_active_user(session):
        return 0
    today = now.astimezone(zone).date()
    calendar = calendar_of(session)
    areas: dict[str, list[tuple[str, dt.datetime]]] = defaultdict(list)
    for code, level, loaded_at in session.execute(select(Area.code, Area.level, Area.loaded_at).order_by(Area.code)):
        areas[level].append((code, loaded_at))
    added = 0
    for kind, rule in read_schedule().reports.items():
        running = period_of(rule, calendar, today, zone)
        found = [running]
        earliest = session.scalar(select(func.min(ReportRow.last_day)).where(ReportRow.kind == kind))
        if earliest is not None:
            first = max(today - CATCH_UP, earliest)
            found += periods(rule, calendar, first, today - dt.timedelta(days=1), zone)
        for period in {one.first: one for one in found}.values():
            known = ReportRow.kind == kind, ReportRow.last_day == period.last
            planned = set(session.scalars(select(ReportRow.area_code).where(*known)))
            for code, loaded_at in areas[rule.level]:
                owes = loaded_at <= period.until and len(code) == CODE_DIGITS[rule.level]
                if owes and code not in planned:
                    added += _plan(session, kind, rule, code, period, now) is not None
    return added


def report_of(
    session: Session, kind: str, code: str, day: dt.date, now: dt.datetime, zone: dt.tzinfo
) -> tuple[ReportRow, Period]:
    """Return the report of an area whose period contains a day; it is planned if it is not yet.

    Raises:
        SettingsError: there is no such kind.
    """
    rule = read_schedule().rule(kind)
    found = report_at(session, kind, code, day)
    period = period_of(rule, calendar_of(session), day if found is None else found.last_day, zone)
    if found is None:
        report_id = _plan(session, kind, rule, code, period, now)
        found = session.get(ReportRow, report_id) if report_id else report_at(session, kind, code, period.last)
    if found is None:
        raise LookupError(f"{kind} of {code} for {day}")
    return found, period


def fill_ended(session: Session, now: dt.datetime, zone: dt.tzinfo, limit: int = 100_000) -> int:
    """Fill the planned reports whose period has ended, those of the lowest level first; return how many.

    The facts of a county are read once for all of its reports.
    """
    order = {"village": 0, "township": 1, "county": 2}
    schedule = read_schedule().reports
    calendar = calendar_of(session)
    today = now.astimezone(zone).date()
    looked_at_early = (ReportRow.state == "draft") & (ReportRow.filled_at < ReportRow.filled_until)
    unfilled = (ReportRow.state == "planned") | looked_at_early
    query = select(ReportRow).where(unfilled, ReportRow.last_day <= today)
    rows = [row for row in session.scalars(query.order_by(ReportRow.id).limit(limit)) if row.kind in schedule]
    rows.sort(key=lambda row: (row.last_day, order[schedule[row.kind].level], row.area_code))
    facts: dict[str, ReportFacts] = {}
    filled = 0
    for row in rows:
        period = period_of(schedule[row.kind], calendar, row.last_day, zone)
        if period.until > now:
            continue
        period = _kept(row, period)
        county = row.area_code[:6]
        if county not in facts:
            facts[county] = ReportFacts(session, county, zone)
        content = fill_content(session, row.kind, row.area_code, period, facts[county])
        store_content(session, row, content, period.until, now)
        filled += 1
    return filled


def fill_report(session: Session, row: ReportRow, now: dt.datetime, zone: dt.tzinfo) -> None:
    """Fill one report again, up to now or the end of its period; corrections stay.

    Raises:
        ReportError: it is signed already.
    """
    rule = read_schedule().rule(row.kind)
    period = _kept(row, period_of(rule, calendar_of(session), row.last_day, zone))
    until = min(period.until, now)
    shown = Period(period.first, period.last, period.after, until, period.due, period.grace_until)
    content = fill_content(session, row.kind, row.area_code, shown, ReportFacts(session, row.area_code, zone))
    store_content(session, row, content, period.until, now)


def _kept(row: ReportRow, period: Period) -> Period:
    """Return a period with the days of the report, where the calendar was changed after it was planned."""
    return Period(row.first_day, row.last_day, period.after, period.until, period.due, period.grace_until)


def _plan(session: Session, kind: str, rule: ReportRule, code: str, period: Period, now: dt.datetime) -> int | None:
    values = {
        "kind": kind,
        "area_code": code,
        "first_day": period.first,
        "last_day": period.last,
        "due_at": period.due if rule.required else None,
        "grace_until": period.grace_until if rule.required else None,
        "state": "planned",
        "content": {},
        "layout_sha256": "",
        "prepared_by": "",
        "approved_by": "",
        "late": False,
        "check_reasons": {},
        "checks": [],
        "files": {},
        "content_sha256": "",
        "created_at": now,
        "changed_at": now,
        "version": 1,
    }
    report_id = insert_new(session, ReportRow, values, ReportRow.id)
    if report_id is not None:
        row = session.get_one(ReportRow, report_id)
        add_step(session, row, SYSTEM, "planned", now, detail={"due": period.due.isoformat()})
        return int(report_id)
    return None
