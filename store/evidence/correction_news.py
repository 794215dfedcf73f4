"""Report works that went on after the stop notice: messages, and the append-only log of deadlines, once per image."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.states import read_states
from enforcement.units import mu
from store.evidence.place_history import WatchedFinding, correction_findings
from store.evidence.step_evidence import correcting_since
from store.messages.recipients import People
from store.messages.writing import write_message
from store.schema.chain.deadline_tables import DeadlineLogRow
from store.schema.tables import AlertRow, Observation, Transition

WENT_ON = "went_on"
"""Kind of the entries of the deadline log; its days are those of the stop notice and of the image."""

KIND = "works_went_on"
"""Kind of the messages."""


def report_continued_works(session: Session, scan_id: int, zone: dt.tzinfo, now: dt.datetime) -> int:
    """Report each image after the stop notice in which the works of an open alert have grown; return how many are new.

    Told are those who have to act on the alert, and the county.

    Args:
        session: the transaction that recorded the comparison, which holds the lock of alerts.
        scan_id: of the comparison; alerts on which it detected something are looked at.
        zone: of local days.
        now: current time.
    """
    session.flush()
    seen = select(Observation.alert_id).where(Observation.scan_id == scan_id)
    ordered = select(Transition.id).where(Transition.alert_id == AlertRow.id, Transition.to_state == "correcting")
    query = select(AlertRow).where(
        AlertRow.id.in_(seen), AlertRow.state.in_(read_states().open), ordered.exists()
    )  # fmt: skip
    alerts = list(session.scalars(query.order_by(AlertRow.id)))
    people = People(session) if alerts else None
    reported = 0
    for alert in alerts:
        assert people is not None
        since = correcting_since(session, alert, zone)
        assert since is not None
        known = select(DeadlineLogRow.to_day).where(
            DeadlineLogRow.alert_id == alert.id, DeadlineLogRow.kind == WENT_ON, DeadlineLogRow.from_day == since
        )
        days = set(session.scalars(known))
        for found in correction_findings(session, alert, zone):
            if found.finding.finding == "went_on" and found.finding.day not in days:
                _report(session, people, alert, since, found, now)
                reported += 1
    return reported


def _report(
    session: Session, people: People, alert: AlertRow, since: dt.date, found: WatchedFinding, now: dt.datetime
) -> None:
    finding = found.finding
    areas = {"before_m2": round(finding.before_m2, 2), "area_m2": round(finding.area_m2, 2)}
    session.add(
        DeadlineLogRow(
            alert_id=alert.id,
            at=now,
            who="system",
            kind=WENT_ON,
            from_day=since,
            to_day=finding.day,
            detail={"state": alert.state, "scene": found.scene_id, **areas},
        )
    )
    _, owners = people.owners(alert)
    _, county = people.at_or_above("county", alert.grid_code)
    recipients = {person.id: person for person in (*owners, *county)}
    content = {
        "alert": alert.number,
        "day": finding.day.isoformat(),
        "since": since.isoformat(),
        "before": f"{mu(finding.before_m2):.2f}",
        "after": f"{mu(finding.area_m2):.2f}",
    }
    write_message(
        session,
        recipients.values(),
        KIND,
        event=f"{KIND}:{alert.id}:{since}:{finding.day}",
        now=now,
        content=content,
        alerts=[alert],
        code=alert.grid_code,
    )
    session.flush()
