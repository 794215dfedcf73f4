"""Version of the API, cross-origin requests and compression."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette_compress import CompressMiddleware, add_compress_type, remove_compress_type

API_VERSION = "1"
"""Raised by a change that may break clients; see *Changes of the API* in the documentation."""

VERSION_HEADER = "tuban-api-version"

COMPRESSION: dict[str, Any] = {"minimum_size": 1000, "zstd_level": 3, "brotli_quality": 4, "gzip_level": 4}

remove_compress_type("text/html")  # pages contain a CSRF token beside text that others may choose (BREACH attack)
for _media_type in ("application/problem+json", "application/vnd.oai.openapi+json", "application/schema+json"):
    add_compress_type(_media_type)


class Compression(CompressMiddleware):
    """Compress text for clients that name an encoding; those that send ``*`` often decode none."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if (b"accept-encoding", b"*") in scope.get("headers", ()):
            scope = dict(scope) | {"headers": [one for one in scope["headers"] if one[0] != b"accept-encoding"]}
        await super().__call__(scope, receive, send)


class ApiVersion:
    """ASGI middleware that adds the version of the API to its responses."""

    def __init__(self, app: ASGIApp) -> None:
        """``app``: the application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or "/api/" not in scope["path"] + "/":
            await self.app(scope, receive, send)
            return

        async def with_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[VERSION_HEADER] = API_VERSION
            await send(message)

        await self.app(scope, receive, with_version)


def cors_options(origins: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of Starlette's middleware: keys only, never the session cookie of another page."""
    return {
        "allow_origins": list(origins),
        "allow_methods": ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"],
        "allow_headers": [
            "Authorization", "Content-Type", "Accept-Language", "Range", "If-None-Match",
            "Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum", "Upload-Concat",
            "X-HTTP-Method-Override",
        ],
        "expose_headers": [
            "ETag", "Location", "Content-Range", "Retry-After", "Link", "Tuban-API-Version",
            "Tus-Resumable", "Tus-Version", "Tus-Extension", "Upload-Offset", "Upload-Length", "Upload-Expires",
        ],
        "max_age": 3600,
    }  # fmt: skip
