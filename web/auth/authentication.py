"""Authentication: browsers by a session cookie with a CSRF token, programs by an API key."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from service.context import Context
from store.access.api_keys import user_of_key
from store.access.rights import Viewer
from store.access.users import touch_session, user_of_session, viewer_of
from web.auth.scopes import check_scope
from web.http_errors import Forbidden, NotSignedIn, SharedOnly

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
CSRF_HEADER = "x-csrf-token"

OWN_ROUTES = ("/account", "/sign-out", "/language", "/inbox")
"""Prefixes of the routes by which users who only view may change what is their own: account, language, messages."""

SHARED_ROUTES = ("/shared", "/api/shared", "/account", "/sign-out", "/language")
"""Prefixes of the routes that users of receiving bodies reach; every other one, also a new one, is refused."""


def cookie_name(context: Context) -> str:
    """Return the name of the session cookie.

    With the prefix ``__Host-`` it cannot be set by another host or for a path; browsers require Secure for it. Under a
    path of a shared host it is sent to that path only, which ``__Secure-`` allows.
    """
    if not context.settings.web.secure_cookies:
        return "tuban"
    return "__Secure-tuban" if context.settings.path_prefix else "__Host-tuban"


def cookie_path(context: Context) -> str:
    """Return the path that browsers send the service's cookies to."""
    return context.settings.path_prefix or "/"


def csrf_token(secret: str) -> str:
    """Return the token that a page must send with every change; only a reader of the page knows it."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def same_origin(request: Request) -> bool:
    """Return whether a page of this service sent the request, by its ``Origin`` or ``Sec-Fetch-Site`` header."""
    origin = request.headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == request.headers.get("host")
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


@dataclass(frozen=True)
class Identity:
    """The authenticated user of a request.

    Attributes:
        viewer: the user's rights.
        language: zh or en.
        secret: of the session; "" for an API key.
        scopes: of the API key; None for a session.
    """

    viewer: Viewer
    language: str
    secret: str
    scopes: frozenset[str] | None = None


def context_of(request: Request) -> Context:
    """Return the settings, database and object store of this process."""
    context: Context = request.app.state.context
    return context


Service = Annotated[Context, Depends(context_of)]


def authenticate(request: Request, context: Service) -> Identity:
    """Return the user of the request; changes from a browser need the CSRF token of the page.

    Raises:
        NotSignedIn: no valid session or API key.
        Forbidden: the request was sent by a page of another site, is beyond the scopes of the API key, or would change
            something for a user who only views.
    """
    identity: Identity | None = getattr(request.state, "identity", None)
    if identity is None:
        identity = _by_key(request, context) or _by_cookie(request, context)
        request.state.identity = identity
    if identity.scopes is not None:
        check_scope(request.method, request.scope.get("route"), identity.scopes)
    if identity.viewer.shared_only and not _is_shared_route(request):
        raise SharedOnly
    if request.method not in SAFE_METHODS and identity.viewer.views_only:
        path = str(getattr(request.scope.get("route"), "path", ""))
        if not path.startswith(OWN_ROUTES):
            raise Forbidden("error.views_only")
    return identity


def _is_shared_route(request: Request) -> bool:
    path = str(getattr(request.scope.get("route"), "path", ""))
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in SHARED_ROUTES)


def _api_key(request: Request) -> str | None:
    """Return the API key of the request; None without credentials, "" with credentials of another kind.

    The key is the ``Bearer`` token, or the ``Basic`` password, because some GIS programs support nothing else. Basic is
    accepted for reading only: a browser that has stored such a password would send it with requests of other sites.
    """
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if not credentials:
        return None
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic" and request.method in SAFE_METHODS:
        try:
            return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
        except ValueError:
            pass
    return ""


def _by_key(request: Request, context: Context) -> Identity | None:
    key = _api_key(request)
    if key is None:
        return None
    now = context.clock()
    with context.database.read() as session:
        found = user_of_key(session, key, now) if key else None
        if found is None:
            raise NotSignedIn
        user, token = found
        stale = token.used_at is None or (now - token.used_at).total_seconds() > 60
    if stale:
        with context.database.write() as session:
            refreshed = user_of_key(session, key, now)
            if refreshed is not None:
                refreshed[1].used_at = now
    return Identity(viewer_of(user), user.language, "", frozenset(token.scopes.split()))


def _by_cookie(request: Request, context: Context) -> Identity:
    secret = request.cookies.get(cookie_name(context), "")
    if not secret:
        raise NotSignedIn
    now = context.clock()
    with context.database.read() as session:
        found = user_of_session(session, secret, now, context.settings.web.idle_minutes)
    if found is None:
        raise NotSignedIn(ended=True)
    user, stale = found
    if request.method not in SAFE_METHODS and not (
        same_origin(request) and hmac.compare_digest(request.headers.get(CSRF_HEADER, ""), csrf_token(secret))
    ):
        raise Forbidden("error.csrf")
    if stale:
        with context.database.write() as session:
            touch_session(session, secret, now)
    return Identity(viewer_of(user), user.language, secret)


def current_user(identity: Annotated[Identity, Depends(authenticate)]) -> Viewer:
    """Return the authenticated user's rights."""
    return identity.viewer


def current_administrator(identity: Annotated[Identity, Depends(authenticate)]) -> Viewer:
    """Return the authenticated user's rights, if they are an administrator.

    Raises:
        Forbidden: they are not.
    """
    if not identity.viewer.administrator:
        raise Forbidden
    return identity.viewer


CurrentUser = Annotated[Viewer, Depends(current_user)]
Administrator = Annotated[Viewer, Depends(current_administrator)]


def client_address(request: Request) -> str:
    """Return the client's IP address; behind a trusted proxy the one that the proxy forwards (resolved by uvicorn)."""
    return request.client.host if request.client else ""
