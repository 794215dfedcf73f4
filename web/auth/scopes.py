"""Scope that an API key needs for each route. Routes of passwords, keys and users need a browser session instead."""

from __future__ import annotations

from starlette.routing import BaseRoute

from web.http_errors import Forbidden

SESSION_ONLY = ""
"""No key is sufficient: the route creates or reveals credentials, so that a key would outlive its revocation."""

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

_BY_PREFIX: tuple[tuple[str, str], ...] = (
    ("/account", SESSION_ONLY),
    ("/people", SESSION_ONLY),
    ("/settings", SESSION_ONLY),
    ("/inbox", SESSION_ONLY),
    ("/messages", SESSION_ONLY),
    ("/areas", "administer"),
    ("/sign-out", SESSION_ONLY),
    ("/api/scenes/purge", "administer"),
    ("/api/scenes", "upload"),
    ("/nights", "administer"),
    ("/api/stac/search", "read"),
    ("/api/batches", "upload"),
    ("/api/exports", "read"),
    ("/exports", "read"),
    ("/api/field", "steps"),
    ("/api/uploads/field", "steps"),
    ("/api/uploads", "upload"),
    ("/calendar", "administer"),
    ("/supervision", "steps"),
    ("/documents/templates", "administer"),
    ("/documents", "steps"),
    ("/api/documents", "steps"),
    ("/api/alerts/{number}/documents", "steps"),
    ("/api/cameras", "administer"),
    ("/cameras", "administer"),
    ("/layers", "administer"),
    ("/api/parcels", "review"),
    ("/api/todo/steps", "steps"),
    ("/api/tips/{tip_id}/steps", "steps"),
    ("/api/tips", "review"),
    ("/api/patrols", "review"),
    ("/reports", "steps"),
    ("/meetings", "steps"),
    ("/patrols", "review"),
    ("/places", "review"),
    ("/tips/{tip_id}/informant", SESSION_ONLY),
    ("/tips", "review"),
    ("/api/alerts/{number}/transitions", "steps"),
    ("/api/alerts/{number}/files", "steps"),
    ("/alerts/{number}/move", "steps"),
    ("/alerts/{number}/sharing", SESSION_ONLY),
    ("/sharing", SESSION_ONLY),
    ("/service-stops", SESSION_ONLY),
    ("/blacklist", SESSION_ONLY),
    ("/retention", SESSION_ONLY),
    ("/api/alerts", "review"),
    ("/api/drawn-alerts", "review"),
    ("/alerts", "review"),
)
"""Prefix of a route's path → scope of requests that change something; the first match applies."""

_READING: tuple[tuple[str, str], ...] = (
    ("/account", "read"),
    ("/people", "administer"),
    ("/api/uploads/field", "steps"),
    ("/api/uploads", "upload"),
)
"""Prefix of a route's path → scope of requests that read, where it is not ``read``."""


def scope_of(method: str, path: str) -> str:
    """Return the scope that a key needs for a route.

    Args:
        method: of the request.
        path: of the route, with its parameters in braces.

    Returns:
        One of :data:`store.access.api_keys.SCOPES`; ``""`` (:data:`SESSION_ONLY`): keys are refused, which is also the
        answer for a changing route that is not listed.
    """
    table, default = (_READING, "read") if method in _SAFE_METHODS else (_BY_PREFIX, SESSION_ONLY)
    return next((scope for prefix, scope in table if path.startswith(prefix)), default)


def check_scope(method: str, route: BaseRoute | None, scopes: frozenset[str]) -> None:
    """Require that a key's scopes include that of the route.

    Raises:
        Forbidden: they do not.
    """
    needed = scope_of(method, str(getattr(route, "path", "")))
    if needed not in scopes:
        raise Forbidden("error.session_only" if needed == SESSION_ONLY else f"error.scope_{needed}")
