"""Produce the files of documents: previews of drafts, and the file of an issued document, which never changes."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import Any

from enforcement.documents.errors import ConversionError
from enforcement.documents.kinds import read_documents
from enforcement.documents.numbers import blank_number
from enforcement.documents.render import fill_template
from enforcement.documents.values import Issue, alert_values, template_values
from service.context import Commit, Context
from service.documents.pdf import convert_to_pdf
from service.documents.templates import checked_template, registered
from store.access.rights import Viewer
from store.documents.alert_words import alert_facts, alert_words, bureau_of
from store.documents.found import Found, kind_named
from store.documents.steps import Produced, issue
from store.jobs.queue import add_job
from store.objects.object_store import ObjectNotFound
from store.schema.chain.document_tables import DocumentRow
from store.schema.database import Session
from store.schema.tables import AlertRow

PDF_JOB = "documents.pdf"
"""Kind of the job that converts a document."""


def document_key(document_id: int, sha256: str, extension: str) -> str:
    """Return the object key of a file of a document."""
    return f"documents/{document_id}/{sha256}.{extension}"


def fill_draft(context: Context, session: Session, alert: AlertRow, kind_name: str, data: Mapping[str, Any]) -> bytes:
    """Return a document without a number, filled with what is known now.

    Raises:
        TemplateRefusedError: the template cannot be filled.
    """
    settings, kind = read_documents(), kind_named(kind_name)
    facts = alert_facts(session, alert, context.settings.zone)
    bureau = bureau_of(session, settings, alert.county_code)
    values = alert_values(settings, alert_words(session, alert, facts), bureau)
    number = Issue(blank_number(kind, bureau.prefix, context.today.year))
    filled = template_values(settings, kind, values, data, number)
    return fill_template(checked_template(context, session, kind_name).content, settings, filled)


def preview(context: Context, session: Session, found: Found) -> None:
    """Produce the preview of a draft, and let a job convert it into PDF.

    Args:
        context: object store, clock.
        session: a writing transaction.
        found: the draft, locked.

    Raises:
        TemplateRefusedError: the template cannot be filled.
    """
    content = fill_draft(context, session, found.alert, found.row.kind, found.row.data)
    row, sha256 = found.row, hashlib.sha256(content).hexdigest()
    row.docx_key, row.docx_sha256 = document_key(row.id, sha256, "docx"), sha256
    row.pdf_key, row.pdf_sha256, row.pdf_state = "", "", "waiting"
    context.objects.put(row.docx_key, content)
    session.flush()
    add_pdf_job(session, row, context.clock())


def issue_document(context: Context, session: Session, found: Found, viewer: Viewer) -> None:
    """Issue a checked document and let a job convert it into PDF; see :func:`store.documents.steps.issue`."""
    now = context.clock()

    def produce(each: Found, values: Mapping[str, Any]) -> Produced:
        template = checked_template(context, session, each.row.kind)
        content = fill_template(template.content, read_documents(), values)
        sha256 = hashlib.sha256(content).hexdigest()
        key = document_key(each.row.id, sha256, "docx")
        context.objects.put(key, content)
        row = registered(context, session, each.row.kind, template, who=viewer.login, now=now)
        return Produced(row, key, sha256)

    issue(session, found, viewer, produce=produce, today=context.today, now=now, zone=context.settings.zone)
    add_pdf_job(session, found.row, now)


def add_pdf_job(session: Session, row: DocumentRow, now: dt.datetime) -> None:
    """Let a job convert the file of a document into PDF."""
    payload = {"document": row.id, "sha256": row.docx_sha256}
    key = f"{PDF_JOB}:{row.id}:{row.docx_sha256}:{now.isoformat()}"
    add_job(session, kind=PDF_JOB, queue="ingest", payload=payload, unique_key=key, now=now)


def convert(context: Context, document_id: int, sha256: str) -> Commit:
    """Convert the file of a document; without LibreOffice, or if it fails, that is noted on the row."""
    with context.database.read() as session:
        row = session.get(DocumentRow, document_id)
        key = row.docx_key if row is not None and row.docx_sha256 == sha256 else ""
    state, pdf_key, digest = "failed", "", ""
    try:
        content = convert_to_pdf(context.objects.read(key)) if key else b""
    except ConversionError as error:
        state = "no_converter" if error.reason.code == "documents.no_converter" else "failed"
    except ObjectNotFound:
        state = "failed"
    else:
        if content:
            digest = hashlib.sha256(content).hexdigest()
            state, pdf_key = "done", document_key(document_id, digest, "pdf")
            context.objects.put(pdf_key, content)

    def commit(session: Session) -> None:
        now_row = session.get(DocumentRow, document_id, with_for_update=True)
        if now_row is not None and now_row.docx_sha256 == sha256:  # else it was produced anew meanwhile
            now_row.pdf_state, now_row.pdf_key, now_row.pdf_sha256 = state, pdf_key, digest

    return commit
