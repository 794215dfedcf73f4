"""The FastAPI application: routes, error handlers and static files."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from urllib.parse import quote, urlsplit

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute

from errors import OutputError, Reason, SettingsError, TubanError
from service.context import Context
from service.home import InsufficientDiskSpace
from store.schema.database_errors import DatabaseError, is_temporary
from web.front_end import check_packages
from web.http_errors import DatabaseBusy, HttpError, NotSignedIn, SharedOnly
from web.limits.request_guard import RequestGuard
from web.path_prefix import PathPrefix, check_prefix
from web.protocol.allowed_hosts import AllowedHosts
from web.protocol.methods import add_head, allowed_methods
from web.protocol.problem_details import error_response, is_api_client
from web.protocol.query_names import check_query_names
from web.protocol.response_headers import COMPRESSION, ApiVersion, Compression, cors_options
from web.security_headers import SecurityHeaders
from web.static_files import STATIC, VersionedFiles
from web.uploads.tus_protocol import TusProtocol

HERE = Path(__file__).parent

ROUTES = (
    "web.todo.todo_routes",
    "web.administration.area_routes",
    "web.administration.settings_routes",
    "web.review.export_routes",
    "web.exports.export_api_routes",
    "web.exports.export_page_routes",
    "web.review.alert_list_routes",
    "web.api.alert_routes",
    "web.api.document_routes",
    "web.api.feature_routes",
    "web.api.scene_routes",
    "web.api.stac_routes",
    "web.api.stac_search_routes",
    "web.uploads.batch_routes",
    "web.uploads.image_routes",
    "web.cameras.camera_admin_routes",
    "web.cameras.camera_routes",
    "web.deadlines.calendar_routes",
    "web.deadlines.deadline_routes",
    "web.deadlines.supervision_routes",
    "web.documents.template_routes",
    "web.documents.receipt_routes",
    "web.documents.document_routes",
    "web.documents.document_api_routes",
    "web.review.evidence_routes",
    "web.review.evidence_file_routes",
    "web.review.place_image_routes",
    "web.review.outline_routes",
    "web.review.step_form_routes",
    "web.field.desk_routes",
    "web.field.outbox_routes",
    "web.field.photo_upload_routes",
    "web.field.shell_routes",
    "web.field.work_routes",
    "web.figures.figure_routes",
    "web.figures.figure_api_routes",
    "web.health_routes",
    "web.layers.layer_routes",
    "web.layers.parcel_routes",
    "web.maps.map_routes",
    "web.maps.place_routes",
    "web.patrols.patrol_api_routes",
    "web.reports.report_api_routes",
    "web.reports.report_routes",
    "web.reports.decision_routes",
    "web.patrols.patrol_routes",
    "web.retention.retention_routes",
    "web.sharing.alert_sharing_routes",
    "web.sharing.body_routes",
    "web.sharing.list_routes",
    "web.sharing.shared_api_routes",
    "web.sharing.shared_routes",
    "web.tips.report_routes",
    "web.tips.tip_alert_routes",
    "web.tips.tip_api_routes",
    "web.tips.tip_file_routes",
    "web.tips.tip_routes",
    "web.messages.inbox_routes",
    "web.messages.preference_routes",
    "web.messages.sent_routes",
    "web.review.night_routes",
    "web.auth.openid_routes",
    "web.package_routes",
    "web.protocol.well_known_routes",
    "web.review.weights_routes",
    "web.auth.user_routes",
    "web.uploads.photo_routes",
    "web.review.alert_routes",
    "web.auth.sign_in_routes",
    "web.maps.tile_routes",
    "web.tiles.tile_routes",
    "web.tiles.ogc_tile_routes",
    "web.review.picture_routes",
    "web.uploads.tus_routes",
)
"""Modules with a ``router``, included in this order: when two routes match an address, the first one wins."""

logger = structlog.get_logger("tuban.web")


@cache
def _routes() -> tuple[list[BaseRoute], list[BaseRoute]]:
    """Return the routes of all modules, and the same as included in an application.

    FastAPI analyses the parameters of an included router at its first request, which takes half a second for all: the
    applications of one process share the result.
    """
    routes, included = [], APIRouter()
    for module in ROUTES:
        router: APIRouter = import_module(module).router
        add_head(router.routes)
        routes += router.routes
        included.include_router(router, dependencies=[Depends(check_query_names)])
    return routes, included.routes


def make_app(context: Context) -> FastAPI:
    """Create the application.

    Raises:
        SettingsError: the front-end packages are not installed, or the path of ``public_url`` is one of the pages.
    """
    check_packages()
    app = FastAPI(title="Tuban", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.context = context
    routes, included = _routes()
    app.router.routes.extend(included)
    app.mount("/static", VersionedFiles(directory=STATIC), "static")
    prefix = context.settings.path_prefix
    check_prefix(prefix, [*routes, *app.routes])
    app.add_middleware(
        RequestGuard,
        routes=routes,
        settings=context.settings.web,
        on_error=_handle_early_error,
    )
    app.add_middleware(TusProtocol)
    wmts = urlsplit(context.settings.web.map.wmts_url)
    app.add_middleware(
        SecurityHeaders,
        images=f"{wmts.scheme}://{wmts.netloc}" if wmts.netloc else "",
        secure=context.settings.public_url.startswith("https"),
    )
    app.add_middleware(AllowedHosts, settings=context.settings, on_error=_handle_early_error)
    app.add_middleware(ApiVersion)
    if context.settings.web.cors_origins:
        app.add_middleware(CORSMiddleware, **cors_options(context.settings.web.cors_origins))
    app.add_middleware(Compression, **COMPRESSION)
    if prefix:
        app.add_middleware(PathPrefix, prefix=prefix)  # the last one added is the first one to handle a request
    app.add_exception_handler(HttpError, _handle_http_error)
    app.add_exception_handler(DatabaseError, _handle_database_error)
    app.add_exception_handler(TubanError, _handle_tuban_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_unmatched_route)
    app.add_exception_handler(Exception, _handle_unexpected_error)
    return app


async def _handle_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)
    if isinstance(error, NotSignedIn) and not is_api_client(request) and request.method == "GET":
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.headers.get("hx-request"):
            return Response(status_code=401, headers={"hx-redirect": "/sign-in"})
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"/sign-in?next={quote(target, safe='')}", 303)
    if isinstance(error, SharedOnly) and request.url.path in ("/", "/todo") and not is_api_client(request):
        return RedirectResponse("/shared", 303)  # where a sign-in goes
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
    if isinstance(error, InsufficientDiskSpace):
        logger.warning("intake refused: the disk is nearly full", path=request.url.path)
        return error_response(request, 507, error.reason)
    if isinstance(error, OutputError):
        logger.error("output could not be written", path=request.url.path, error=str(error))
        return error_response(request, 503, error.reason)
    return error_response(request, 422 if isinstance(error, SettingsError) else 409, error.reason)


async def _handle_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors()]
    message = "; ".join(f"{field}: {fault}" for field, fault in faults)
    places = {str(fault["loc"][0]) for fault in error.errors()}
    if "path" in places:  # the address of nothing: an id that is a word
        return error_response(request, 404, "error.404")
    unreadable = any(fault["type"] == "json_invalid" for fault in error.errors())
    standard = request.url.path.startswith("/api/stac/")  # requires 400
    status = 422 if "body" in places and not unreadable and not standard else 400
    return error_response(
        request, status, Reason(message, "form.values", names=", ".join(field for field, _ in faults))
    )


async def _handle_unmatched_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    keys = {404: "error.404", 405: "error.405"}
    response = error_response(request, error.status_code, keys.get(error.status_code, str(error.detail)))
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        response.headers["allow"] = ", ".join(allowed_methods(request))
    return response


async def _handle_unexpected_error(request: Request, error: Exception) -> Response:
    logger.error("request failed", path=request.url.path, exc_info=error)
    return error_response(request, 500, "error.500")
