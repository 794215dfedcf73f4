"""Signing in and out, the link by which a password is set, and the language."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from configs.texts import LANGUAGES
from store.access.users import (
    add_user,
    begin_session,
    clear_failed_sign_ins,
    end_session,
    end_sessions,
    find_invitation,
    has_administrator,
    record_failed_sign_in,
    sign_in_delay,
    user_by_login,
)
from store.schema.user_tables import User as UserRow
from web.auth.audit_log import log_action
from web.auth.authentication import Identity, Service, address_of, authenticate, cookie_name, same_origin
from web.auth.passwords import MIN_PASSWORD_LENGTH, hash_password, is_password
from web.http_errors import Forbidden, InvalidInput, NotFound
from web.page import LANGUAGE_COOKIE, page

router = APIRouter(include_in_schema=False)

FREE_BY_LOGIN, FREE_BY_ADDRESS = 5, 30
"""Wrong passwords before one has to wait; an address may be a whole office's."""

_YEAR = 365 * 24 * 3600


def inside(address: str) -> str:
    """Where to go after signing in: only to a page of ours."""
    parts = urlsplit(address)
    inside = address.startswith("/") and not address.startswith(("//", "/\\")) and not (parts.scheme or parts.netloc)
    return address if inside and address.isprintable() else "/alerts"


def start_session(request: Request, context: Service, person: UserRow, to: str) -> Response:
    """Sign the browser in as that person, and alert it to a page of ours."""
    with context.database.write() as session:
        row = session.get_one(UserRow, person.id)
        secret = begin_session(session, row, context.clock(), context.settings.web.session_hours)
        clear_failed_sign_ins(session, f"login:{row.login.lower()}")
        log_action(request, session, row, "signed_in")
    answer = RedirectResponse(inside(to), 303)
    answer.set_cookie(
        cookie_name(context),
        secret,
        max_age=int(context.settings.web.session_hours * 3600),
        httponly=True,
        secure=context.settings.web.secure_cookies,
        samesite="lax",
        path="/",
    )
    return answer


@router.get("/")
def home() -> RedirectResponse:
    """To the review."""
    return RedirectResponse("/alerts", 303)


@router.get("/sign-in")
def sign_in_page(request: Request, context: Service, next: str = "/alerts") -> Response:  # noqa: A002
    """The page for signing in."""
    return _sign_in_page(request, context, next, "")


def _sign_in_page(
    request: Request, context: Service, to: str, fault: str, status: int = 200, **values: object
) -> Response:
    local = request.url.hostname in ("127.0.0.1", "localhost", "::1")
    insecure = context.settings.web.secure_cookies and request.url.scheme != "https" and not local
    return page(
        request,
        "sign_in.html",
        status,
        next=inside(to),
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
    next: Annotated[str, Form(max_length=2000)] = "/alerts",  # noqa: A002
) -> Response:
    """Sign in by name and password."""
    if not same_origin(request):
        raise Forbidden("error.csrf")
    subjects = [f"login:{login.lower()}", f"address:{address_of(request)}"]
    with context.database.read() as session:
        now = context.clock()
        waits = [
            sign_in_delay(session, subject, now, free)
            for subject, free in zip(subjects, (FREE_BY_LOGIN, FREE_BY_ADDRESS), strict=True)
        ]
        person = user_by_login(session, login)
    if max(waits) > 0:
        return _sign_in_page(request, context, next, "sign_in.wait", 429, seconds=max(waits))
    right = is_password(person.password_hash if person is not None and person.active else "", password)
    if person is None or not right:
        with context.database.write() as session:
            record_failed_sign_in(session, subjects, context.clock())
        return _sign_in_page(request, context, next, "sign_in.wrong", 401)
    return start_session(request, context, person, next)


@router.post("/sign-out")
def sign_out(request: Request, context: Service, asked: Annotated[Identity, Depends(authenticate)]) -> Response:
    """End the browser's session."""
    with context.database.write() as session:
        end_session(session, asked.secret)
        who = asked.viewer
        log_action(request, session, who, "signed_out")
    answer = Response(headers={"hx-redirect": "/sign-in"})
    answer.delete_cookie(cookie_name(context), path="/", secure=context.settings.web.secure_cookies, httponly=True)
    return answer


@router.get("/welcome/{secret}")
def welcome_page(request: Request, context: Service, secret: str) -> Response:
    """The page by which a password is set."""
    with context.database.read() as session:
        found = find_invitation(session, secret, context.clock())
        if found is None:
            key = "welcome.invalid" if has_administrator(session) else "welcome.first_invalid"
            raise NotFound(key)
        person = session.get(UserRow, found.person_id) if found.person_id else None
    return page(request, "welcome.html", secret=secret, login=person.login if person else None, fault="")


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
    """Set a password, once; without a person the first administrator is made with it."""
    if not same_origin(request):
        raise Forbidden("error.csrf")
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidInput("welcome.short")
    if password != again:
        raise InvalidInput("welcome.differ")
    kept = hash_password(password)
    with context.database.write() as session:
        now = context.clock()
        found = find_invitation(session, secret, now, consume=True)
        if found is None:
            raise NotFound("welcome.invalid")
        if found.person_id is None:
            person = add_user(
                session, login=login, name=name, role="city", code="", administrator=True, password_hash=kept, now=now
            )
        else:
            person = session.get_one(UserRow, found.person_id)
            person.password_hash = kept
            end_sessions(session, person.id)
        log_action(request, session, person, "set_password")
    return start_session(request, context, person, "/alerts")


@router.post("/language/{language}")
def choose_language(request: Request, context: Service, language: str) -> Response:
    """Change the language of the pages; of a person who is signed in also for other browsers."""
    if language not in LANGUAGES or not same_origin(request):
        raise InvalidInput(f"{language} is no language; expected {', '.join(LANGUAGES)}.")
    answer = Response(headers={"hx-refresh": "true"})
    answer.set_cookie(
        LANGUAGE_COOKIE, language, max_age=_YEAR, samesite="lax", secure=context.settings.web.secure_cookies
    )
    return answer
