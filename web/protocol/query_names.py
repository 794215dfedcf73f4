"""Refuse unknown query parameters of the API, so that a misspelt filter never returns everything."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from errors import Reason
from web.http_errors import HttpError


def check_query_names(request: Request) -> None:
    """Check that the route declares every query parameter of the request; a dependency of all routes.

    Raises:
        HttpError: it does not; the message names the unknown and the known ones.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not route.path.startswith("/api/"):
        return
    known = _declared(route)
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        names, expected = ", ".join(name[:40] for name in unknown[:5]), ", ".join(known)
        if known:
            message = f"Unknown query parameter: {names}. Known ones: {expected}."
            raise HttpError(Reason(message, "query.unknown", names=names, known=expected))
        raise HttpError(Reason(f"Unknown query parameter: {names}. This address has none.", "query.none", names=names))


def _declared(route: APIRoute) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_names_of(route.dependant)))


def _names_of(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _names_of(inner)
