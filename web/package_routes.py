"""Serve the front-end packages under the names that the pages use."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from web.etags import content_tag, is_cached, not_modified
from web.front_end import PACKAGES, SERVED
from web.http_errors import NotFound

router = APIRouter(include_in_schema=False)

_DAY = "public, max-age=86400"


@router.get("/packages/{name}")
def package(request: Request, name: str) -> Response:
    """Return one file of a front-end package; needs no authentication."""
    if name not in SERVED:
        raise NotFound
    path = PACKAGES / SERVED[name]
    tag = content_tag(name, path.stat().st_size, path.stat().st_mtime_ns)
    if is_cached(request, tag):
        return not_modified(tag, _DAY)
    media_type = "text/javascript" if name.endswith(".js") else None  # browsers refuse modules of another type
    return FileResponse(path, media_type=media_type, headers={"cache-control": _DAY, "etag": f'"{tag}"'})
