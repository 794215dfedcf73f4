"""Raster tiles of Web Mercator: WMTS 1.0.0 (RESTful) and TileJSON 3.0.0, of each scene and of the latest images."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from errors import Reason
from service.context import Context
from store.access.rights import Viewer, may_see, visible_region
from store.schema.tables import SceneRow
from store.search.image_search import SceneFilter, extent_of_scenes, search_scenes
from web.addresses import base_of
from web.api.schemas import COMMON_ERRORS, NOT_FOUND
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import scene_of
from web.etags import content_tag, is_cached, not_modified
from web.http_errors import HttpError, NotFound
from web.maps.tiles import MAX_ZOOM, is_tile, tile_bounds
from web.row_ids import Id
from web.tiles.capabilities import LATEST, wmts_capabilities
from web.tiles.tile_pictures import MEDIA_TYPES, Suffix, compose, encode, scenes_of_tile

router = APIRouter(prefix="/api/tiles", tags=["tiles"], responses=COMMON_ERRORS)

_REVALIDATED = "private, no-cache"
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type: {} for media_type in MEDIA_TYPES.values()}},
    304: {"description": "The client has it already (`If-None-Match`)."},
}
_MOST_LAYERS = 500

Zoom = Annotated[int, Path(ge=0, le=MAX_ZOOM)]
Number = Annotated[int, Path(ge=0, lt=2**MAX_ZOOM)]
Day = Annotated[str, Path(pattern=rf"^({LATEST}|\d{{4}}-\d{{2}}-\d{{2}})$", description="A day, or `latest`.")]


@router.get("/wmts", response_class=Response, responses={200: {"content": {"application/xml": {}}}})
def wmts(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    service: Annotated[str, Query(max_length=10)] = "WMTS",
    operation: Annotated[str, Query(alias="request", max_length=30)] = "GetCapabilities",
    version: Annotated[str, Query(max_length=10)] = "1.0.0",
    service_upper: Annotated[str, Query(alias="SERVICE", max_length=10)] = "",
    operation_upper: Annotated[str, Query(alias="REQUEST", max_length=30)] = "",
    version_upper: Annotated[str, Query(alias="VERSION", max_length=10)] = "",
) -> Response:
    """Return the WMTS capabilities: one layer with the latest image of each place, and one for each scene.

    In QGIS: Layer, Add WMS/WMTS Layer, `/api/tiles/1.0.0/WMTSCapabilities.xml`, authentication "Basic" with an API
    key as the password.
    """
    asked = (operation_upper or operation).lower()
    # QGIS asks every address that does not end in WMTSCapabilities.xml for a WMS
    if (service_upper or service).lower() not in ("wmts", "wms") or asked != "getcapabilities":
        message = f"{asked[:30]} is not available; only the capabilities, which name the addresses of tiles."
        raise HttpError(Reason(message, "query.wmts", value=asked[:30]))
    return _capabilities(request, context, viewer)


@router.get(
    "/1.0.0/WMTSCapabilities.xml", response_class=Response, responses={200: {"content": {"application/xml": {}}}}
)
def wmts_capabilities_file(request: Request, context: Service, viewer: CurrentUser) -> Response:
    """Return the WMTS capabilities at the RESTful address of the standard."""
    return _capabilities(request, context, viewer)


def _capabilities(request: Request, context: Context, viewer: Viewer) -> Response:
    with context.database.read() as session:
        scenes, _ = search_scenes(session, viewer, SceneFilter(), limit=_MOST_LAYERS)
        extent = extent_of_scenes(session, viewer)
        days = sorted({scene.date for scene in scenes if scene.date is not None}, reverse=True)
    content = wmts_capabilities(f"{base_of(request, context)}/api/tiles", scenes, extent.bbox, days)
    return Response(content, media_type="application/xml", headers={"cache-control": _REVALIDATED})


@router.get("/scenes/{scene_id}/tile.json", responses=NOT_FOUND)
def scene_tile_json(request: Request, context: Service, viewer: CurrentUser, scene_id: Id) -> JSONResponse:
    """Describe the tiles of a scene (TileJSON)."""
    with context.database.read() as session:
        scene = scene_of(session, viewer, scene_id)
    address = f"{base_of(request, context)}/api/tiles/scenes/{scene.id}"
    return JSONResponse(_tile_json(scene.name, address, (scene.west, scene.south, scene.east, scene.north)))


@router.get("/latest/{day}/tile.json", responses=NOT_FOUND)
def latest_tile_json(request: Request, context: Service, viewer: CurrentUser, day: Day) -> JSONResponse:
    """Describe the tiles of the latest images up to a day (TileJSON)."""
    _until(day)
    with context.database.read() as session:
        extent = extent_of_scenes(session, viewer)
    address = f"{base_of(request, context)}/api/tiles/latest/{day}"
    return JSONResponse(_tile_json(f"latest ({day})", address, extent.bbox or (-180.0, -85.0, 180.0, 85.0)))


@router.get("/scenes/{scene_id}/{z}/{x}/{y}.{suffix}", response_class=Response, responses=NOT_FOUND | _PICTURE)
def scene_tile(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    scene_id: Id,
    z: Zoom,
    x: Number,
    y: Number,
    suffix: Suffix,
) -> Response:
    """Return a tile of a scene; transparent where the scene has no data, or where the user may not see it."""
    with context.database.read() as session:
        scene = scene_of(session, viewer, scene_id)
        regions = {} if may_see(viewer, scene.area_code) else {scene.id: visible_region(session, viewer)}
    return _tile(request, context, viewer, [scene], regions, (z, x, y), suffix)


@router.get("/latest/{day}/{z}/{x}/{y}.{suffix}", response_class=Response, responses=NOT_FOUND | _PICTURE)
def latest_tile(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    day: Day,
    z: Zoom,
    x: Number,
    y: Number,
    suffix: Suffix,
) -> Response:
    """Return a tile of the latest image of each place, up to a day; of two days, the state before and after."""
    if not is_tile(z, x, y):
        raise NotFound
    with context.database.read() as session:
        scenes, regions = scenes_of_tile(session, viewer, tile_bounds(z, x, y), _until(day))
    return _tile(request, context, viewer, scenes, regions, (z, x, y), suffix)


def _tile(
    request: Request,
    context: Context,
    viewer: Viewer,
    scenes: list[SceneRow],
    regions: dict[int, Any],
    place: tuple[int, int, int],
    suffix: Literal["png", "webp", "jpg"],
) -> Response:
    if not is_tile(*place):
        raise NotFound
    tag = content_tag(*(scene.object_sha256 for scene in scenes), *place, suffix, viewer.code if regions else "")
    if is_cached(request, tag):
        return not_modified(tag, _REVALIDATED)
    picture = compose(context, scenes, regions, tile_bounds(*place))
    headers = {"etag": f'"{tag}"', "cache-control": _REVALIDATED}
    return Response(encode(picture, suffix), media_type=MEDIA_TYPES[suffix], headers=headers)


def _until(day: str) -> dt.date | None:
    if day == LATEST:
        return None
    try:
        return dt.date.fromisoformat(day)
    except ValueError:
        raise NotFound from None


def _tile_json(name: str, address: str, bounds: tuple[float, float, float, float]) -> dict[str, Any]:
    return {
        "tilejson": "3.0.0",
        "name": name,
        "scheme": "xyz",
        "tiles": [f"{address}/{{z}}/{{x}}/{{y}}.webp"],
        "bounds": list(bounds),
        "minzoom": 0,
        "maxzoom": MAX_ZOOM,
    }
