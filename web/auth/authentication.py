"""Who asks: a browser by its cookie, or a program by its key."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from service.context import Context
from store.access.rights import Viewer
from store.access.users import touch_session, user_of_session, user_of_token, viewer_of
from web.http_errors import Forbidden, NotSignedIn

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
CSRF_HEADER = "x-csrf-token"


def cookie_name(context: Context) -> str:
    """``__Host-``: no other host and no path of this one can set it; possible only with Secure."""
    return "__Host-tuban" if context.settings.web.secure_cookies else "tuban"


def csrf_token(secret: str) -> str:
    """What a page must send along with what it changes: known only to who can read the page."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def same_origin(request: Request) -> bool:
    """Whether a page of ours sent this. Browsers tell where a changing request comes from."""
    origin = request.headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == request.headers.get("host")
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


@dataclass(frozen=True)
class Asking:
    """A request's person.

    Attributes:
        viewer: rights.
        language: zh or en.
        secret: of the session; "" where a key was given.
    """

    viewer: Viewer
    language: str
    secret: str


def context_of(request: Request) -> Context:
    """Settings, database, objects of this process."""
    context: Context = request.app.state.context
    return context


Service = Annotated[Context, Depends(context_of)]


def asking(request: Request, context: Service) -> Asking:
    """Who asks; changes by a browser need the page's token.

    Raises:
        NotSignedIn: nobody that is known.
        Forbidden: the browser was led here by another site's page.
    """
    known: Asking | None = getattr(request.state, "asking", None)
    if known is None:
        known = _by_key(request, context) or _by_cookie(request, context)
        request.state.asking = known
    return known


def _key_given(request: Request) -> str | None:
    """The key that a program sends; "": something else in its place.

    As ``Bearer``, or as the password of ``Basic``, which is all that some GIS programs can send. That only to read: a
    browser that was once made to keep such a password would send it along with another site's request.
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if not given:
        return None
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() == "basic" and request.method in SAFE_METHODS:
        try:
            return base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
        except ValueError:
            pass
    return ""


def _by_key(request: Request, context: Context) -> Asking | None:
    key = _key_given(request)
    if key is None:
        return None
    now = context.clock()
    with context.database.read() as session:
        found = user_of_token(session, key, now) if key else None
        if found is None:
            raise NotSignedIn
        person, token = found
        stale = token.used_at is None or (now - token.used_at).total_seconds() > 60
    if stale:
        with context.database.write() as session:
            again = user_of_token(session, key, now)
            if again is not None:
                again[1].used_at = now
    return Asking(viewer_of(person), person.language, "")


def _by_cookie(request: Request, context: Context) -> Asking:
    secret = request.cookies.get(cookie_name(context), "")
    if not secret:
        raise NotSignedIn
    now = context.clock()
    with context.database.read() as session:
        found = user_of_session(session, secret, now, context.settings.web.idle_minutes)
    if found is None:
        raise NotSignedIn(ended=True)
    person, stale = found
    if request.method not in SAFE_METHODS and not (
        same_origin(request) and hmac.compare_digest(request.headers.get(CSRF_HEADER, ""), csrf_token(secret))
    ):
        raise Forbidden("error.csrf")
    if stale:
        with context.database.write() as session:
            touch_session(session, secret, now)
    return Asking(viewer_of(person), person.language, secret)


def viewer(asked: Annotated[Asking, Depends(asking)]) -> Viewer:
    """The person who asks."""
    return asked.viewer


def administrator(asked: Annotated[Asking, Depends(asking)]) -> Viewer:
    """The person who asks, if they manage people.

    Raises:
        Forbidden: they do not.
    """
    if not asked.viewer.administrator:
        raise Forbidden
    return asked.viewer


CurrentUser = Annotated[Viewer, Depends(viewer)]
Administrator = Annotated[Viewer, Depends(administrator)]


def address_of(request: Request) -> str:
    """Where the request comes from; behind a trusted proxy what that says (uvicorn has looked)."""
    return request.client.host if request.client else ""
