"""List of sent messages with their outcome, for administrators: the proof that somebody was notified."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from enforcement.messages.message_kinds import read_message_kinds
from service.context import Context
from service.messages.channels import available_channels
from service.messages.texts import kind_name
from store.access.rights import Viewer, may_see
from store.access.users import user_by_id
from store.messages.inbox import sent_messages
from store.messages.sendings import revive_sending
from store.schema.chain.message_tables import SendingRow
from web.auth.audit_log import log_action
from web.auth.authentication import Administrator, Service
from web.http_errors import NotFound
from web.messages.message_words import shown_messages
from web.page import language_of, page
from web.row_ids import BeforeId, Id

router = APIRouter(include_in_schema=False, prefix="/messages")

LINES = 50


@router.get("")
def sent(
    request: Request,
    context: Service,
    viewer: Administrator,
    login: Annotated[str, Query(max_length=100)] = "",
    kind: Annotated[str, Query(max_length=30)] = "",
    before: BeforeId = None,
) -> HTMLResponse:
    """Render the messages to people in the administrator's area, newest first."""
    return _page(request, context, viewer, login.replace("\x00", "").strip(), kind.replace("\x00", ""), before)


@router.post("/{sending_id}/again")
def send_again(request: Request, context: Service, viewer: Administrator, sending_id: Id) -> HTMLResponse:
    """Try a failed sending again."""
    with context.database.write() as session:
        row = session.get(SendingRow, sending_id)
        person = user_by_id(session, row.person_id) if row is not None else None
        if person is None or not may_see(viewer, person.code):
            raise NotFound
        if revive_sending(session, sending_id, context.clock()):
            log_action(request, session, viewer, "resent_message", about=person.login, code=person.code)
    return _page(request, context, viewer)


def _page(
    request: Request, context: Context, viewer: Viewer, login: str = "", kind: str = "", before: int | None = None
) -> HTMLResponse:
    with context.database.read() as session:
        rows = sent_messages(session, viewer, login=login, kind=kind, before_id=before, limit=LINES)
    language = language_of(request)
    return page(
        request,
        "sent_messages.html",
        messages=shown_messages(request, rows),
        channels=available_channels(context.settings, viewer.code),
        kinds=[(name, kind_name(name, language)) for name in read_message_kinds().kinds],
        login=login,
        kind=kind,
        older=rows[-1].message.id if len(rows) == LINES else None,
    )
