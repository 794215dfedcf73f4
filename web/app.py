"""The FastAPI application: routes, error handlers and static files."""

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
from store.schema.database_errors import DatabaseError, is_temporary
from web.front_end import check_packages
from web.http_errors import DatabaseBusy, HttpError, NotSignedIn
from web.limits.request_guard import RequestGuard
from web.page import language_of, localized, page
from web.path_prefix import PathPrefix, check_prefix
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
    "web.uploads.image_routes",
    "web.cameras.camera_admin_routes",
    "web.cameras.camera_routes",
    "web.review.evidence_routes",
    "web.health_routes",
    "web.maps.map_routes",
    "web.review.night_routes",
    "web.auth.openid_routes",
    "web.package_routes",
    "web.review.weights_routes",
    "web.auth.user_routes",
    "web.uploads.photo_routes",
    "web.review.alert_routes",
    "web.auth.sign_in_routes",
    "web.maps.tile_routes",
    "web.review.picture_routes",
    "web.uploads.tus_routes",
)
"""Modules with a ``router``, included in this order: when two routes match an address, the first one wins."""

logger = structlog.get_logger("tuban.web")


def make_app(context: Context) -> FastAPI:
    """Create the application.

    Raises:
        SettingsError: the front-end packages are not installed, or the path of ``public_url`` is one of the pages.
    """
    check_packages()
    app = FastAPI(title="Tuban", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.context = context
    routers = [import_module(module).router for module in ROUTES]
    for router in routers:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=HERE / "static"), "static")
    prefix = context.settings.path_prefix
    check_prefix(prefix, [*(route for router in routers for route in router.routes), *app.routes])
    app.add_middleware(
        RequestGuard,
        routes=[route for router in routers for route in router.routes],
        settings=context.settings.web,
        on_error=_handle_early_error,
    )
    wmts = urlsplit(context.settings.web.map.wmts_url)
    app.add_middleware(
        SecurityHeaders,
        images=f"{wmts.scheme}://{wmts.netloc}" if wmts.netloc else "",
        secure=context.settings.public_url.startswith("https"),
    )
    if prefix:
        app.add_middleware(PathPrefix, prefix=prefix)  # the last one added is the first one to handle a request
    app.add_exception_handler(HttpError, _handle_http_error)
    app.add_exception_handler(DatabaseError, _handle_database_error)
    app.add_exception_handler(TubanError, _handle_tuban_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_unmatched_route)
    app.add_exception_handler(Exception, _handle_unexpected_error)
    return app


def _is_api_client(request: Request) -> bool:
    """Return whether the client is a program: it gets errors as JSON, never as a page."""
    return request.url.path.startswith("/api/") or "authorization" in request.headers


def error_response(request: Request, status: int, message: str) -> Response:
    """Return an error as JSON, as plain text for htmx, or as a page, depending on the client."""
    text = localized(request, message)
    if _is_api_client(request) or "text/html" not in request.headers.get("accept", "text/html"):
        headers = {"www-authenticate": "Bearer"} if status == 401 else None
        return JSONResponse({"error": text, "status": status}, status, headers)
    if request.headers.get("hx-request"):
        return Response(text, status, media_type="text/plain")
    return page(request, "error.html", status, message=text)


async def _handle_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)
    if isinstance(error, NotSignedIn) and not _is_api_client(request) and request.method == "GET":
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.headers.get("hx-request"):
            return Response(status_code=401, headers={"hx-redirect": "/sign-in"})
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"/sign-in?next={quote(target, safe='')}", 303)
    response = error_response(request, error.status, error.message)
    if error.retry_seconds is not None:
        response.headers["retry-after"] = str(error.retry_seconds)
    return response


async def _handle_early_error(request: Request, error: Exception) -> Response:
    """Handle an error that arises before the route, where FastAPI's handlers do not reach."""
    handle = _handle_database_error if isinstance(error, DatabaseError) else _handle_http_error
    return await handle(request, error)


async def _handle_database_error(request: Request, error: Exception) -> Response:
    if not is_temporary(error):
        raise error
    logger.error("the database is busy or out of reach", path=request.url.path, error=str(error).splitlines()[0])
    return await _handle_http_error(request, DatabaseBusy())


async def _handle_tuban_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, TubanError)
    text = translate(error.reason, language_of(request))
    if isinstance(error, OutputError):
        logger.error("output could not be written", path=request.url.path, error=str(error))
        return error_response(request, 503, text)
    return error_response(request, 422 if isinstance(error, SettingsError) else 409, text)


async def _handle_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors()]
    message = "; ".join(f"{field}: {fault}" for field, fault in faults)
    if not _is_api_client(request):  # API clients get the complete message, in English
        message = Reason(message, "form.values", names=", ".join(field for field, _ in faults))
    return error_response(request, 422, message)


async def _handle_unmatched_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = "error.404" if error.status_code == 404 else str(error.detail)
    response = error_response(request, error.status_code, message)
    response.headers.update(error.headers or {})
    return response


async def _handle_unexpected_error(request: Request, error: Exception) -> Response:
    logger.error("request failed", path=request.url.path, exc_info=error)
    return error_response(request, 500, "error.500")
