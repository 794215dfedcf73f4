"""The inbox of the signed-in user."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from service.context import Context
from store.access.rights import Viewer
from store.messages.inbox import inbox_messages, mark_read, own_message, unread_count
from web.auth.authentication import CurrentUser, Service
from web.http_errors import NotFound
from web.messages.message_words import shown_messages
from web.page import page
from web.row_ids import MAX_ID, BeforeId

router = APIRouter(include_in_schema=False, prefix="/inbox")

LINES = 50


@router.get("")
def inbox(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    unread: Annotated[bool, Query()] = False,
    before: BeforeId = None,
) -> HTMLResponse:
    """Render the user's messages, newest first."""
    return _page(request, context, viewer, unread, before)


@router.get("/count")
def count(request: Request, context: Service, viewer: CurrentUser) -> HTMLResponse:
    """Render the number of unread messages for the navigation."""
    with context.database.read() as session:
        unread = unread_count(session, viewer)
    return page(request, "inbox_count.html", unread=unread)


@router.post("/read")
def read(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    message: Annotated[int | None, Form(ge=1, le=MAX_ID)] = None,
    unread: Annotated[bool, Form()] = False,
    go: Annotated[bool, Form()] = False,
) -> Response:
    """Mark a message, or without one all messages, as read; with ``go`` proceed to the page where it is dealt with."""
    with context.database.write() as session:
        if message is not None and own_message(session, viewer, message) is None:
            raise NotFound
        mark_read(session, viewer, context.clock(), None if message is None else [message])
    if go and message is not None:
        with context.database.read() as session:
            found = shown_messages(request, inbox_messages(session, viewer, before_id=message + 1, limit=1))
        if found and found[0].address:
            return Response(
                status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}{found[0].address}"}
            )
    return _page(request, context, viewer, unread, None)


def _page(request: Request, context: Context, viewer: Viewer, unread: bool, before: int | None) -> HTMLResponse:
    with context.database.read() as session:
        rows = inbox_messages(session, viewer, unread=unread, before_id=before, limit=LINES)
        count = unread_count(session, viewer)
    older = rows[-1].message.id if len(rows) == LINES else None
    response = page(
        request, "inbox.html", messages=shown_messages(request, rows), count=count, unread=unread, older=older
    )
    response.headers["HX-Trigger"] = "tuban:counts"
    return response
