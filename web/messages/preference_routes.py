"""How the signed-in user is notified: a part of the account page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from enforcement.messages.message_kinds import read_message_kinds
from service.context import Context
from service.messages.channels import available_channels
from service.messages.texts import kind_name
from store.access.rights import Viewer
from store.chain_settings import read_chain_values
from store.messages.preferences import CHANNELS, Preferences, preferences_of, save_preferences
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.page import language_of, page

router = APIRouter(include_in_schema=False)


@router.get("/account/messages")
def preferences(request: Request, context: Service, viewer: CurrentUser) -> HTMLResponse:
    """Render the form."""
    return _form(request, context, viewer)


@router.post("/account/messages")
def change_preferences(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    email: Annotated[str, Form(max_length=300)] = "",
    mobile: Annotated[str, Form(max_length=40)] = "",
    channels: Annotated[list[str], Form(max_length=10)] = [],  # noqa: B006  (never changed)
    muted: Annotated[list[str], Form(max_length=50)] = [],  # noqa: B006  (never changed)
    once_a_day: Annotated[bool, Form()] = False,
    quiet_from: Annotated[str, Form(max_length=20)] = "",
    quiet_to: Annotated[str, Form(max_length=20)] = "",
) -> HTMLResponse:
    """Store the preferences."""
    given = Preferences(
        email, mobile, tuple(channels), tuple(muted), once_a_day, quiet_from.strip()[:5], quiet_to.strip()[:5]
    )
    with context.database.write() as session:
        save_preferences(session, viewer.person_id, given, context.clock())
        log_action(request, session, viewer, "changed_messages", about=viewer.login)
    return _form(request, context, viewer, saved=True)


def _form(request: Request, context: Context, viewer: Viewer, saved: bool = False) -> HTMLResponse:
    language, kinds = language_of(request), read_message_kinds()
    with context.database.read() as session:
        found, values = preferences_of(session, viewer.person_id), read_chain_values(session)
    return page(
        request,
        "notify_form.html",
        preferences=found,
        channels=CHANNELS,
        available=available_channels(context.settings, viewer.code),
        mutable=[(name, kind_name(name, language)) for name in kinds.mutable],
        urgent=[kind_name(name, language) for name, kind in kinds.kinds.items() if kind.urgent],
        quiet_from=values.text("messages.quiet_from"),
        quiet_to=values.text("messages.quiet_to"),
        saved=saved,
    )
