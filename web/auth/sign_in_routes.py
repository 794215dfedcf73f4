"""Routes to sign in and out, to set a password by an invitation link, and to choose the language."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from configs.texts import LANGUAGES
from store.access.api_keys import revoke_keys
from store.access.sign_in_limits import (
    Attempt,
    begin_attempt,
    confirm_attempt,
    is_address,
    origin_of,
    remember_device,
    seconds_to_wait,
)
from store.access.users import (
    add_user,
    begin_session,
    end_session,
    end_sessions,
    find_invitation,
    has_administrator,
    user_by_login,
)
from store.schema.user_tables import User as UserRow
from web.auth.audit_log import log_action
from web.auth.authentication import (
    Identity,
    Service,
    authenticate,
    client_address,
    cookie_name,
    cookie_path,
    same_origin,
)
from web.auth.device_cookie import read_device, sign_device
from web.auth.passwords import MIN_PASSWORD_LENGTH, HashingBusy, hash_password, is_password, password_queue
from web.http_errors import Forbidden, InvalidInput, NotFound
from web.page import LANGUAGE_COOKIE, page

router = APIRouter(include_in_schema=False)

_YEAR = 365 * 24 * 3600


def local_path(address: str) -> str:
    """Return the address if it is a path of this service, else ``/alerts``; prevents open redirects."""
    parts = urlsplit(address)
    local = address.startswith("/") and not address.startswith(("//", "/\\")) and not (parts.scheme or parts.netloc)
    return address if local and address.isprintable() else "/todo"


def _device_cookie_name(context: Service) -> str:
    return f"{cookie_name(context)}-device"


def _device_of(request: Request, context: Service) -> tuple[str, bool]:
    """Return the secret in the cookie of the browser, or "", and whether this service has signed it."""
    return read_device(context.settings.home, request.cookies.get(_device_cookie_name(context), ""))


def start_session(
    request: Request, context: Service, user: UserRow, target: str, attempt: Attempt | None = None
) -> Response:
    """Sign the user in and redirect to ``target``, a path of this service. Their browser is a known device from now on.

    Args:
        request: of the browser.
        context: of this process.
        user: who signs in.
        target: path to redirect to.
        attempt: the attempt that succeeded, if a password was entered.
    """
    device, _ = _device_of(request, context)
    with context.database.write() as session:
        row = session.get_one(UserRow, user.id)
        secret = begin_session(session, row, context.clock(), context.settings.web.session_hours)
        device = remember_device(session, row, context.clock(), device)
        if attempt is not None:
            confirm_attempt(session, attempt)
        log_action(request, session, row, "signed_in")
    response = RedirectResponse(local_path(target), 303)
    for name, value, seconds in (
        (cookie_name(context), secret, context.settings.web.session_hours * 3600),
        (_device_cookie_name(context), sign_device(context.settings.home, device), _YEAR),
    ):
        response.set_cookie(
            name,
            value,
            max_age=int(seconds),
            httponly=True,
            secure=context.settings.web.secure_cookies,
            samesite="lax",
            path=cookie_path(context),
        )
    return response


@router.get("/")
def home() -> RedirectResponse:
    """Redirect to the to-do list."""
    return RedirectResponse("/todo", 303)


@router.get("/sign-in")
def sign_in_page(request: Request, context: Service, next: str = "/todo") -> Response:  # noqa: A002
    """Render the sign-in page."""
    return _sign_in_page(request, context, next, "")


def _sign_in_page(
    request: Request, context: Service, target: str, fault: str, status: int = 200, **values: object
) -> Response:
    local = request.url.hostname in ("127.0.0.1", "localhost", "::1")
    insecure = context.settings.web.secure_cookies and request.url.scheme != "https" and not local
    return page(
        request,
        "sign_in.html",
        status,
        next=local_path(target),
        fault=fault,
        fault_values=values,
        insecure=insecure,
        openid=bool(context.settings.web.openid.issuer),
    )


@router.post("/sign-in")
def sign_in(
    request: Request,
    context: Service,
    login: Annotated[str, Form(max_length=100)],
    password: Annotated[str, Form(max_length=1000)],
    next: Annotated[str, Form(max_length=2000)] = "/todo",  # noqa: A002
) -> Response:
    """Sign in with login and password."""
    if not same_origin(request):
        raise Forbidden("error.csrf")
    device, signed = _device_of(request, context)
    with password_queue.place(known_device=signed) as reserved:
        with context.database.read() as session:
            origin = origin_of(client_address(request), device, session=session, login=login)
            wait = seconds_to_wait(session, login, origin, context.clock())
            user = user_by_login(session, login)
        known = not is_address(origin)
        if reserved and not known:  # a device of another user, or one that was forgotten
            raise HashingBusy
        if not wait:
            with context.database.write() as session:
                attempt = begin_attempt(session, login, origin, context.clock())
            wait = attempt.wait_seconds
        if wait:
            response = _sign_in_page(request, context, next, "sign_in.wait", 429, seconds=wait)
            response.headers["retry-after"] = str(wait)
            return response
        stored = user.password_hash if user is not None and user.active else ""
        matches = is_password(stored, password, known_device=known)
        if user is None or not matches:
            return _sign_in_page(request, context, next, "sign_in.wrong", 401)
        return start_session(request, context, user, next, attempt)


@router.post("/sign-out")
def sign_out(request: Request, context: Service, identity: Annotated[Identity, Depends(authenticate)]) -> Response:
    """End the browser's session."""
    with context.database.write() as session:
        end_session(session, identity.secret)
        log_action(request, session, identity.viewer, "signed_out")
    response = Response(headers={"hx-redirect": "/sign-in"})
    response.delete_cookie(
        cookie_name(context), path=cookie_path(context), secure=context.settings.web.secure_cookies, httponly=True
    )
    return response


@router.get("/welcome/{secret}")
def welcome_page(request: Request, context: Service, secret: str) -> Response:
    """Render the page to set a password by an invitation link."""
    with context.database.read() as session:
        found = find_invitation(session, secret, context.clock())
        if found is None:
            key = "welcome.invalid" if has_administrator(session) else "welcome.first_invalid"
            raise NotFound(key)
        user = session.get(UserRow, found.person_id) if found.person_id else None
    return page(request, "welcome.html", secret=secret, login=user.login if user else None)


@router.post("/welcome/{secret}")
def welcome(
    request: Request,
    context: Service,
    secret: str,
    password: Annotated[str, Form(max_length=1000)],
    again: Annotated[str, Form(max_length=1000)],
    login: Annotated[str, Form(max_length=100)] = "",
    name: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Set a password with an invitation, which is then used up; one without a user creates the first administrator."""
    if not same_origin(request):
        raise Forbidden("error.csrf")
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidInput("welcome.short")
    if password != again:
        raise InvalidInput("welcome.differ")
    with password_queue.place():
        with context.database.read() as session:  # hashing is expensive: only for an invitation that exists
            if find_invitation(session, secret, context.clock()) is None:
                raise NotFound("welcome.invalid")
        password_hash = hash_password(password)
    with context.database.write() as session:
        now = context.clock()
        found = find_invitation(session, secret, now, consume=True)
        if found is None:
            raise NotFound("welcome.invalid")
        if found.person_id is None:
            user = add_user(
                session,
                login=login,
                name=name,
                role="city",
                code="",
                administrator=True,
                password_hash=password_hash,
                now=now,
            )
        else:
            user = session.get_one(UserRow, found.person_id)
            user.password_hash = password_hash
            end_sessions(session, user.id)
            revoke_keys(session, user.id, now)  # whoever needs a new password may have lost the old one to somebody
        log_action(request, session, user, "set_password")
    return start_session(request, context, user, "/todo")


@router.post("/language/{language}")
def choose_language(request: Request, context: Service, language: str) -> Response:
    """Store the language of the pages in a cookie of this browser."""
    if language not in LANGUAGES or not same_origin(request):
        raise InvalidInput(f"language is {language[:20]!r}; expected {', '.join(LANGUAGES)}.")
    response = Response(headers={"hx-refresh": "true"})
    response.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=_YEAR,
        samesite="lax",
        secure=context.settings.web.secure_cookies,
        path=cookie_path(context),
    )
    return response
