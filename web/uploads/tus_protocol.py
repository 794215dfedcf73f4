"""What tus requires of every response and of proxies that drop methods."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PATH = "/api/uploads"
_METHODS = ("PATCH", "DELETE", "HEAD")
_VERSION = "1.0.0"


class TusProtocol:
    """ASGI middleware: ``X-HTTP-Method-Override``, and ``Tus-Resumable`` on errors too."""

    def __init__(self, app: ASGIApp) -> None:
        """``app``: the application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not scope["path"].startswith(_PATH):
            await self.app(scope, receive, send)
            return
        override = Headers(scope=scope).get("x-http-method-override", "").upper()
        if scope["method"] == "POST" and override in _METHODS:
            scope = dict(scope) | {"method": override}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("tus-resumable", _VERSION)
                if message["status"] == 412:
                    headers.setdefault("tus-version", _VERSION)
            await send(message)

        await self.app(scope, receive, with_headers)
