"""API of documents: list, read, draft, change, take steps, download."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, Field

from store.documents.drafting import change, draft
from store.documents.found import Found, may_read
from store.documents.search import DocumentFilter, is_overdue, list_documents
from store.documents.steps import FILLED
from store.schema.chain.document_tables import DocumentRow
from store.schema.database_errors import CONCURRENT_CHANGE
from store.schema.tables import AlertRow
from web.addresses import next_page
from web.api.parameters import Limit, Number
from web.api.schemas import COMMON_ERRORS, CONFLICT, FORBIDDEN, NOT_FOUND
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.documents.document_access import DOCX, StepName, document_of, file_name, file_response, log_document, take_step
from web.http_errors import Conflict, NotFound
from web.plain_text import Plain, PlainModel
from web.row_ids import BeforeId, Id

router = APIRouter(tags=["documents"], responses=COMMON_ERRORS)

_BINARY = {"schema": {"type": "string", "format": "binary"}}


class Document(BaseModel):
    """A document of an alert."""

    id: int
    kind: Annotated[str, Field(description="of `configs/documents/documents.yaml`")]
    alert: Annotated[str, Field(description="number of its alert")]
    state: Annotated[str, Field(description="draft, checked, issued, served, replied or void")]
    number: Annotated[str, Field(description="given at issue; empty before")]
    about: Annotated[int | None, Field(description="id of the document that it refers to")]
    data: Annotated[dict[str, Any], Field(description="what people entered")]
    issued_on: dt.date | None
    served_on: dt.date | None
    replied_on: dt.date | None
    reply_due: dt.date | None
    overdue: Annotated[bool, Field(description="whether the reply is overdue")]
    drafted_by: str
    checked_by: str
    issued_by: str
    drafted_at: AwareDatetime
    void_reason: str
    template_version: int | None
    template_sha256: str
    docx_sha256: Annotated[str, Field(description="of the issued file, or of the last preview")]
    pdf_sha256: str
    pdf_state: Annotated[str, Field(description="waiting, done, failed, no_converter; empty: nothing was produced")]


class DocumentList(BaseModel):
    """A page of documents, newest first."""

    documents: list[Document]
    next: Annotated[str | None, Field(description="address of the next page")]


class NewDocument(PlainModel):
    """A draft: its kind, and values of its fields by English or Chinese name."""

    kind: Annotated[str, Field(max_length=40)]
    about: Annotated[int | None, Field(ge=1, le=2**53, description="id of the document that it refers to")] = None
    data: Annotated[dict[str, Any], Field(max_length=80, default_factory=dict)]


class DocumentData(PlainModel):
    """Values of a draft by English or Chinese name; those that are left out stay."""

    data: Annotated[dict[str, Any], Field(max_length=80)]


class DocumentStep(PlainModel):
    """A step of a document with what it needs."""

    step: StepName
    on: Annotated[dt.date | None, Field(description="day of the service or reply; default: today")] = None
    words: Annotated[str, Field(max_length=2000, description="remark; reason of making it void")] = ""


def as_document(row: DocumentRow, alert: AlertRow, today: dt.date) -> Document:
    """Return a document as the API shows it."""
    columns = [name for name in Document.model_fields if name not in ("alert", "number", "about", "data", "overdue")]
    return Document(
        **{name: getattr(row, name) for name in columns},
        alert=alert.number,
        number=row.number or "",
        about=row.about_id,
        data={name: value for name, value in row.data.items() if name != FILLED},
        overdue=is_overdue(row, today),
    )


@router.get("/api/documents")
def list_all(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    kind: Annotated[str, Query(max_length=40), Plain] = "",
    state: Annotated[str, Query(max_length=10), Plain] = "",
    alert: Annotated[str, Query(max_length=40, description="number of an alert"), Plain] = "",
    overdue: Annotated[bool, Query(description="only those whose reply is overdue")] = False,
    limit: Limit = 50,
    before: BeforeId = None,
) -> DocumentList:
    """List documents, newest first."""
    wanted = DocumentFilter(kind, state, overdue, alert=alert)
    with context.database.read() as session:
        found = list_documents(session, viewer, wanted, context.today, before_id=before, limit=limit + 1)
    documents = [as_document(row, each, context.today) for row, each in found[:limit]]
    cursor = found[limit - 1][0].id if len(found) > limit else None
    return DocumentList(documents=documents, next=next_page(request, context, "before", cursor))


@router.get("/api/documents/{document_id}", responses=NOT_FOUND)
def one(context: Service, viewer: CurrentUser, document_id: Id) -> Document:
    """Return a document."""
    with context.database.read() as session:
        found = document_of(session, viewer, document_id)
    return as_document(found.row, found.alert, context.today)


@router.post("/api/alerts/{number}/documents", status_code=201, responses=NOT_FOUND | CONFLICT | FORBIDDEN)
def add(request: Request, context: Service, viewer: CurrentUser, number: Number, body: NewDocument) -> Document:
    """Draft a document of an alert, with proposed words where no value is given."""
    with context.database.write() as session:
        alert = alert_of(session, viewer, number)
        if not may_read(viewer):
            raise NotFound
        about = document_of(session, viewer, body.about).row if body.about is not None else None
        now, zone = context.clock(), context.settings.zone
        row = draft(session, alert, viewer, body.kind, now=now, zone=zone, about=about, given=body.data)
        found = document_of(session, viewer, row.id)
        log_document(request, session, viewer, "drafted_document", found)
        return as_document(row, alert, context.today)


@router.patch("/api/documents/{document_id}", responses=NOT_FOUND | CONFLICT | FORBIDDEN)
def change_data(
    request: Request, context: Service, viewer: CurrentUser, document_id: Id, body: DocumentData
) -> Document:
    """Change values of a draft; a checked one has to be checked again."""
    try:
        with context.database.write() as session:
            found = document_of(session, viewer, document_id, lock=True)
            change(session, found, viewer, body.data, context.clock())
            log_document(request, session, viewer, "changed_document", found)
            return as_document(found.row, found.alert, context.today)
    except CONCURRENT_CHANGE as error:
        raise Conflict("review.conflict") from error


@router.post("/api/documents/{document_id}/steps", responses=NOT_FOUND | CONFLICT | FORBIDDEN)
def step(request: Request, context: Service, viewer: CurrentUser, document_id: Id, body: DocumentStep) -> Document:
    """Take a step: check, issue, serve, reply, void."""
    take_step(request, context, viewer, document_id, body.step, body.on, body.words)
    with context.database.read() as session:
        found: Found = document_of(session, viewer, document_id)
    return as_document(found.row, found.alert, context.today)


@router.get(
    "/api/documents/{document_id}/file.{suffix}",
    response_class=Response,
    responses={200: {"content": {DOCX: _BINARY, "application/pdf": _BINARY}}, **NOT_FOUND},
)
def download(context: Service, viewer: CurrentUser, document_id: Id, suffix: Literal["docx", "pdf"]) -> Response:
    """Download the issued document, or the last preview of a draft."""
    with context.database.read() as session:
        found = document_of(session, viewer, document_id)
    key = found.row.docx_key if suffix == "docx" else found.row.pdf_key
    return file_response(context, key, file_name(found, suffix), DOCX if suffix == "docx" else "application/pdf")
