"""Documents with their alerts, kinds and histories, within a viewer's rights."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.documents.errors import DocumentNotAllowedError
from enforcement.documents.kinds import DocumentKind, read_documents
from enforcement.figures.alert_facts import AlertFacts
from store.access.rights import Viewer, visible_to
from store.documents.alert_words import ISSUED
from store.schema.chain.document_tables import DocumentEntryRow, DocumentRow
from store.schema.tables import AlertRow


@dataclass(frozen=True)
class Found:
    """A document with its alert and kind."""

    row: DocumentRow
    alert: AlertRow
    kind: DocumentKind


def may_read(viewer: Viewer) -> bool:
    """Whether a person may read documents: they name parties, so people of a village only may not."""
    return viewer.roles != ("village",)


def visible_document(session: Session, viewer: Viewer, document_id: int, *, lock: bool = False) -> Found | None:
    """Return a document of an alert that the viewer may see; ``lock`` it to change it."""
    if not may_read(viewer):
        return None
    if lock:
        session.execute(select(DocumentRow.id).where(DocumentRow.id == document_id).with_for_update())
    query = (
        select(DocumentRow, AlertRow)
        .join(AlertRow, AlertRow.id == DocumentRow.alert_id)
        .where(DocumentRow.id == document_id, visible_to(AlertRow.grid_code, viewer))
        .execution_options(populate_existing=lock)
    )
    found = session.execute(query).one_or_none()
    return None if found is None else as_found(found[0], found[1])


def as_found(row: DocumentRow, alert: AlertRow) -> Found:
    """Return a document with its kind.

    Raises:
        DocumentNotAllowedError: the kind was removed from the settings.
    """
    return Found(row, alert, kind_named(row.kind))


def kind_named(name: str) -> DocumentKind:
    """Return a kind of document.

    Raises:
        DocumentNotAllowedError: there is none of that name.
    """
    kind = read_documents().kinds.get(name)
    if kind is None:
        shown = name[:40]
        raise DocumentNotAllowedError(f"There is no kind of document {shown!r}.", "documents.no_kind", kind=shown)
    return kind


def documents_of(session: Session, alert_id: int) -> list[DocumentRow]:
    """List the documents of an alert, newest first."""
    query = select(DocumentRow).where(DocumentRow.alert_id == alert_id)
    return list(session.scalars(query.order_by(DocumentRow.id.desc())))


def entries_of(session: Session, document_id: int) -> list[DocumentEntryRow]:
    """List what happened to a document, oldest first."""
    query = select(DocumentEntryRow).where(DocumentEntryRow.document_id == document_id)
    return list(session.scalars(query.order_by(DocumentEntryRow.id)))


def add_entry(
    session: Session, row: DocumentRow, who: str, what: str, now: dt.datetime, detail: Mapping[str, Any] | None = None
) -> None:
    """Add an entry to the history of a document."""
    session.add(DocumentEntryRow(document_id=row.id, at=now, who=who, what=what, detail=dict(detail or {})))
    session.flush()


def may_act(found: Found, viewer: Viewer) -> bool:
    """Whether a person's role may take steps of a document."""
    return bool(set(found.kind.by) & set(viewer.roles))


def step_evidence(found: Found) -> dict[str, str]:
    """Return the evidence of a step of the alert that an issued document serves as, by name; empty: none."""
    row = found.row
    if row.state not in ISSUED or not row.number or row.issued_on is None:
        return {}
    own = {"number": row.number, "issued_on": row.issued_on.isoformat()}
    values = {name: str(own.get(source) or row.data.get(source) or "") for name, source in found.kind.evidence.items()}
    return {name: value for name, value in values.items() if value}


def require_allowed(kind: DocumentKind, alert: AlertRow, facts: AlertFacts, viewer: Viewer) -> None:
    """Require that a kind may be drafted and issued for an alert by a viewer now.

    Raises:
        DocumentNotAllowedError: the message says why not.
    """
    if not set(kind.by) & set(viewer.roles):
        raise DocumentNotAllowedError(f"Your role may not issue a {kind.en}.", "documents.role", kind=kind.zh)
    if kind.determined and not facts.confirmed:
        raise DocumentNotAllowedError(
            f"A {kind.en} requires that a person determined the alert; {alert.number} is only suspected.",
            "documents.not_determined",
            kind=kind.zh,
            alert=alert.number,
        )
    if kind.states and alert.state not in kind.states:
        raise DocumentNotAllowedError(
            f"{alert.number} is in a state in which no {kind.en} is issued.",
            "documents.state_of_alert",
            kind=kind.zh,
            alert=alert.number,
        )


def require_role(found: Found, viewer: Viewer) -> None:
    """Require a role that takes steps of a document.

    Raises:
        DocumentNotAllowedError: the viewer has none.
    """
    if not may_act(found, viewer):
        raise DocumentNotAllowedError(
            f"Your role may not issue a {found.kind.en}.", "documents.role", kind=found.kind.zh
        )


def require_state(found: Found, *states: str) -> None:
    """Require that a document is in one of some states.

    Raises:
        DocumentNotAllowedError: it is not.
    """
    if found.row.state not in states:
        raise DocumentNotAllowedError("The document is in another state now; load the page again.", "documents.state")
