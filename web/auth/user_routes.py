"""Routes for user administration, the user's own account and API keys, and the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response

from configs.texts import LANGUAGES
from enforcement.states import read_states
from service.context import Context
from store.access.audit_log import list_actions
from store.access.rights import Viewer, may_see
from store.access.users import (
    add_token,
    add_user,
    end_sessions,
    invite,
    revoke_token,
    tokens_of,
    user_by_id,
    users_under,
)
from store.areas.areas import list_areas
from store.schema.database import Session
from store.schema.user_tables import User as UserRow
from web.addresses import base_of
from web.auth.audit_log import log_action
from web.auth.authentication import Administrator, CurrentUser, Service
from web.auth.passwords import MIN_PASSWORD_LENGTH, hash_password, is_password
from web.http_errors import Forbidden, InvalidInput, NotFound
from web.page import page

router = APIRouter(include_in_schema=False)

LOG_LINES = 100


def _invitation_link(request: Request, context: Context, secret: str) -> str:
    return f"{base_of(request, context)}/welcome/{secret}"


def _managed_user(session: Session, viewer: Viewer, person_id: int) -> UserRow:
    """Return a user whom the administrator may manage: one whose area is not beyond the administrator's own."""
    user = user_by_id(session, person_id)
    if user is None or not may_see(viewer, user.code):
        raise NotFound
    return user


def _users_page(
    request: Request, context: Context, viewer: Viewer, *, link: str = "", link_login: str = ""
) -> HTMLResponse:
    with context.database.read() as session:
        users = users_under(session, viewer)
        areas = list_areas(session, under=viewer.code)
    roles = [role for role in read_states().roles if role != "system"]
    area_names = {area.code: area.name for area in areas}
    return page(
        request,
        "people.html",
        users=users,
        roles=roles,
        areas=areas,
        area_names=area_names,
        link=link,
        link_login=link_login,
    )


@router.get("/people")
def people_page(request: Request, context: Service, viewer: Administrator) -> HTMLResponse:
    """Render the list of all users under the administrator's administrative code."""
    return _users_page(request, context, viewer)


@router.post("/people")
def add(
    request: Request,
    context: Service,
    viewer: Administrator,
    login: Annotated[str, Form(max_length=100)],
    role: Annotated[str, Form(max_length=40)],
    name: Annotated[str, Form(max_length=200)] = "",
    code: Annotated[str, Form(max_length=12)] = "",
    administrator: Annotated[bool, Form()] = False,
) -> HTMLResponse:
    """Add a user, and show the link with which they set their password."""
    if not may_see(viewer, code):
        raise Forbidden
    with context.database.write() as session:
        now = context.clock()
        user = add_user(
            session, login=login, name=name or login, role=role, code=code, administrator=administrator, now=now
        )
        secret = invite(session, user.id, now)
        log_action(request, session, viewer, "added_person", about=login, code=code)
    return _users_page(request, context, viewer, link=_invitation_link(request, context, secret), link_login=login)


@router.post("/people/{person_id}/link")
def new_link(request: Request, context: Service, viewer: Administrator, person_id: int) -> HTMLResponse:
    """Create another link with which a user sets their password."""
    with context.database.write() as session:
        user = _managed_user(session, viewer, person_id)
        secret = invite(session, user.id, context.clock())
        log_action(request, session, viewer, "invited", about=user.login, code=user.code)
    return _users_page(request, context, viewer, link=_invitation_link(request, context, secret), link_login=user.login)


@router.post("/people/{person_id}/active")
def set_active(
    request: Request, context: Service, viewer: Administrator, person_id: int, active: Annotated[bool, Form()]
) -> HTMLResponse:
    """Activate or deactivate a user; deactivation ends all their sessions and API keys at once."""
    if person_id == viewer.person_id:
        raise InvalidInput("people.not_yourself")
    with context.database.write() as session:
        user = _managed_user(session, viewer, person_id)
        user.active = active
        if not active:
            end_sessions(session, user.id)
        what = "started_person" if active else "stopped_person"
        log_action(request, session, viewer, what, about=user.login, code=user.code)
    return _users_page(request, context, viewer)


def _account_page(
    request: Request, context: Context, viewer: Viewer, *, key: str = "", changed: bool = False
) -> HTMLResponse:
    with context.database.read() as session:
        keys = tokens_of(session, viewer.person_id)
        user = user_by_id(session, viewer.person_id)
    return page(request, "account.html", user=user, keys=keys, key=key, changed=changed)


@router.get("/account")
def account_page(request: Request, context: Service, viewer: CurrentUser) -> HTMLResponse:
    """Render the user's own account."""
    return _account_page(request, context, viewer)


@router.post("/account/password")
def change_password(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    old: Annotated[str, Form(max_length=1000)],
    password: Annotated[str, Form(max_length=1000)],
) -> HTMLResponse:
    """Change the user's own password; sessions in other browsers stay (an administrator's link ends them)."""
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidInput("welcome.short")
    with context.database.read() as session:
        user = user_by_id(session, viewer.person_id)
    if user is None or not is_password(user.password_hash, old):
        raise InvalidInput("account.wrong")
    password_hash = hash_password(password)
    with context.database.write() as session:
        row = user_by_id(session, viewer.person_id)
        if row is not None:
            row.password_hash = password_hash
        log_action(request, session, viewer, "set_password", about=viewer.login)
    return _account_page(request, context, viewer, changed=True)


@router.post("/account/language")
def set_language(context: Service, viewer: CurrentUser, language: Annotated[str, Form(max_length=2)]) -> Response:
    """Set the user's default language in all browsers."""
    if language not in LANGUAGES:
        raise InvalidInput(f"language is {language[:20]!r}; expected {', '.join(LANGUAGES)}.")
    with context.database.write() as session:
        row = user_by_id(session, viewer.person_id)
        if row is not None:
            row.language = language
    response = Response(headers={"hx-refresh": "true"})
    response.delete_cookie("tuban_language")
    return response


@router.post("/account/keys")
def add_key(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    name: Annotated[str, Form(min_length=1, max_length=100)],
    days: Annotated[int, Form(ge=1, le=3650)] = 365,
) -> HTMLResponse:
    """Create an API key with which a program acts as the user; it is shown only once."""
    with context.database.write() as session:
        key = add_token(session, viewer.person_id, name, context.clock(), days)
        log_action(request, session, viewer, "made_token", about=name)
    return _account_page(request, context, viewer, key=key)


@router.post("/account/keys/{key_id}/revoke")
def revoke(request: Request, context: Service, viewer: CurrentUser, key_id: int) -> HTMLResponse:
    """Revoke an API key."""
    with context.database.write() as session:
        if not revoke_token(session, viewer.person_id, key_id, context.clock()):
            raise NotFound
        log_action(request, session, viewer, "revoked_token", about=str(key_id))
    return _account_page(request, context, viewer)


@router.get("/log")
def log_page(
    request: Request, context: Service, viewer: CurrentUser, who: str = "", what: str = "", before: int | None = None
) -> HTMLResponse:
    """Render the audit log of the user's area, newest first."""
    with context.database.read() as session:
        rows = list_actions(session, viewer, who=who, what=what, before_id=before, limit=LOG_LINES)
    older = rows[-1].id if len(rows) == LOG_LINES else None
    return page(request, "log.html", rows=rows, who=who, what=what, older=older)
