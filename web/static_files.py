"""Static files: addresses that contain their version never change and are cached; others are revalidated."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATED = "no-cache"
"""The browser keeps the file, and asks each time whether it has changed (ETag, 304)."""

_VERSION = re.compile(r"v-[0-9a-f]{12}/")


@cache
def static_version() -> str:
    """Return the folder in addresses of the current files, ``v-`` and a hash of all of them."""
    digest = hashlib.sha256()
    for path in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        digest.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return f"v-{digest.hexdigest()[:12]}"


class VersionedFiles(StaticFiles):
    """The folder ``static``, whose files are also found under ``/static/VERSION/``.

    The version is a folder, so that scripts find the modules which they import relative to themselves. A page that was
    open while the service was upgraded gets the new files under its old version, without their being kept.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, 304 if the browser has it, or 404."""
        version = _VERSION.match(path)
        response = await super().get_response(path[version.end() :] if version else path, scope)
        current = version is not None and version[0] == f"{static_version()}/"
        response.headers["cache-control"] = IMMUTABLE if current else REVALIDATED
        return response
