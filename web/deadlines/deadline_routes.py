"""Page of an alert's deadline: days counted, who is responsible, escalations, supervision, and messages about it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from enforcement.deadlines.state_deadlines import count_days, level_above
from enforcement.deadlines.working_days import days_overdue
from enforcement.states import read_states
from store.alerts.transitions import steps_of
from store.deadlines.alert_deadlines import alert_deadline, deadline_log_of
from store.deadlines.calendar import calendar_of, missing_holidays
from store.deadlines.supervision import supervisions_of
from store.messages.inbox import messages_about
from store.messages.recipients import People
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.messages.message_words import shown_messages
from web.page import page

router = APIRouter(include_in_schema=False)


@router.get("/alerts/{number}/deadline")
def deadline_page(request: Request, context: Service, viewer: CurrentUser, number: str) -> HTMLResponse:
    """Render the deadline of an alert with the days that it counts."""
    table, today = read_states(), context.today
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        calendar = calendar_of(session)
        found = alert_deadline(session, steps_of(session, alert), context.settings.zone)
        role, people = People(session).owners(alert) if found is not None else ("", [])
        log = deadline_log_of(session, alert.id)
        supervisions = supervisions_of(session, alert.id)
        messages = shown_messages(request, messages_about(session, viewer, alert.id))
        missing = missing_holidays(session, today)
    late = days_overdue(found.due, today, calendar) if found is not None else 0
    is_late = found is not None and found.due < today
    left = 0 if found is None or is_late else days_overdue(today, found.due, calendar)
    return page(
        request,
        "deadline.html",
        alert=alert,
        deadline=found,
        days=count_days(found, calendar) if found is not None else [],
        role=role,
        people=people,
        late=late,
        is_late=is_late,
        left=left,
        level=(level_above(found.owner, table) or found.owner) if found is not None and is_late else "",
        log=log,
        supervisions=supervisions,
        messages=messages,
        missing=missing,
        today=today,
    )
