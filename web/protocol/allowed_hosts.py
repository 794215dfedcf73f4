"""Refuse requests with a foreign ``Host``, whose name would otherwise appear in links and invitations."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from configs.service import ServiceSettings
from web.http_errors import HttpError


class MisdirectedRequest(HttpError):  # noqa: N818
    """421 Misdirected Request: this service does not answer for the requested host."""

    status = 421


class AllowedHosts:
    """ASGI middleware that answers only for the names of this service.

    Allowed are the host of ``public_url``, ``web.allowed_hosts``, this machine's name, ``localhost``, and addresses (a
    numeric address cannot be made to point elsewhere by a name server).
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ServiceSettings,
        on_error: Callable[[Request, Exception], Awaitable[Response]],
    ) -> None:
        """``on_error`` makes the response of a refused request."""
        self.app = app
        self._on_error = on_error
        machine = socket.gethostname().lower()
        short = machine.partition(".")[0]
        public = urlsplit(settings.public_url).hostname or "localhost"
        named = {name.lower() for name in settings.web.allowed_hosts}
        self._names = named | {"localhost", machine, short, f"{short}.local", public}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            header = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
            if not self._is_allowed(header):
                error = MisdirectedRequest("error.host")
                response = await self._on_error(Request(scope), error)
                await response(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _is_allowed(self, header: str) -> bool:
        name = header.rpartition(":")[0] if header.rpartition(":")[2].isdigit() else header
        name = name.lower().removesuffix(".")
        if name in self._names or not header:
            return True
        if any(name.endswith(allowed[1:]) for allowed in self._names if allowed.startswith("*.")):
            return True
        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True
