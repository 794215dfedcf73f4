"""A draft of a document about the alert of village b."""

from __future__ import annotations

from sqlalchemy import select

from service.context import Context
from store.schema.chain.document_tables import DocumentRow
from store.schema.tables import AlertRow
from tests.web.people import NOW
from tests.web.two_villages import NUMBERS


def add_document(context: Context) -> str:
    """Add the draft, and return its id."""
    with context.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == NUMBERS["b"])).one()
        values = {"kind": "stop_notice", "state": "draft", "data": {"party": "flight b"}}
        row = DocumentRow(alert_id=alert.id, drafted_by="village_b", drafted_at=NOW, changed_by="village_b", **values)
        session.add(row)
        session.flush()
        return str(row.id)
