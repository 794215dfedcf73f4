"""A report and a decision of village B, for the test of every route."""

from __future__ import annotations

import datetime as dt

from service.context import Context
from store.access.users import user_by_login, viewer_of
from store.reports.decisions import add_decision
from store.reports.planning import fill_report, report_of
from tests.web.people import NOW


def add_report_and_decision(context: Context, code: str, login: str) -> dict[str, str]:
    """Add both and return their ids by the names of path parameters."""
    with context.database.write() as session:
        row, _ = report_of(session, "village_week", code, NOW.date(), NOW, context.settings.zone)
        fill_report(session, row, NOW, context.settings.zone)
        user = user_by_login(session, login)
        assert user is not None
        decision = add_decision(
            session,
            viewer_of(user),
            code,
            meeting_on=dt.date(2026, 9, 28),
            who="village b",
            what="restore the field",
            due_on=None,
            now=NOW,
        )
        return {"report_id": str(row.id), "decision_id": str(decision.id)}
