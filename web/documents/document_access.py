"""Look up documents with the user's rights, and take their steps; shared by pages and API."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response

from service.context import Context
from service.documents.produce import issue_document
from store.access.rights import Viewer
from store.documents.found import Found, visible_document
from store.documents.steps import check, record_reply, serve, void
from store.objects.object_store import ObjectNotFound
from store.schema.database import Session
from store.schema.database_errors import CONCURRENT_CHANGE
from web.auth.audit_log import log_action
from web.http_errors import Conflict, NotFound

StepName = Literal["check", "issue", "serve", "reply", "void"]
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

_DONE = {"check": "checked", "issue": "issued", "serve": "served", "reply": "replied", "void": "voided"}


def document_of(session: Session, viewer: Viewer, document_id: int, *, lock: bool = False) -> Found:
    """Return a document.

    Raises:
        NotFound: it does not exist, or the user may not see it.
    """
    found = visible_document(session, viewer, document_id, lock=lock)
    if found is None:
        raise NotFound
    return found


def take_step(
    request: Request, context: Context, viewer: Viewer, document_id: int, step: StepName, on: dt.date | None, words: str
) -> None:
    """Take a step of a document in one transaction, and log it.

    Raises:
        TubanError: the step is refused; the message says why.
    """
    try:
        with context.database.write() as session:
            found = document_of(session, viewer, document_id, lock=True)
            now, today = context.clock(), context.today
            if step == "check":
                check(session, found, viewer, now)
            elif step == "issue":
                issue_document(context, session, found, viewer)
            elif step == "serve":
                serve(session, found, viewer, on or today, words, today=today, now=now)
            elif step == "reply":
                record_reply(session, found, viewer, on or today, words, today=today, now=now)
            else:
                void(session, found, viewer, words, now)
            log_document(request, session, viewer, f"{_DONE[step]}_document", found)
    except CONCURRENT_CHANGE as error:
        raise Conflict("review.conflict") from error


def log_document(request: Request, session: Session, viewer: Viewer, what: str, found: Found) -> None:
    """Log an action on a document under the number of its alert."""
    detail = {"document": found.row.id, "kind": found.row.kind, "number": found.row.number or ""}
    log_action(request, session, viewer, what, about=found.alert.number, code=found.alert.grid_code, detail=detail)


def file_response(context: Context, key: str, name: str, media_type: str, *, inline: bool = False) -> Response:
    """Return a stored file as a download, or for the browser's own viewer.

    Raises:
        NotFound: there is no file.
    """
    if not key:
        raise NotFound
    try:
        content = context.objects.read(key)
    except ObjectNotFound:
        raise NotFound from None
    return bytes_response(content, name, media_type, inline=inline)


def bytes_response(content: bytes, name: str, media_type: str, *, inline: bool = False) -> Response:
    """Return bytes as a download, or for the browser's own viewer."""
    kind = "inline" if inline else "attachment"
    headers = {
        "content-disposition": f"{kind}; filename*=UTF-8''{quote(name, safe='')}",
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
    }
    return Response(content, media_type=media_type, headers=headers)


def file_name(found: Found, extension: str) -> str:
    """Return the name of the file of a document: its number or alert, and its title."""
    return f"{found.row.number or found.alert.number} {found.kind.zh}.{extension}"
