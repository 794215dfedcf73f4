"""The installable page itself: the same for everybody and without data, so that a phone can keep it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from web.auth.authentication import Service
from web.field.shell_assets import manifest, page_texts, service_worker, shell_version
from web.page import language_of, page

router = APIRouter(include_in_schema=False)

_REVALIDATED = {"cache-control": "no-cache"}


@router.get("/field")
def field_page(request: Request, context: Service) -> HTMLResponse:
    """Render the page; it contains no data and needs no session, and works from the phone's copy without a network."""
    version = shell_version(context.settings.path_prefix)
    response = page(request, "field.html", texts=page_texts(), shell_version=version)
    response.headers.update(_REVALIDATED)
    return response


@router.get("/sw.js")
def service_worker_script(context: Service) -> Response:
    """Return the service worker. Browsers compare it byte by byte, so its version is part of it."""
    script = service_worker(context.settings.path_prefix)
    return Response(script, media_type="text/javascript", headers=_REVALIDATED)


@router.get("/manifest.webmanifest")
def web_manifest(request: Request, context: Service) -> JSONResponse:
    """Return the web app manifest."""
    content = manifest(context.settings.path_prefix, language_of(request))
    return JSONResponse(content, headers=_REVALIDATED, media_type="application/manifest+json")
