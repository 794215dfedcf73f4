"""Messages of the day about deadlines: overdue with escalation, due soon, new alerts, supervision, missing holidays.

One message per person and subject, however many alerts it is about; all wait for the digest of the day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from enforcement.chain_settings import ChainValues
from enforcement.states import read_states
from store.deadlines.alert_deadlines import (
    ONLY_RESPONSIBILITY,
    due_alerts,
    escalate_overdue,
    next_working_day,
    recompute_deadlines,
    rules_fingerprint,
)
from store.deadlines.calendar import calendar_of, missing_holidays, store_known_years
from store.deadlines.supervision import open_supervisions
from store.jobs.schedule_slots import claim_slot
from store.messages.recipients import People
from store.messages.writing import write_message
from store.schema.tables import AlertRow, ScheduleSlot
from store.schema.user_tables import User

RULES = "deadline rules"
"""Name of the slot that holds the fingerprint of the settings."""

MAX_LISTED = 200
"""Alert numbers stored in one message; it is linked to all of its alerts."""


@dataclass
class _ByPerson:
    """Alerts grouped by the people who are told of them."""

    people: dict[int, User] = field(default_factory=dict)
    alerts: dict[int, list[AlertRow]] = field(default_factory=dict)

    def add(self, people: Iterable[User], alert: AlertRow) -> None:
        for person in people:
            self.people[person.id] = person
            self.alerts.setdefault(person.id, []).append(alert)


def write_daily_messages(
    session: Session, today: dt.date, now: dt.datetime, values: ChainValues, zone: dt.tzinfo
) -> dict[str, int]:
    """Escalate what is overdue and write the messages of a day; return the number of messages by kind.

    Args:
        session: a writing transaction.
        today: local day; each message is written once for it.
        now: current time.
        values: chain settings.
        zone: of local days.
    """
    store_known_years(session, today, now)
    # all, if the settings of states or deadlines have changed; else alerts of earlier versions that have none
    changed = _rules_changed(session, now)
    moved = recompute_deadlines(session, zone, kind="rules", who="system", now=now, only_missing=not changed)
    counts = {"moved": moved}
    people = People(session)
    overdue, below = _ByPerson(), _ByPerson()
    for escalation in escalate_overdue(session, today, now):
        if escalation.alert.over_cap:  # beyond the weekly quota, it waits for its turn
            continue
        _, owners = people.responsible(escalation.owner, escalation.alert)
        overdue.add(owners, escalation.alert)
        _, above = people.at_or_above(escalation.level, escalation.alert.grid_code)
        below.add([person for person in above if person not in owners], escalation.alert)
    counts["overdue"] = _write(session, overdue, "overdue", today, now)
    counts["overdue_below"] = _write(session, below, "overdue_below", today, now)
    counts["deadline_soon"] = _write_due_soon(session, people, today, now, values)
    counts["new_alerts"] = _write_new(session, people, today, now)
    counts["supervision"] = _write_supervision(session, people, today, now)
    year = missing_holidays(session, today)
    if year is not None:
        week = f"{today.isocalendar().year}-W{today.isocalendar().week:02d}"  # once a week
        administrators = people.calendar_editors()
        event = f"calendar:{year}:{week}"
        counts["calendar_missing"] = write_message(
            session, administrators, "calendar_missing", event=event, now=now, content={"year": year}
        )
    return counts


def _rules_changed(session: Session, now: dt.datetime) -> bool:
    """Return whether the settings differ from those of the last day, and keep them as the last ones."""
    fingerprint = rules_fingerprint()
    if not claim_slot(session, RULES, fingerprint, "deadlines", now):
        return False
    session.execute(delete(ScheduleSlot).where(ScheduleSlot.name == RULES, ScheduleSlot.slot != fingerprint))
    return True


def _write(session: Session, grouped: _ByPerson, kind: str, today: dt.date, now: dt.datetime, due: str = "") -> int:
    written = 0
    for person_id, alerts in grouped.alerts.items():
        content = {"count": len(alerts), "alerts": [alert.number for alert in alerts[:MAX_LISTED]], "due": due}
        person = grouped.people[person_id]
        written += write_message(
            session, [person], kind, event=f"{kind}:{today}", now=now, content=content, alerts=alerts, waits=True
        )
    return written


def _write_due_soon(session: Session, people: People, today: dt.date, now: dt.datetime, values: ChainValues) -> int:
    days = values.whole("deadlines.soon_days")
    if not days:
        return 0
    last = next_working_day(today, calendar_of(session), days)
    soon = _ByPerson()
    for alert in due_alerts(session, today, last):
        if not alert.over_cap:
            soon.add(people.owners(alert)[1], alert)
    return _write(session, soon, "deadline_soon", today, now, last.isoformat())


def _write_new(session: Session, people: People, today: dt.date, now: dt.datetime) -> int:
    """Tell of alerts found within a day, of those within the weekly quota."""
    table = read_states()
    since = now - dt.timedelta(days=1)
    first: Sequence[str] = [table.initial, "triaged", "published"]
    query = select(AlertRow).where(AlertRow.created_at >= since, AlertRow.state.in_(first), ~AlertRow.over_cap)
    new = _ByPerson()
    for alert in session.scalars(query.options(ONLY_RESPONSIBILITY).order_by(AlertRow.id)):
        new.add(people.owners(alert)[1], alert)
    return _write(session, new, "new_alerts", today, now)


def _write_supervision(session: Session, people: People, today: dt.date, now: dt.datetime) -> int:
    written = 0
    for row, alert in open_supervisions(session):
        _, owners = people.owners(alert)
        townships = people.of_role("township", alert.township_code or alert.grid_code)
        duty = {person.id: person for person in (*owners, *townships)}
        lister = people.by_login(row.listed_by, alert.grid_code)
        followers = [] if lister is None else [lister[0]]
        content = {"alert": alert.number, "due": row.progress_due.isoformat(), "supervision": row.id}
        late = [("not_ended", row.due_on)] if row.due_on < today else []
        late += [("no_progress", row.progress_due)] if row.progress_due < today and not late else []
        if row.progress_due in (today, today + dt.timedelta(days=1)) and not late:
            event = f"supervision_due:{row.id}:{row.progress_due}"
            written += write_message(
                session,
                duty.values(),
                "supervision_due",
                event=event,
                now=now,
                content=content,
                alerts=[alert],
                code=alert.grid_code,
            )
        for what, day in late:
            recipients = {**duty, **{person.id: person for person in followers}}
            written += write_message(
                session,
                recipients.values(),
                "supervision_overdue",
                event=f"supervision_overdue:{row.id}:{what}:{day}",
                now=now,
                content={"alert": alert.number, "due": day.isoformat(), "what": what, "supervision": row.id},
                alerts=[alert],
                code=alert.grid_code,
                waits=True,
            )
    return written
