"""Messages about documents: their issue, to those whom they concern, and replies that are due or missing."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.documents.kinds import DocumentKind, read_documents
from store.messages.recipients import People
from store.messages.writing import write_message
from store.schema.chain.document_tables import DocumentRow
from store.schema.tables import AlertRow
from store.schema.user_tables import User

AWAITING = ("issued", "served")
"""States in which a reply is still expected."""


def tell_of_issue(
    session: Session, row: DocumentRow, alert: AlertRow, kind: DocumentKind, who: str, now: dt.datetime
) -> int:
    """Tell the people whom an issued document concerns; return the number of messages."""
    if not kind.tells:
        return 0
    people = [person for person in _concerned(People(session), alert, kind) if person.login != who]
    content = _content(row, alert, kind, row.reply_due)
    event = f"document:{row.id}:issued"
    return write_message(
        session, people, "document_issued", event=event, now=now, content=content, alerts=[alert], code=alert.grid_code
    )


def write_reply_messages(session: Session, today: dt.date, now: dt.datetime) -> int:
    """Write the messages of a day about replies that are due tomorrow or today, or overdue; return their number."""
    query = (
        select(DocumentRow, AlertRow)
        .join(AlertRow, AlertRow.id == DocumentRow.alert_id)
        .where(DocumentRow.state.in_(AWAITING), DocumentRow.reply_due <= today + dt.timedelta(days=1))
        .order_by(DocumentRow.id)
    )
    found = session.execute(query).all()
    people, written = People(session) if found else None, 0
    for row, alert in found:
        kind = read_documents().kinds.get(row.kind)
        if people is None or kind is None or row.reply_due is None:
            continue
        late = row.reply_due < today
        told = {person.id: person for person in _senders(people, row, alert)}
        told |= {person.id: person for person in _concerned(people, alert, kind)}
        written += write_message(
            session,
            told.values(),
            "document_overdue" if late else "document_due",
            event=f"document:{row.id}:{'overdue' if late else 'due'}:{row.reply_due}",
            now=now,
            content=_content(row, alert, kind, row.reply_due),
            alerts=[alert],
            code=alert.grid_code,
            waits=True,
        )
    return written


def _senders(people: People, row: DocumentRow, alert: AlertRow) -> list[User]:
    """Return who drafted and issued it; if none of them is there any more, the people of the county."""
    found = [people.by_login(login, alert.grid_code) for login in dict.fromkeys((row.drafted_by, row.issued_by))]
    return [each[0] for each in found if each] or people.at_or_above("county", alert.grid_code)[1]


def _concerned(people: People, alert: AlertRow, kind: DocumentKind) -> list[User]:
    code = alert.township_code or alert.grid_code
    return [person for role in kind.tells for person in people.of_role(role, code)]


def _content(row: DocumentRow, alert: AlertRow, kind: DocumentKind, due: dt.date | None) -> dict[str, object]:
    return {
        "alert": alert.number,
        "document": row.id,
        "number": row.number or "",
        "kind": row.kind,
        "title": {"zh": kind.zh, "en": kind.en},
        "due": due.isoformat() if due else "",
    }
