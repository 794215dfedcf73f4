"""Signing in through the bureau's own server, where the settings name one."""

from __future__ import annotations

import json
from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from service.context import Context
from store.access.users import user_by_subject
from web.addresses import base_of
from web.auth.authentication import Service
from web.auth.openid import Begun, begin, finish
from web.auth.sign_in_routes import begin_for, inside
from web.http_errors import Forbidden, NotFound

router = APIRouter(include_in_schema=False)

COOKIE = "tuban_openid"
MINUTES = 10


def _back(request: Request, context: Context) -> str:
    return f"{base_of(request, context)}/openid/back"


@router.get("/openid/begin")
def openid_begin(request: Request, context: Service, next: str = "/alerts") -> Response:  # noqa: A002
    """Send the browser to the server."""
    settings = context.settings.web.openid
    if not settings.issuer:
        raise NotFound
    begun = begin(settings, _back(request, context))
    answer = RedirectResponse(begun.address, 303)
    answer.set_cookie(
        COOKIE,
        json.dumps(asdict(begun) | {"next": inside(next)}),
        max_age=60 * MINUTES,
        httponly=True,
        secure=context.settings.web.secure_cookies,
        samesite="lax",
        path="/openid",
    )
    return answer


@router.get("/openid/back")
def openid_back(request: Request, context: Service, state: str = "", code: str = "") -> Response:
    """The browser comes back; whoever the server vouches for and who is known here is signed in."""
    settings = context.settings.web.openid
    if not settings.issuer:
        raise NotFound
    try:
        kept = json.loads(request.cookies.get(COOKIE, ""))
        to = kept.pop("next")
        begun = Begun(**kept)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Forbidden("openid.ended") from error
    if not state or state != begun.state or not code:
        raise Forbidden("openid.ended")
    vouched = finish(settings, _back(request, context), begun, code)
    with context.database.write() as session:
        person = user_by_subject(session, vouched.subject, vouched.login)
    if person is None or not person.active:
        raise Forbidden("openid.unknown")
    answer = begin_for(request, context, person, to)
    answer.delete_cookie(COOKIE, path="/openid")
    return answer
