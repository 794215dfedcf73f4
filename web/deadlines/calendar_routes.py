"""Page of the calendar of working days: seen by everybody, edited by administrators of a county or above."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse

from enforcement.deadlines.public_holidays import CalendarYear, format_holidays, parse_year
from enforcement.deadlines.working_days import Calendar, read_calendar
from store.access.audit_log import actions_about
from store.access.rights import Viewer
from store.deadlines.calendar import (
    FIRST_YEAR,
    LAST_YEAR,
    calendar_of,
    missing_holidays,
    save_year,
    stored_row,
    year_of,
)
from store.views.moved_deadlines import moved_by_calendar
from web.auth.authentication import CurrentUser, Service, client_address
from web.http_errors import Forbidden, InvalidInput
from web.page import page

router = APIRouter(include_in_schema=False)

COUNTY_DIGITS = 6


@dataclass(frozen=True)
class CalendarDay:
    """A day of the page.

    Attributes:
        day: the date.
        working: whether it is a working day.
        special: whether that differs from an ordinary week, or the day belongs to a public holiday.
        name: of the holiday; "": none.
    """

    day: dt.date
    working: bool
    special: bool
    name: str


def may_edit(viewer: Viewer) -> bool:
    """Return whether a user may change the calendar, which applies to all areas."""
    return viewer.administrator and len(viewer.code) <= COUNTY_DIGITS


@router.get("/calendar")
def calendar_page(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    year: Annotated[int | None, Query(ge=FIRST_YEAR, le=LAST_YEAR)] = None,
) -> HTMLResponse:
    """Render the calendar of a year, by default of this one."""
    return _page(request, context, viewer, year or context.today.year)


@router.post("/calendar")
def change_calendar(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    year: Annotated[int, Form(ge=FIRST_YEAR, le=LAST_YEAR)],
    holidays: Annotated[str, Form(max_length=10_000)] = "",
    working_days: Annotated[str, Form(max_length=10_000)] = "",
) -> HTMLResponse:
    """Store the holidays of a year; running deadlines are computed again by a job."""
    if not may_edit(viewer):
        raise Forbidden
    given = parse_year(year, holidays, working_days)
    with context.database.write() as session:
        changed = save_year(session, given, who=viewer.login, now=context.clock(), address=client_address(request))
    return _page(request, context, viewer, year, saved="calendar.saved" if changed else "calendar.unchanged")


def _page(request: Request, context: Service, viewer: Viewer, year: int, saved: str = "") -> HTMLResponse:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise InvalidInput(f"year is {year}; expected {FIRST_YEAR} to {LAST_YEAR}.")
    with context.database.read() as session:
        found = year_of(session, year) or CalendarYear(year=year)
        row = stored_row(session, year)
        calendar = calendar_of(session)
        missing = missing_holidays(session, context.today)
        changes = actions_about(session, str(year), 20) if viewer.administrator else []
        moved = moved_by_calendar(session, year) if viewer.administrator else 0
    return page(
        request,
        "calendar.html",
        year=year,
        months=[_month(year, month, calendar) for month in range(1, 13)],
        row=row,
        empty=not found.holidays,
        overridden=sum(1 for day in (*read_calendar().free, *read_calendar().worked) if day.year == year),
        holidays=format_holidays(found),
        working_days=" ".join(day.isoformat() for day in found.working_days),
        missing=missing,
        may_edit=may_edit(viewer),
        saved=saved,
        today=context.today,
        changes=[change for change in changes if change.what in ("changed_calendar", "stored_calendar")],
        moved=moved,
        first=FIRST_YEAR,
        last=LAST_YEAR,
    )


def _month(year: int, month: int, calendar: Calendar) -> list[list[CalendarDay | None]]:
    """Return the weeks of a month, from Monday; None: a day of another month."""
    first = dt.date(year, month, 1)
    days: list[CalendarDay | None] = [None] * first.weekday()
    day = first
    while day.month == month:
        working, weekend = calendar.is_working(day), day.weekday() >= 5
        special = working == weekend or (not working and day in calendar.names)
        days.append(CalendarDay(day, working, special, calendar.names.get(day, "")))
        day += dt.timedelta(days=1)
    days += [None] * (-len(days) % 7)
    return [days[start : start + 7] for start in range(0, len(days), 7)]
