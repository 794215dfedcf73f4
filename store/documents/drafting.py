"""Drafts of documents: the kinds offered for an alert, proposed words, and changes before the issue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from enforcement.documents.errors import DocumentNotAllowedError
from enforcement.documents.kinds import read_documents
from enforcement.documents.values import check_data, first_texts, proposed_data
from enforcement.figures.alert_facts import AlertFacts
from store.access.rights import Viewer
from store.deadlines.supervision import supervision_of
from store.documents.alert_words import ISSUED, alert_facts, alert_words, bureau_of
from store.documents.found import (
    Found,
    add_entry,
    documents_of,
    kind_named,
    require_allowed,
    require_role,
    require_state,
)
from store.schema.chain.document_tables import DocumentRow
from store.schema.tables import AlertRow

CARRIED = (
    *("party", "party_code", "party_address", "party_phone", "representative", "act_from", "use", "project", "started"),
    *("officer_a", "officer_a_card", "officer_b", "officer_b_card", "decision", "decision_on", "finding_number"),
    *("court", "head", "case_title"),
)
"""Fields whose values are taken over from earlier documents of the same alert."""


OWN = ("remark", "demand", "act_from")
"""Fields that are not taken over from the document that another one refers to."""


def offered_kinds(alert: AlertRow, facts: AlertFacts, viewer: Viewer) -> list[str]:
    """List the kinds that a viewer may draft for an alert now, in the order of the settings."""
    settings = read_documents()
    return [
        name
        for name, kind in settings.kinds.items()
        if settings.allowed(kind, viewer.roles, alert.state, determined=facts.confirmed)
    ]


def proposed(
    session: Session, alert: AlertRow, facts: AlertFacts, name: str, about: DocumentRow | None = None
) -> dict[str, Any]:
    """Return the data that a new draft begins with."""
    settings, kind = read_documents(), kind_named(name)
    earlier = [row.data for row in documents_of(session, alert.id) if row.state != "void"]
    carried = first_texts(earlier, [field for field in CARRIED if field in kind.fields])
    if about is not None:
        carried |= {field: about.data[field] for field in kind.fields if about.data.get(field) and field not in OWN}
        carried |= {
            "receiver": about.data.get("party") or about.data.get("addressee") or "",
            "served_document": kind_named(about.kind).zh,
            "served_number": about.number or "",
        }
    listed = supervision_of(session, alert.id) if name == "supervision_notice" else None
    if listed is not None:
        carried |= {"duty_unit": listed.duty_unit, "addressee": listed.duty_unit, "demand": listed.requirements}
        carried["supervised_until"] = listed.due_on.isoformat()
    words = alert_words(session, alert, facts)
    return proposed_data(settings, kind, words, bureau_of(session, settings, alert.county_code), carried)


def draft(
    session: Session,
    alert: AlertRow,
    viewer: Viewer,
    name: str,
    *,
    now: dt.datetime,
    zone: dt.tzinfo,
    about: DocumentRow | None = None,
    given: Mapping[str, Any] | None = None,
) -> DocumentRow:
    """Add a draft with proposed words and ``given`` values.

    Raises:
        DocumentNotAllowedError: the kind is not drafted for this alert now, by this role, or without what it is about.
        SettingsError: a given value is refused.
    """
    kind, facts = kind_named(name), alert_facts(session, alert, zone)
    require_allowed(kind, alert, facts, viewer)
    if kind.about and (about is None or about.kind not in kind.about or about.state not in ISSUED):
        raise DocumentNotAllowedError(
            f"{kind.en} refers to an issued document; choose which.", "documents.about_missing", kind=kind.zh
        )
    if about is not None and about.alert_id != alert.id:
        raise DocumentNotAllowedError("It is a document of another alert.", "documents.about_other")
    data = proposed(session, alert, facts, name, about if kind.about else None)
    row = DocumentRow(
        alert_id=alert.id,
        kind=name,
        state="draft",
        about_id=about.id if about is not None and kind.about else None,
        data=data | check_data(read_documents(), kind, given or {}),
        drafted_by=viewer.login,
        drafted_at=now,
        changed_by=viewer.login,
    )
    session.add(row)
    session.flush()
    add_entry(session, row, viewer.login, "drafted", now)
    return row


def change(session: Session, found: Found, viewer: Viewer, given: Mapping[str, Any], now: dt.datetime) -> None:
    """Change what a draft says; a checked one has to be checked again.

    Raises:
        DocumentNotAllowedError: it is issued or void, or the role may not.
        SettingsError: a value is refused.
    """
    require_state(found, "draft", "checked")
    require_role(found, viewer)
    checked = check_data(read_documents(), found.kind, given)
    changed = sorted(name for name, value in checked.items() if found.row.data.get(name, "") != value)
    if not changed:
        return
    found.row.data = found.row.data | checked
    found.row.changed_by = viewer.login
    found.row.state, found.row.checked_by, found.row.checked_at = "draft", "", None
    add_entry(session, found.row, viewer.login, "changed", now, {"fields": changed})
