"""Routes for user administration, the user's own account and API keys, and the audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, Response

from configs.texts import LANGUAGES, texts_under
from enforcement.states import read_states
from service.context import Context
from store.access.api_keys import MAX_DAYS, add_key, allowed_scopes, keys_of, revoke_key, revoke_keys
from store.access.audit_log import list_actions
from store.access.rights import Viewer, may_see
from store.access.sign_in_limits import (
    begin_attempt,
    confirm_attempt,
    delayed_logins,
    forget_devices,
    seconds_to_wait,
    unlock,
)
from store.access.users import (
    GrantError,
    add_user,
    check_grant,
    end_sessions,
    invite,
    order_roles,
    set_roles,
    user_by_id,
    users_under,
)
from store.areas.areas import list_areas
from store.schema.database import Session
from store.schema.user_tables import User as UserRow
from web.auth.audit_log import log_action
from web.auth.authentication import Administrator, CurrentUser, Identity, Service, authenticate
from web.auth.passwords import MIN_PASSWORD_LENGTH, hash_password, is_password, password_queue
from web.http_errors import Forbidden, InvalidInput, NotFound, TooManyAttempts
from web.page import language_of, page
from web.row_ids import BeforeId, Id

router = APIRouter(include_in_schema=False)

LOG_LINES = 100


def _invitation_link(context: Context, secret: str) -> str:
    """Return the link; its host is that of the settings, never that of the request, which a client chooses."""
    return f"{context.settings.pages_url}/welcome/{secret}"


def _managed_user(session: Session, viewer: Viewer, person_id: int) -> UserRow:
    """Return a user whom the administrator may manage: one who has no more rights than the administrator.

    Raises:
        NotFound: the user is not in the administrator's area.
        Forbidden: the user's role is above the administrator's.
    """
    user = user_by_id(session, person_id)
    if user is None or not may_see(viewer, user.code):
        raise NotFound
    try:
        check_grant(viewer, user.role, user.code, user.other_roles)
    except GrantError as error:
        raise Forbidden(error.reason) from error
    return user


def _may_manage(viewer: Viewer, user: UserRow) -> bool:
    try:
        check_grant(viewer, user.role, user.code, user.other_roles)
    except GrantError:
        return False
    return True


def _users_page(
    request: Request, context: Context, viewer: Viewer, *, link: str = "", link_login: str = ""
) -> HTMLResponse:
    with context.database.read() as session:
        users = users_under(session, viewer)
        areas = list_areas(session, under=viewer.code)
        delayed = set(delayed_logins(session, context.clock()))
    known = list(read_states().roles)
    highest = max(known.index(role) for role in viewer.roles)
    roles = [role for role in known[: highest + 1] if role != "system"]
    area_names = {area.code: area.name for area in areas}
    return page(
        request,
        "people.html",
        users=users,
        roles=roles,
        areas=areas,
        area_names=area_names,
        editable={user.id for user in users if _may_manage(viewer, user)},
        delayed={user.id for user in users if user.login.lower() in delayed},
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
    role: Annotated[str, Form(max_length=40)] = "",
    roles: Annotated[list[str], Form(max_length=10)] = [],  # noqa: B006  (never changed)
    name: Annotated[str, Form(max_length=200)] = "",
    code: Annotated[str, Form(max_length=12)] = "",
    administrator: Annotated[bool, Form()] = False,
) -> HTMLResponse:
    """Add a user with one or several roles, and show the link with which they set their password."""
    role, *others = order_roles([*roles, *([role] if role else [])])
    granted = {"role": role, "other_roles": others, "code": code, "administrator": administrator}
    _check_grant(request, context, viewer, login, role, others, code, granted)
    with context.database.write() as session:
        now = context.clock()
        user = add_user(
            session,
            login=login,
            name=name or login,
            role=role,
            other_roles=others,
            code=code,
            administrator=administrator,
            now=now,
        )
        secret = invite(session, user.id, now)
        log_action(request, session, viewer, "added_person", about=login, code=code, detail=granted)
    return _users_page(request, context, viewer, link=_invitation_link(context, secret), link_login=login)


def _check_grant(
    request: Request,
    context: Context,
    viewer: Viewer,
    login: str,
    role: str,
    others: list[str],
    code: str,
    granted: dict[str, object],
) -> None:
    """Check that the administrator may grant these roles; a refusal is recorded.

    Raises:
        Forbidden: they may not.
    """
    try:
        check_grant(viewer, role, code, others)
    except GrantError as error:
        with context.database.write() as session:
            log_action(request, session, viewer, "refused_grant", about=login, detail=granted)
        raise Forbidden(error.reason) from error


@router.post("/people/{person_id}/roles")
def change_roles(
    request: Request,
    context: Service,
    viewer: Administrator,
    person_id: Id,
    roles: Annotated[list[str], Form(max_length=10)] = [],  # noqa: B006  (never changed)
    code: Annotated[str, Form(max_length=12)] = "",
    administrator: Annotated[bool, Form()] = False,
) -> HTMLResponse:
    """Change the roles and the area of a user, from their next request on. Nobody gives up their own administration."""
    role, *others = order_roles(roles)
    if person_id == viewer.person_id and not (administrator and code == viewer.code):
        raise InvalidInput("people.keep_yourself")
    with context.database.read() as session:
        login = _managed_user(session, viewer, person_id).login
    granted = {"role": role, "other_roles": others, "code": code, "administrator": administrator}
    _check_grant(request, context, viewer, login, role, others, code, granted)
    with context.database.write() as session:
        user = _managed_user(session, viewer, person_id)
        before = {
            "role": user.role,
            "other_roles": list(user.other_roles),
            "code": user.code,
            "administrator": user.administrator,
        }
        set_roles(session, user, roles, code, administrator=administrator)
        detail = {"from": before, "to": granted}
        log_action(request, session, viewer, "changed_roles", about=user.login, code=code, detail=detail)
    return _users_page(request, context, viewer)


@router.post("/people/{person_id}/link")
def new_link(request: Request, context: Service, viewer: Administrator, person_id: Id) -> HTMLResponse:
    """Create another link with which a user sets their password."""
    with context.database.write() as session:
        user = _managed_user(session, viewer, person_id)
        secret = invite(session, user.id, context.clock())
        log_action(request, session, viewer, "invited", about=user.login, code=user.code)
    return _users_page(request, context, viewer, link=_invitation_link(context, secret), link_login=user.login)


@router.post("/people/{person_id}/active")
def set_active(
    request: Request, context: Service, viewer: Administrator, person_id: Id, active: Annotated[bool, Form()]
) -> HTMLResponse:
    """Activate or deactivate a user; deactivation ends all their sessions and API keys at once."""
    if person_id == viewer.person_id:
        raise InvalidInput("people.not_yourself")
    with context.database.write() as session:
        user = _managed_user(session, viewer, person_id)
        user.active = active
        if not active:
            end_sessions(session, user.id)
            revoke_keys(session, user.id, context.clock())
            forget_devices(session, user.id)
        what = "started_person" if active else "stopped_person"
        log_action(request, session, viewer, what, about=user.login, code=user.code)
    return _users_page(request, context, viewer)


@router.post("/people/{person_id}/unlock")
def unlock_sign_in(request: Request, context: Service, viewer: Administrator, person_id: Id) -> HTMLResponse:
    """Forget a user's failed sign-ins, so that their next attempt is not delayed."""
    with context.database.write() as session:
        user = _managed_user(session, viewer, person_id)
        unlock(session, user.login)
        log_action(request, session, viewer, "unlocked_person", about=user.login, code=user.code)
    return _users_page(request, context, viewer)


def _account_page(
    request: Request, context: Context, viewer: Viewer, *, key: str = "", changed: bool = False
) -> HTMLResponse:
    with context.database.read() as session:
        keys = keys_of(session, viewer.person_id)
        user = user_by_id(session, viewer.person_id)
    return page(
        request,
        "account.html",
        user=user,
        keys=keys,
        key=key,
        changed=changed,
        scopes=allowed_scopes(viewer.administrator),
        max_days=MAX_DAYS,
    )


@router.get("/account")
def account_page(request: Request, context: Service, viewer: CurrentUser) -> HTMLResponse:
    """Render the user's own account."""
    return _account_page(request, context, viewer)


@router.post("/account/password")
def change_password(
    request: Request,
    context: Service,
    identity: Annotated[Identity, Depends(authenticate)],
    old: Annotated[str, Form(max_length=1000)],
    password: Annotated[str, Form(max_length=1000)],
) -> HTMLResponse:
    """Change the user's own password, and end their sessions in other browsers. Wrong passwords are delayed."""
    viewer = identity.viewer
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidInput("welcome.short")
    with password_queue.place(known_device=True):  # the user is signed in
        origin = f"account:{viewer.person_id}"
        with context.database.read() as session:
            user = user_by_id(session, viewer.person_id)
            wait = seconds_to_wait(session, viewer.login, origin, context.clock())
        if not wait:
            with context.database.write() as session:
                attempt = begin_attempt(session, viewer.login, origin, context.clock())
            wait = attempt.wait_seconds
        if wait:
            raise TooManyAttempts(wait)
        if user is None or not is_password(user.password_hash, old, known_device=True):
            raise InvalidInput("account.wrong")
        password_hash = hash_password(password, known_device=True)
    with context.database.write() as session:
        row = user_by_id(session, viewer.person_id)
        if row is not None:
            row.password_hash = password_hash
            end_sessions(session, row.id, except_secret=identity.secret)
        confirm_attempt(session, attempt)
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
def create_key(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    name: Annotated[str, Form(min_length=1, max_length=100)],
    scopes: Annotated[list[str], Form(max_length=10)] = ["read"],  # noqa: B006  (never changed)
    days: Annotated[int, Form(ge=1, le=MAX_DAYS)] = MAX_DAYS,
) -> HTMLResponse:
    """Create an API key with which a program acts as the user within scopes; it is shown only once."""
    with context.database.write() as session:
        user = session.get_one(UserRow, viewer.person_id)
        key = add_key(session, user, name, context.clock(), days=days, scopes=scopes)
        log_action(request, session, viewer, "made_token", about=name, detail={"scopes": scopes, "days": days})
    return _account_page(request, context, viewer, key=key)


@router.post("/account/keys/{key_id}/revoke")
def revoke(request: Request, context: Service, viewer: CurrentUser, key_id: Id) -> HTMLResponse:
    """Revoke an API key."""
    with context.database.write() as session:
        if not revoke_key(session, viewer.person_id, key_id, context.clock()):
            raise NotFound
        log_action(request, session, viewer, "revoked_token", about=str(key_id))
    return _account_page(request, context, viewer)


@router.get("/log")
def log_page(
    request: Request, context: Service, viewer: CurrentUser, who: str = "", what: str = "", before: BeforeId = None
) -> HTMLResponse:
    """Render the audit log of the user's area, newest first."""
    with context.database.read() as session:
        rows = list_actions(session, viewer, who=who, what=what, before_id=before, limit=LOG_LINES)
    older = rows[-1].id if len(rows) == LOG_LINES else None
    names = texts_under("log", language_of(request))
    actions = {key.removeprefix("did_"): name for key, name in names.items() if key.startswith("did_")}
    return page(request, "log.html", rows=rows, who=who, what=what, older=older, actions=actions)
