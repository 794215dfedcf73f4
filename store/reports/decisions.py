"""Decisions of joint meetings: who does what by when, and what became of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from configs.texts import LANGUAGES, text
from enforcement.reports.content import ContentRow
from errors import SettingsError
from store.access.rights import Viewer, visible_to
from store.deadlines.supervision import check_text
from store.schema.chain.report_tables import MeetingDecisionRow

STATES = ("open", "done", "dropped")
MAX_WHO, MAX_TEXT = 200, 2000


def add_decision(
    session: Session,
    viewer: Viewer,
    code: str,
    *,
    meeting_on: dt.date,
    who: str,
    what: str,
    due_on: dt.date | None,
    now: dt.datetime,
) -> MeetingDecisionRow:
    """Add a decision of a meeting.

    Raises:
        SettingsError: a text is empty or too long, or the limit is before the meeting.
    """
    if due_on is not None and due_on < meeting_on:
        raise SettingsError(
            f"The limit {due_on} is before the meeting of {meeting_on}.",
            "reports.decision_due",
            due=due_on.isoformat(),
            meeting=meeting_on.isoformat(),
        )
    row = MeetingDecisionRow(
        area_code=code,
        meeting_on=meeting_on,
        who=check_text(who, "responsible unit", "责任单位", MAX_WHO),
        what=check_text(what, "decision", "议定事项", MAX_TEXT),
        due_on=due_on,
        state="open",
        outcome="",
        created_by=viewer.login,
        created_at=now,
        changed_by=viewer.login,
        changed_at=now,
    )
    session.add(row)
    session.flush()
    return row


def end_decision(
    session: Session,
    row: MeetingDecisionRow,
    viewer: Viewer,
    *,
    state: str,
    outcome: str,
    today: dt.date,
    now: dt.datetime,
) -> None:
    """Enter what became of a decision; ``open`` with an outcome is progress.

    Raises:
        SettingsError: the state is unknown, or the outcome is empty or too long.
    """
    if state not in STATES:
        raise SettingsError(
            f"Unknown state {state[:20]!r}; expected {', '.join(STATES)}.",
            "reports.decision_state",
            state=state[:20],
        )
    row.outcome = check_text(outcome, "outcome", "落实情况", MAX_TEXT)
    row.state = state
    row.ended_on = None if state == "open" else today
    row.changed_by, row.changed_at = viewer.login, now
    session.flush()


def visible_decisions(session: Session, viewer: Viewer, limit: int = 200) -> Sequence[MeetingDecisionRow]:
    """List the decisions in the viewer's area, the latest meeting first."""
    query = select(MeetingDecisionRow).where(visible_to(MeetingDecisionRow.area_code, viewer))
    order = (MeetingDecisionRow.meeting_on.desc(), MeetingDecisionRow.id)
    return session.scalars(query.order_by(*order).limit(limit)).all()


def visible_decision(session: Session, viewer: Viewer, decision_id: int) -> MeetingDecisionRow | None:
    """Return a decision that the viewer may see; None: there is none for this viewer."""
    seen = visible_to(MeetingDecisionRow.area_code, viewer)
    return session.scalar(select(MeetingDecisionRow).where(MeetingDecisionRow.id == decision_id, seen))


def decision_rows(session: Session, code: str, until: dt.date) -> list[ContentRow]:
    """Return the decisions of the last meeting of an area up to a day, and the earlier ones that are still open."""
    of_area = MeetingDecisionRow.area_code == code
    last = session.scalar(
        select(func.max(MeetingDecisionRow.meeting_on)).where(of_area, MeetingDecisionRow.meeting_on <= until)
    )
    if last is None:
        return []
    chosen = (MeetingDecisionRow.meeting_on == last) | (
        (MeetingDecisionRow.meeting_on < last) & (MeetingDecisionRow.state == "open")
    )
    query = select(MeetingDecisionRow).where(of_area, chosen)
    rows = session.scalars(query.order_by(MeetingDecisionRow.meeting_on, MeetingDecisionRow.id))
    return [
        ContentRow(
            str(row.id),
            {
                "serial": serial,
                "meeting_on": row.meeting_on.isoformat(),
                "what": row.what,
                "who": row.who,
                "due_on": row.due_on.isoformat() if row.due_on else None,
                "state": {language: text(f"reports.decision_{row.state}", language) for language in LANGUAGES},
                "outcome": row.outcome,
            },
        )
        for serial, row in enumerate(rows, 1)
    ]
