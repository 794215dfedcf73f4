"""Pages of documents: the list, one document with its form, its steps and files, and the section of an alert."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from enforcement.documents.kinds import read_documents
from service.documents.pdf import converter
from service.documents.produce import preview
from store.documents.alert_words import ISSUED, alert_facts, hint_of
from store.documents.drafting import change, draft, offered_kinds
from store.documents.found import documents_of, entries_of, may_read, step_evidence
from store.documents.search import STATES, DocumentFilter, count_waiting, is_overdue, list_documents
from store.evidence.evidence_files import files_of_owner
from store.review.decisions import move
from store.schema.chain.document_tables import DocumentRow
from store.schema.database_errors import CONCURRENT_CHANGE
from store.views.alert_view import user_names
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.documents.document_access import (
    DOCX,
    StepName,
    document_of,
    file_name,
    file_response,
    log_document,
    take_step,
)
from web.documents.document_view import (
    alert_step,
    enclosure_lines,
    filled_in,
    form_fields,
    possible_steps,
    read_form,
)
from web.documents.receipt_routes import OWNER
from web.http_errors import Conflict, NotFound
from web.page import language_of, page
from web.plain_text import Plain
from web.row_ids import BeforeId, Id

router = APIRouter(include_in_schema=False)

PER_PAGE = 50


async def _sent_form(request: Request) -> dict[str, Any]:
    return dict(await request.form())


SentForm = Annotated[dict[str, Any], Depends(_sent_form)]


@router.get("/documents")
def document_list(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    kind: Annotated[str, Query(max_length=40), Plain] = "",
    state: Annotated[str, Query(max_length=10), Plain] = "",
    text: Annotated[str, Query(max_length=60), Plain] = "",
    alert: Annotated[str, Query(max_length=40), Plain] = "",
    overdue: bool = False,
    mine: bool = False,
    before: BeforeId = None,
) -> HTMLResponse:
    """Render the documents in the user's area, newest first."""
    wanted = DocumentFilter(kind, state, overdue, mine, alert.strip(), text.strip())
    with context.database.read() as session:
        found = list_documents(session, viewer, wanted, context.today, before_id=before, limit=PER_PAGE + 1)
        names = user_names(session, {row.drafted_by for row, _ in found})
    more = found[PER_PAGE - 1][0].id if len(found) > PER_PAGE else None
    return page(
        request,
        "documents.html",
        documents=found[:PER_PAGE],
        kinds=read_documents().kinds,
        states=STATES,
        filters=wanted,
        names=names,
        older="" if more is None else str(request.url.include_query_params(before=more).query),
        late={row.id for row, _ in found if is_overdue(row, context.today)},
    )


@router.get("/documents/count")
def document_count(context: Service, viewer: CurrentUser) -> Response:
    """Return the number of documents that wait for the user, for the navigation; empty: none."""
    with context.database.read() as session:
        waiting = count_waiting(session, viewer, context.today)
    return Response(f"<b>{min(waiting, 999)}</b>" if waiting else "", media_type="text/html")


@router.post("/documents")
def add_draft(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    alert: Annotated[str, Form(max_length=40)],
    kind: Annotated[str, Form(max_length=40)],
    about: Annotated[int | None, Form(ge=1, le=2**53)] = None,
) -> Response:
    """Draft a document of an alert, and show it."""
    with context.database.write() as session:
        found = alert_of(session, viewer, alert.strip())
        if not may_read(viewer):
            raise NotFound
        other = document_of(session, viewer, about).row if about is not None else None
        row = draft(session, found, viewer, kind, now=context.clock(), zone=context.settings.zone, about=other)
        log_document(request, session, viewer, "drafted_document", document_of(session, viewer, row.id))
        address = f"/documents/{row.id}"
    return Response(status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}{address}"})


@router.get("/documents/{document_id}")
def document_page(request: Request, context: Service, viewer: CurrentUser, document_id: Id) -> HTMLResponse:
    """Render a document."""
    language, zone = language_of(request), context.settings.zone
    with context.database.read() as session:
        found = document_of(session, viewer, document_id)
        row = found.row
        entries = entries_of(session, row.id)
        steps = possible_steps(found, viewer)
        facts = alert_facts(session, found.alert, zone)
        values: dict[str, Any] = {
            "facts": filled_in(session, found, zone, language),
            "step": alert_step(session, found, viewer, language),
            "hint": hint_of(session, facts),
            "receipts": files_of_owner(session, OWNER, row.id),
            "names": user_names(session, {entry.who for entry in entries}),
            "about": session.get(DocumentRow, row.about_id) if row.about_id else None,
        }
    return page(
        request,
        "document.html",
        document=row,
        alert=found.alert,
        kind=found.kind,
        kinds=read_documents().kinds,
        fields=form_fields(found.kind, row.data, language),
        enclosures=enclosure_lines(row.data, editable="save" in steps),
        steps=steps,
        entries=entries,
        own=viewer.login in (row.drafted_by, row.changed_by),
        suspected=not facts.confirmed,
        late=is_overdue(row, context.today),
        converter=converter() is not None,
        today=context.today,
        **values,
    )


@router.post("/documents/{document_id}/fields")
def save_fields(request: Request, context: Service, viewer: CurrentUser, document_id: Id, form: SentForm) -> Response:
    """Save what a draft says; with ``preview``, produce its preview too."""
    given = read_form(form)
    try:
        with context.database.write() as session:
            found = document_of(session, viewer, document_id, lock=True)
            before = found.row.changed_by, dict(found.row.data)
            change(session, found, viewer, given, context.clock())
            if before != (found.row.changed_by, found.row.data):
                log_document(request, session, viewer, "changed_document", found)
            if form.get("preview"):
                preview(context, session, found)
                log_document(request, session, viewer, "previewed_document", found)
    except CONCURRENT_CHANGE as error:
        raise Conflict("review.conflict") from error
    return Response(headers={"hx-refresh": "true"})


@router.post("/documents/{document_id}/steps")
def step(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    document_id: Id,
    step: Annotated[StepName, Form()],
    on: Annotated[dt.date | None, Form()] = None,
    words: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Take a step: check, issue, serve, reply, void."""
    take_step(request, context, viewer, document_id, step, on, words)
    return Response(headers={"hx-refresh": "true"})


@router.post("/documents/{document_id}/alert-step")
def take_alert_step(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    document_id: Id,
    to: Annotated[str, Form(max_length=20)],
) -> Response:
    """Take the step of the alert that an issued document is the evidence of."""
    try:
        with context.database.write() as session:
            found = document_of(session, viewer, document_id)
            evidence, now = step_evidence(found), context.clock()
            move(session, found.alert, viewer, to, evidence, settings=context.settings, now=now)
    except CONCURRENT_CHANGE as error:
        raise Conflict("review.conflict") from error
    return Response(headers={"hx-refresh": "true"})


@router.get("/documents/{document_id}/pdf-state")
def pdf_state(request: Request, context: Service, viewer: CurrentUser, document_id: Id) -> Response:
    """Return 204 while the PDF is being made, then let the page load again."""
    with context.database.read() as session:
        state = document_of(session, viewer, document_id).row.pdf_state
    return Response(status_code=204) if state == "waiting" else Response(headers={"hx-refresh": "true"})


@router.get("/documents/{document_id}/file.docx")
def word_file(context: Service, viewer: CurrentUser, document_id: Id) -> Response:
    """Download the Word file: the issued one, or the last preview."""
    with context.database.read() as session:
        found = document_of(session, viewer, document_id)
    return file_response(context, found.row.docx_key, file_name(found, "docx"), DOCX)


@router.get("/documents/{document_id}/file.pdf")
def pdf_file(context: Service, viewer: CurrentUser, document_id: Id) -> Response:
    """Show the PDF."""
    with context.database.read() as session:
        found = document_of(session, viewer, document_id)
    return file_response(context, found.row.pdf_key, file_name(found, "pdf"), "application/pdf", inline=True)


@router.get("/alerts/{number}/documents")
def documents_of_alert(request: Request, context: Service, viewer: CurrentUser, number: str) -> JSONResponse:
    """Return the documents of an alert and the kinds that may be drafted, for its page."""
    language, settings = language_of(request), read_documents()
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        if not may_read(viewer):
            return JSONResponse({"documents": [], "kinds": [], "hints": [], "pages": "", "draft": ""})
        facts = alert_facts(session, alert, context.settings.zone)
        rows, hint = documents_of(session, alert.id), hint_of(session, facts)
        offered = offered_kinds(alert, facts, viewer)
    root = context.settings.path_prefix

    def title(name: str) -> str:
        return str(getattr(settings.kinds[name], language)) if name in settings.kinds else name

    def about(name: str) -> list[dict[str, Any]]:
        wanted = settings.kinds[name].about
        return [
            {"id": row.id, "words": f"{row.number} {title(row.kind)}"}
            for row in rows
            if row.kind in wanted and row.state in ISSUED
        ]

    return JSONResponse(
        {
            "documents": [
                {
                    "title": title(row.kind),
                    "number": row.number or "",
                    "state": row.state,
                    "issued": row.issued_on.isoformat() if row.issued_on else "",
                    "due": row.reply_due.isoformat() if row.reply_due and row.state in ("issued", "served") else "",
                    "late": is_overdue(row, context.today),
                    "address": f"{root}/documents/{row.id}",
                }
                for row in rows
            ],
            "kinds": [
                {"kind": name, "words": title(name), "about": about(name)}
                for name in offered
                if not settings.kinds[name].about or about(name)
            ],
            "hints": [
                {"what": what, "mu": f"{area:.2f}"}
                for what, area in (("basic", hint.basic_mu), ("other", hint.other_mu))
                if area
            ],
            "pages": f"{root}/documents",
            "draft": f"{root}/api/alerts/{quote(number, safe='')}/documents",
        }
    )
