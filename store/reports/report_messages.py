"""Messages about reports: due, missing, returned."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from configs.texts import catalogue
from enforcement.reports.schedule import read_schedule
from store.access.rights import Viewer
from store.areas.areas import area_names
from store.messages.recipients import People
from store.messages.writing import write_message
from store.schema.chain.report_tables import ReportRow
from store.schema.user_tables import User

_OLDEST = dt.timedelta(days=14)
"""Reports that have been missing for longer are listed on the page, but not told again."""


def tell_returned(session: Session, row: ReportRow, viewer: Viewer, reason: str, now: dt.datetime) -> None:
    """Tell the one who prepared a report that it was returned."""
    people = People(session)
    found = people.by_login(row.prepared_by, row.area_code)
    recipients = [found[0]] if found else _responsible(people, row)
    write_message(
        session,
        [person for person in recipients if person.login != viewer.login],
        "report_returned",
        event=f"report:{row.id}:returned:{now.isoformat()}",
        now=now,
        content={**_content(session, row), "why": reason},
        code=row.area_code,
    )


def write_report_messages(session: Session, now: dt.datetime) -> dict[str, int]:
    """Write the messages about missing reports: to those who have to submit them, and once to the level above.

    Returns:
        The number of messages by kind.
    """
    people = People(session)
    counts = {"report_missing": 0, "report_missing_below": 0}
    query = (
        select(ReportRow)
        .where(
            ReportRow.grace_until < now,
            ReportRow.grace_until > now - _OLDEST,
            ReportRow.state.not_in(("submitted", "locked")),
        )
        .options(defer(ReportRow.content))
        .order_by(ReportRow.area_code)
    )
    above: dict[tuple[str, dt.date, str], list[ReportRow]] = defaultdict(list)
    for row in session.scalars(query):
        counts["report_missing"] += write_message(
            session,
            _responsible(people, row),
            "report_missing",
            event=f"report:{row.id}:missing",
            now=now,
            content=_content(session, row),
            code=row.area_code,
        )
        parent = {12: row.area_code[:9], 9: row.area_code[:6]}.get(len(row.area_code))
        if parent:
            above[row.kind, row.last_day, parent].append(row)
    for (kind, last, parent), rows in above.items():
        role = "township" if len(parent) == 9 else "county"
        names = area_names(session, [row.area_code for row in rows])
        listed = "、".join(names.get(row.area_code, row.area_code) for row in rows)
        counts["report_missing_below"] += write_message(
            session,
            people.of_role(role, parent),
            "report_missing_below",
            event=f"reports:{kind}:{last}:{parent}:missing",
            now=now,
            content={**_content(session, rows[0]), "area": listed[:500], "count": len(rows), "report": None},
            code=parent,
        )
    return counts


def _responsible(people: People, row: ReportRow) -> list[User]:
    for role in read_schedule().rule(row.kind).prepares:
        found = people.of_role(role, row.area_code)
        if found:
            return found
    return []


def _content(session: Session, row: ReportRow) -> dict[str, Any]:
    rule = read_schedule().rule(row.kind)
    key = f"report_kind_{row.kind}"
    name = area_names(session, [row.area_code]).get(row.area_code, row.area_code)
    return {
        "area": name,
        "what": key if f"message.{key}" in catalogue() else rule.zh,  # a kind of the bureau's own
        "last": row.last_day.isoformat(),
        "report": row.id,
    }
