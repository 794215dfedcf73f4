"""Working days: ``configs/calendar.yaml`` with the public holidays of the years in the database.

A year that is not stored yet is that of the package (:mod:`enforcement.deadlines.public_holidays`).
``store_known_years`` fixes it, so that a later version of the package changes no deadline unseen.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.deadlines.public_holidays import CalendarYear, known_year, missing_year
from enforcement.deadlines.working_days import Calendar, merge_calendar, read_calendar
from store.access.audit_log import record_action
from store.jobs.queue import add_job
from store.schema.chain.deadline_tables import CalendarYearRow

FIRST_YEAR, LAST_YEAR = 2020, 2100

RECOMPUTE = "deadlines.recompute"
"""Kind of the job that computes all running deadlines again."""

_CACHED = "tuban_calendar"


def calendar_of(session: Session) -> Calendar:
    """Return the calendar that this transaction sees; read once per transaction."""
    cached: Calendar | None = session.info.get(_CACHED)
    if cached is None:
        cached = _merged(read_calendar(), tuple(stored_years(session)))
        session.info[_CACHED] = cached
    return cached


@lru_cache(maxsize=4)
def _merged(base: Calendar, stored: tuple[CalendarYear, ...]) -> Calendar:
    numbers = {year.year for year in stored}
    known = (known_year(number) for number in range(FIRST_YEAR, LAST_YEAR) if number not in numbers)
    return merge_calendar(base, [*stored, *(year for year in known if year is not None)])


def stored_years(session: Session) -> list[CalendarYear]:
    """List the stored years, earliest first."""
    return [_year(row) for row in session.scalars(select(CalendarYearRow).order_by(CalendarYearRow.year))]


def stored_row(session: Session, year: int) -> CalendarYearRow | None:
    """Return the row of a stored year."""
    return session.get(CalendarYearRow, year)


def year_of(session: Session, year: int) -> CalendarYear | None:
    """Return a stored year, else that of the package; None: neither."""
    row = session.get(CalendarYearRow, year)
    return known_year(year) if row is None else _year(row)


def missing_holidays(session: Session, today: dt.date) -> int | None:
    """Return the year whose holidays are needed on ``today`` but not known; None: all are known."""
    return missing_year(today, set(session.scalars(select(CalendarYearRow.year))))


def save_year(session: Session, year: CalendarYear, *, who: str, now: dt.datetime, address: str = "") -> bool:
    """Store the holidays of a year, record it in the audit log, and add the job that recomputes running deadlines.

    Args:
        session: a writing transaction.
        year: validated.
        who: login of the administrator.
        now: current time.
        address: IP address of the browser, for the audit log.

    Returns:
        Whether anything has changed.
    """
    year.validated()
    row = session.get(CalendarYearRow, year.year)
    before = year_of(session, year.year)
    if row is not None and before == year:
        return False
    holidays = [[day.isoformat(), name] for day, name in year.holidays]
    working = [day.isoformat() for day in year.working_days]
    if row is None:
        row = CalendarYearRow(year=year.year)
        session.add(row)
    row.holidays, row.working_days, row.source, row.changed_at, row.changed_by = holidays, working, "entered", now, who
    detail = {"year": year.year, "from": _detail(before), "to": _detail(year)}
    record_action(
        session, who=who, what="changed_calendar", now=now, about=str(year.year), detail=detail, address=address
    )
    session.flush()
    session.info.pop(_CACHED, None)
    key = f"{RECOMPUTE}:{year.year}:{now.isoformat()}"
    payload = {"who": who, "year": year.year}
    add_job(session, kind=RECOMPUTE, queue="deliver", payload=payload, unique_key=key, now=now)
    return True


def store_known_years(session: Session, today: dt.date, now: dt.datetime) -> list[int]:
    """Store this and the next year as the package has them, where they are not stored; return the years stored."""
    added = []
    for number in (today.year - 1, today.year, today.year + 1):
        year = known_year(number)
        if year is None or session.get(CalendarYearRow, number) is not None:
            continue
        session.add(
            CalendarYearRow(
                year=number,
                holidays=[[day.isoformat(), name] for day, name in year.holidays],
                working_days=[day.isoformat() for day in year.working_days],
                source="package",
                changed_at=now,
                changed_by="system",
            )
        )
        record_action(session, who="system", what="stored_calendar", now=now, about=str(number))
        added.append(number)
    session.flush()
    return added


def _year(row: CalendarYearRow) -> CalendarYear:
    return CalendarYear(
        year=row.year,
        holidays=tuple((dt.date.fromisoformat(day), name) for day, name in row.holidays),
        working_days=tuple(dt.date.fromisoformat(day) for day in row.working_days),
    )


def _detail(year: CalendarYear | None) -> dict[str, list[str]] | None:
    if year is None:
        return None
    return {
        "holidays": [f"{day} {name}".strip() for day, name in year.holidays],
        "working_days": [day.isoformat() for day in year.working_days],
    }
