"""Serve the application under a path of a host that other programs share, like ``https://bureau.example/tuban``.

The application knows only its own paths. This middleware removes the prefix from requests, whether or not the proxy has
done so already, and adds it to the paths in headers of responses. Pages, scripts and data add it to their addresses:
``root`` in templates and in ``tuban.js``.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from errors import SettingsError

_HEADERS = ("location", "hx-redirect", "hx-push-url")


def check_prefix(prefix: str, routes: Iterable[BaseRoute]) -> None:
    """Check that no route begins like the prefix: nobody could tell the two apart.

    Raises:
        SettingsError: one does.
    """
    first = prefix.split("/")[1] if prefix else ""
    if first and any(getattr(route, "path", "").split("/")[1:2] == [first] for route in routes):
        raise SettingsError(f"The path {prefix} in TUBAN_PUBLIC_URL is also a path of the pages. Choose another one.")


class PathPrefix:
    """ASGI middleware for :attr:`configs.service.ServiceSettings.path_prefix`."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        """``prefix``: like ``/tuban``."""
        self.app, self.prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_prefix(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name in _HEADERS:
                    path = headers.get(name, "")
                    if path.startswith("/") and not path.startswith("//") and not self._is_inside(path):
                        headers[name] = self.prefix + path
            await send(message)

        if self._is_inside(scope["path"]):
            scope = dict(scope)
            scope["path"] = scope["path"][len(self.prefix) :] or "/"
            scope["raw_path"] = scope.get("raw_path", b"")[len(self.prefix) :] or b"/"
        await self.app(scope, receive, with_prefix)

    def _is_inside(self, path: str) -> bool:
        return path == self.prefix or path.startswith((f"{self.prefix}/", f"{self.prefix}?"))
