"""The application: all routes, what is refused and how, and the files that browsers load."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from urllib.parse import quote, urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from configs.texts import translate
from errors import OutputError, Reason, SettingsError, TubanError
from service.context import Context
from web.front_end import check_packages
from web.http_errors import NotSignedIn, HttpError
from web.page import language_of, page, words
from web.security_headers import SecurityHeaders

HERE = Path(__file__).parent

ROUTES = (
    "web.review.export_routes",
    "web.review.alert_list_routes",
    "web.api.alert_routes",
    "web.api.document_routes",
    "web.api.feature_routes",
    "web.api.scene_routes",
    "web.api.stac_routes",
    "web.uploads.batch_routes",
    "web.cameras.camera_admin_routes",
    "web.cameras.camera_routes",
    "web.review.evidence_routes",
    "web.health_routes",
    "web.maps.map_routes",
    "web.review.night_routes",
    "web.auth.openid_routes",
    "web.package_routes",
    "web.auth.user_routes",
    "web.uploads.photo_routes",
    "web.review.alert_routes",
    "web.auth.sign_in_routes",
    "web.maps.tile_routes",
    "web.review.picture_routes",
    "web.uploads.tus_routes",
)
"""Modules with a ``router``, included in this order: of two routes that match an address the first one answers."""

logger = structlog.get_logger("tuban.web")


def make_app(context: Context) -> FastAPI:
    """Put the application together.

    Raises:
        SettingsError: the front-end packages are not installed.
    """
    check_packages()
    app = FastAPI(title="Tuban", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.context = context
    for module in ROUTES:
        app.include_router(import_module(module).router)
    app.mount("/static", StaticFiles(directory=HERE / "static"), "static")
    wmts = urlsplit(context.settings.web.map.wmts_url)
    app.add_middleware(
        SecurityHeaders,
        images=f"{wmts.scheme}://{wmts.netloc}" if wmts.netloc else "",
        secure=context.settings.public_url.startswith("https"),
    )
    app.add_exception_handler(HttpError, _refused)
    app.add_exception_handler(TubanError, _failed)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _broke)
    return app


def _is_program(request: Request) -> bool:
    """Whether a program asks, or a script of a page: it gets JSON or words, no page."""
    return request.url.path.startswith("/api/") or "authorization" in request.headers


def answer(request: Request, status: int, message: str) -> Response:
    """A refusal in the form that who asks can read."""
    said = words(request, message)
    if _is_program(request) or "text/html" not in request.headers.get("accept", "text/html"):
        headers = {"www-authenticate": "Bearer"} if status == 401 else None
        return JSONResponse({"error": said, "status": status}, status, headers)
    if request.headers.get("hx-request"):
        return Response(said, status, media_type="text/plain")
    return page(request, "error.html", status, message=said)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)
    if isinstance(error, NotSignedIn) and not _is_program(request) and request.method == "GET":
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.headers.get("hx-request"):
            return Response(status_code=401, headers={"hx-redirect": "/sign-in"})
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"/sign-in?next={quote(back, safe='')}", 303)
    return answer(request, error.status, error.message)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, TubanError)
    said = translate(error.reason, language_of(request))
    if isinstance(error, OutputError):
        logger.error("cannot be written", path=request.url.path, error=str(error))
        return answer(request, 503, said)
    return answer(request, 422 if isinstance(error, SettingsError) else 409, said)


async def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors()]
    told = "; ".join(f"{place}: {fault}" for place, fault in faults)
    if not _is_program(request):  # programs are told everything, in English
        told = Reason(told, "form.values", names=", ".join(place for place, _ in faults))
    return answer(request, 422, told)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return answer(request, error.status_code, "error.404" if error.status_code == 404 else str(error.detail))


async def _broke(request: Request, error: Exception) -> Response:
    logger.error("failed", path=request.url.path, exc_info=error)
    return answer(request, 500, "error.500")
