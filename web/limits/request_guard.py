"""Authenticate requests and limit their bodies by size and time, before a body is read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator

from anyio.to_thread import run_sync
from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from configs.service import WebSettings
from store.schema.database_errors import DatabaseError
from web.auth.authentication import SAFE_METHODS, authenticate
from web.http_errors import HttpError
from web.limits.file_bodies import FILE_BODIES

STREAMED = (
    "/api/uploads",
    "/api/uploads/{upload_id}",
    "/layers",
    "/areas",
    "/api/uploads/field/{uid}",
    "/api/alerts/{number}/files",
)
"""Paths of routes that write a body to a file while it arrives, with their own limits; all others read it whole."""

PUBLIC_BODY_BYTES = 64 * 1024
"""Largest body of a route without authentication: the forms of sign-in and of invitations."""


ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


class ContentTooLarge(HttpError):  # noqa: N818
    """413 Content Too Large: the body is larger than the route accepts."""

    status = 413


class RequestGuard:
    """ASGI middleware: identity first, then the size of the body, then its bytes within a time limit.

    Without it, FastAPI reads a body into memory before it asks who sent it.
    """

    def __init__(
        self, app: ASGIApp, routes: Iterable[BaseRoute], settings: WebSettings, on_error: ErrorHandler
    ) -> None:
        """Prepare the table of routes.

        Args:
            app: the application that handles accepted requests.
            routes: all routes of the routers.
            settings: size and time of bodies.
            on_error: makes the response of a refused request.
        """
        self.app = app
        self._routes = [(route, _is_authenticated(route)) for route in routes if isinstance(route, APIRoute)]
        self._max_bytes = settings.max_body_kib * 1024
        self._seconds = settings.body_seconds
        self._on_error = on_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self.app(scope, receive, send)
            return
        route, authenticated = self._find(scope)
        try:
            if authenticated:
                request, context = Request(scope), scope["app"].state.context
                scope["route"] = route
                await run_sync(authenticate, request, context)
            if route is None or route.path not in STREAMED:
                limit = self._max_bytes if authenticated else min(PUBLIC_BODY_BYTES, self._max_bytes)
                if route is not None and route.path in FILE_BODIES:
                    context = scope["app"].state.context
                    limit = await run_sync(FILE_BODIES[route.path], Request(scope), context)
                _check_length(scope, limit)
                receive = self._limited(receive, limit)
        except (HttpError, DatabaseError) as error:
            response = await self._on_error(Request(scope), error)
            response.headers["connection"] = "close"  # the rest of the body is not read
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _find(self, scope: Scope) -> tuple[APIRoute | None, bool]:
        for route, authenticated in self._routes:
            if route.matches(scope)[0] == Match.FULL:
                return route, authenticated
        return None, False

    def _limited(self, receive: Receive, limit: int) -> Receive:
        """Return ``receive`` with a limit of the bytes and of the time of the whole body."""
        received, deadline = 0, asyncio.get_running_loop().time() + self._seconds
        complete = False

        async def next_part() -> Message:
            nonlocal received, complete
            if complete:  # waits for the client to disconnect
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "error.body_too_slow", {"connection": "close"}) from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > limit:
                raise HTTPException(413, "error.body_too_large", {"connection": "close"})
            return message

        return next_part


def _check_length(scope: Scope, limit: int) -> None:
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if not announced.isdigit() or len(announced) > 18 or int(announced) > limit:
        raise ContentTooLarge("error.body_too_large")


def _is_authenticated(route: APIRoute) -> bool:
    return any(dependant.call is authenticate for dependant in _walk(route.dependant))


def _walk(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _walk(inner)
