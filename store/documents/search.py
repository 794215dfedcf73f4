"""List documents, and count those that wait for somebody."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, false, func, or_, select
from sqlalchemy.orm import Session

from enforcement.documents.kinds import read_documents
from store.access.rights import Viewer, visible_to
from store.documents.found import may_read
from store.documents.reply_clock import AWAITING
from store.schema.chain.document_tables import DocumentRow
from store.schema.tables import AlertRow

STATES = ("draft", "checked", "issued", "served", "replied", "void")


@dataclass(frozen=True)
class DocumentFilter:
    """What a list shows; "" and False: everything.

    Attributes:
        kind, state: of the document.
        overdue: only those whose reply is overdue.
        mine: only those that wait for the viewer: to be checked, to be issued, or with an overdue reply.
        alert: number of an alert.
        text: part of a document number.
    """

    kind: str = ""
    state: str = ""
    overdue: bool = False
    mine: bool = False
    alert: str = ""
    text: str = ""


def list_documents(
    session: Session,
    viewer: Viewer,
    wanted: DocumentFilter,
    today: dt.date,
    *,
    before_id: int | None = None,
    limit: int = 50,
) -> list[tuple[DocumentRow, AlertRow]]:
    """List the documents of alerts that the viewer may see, newest first."""
    query = _visible(viewer, wanted, today).order_by(DocumentRow.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(DocumentRow.id < before_id)
    return [(row, alert) for row, alert in session.execute(query)]


def count_waiting(session: Session, viewer: Viewer, today: dt.date) -> int:
    """Count the documents that wait for the viewer."""
    query = _visible(viewer, DocumentFilter(mine=True), today).with_only_columns(func.count(DocumentRow.id))
    return session.scalar(query.order_by(None)) or 0


def is_overdue(row: DocumentRow, today: dt.date) -> bool:
    """Whether the reply to a document is overdue."""
    return row.state in AWAITING and row.reply_due is not None and row.reply_due < today


def _visible(viewer: Viewer, wanted: DocumentFilter, today: dt.date) -> Select[DocumentRow, AlertRow]:
    query = (
        select(DocumentRow, AlertRow)
        .join(AlertRow, AlertRow.id == DocumentRow.alert_id)
        .where(visible_to(AlertRow.grid_code, viewer))
    )
    if not may_read(viewer):
        return query.where(false())
    if wanted.kind:
        query = query.where(DocumentRow.kind == wanted.kind)
    if wanted.state:
        query = query.where(DocumentRow.state == wanted.state)
    if wanted.alert:
        query = query.where(AlertRow.number == wanted.alert)
    if wanted.text:
        query = query.where(DocumentRow.number.contains(wanted.text, autoescape=True))
    if wanted.overdue:
        query = query.where(_overdue(today))
    if wanted.mine:
        query = query.where(_waits_for(viewer, today))
    return query


def _overdue(today: dt.date) -> ColumnElement[bool]:
    return DocumentRow.state.in_(AWAITING) & (DocumentRow.reply_due < today)


def _waits_for(viewer: Viewer, today: dt.date) -> ColumnElement[bool]:
    kinds = [name for name, kind in read_documents().kinds.items() if set(kind.by) & set(viewer.roles)]
    others = (DocumentRow.drafted_by != viewer.login) & (DocumentRow.changed_by != viewer.login)
    to_check = (DocumentRow.state == "draft") & others
    return DocumentRow.kind.in_(kinds) & or_(to_check, DocumentRow.state == "checked", _overdue(today))
