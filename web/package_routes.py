"""Serve the front-end packages under the names that the pages use."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse

from web.front_end import PACKAGES, SERVED
from web.http_errors import NotFound

router = APIRouter(include_in_schema=False)


@router.get("/packages/{name}")
def package(name: str) -> FileResponse:
    """Return one file of a front-end package; needs no authentication."""
    if name not in SERVED:
        raise NotFound
    path = PACKAGES / SERVED[name]
    media_type = "text/javascript" if name.endswith(".js") else None  # browsers refuse modules of another type
    return FileResponse(path, media_type=media_type, headers={"cache-control": "public, max-age=86400"})
