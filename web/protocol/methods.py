"""HEAD for every GET route, and the header ``Allow`` of 405 responses (RFC 9110)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match


def add_head(routes: Iterable[BaseRoute]) -> None:
    """Let every GET route also answer HEAD; the server omits the body."""
    for route in routes:
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            route.methods = {*(route.methods or ()), "HEAD"}


def allowed_methods(request: Request) -> list[str]:
    """Return the methods of all routes that match the path of a request, sorted."""
    methods: set[str] = set()
    for route in flatten(request.app.routes):
        if route.matches(dict(request.scope) | {"method": "?"})[0] != Match.NONE:
            methods |= set(getattr(route, "methods", None) or ())
    return sorted(methods)


def flatten(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Yield all routes, including those of included routers."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from flatten(included.routes)
