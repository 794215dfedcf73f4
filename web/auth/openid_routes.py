"""Routes for sign-in through the bureau's OpenID Connect server, if one is configured."""

from __future__ import annotations

import json
from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from service.context import Context
from store.access.users import user_by_subject
from web.addresses import base_of
from web.auth.authentication import Service
from web.auth.openid import PendingSignIn, begin_sign_in, complete_sign_in
from web.auth.sign_in_routes import local_path, start_session
from web.http_errors import Forbidden, NotFound

router = APIRouter(include_in_schema=False)

COOKIE = "tuban_openid"
MINUTES = 10


def _redirect_uri(request: Request, context: Context) -> str:
    return f"{base_of(request, context)}/openid/back"


@router.get("/openid/begin")
def openid_begin(request: Request, context: Service, next: str = "/todo") -> Response:  # noqa: A002
    """Redirect the browser to the OpenID server."""
    settings = context.settings.web.openid
    if not settings.issuer:
        raise NotFound
    pending = begin_sign_in(settings, _redirect_uri(request, context))
    response = RedirectResponse(pending.address, 303)
    response.set_cookie(
        COOKIE,
        json.dumps(asdict(pending) | {"next": local_path(next)}),
        max_age=60 * MINUTES,
        httponly=True,
        secure=context.settings.web.secure_cookies,
        samesite="lax",
        path=f"{context.settings.path_prefix}/openid",
    )
    return response


@router.get("/openid/back")
def openid_back(request: Request, context: Service, state: str = "", code: str = "") -> Response:
    """Complete the sign-in after the OpenID server has redirected back: sign in the user if they exist here."""
    settings = context.settings.web.openid
    if not settings.issuer:
        raise NotFound
    try:
        stored = json.loads(request.cookies.get(COOKIE, ""))
        target = stored.pop("next")
        pending = PendingSignIn(**stored)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Forbidden("openid.ended") from error
    if not state or state != pending.state or not code:
        raise Forbidden("openid.ended")
    verified = complete_sign_in(settings, _redirect_uri(request, context), pending, code)
    with context.database.write() as session:
        user = user_by_subject(session, verified.subject, verified.login)
    if user is None or not user.active:
        raise Forbidden("openid.unknown")
    response = start_session(request, context, user, target)
    response.delete_cookie(COOKIE, path=f"{context.settings.path_prefix}/openid")
    return response
