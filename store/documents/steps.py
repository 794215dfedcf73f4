"""Steps of a document: checked, issued, served, replied; void at any time, never deleted.

Every step adds an entry, and refuses what the kind, the alert or the role does not allow; the caller locked the row.
The number is given at issue, in the transaction that stores the produced file.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from enforcement.documents.errors import DocumentNotAllowedError
from enforcement.documents.kinds import read_documents
from enforcement.documents.numbers import document_number
from enforcement.documents.values import Issue, alert_values, missing_fields, template_values
from store.access.rights import Viewer
from store.deadlines.alert_deadlines import next_working_day
from store.deadlines.calendar import calendar_of
from store.documents.alert_words import ISSUED, alert_facts, alert_words, bureau_of
from store.documents.found import Found, add_entry, require_allowed, require_role, require_state
from store.documents.reply_clock import tell_of_issue
from store.schema.chain.document_tables import DocumentTemplateRow
from store.schema.counters import next_number

FILLED = "filled"
"""Key of the data under which an issued document keeps all values that its template was filled with."""

MAX_REASON = 1000


@dataclass(frozen=True)
class Produced:
    """The file of an issued document, stored already, and the template that it was made from."""

    template: DocumentTemplateRow
    key: str
    sha256: str


Produce = Callable[[Found, Mapping[str, Any]], Produced]
"""Fill the template with values and store the file."""


def check(session: Session, found: Found, viewer: Viewer, now: dt.datetime) -> None:
    """Approve a draft; not by a person who drafted or changed it.

    Raises:
        DocumentNotAllowedError: required values are missing, or the role or person may not.
    """
    require_state(found, "draft")
    require_role(found, viewer)
    if viewer.login in (found.row.drafted_by, found.row.changed_by):
        raise DocumentNotAllowedError("You entered it yourself; another person checks it.", "documents.own_draft")
    settings = read_documents()
    if missing := missing_fields(settings, found.kind, found.row.data, "en"):
        chinese = missing_fields(settings, found.kind, found.row.data, "zh")
        raise DocumentNotAllowedError(
            f"Not filled in: {', '.join(missing)}.", "documents.missing", fields="、".join(chinese)
        )
    found.row.state, found.row.checked_by, found.row.checked_at = "checked", viewer.login, now
    add_entry(session, found.row, viewer.login, "checked", now)


def issue(
    session: Session,
    found: Found,
    viewer: Viewer,
    *,
    produce: Produce,
    today: dt.date,
    now: dt.datetime,
    zone: dt.tzinfo,
) -> None:
    """Issue a checked document: give it its number, produce its file, and start its reply clock.

    Raises:
        DocumentNotAllowedError: it is not checked, or the alert or the role does not allow it any more.
        TemplateRefusedError: the template cannot be filled.
    """
    require_state(found, "checked")
    facts = alert_facts(session, found.alert, zone)
    require_allowed(found.kind, found.alert, facts, viewer)
    row, kind, settings = found.row, found.kind, read_documents()
    bureau = bureau_of(session, settings, found.alert.county_code)
    row.series, row.series_year = kind.series, today.year
    row.series_area = (found.alert.county_code or found.alert.grid_code)[:12]
    row.series_value = next_number(session, f"document:{row.series_area}:{row.series_year}:{row.series}")
    row.number = document_number(kind, bureau.prefix, today.year, row.series_value)
    row.reply_due = next_working_day(today, calendar_of(session), kind.reply) if kind.reply else None
    values = alert_values(settings, alert_words(session, found.alert, facts), bureau)
    filled = template_values(settings, kind, values, row.data, Issue(row.number, today, row.reply_due))
    produced = produce(found, filled)
    row.data = row.data | {FILLED: filled}
    row.template_id, row.template_version = produced.template.id, produced.template.version
    row.template_sha256 = produced.template.sha256
    row.docx_key, row.docx_sha256 = produced.key, produced.sha256
    row.pdf_key, row.pdf_sha256, row.pdf_state = "", "", "waiting"
    row.state, row.issued_by, row.issued_at, row.issued_on = "issued", viewer.login, now, today
    detail = {"number": row.number, "sha256": produced.sha256, "template": produced.template.version}
    add_entry(session, row, viewer.login, "issued", now, detail)
    session.flush()
    tell_of_issue(session, found.row, found.alert, kind, viewer.login, now)


def serve(
    session: Session, found: Found, viewer: Viewer, on: dt.date, words: str, *, today: dt.date, now: dt.datetime
) -> None:
    """Record the service of an issued document.

    Raises:
        DocumentNotAllowedError: it is not issued, the day is not between the issue and today, or the role may not.
    """
    require_state(found, "issued")
    require_role(found, viewer)
    _require_day(found, on, today)
    found.row.state, found.row.served_by, found.row.served_at, found.row.served_on = "served", viewer.login, now, on
    add_entry(session, found.row, viewer.login, "served", now, {"on": on.isoformat(), "words": words[:MAX_REASON]})


def record_reply(
    session: Session, found: Found, viewer: Viewer, on: dt.date, words: str, *, today: dt.date, now: dt.datetime
) -> None:
    """Record the reply; its clock ends.

    Raises:
        DocumentNotAllowedError: it is not issued, no reply is expected, or the role may not.
    """
    require_state(found, "issued", "served")
    require_role(found, viewer)
    if not found.kind.reply:
        raise DocumentNotAllowedError("No reply is expected to it.", "documents.no_reply")
    _require_day(found, on, today)
    found.row.state, found.row.replied_by, found.row.replied_at, found.row.replied_on = "replied", viewer.login, now, on
    add_entry(session, found.row, viewer.login, "replied", now, {"on": on.isoformat(), "words": words[:MAX_REASON]})


def void(session: Session, found: Found, viewer: Viewer, reason: str, now: dt.datetime) -> None:
    """Make a document void; its number stays used.

    Raises:
        DocumentNotAllowedError: it is void already, the reason is missing, or the role may not.
    """
    require_state(found, "draft", "checked", *ISSUED)
    require_role(found, viewer)
    words = reason.strip()
    if not words or len(words) > MAX_REASON or "\x00" in words:
        raise DocumentNotAllowedError(
            f"The reason has {len(words)} characters; expected 1 to {MAX_REASON}.",
            "documents.reason",
            letters=len(words),
            most=MAX_REASON,
        )
    before = found.row.state
    found.row.state, found.row.voided_by, found.row.voided_at, found.row.void_reason = "void", viewer.login, now, words
    add_entry(session, found.row, viewer.login, "void", now, {"reason": words, "from": before})


def _require_day(found: Found, on: dt.date, today: dt.date) -> None:
    first = found.row.issued_on or today
    if not first <= on <= today:
        raise DocumentNotAllowedError(
            f"The day {on} is not allowed; expected one from {first} to {today}.",
            "documents.day",
            day=on.isoformat(),
            first=first.isoformat(),
            last=today.isoformat(),
        )
