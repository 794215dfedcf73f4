"""People of an administrator, one's own account and keys, and the log of what was done."""

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
from web.auth.audit_log import note
from web.auth.authentication import Administrator, CurrentUser, Service
from web.auth.passwords import LEAST_LETTERS, hash_password, is_password
from web.http_errors import Forbidden, Invalid, NotFound
from web.page import page

router = APIRouter(include_in_schema=False)

LOG_LINES = 100


def _link(request: Request, context: Context, secret: str) -> str:
    return f"{base_of(request, context)}/welcome/{secret}"


def _theirs(session: Session, viewer: Viewer, person_id: int) -> UserRow:
    """A person whom the administrator may manage: nobody with rights beyond the administrator's own."""
    person = user_by_id(session, person_id)
    if person is None or not may_see(viewer, person.code):
        raise NotFound
    return person


def _list(request: Request, context: Context, viewer: Viewer, *, link: str = "", of: str = "") -> HTMLResponse:
    with context.database.read() as session:
        people = users_under(session, viewer)
        areas = list_areas(session, under=viewer.code)
    roles = [role for role in read_states().roles if role != "system"]
    names = {area.code: area.name for area in areas}
    return page(request, "people.html", people=people, roles=roles, areas=areas, names=names, link=link, of=of)


@router.get("/people")
def people_page(request: Request, context: Service, viewer: Administrator) -> HTMLResponse:
    """Everybody under the administrator's code."""
    return _list(request, context, viewer)


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
    """Add a person, and show the link by which they set their password."""
    if not may_see(viewer, code):
        raise Forbidden
    with context.database.write() as session:
        now = context.clock()
        person = add_user(
            session, login=login, name=name or login, role=role, code=code, administrator=administrator, now=now
        )
        secret = invite(session, person.id, now)
        note(request, session, viewer, "added_person", about=login, code=code)
    return _list(request, context, viewer, link=_link(request, context, secret), of=login)


@router.post("/people/{person_id}/link")
def new_link(request: Request, context: Service, viewer: Administrator, person_id: int) -> HTMLResponse:
    """A new link by which a person sets their password."""
    with context.database.write() as session:
        person = _theirs(session, viewer, person_id)
        secret = invite(session, person.id, context.clock())
        note(request, session, viewer, "invited", about=person.login, code=person.code)
    return _list(request, context, viewer, link=_link(request, context, secret), of=person.login)


@router.post("/people/{person_id}/active")
def set_active(
    request: Request, context: Service, viewer: Administrator, person_id: int, active: Annotated[bool, Form()]
) -> HTMLResponse:
    """Let a person sign in, or no longer: then they are signed out everywhere at once, keys included."""
    if person_id == viewer.person_id:
        raise Invalid("people.not_yourself")
    with context.database.write() as session:
        person = _theirs(session, viewer, person_id)
        person.active = active
        if not active:
            end_sessions(session, person.id)
        what = "started_person" if active else "stopped_person"
        note(request, session, viewer, what, about=person.login, code=person.code)
    return _list(request, context, viewer)


def _account(
    request: Request, context: Context, viewer: Viewer, *, key: str = "", changed: bool = False
) -> HTMLResponse:
    with context.database.read() as session:
        keys = tokens_of(session, viewer.person_id)
        person = user_by_id(session, viewer.person_id)
    return page(request, "account.html", person=person, keys=keys, key=key, changed=changed)


@router.get("/account")
def account_page(request: Request, context: Service, viewer: CurrentUser) -> HTMLResponse:
    """One's own account."""
    return _account(request, context, viewer)


@router.post("/account/password")
def change_password(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    old: Annotated[str, Form(max_length=1000)],
    password: Annotated[str, Form(max_length=1000)],
) -> HTMLResponse:
    """Change one's password; other browsers are signed out by an administrator's link, not by this."""
    if len(password) < LEAST_LETTERS:
        raise Invalid("welcome.short")
    with context.database.read() as session:
        person = user_by_id(session, viewer.person_id)
    if person is None or not is_password(person.password_hash, old):
        raise Invalid("account.wrong")
    kept = hash_password(password)
    with context.database.write() as session:
        row = user_by_id(session, viewer.person_id)
        if row is not None:
            row.password_hash = kept
        note(request, session, viewer, "set_password", about=viewer.login)
    return _account(request, context, viewer, changed=True)


@router.post("/account/language")
def set_language(context: Service, viewer: CurrentUser, language: Annotated[str, Form(max_length=2)]) -> Response:
    """The language in which one's pages begin on every browser."""
    if language not in LANGUAGES:
        raise Invalid(f"{language} is no language; expected {', '.join(LANGUAGES)}.")
    with context.database.write() as session:
        row = user_by_id(session, viewer.person_id)
        if row is not None:
            row.language = language
    answer = Response(headers={"hx-refresh": "true"})
    answer.delete_cookie("tuban_language")
    return answer


@router.post("/account/keys")
def add_key(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    name: Annotated[str, Form(min_length=1, max_length=100)],
    days: Annotated[int, Form(ge=1, le=3650)] = 365,
) -> HTMLResponse:
    """Make a key by which a program acts for the person; shown once."""
    with context.database.write() as session:
        key = add_token(session, viewer.person_id, name, context.clock(), days)
        note(request, session, viewer, "made_token", about=name)
    return _account(request, context, viewer, key=key)


@router.post("/account/keys/{key_id}/revoke")
def revoke(request: Request, context: Service, viewer: CurrentUser, key_id: int) -> HTMLResponse:
    """Make a key useless."""
    with context.database.write() as session:
        if not revoke_token(session, viewer.person_id, key_id, context.clock()):
            raise NotFound
        note(request, session, viewer, "revoked_token", about=str(key_id))
    return _account(request, context, viewer)


@router.get("/log")
def log_page(
    request: Request, context: Service, viewer: CurrentUser, who: str = "", what: str = "", before: int | None = None
) -> HTMLResponse:
    """What was done on the viewer's ground, the newest first."""
    with context.database.read() as session:
        rows = list_actions(session, viewer, who=who, what=what, before_id=before, limit=LOG_LINES)
    older = rows[-1].id if len(rows) == LOG_LINES else None
    return page(request, "log.html", rows=rows, who=who, what=what, older=older)
