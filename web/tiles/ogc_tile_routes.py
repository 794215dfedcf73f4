"""OGC API - Tiles, Part 1 (OGC 20-057): vector tiles of alerts, and map tiles of the latest images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import shapely
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from shapely.geometry.base import BaseGeometry

from enforcement.units import mu
from store.search.alert_search import AlertOutline, alert_outlines
from store.search.image_search import extent_of_scenes
from web.addresses import base_of
from web.api.feature_routes import ItemFilter
from web.api.schemas import COMMON_ERRORS, NOT_FOUND
from web.api.tile_relations import TILING_SCHEME
from web.auth.authentication import CurrentUser, Service
from web.etags import content_tag, is_cached, not_modified
from web.http_errors import NotFound
from web.maps.tiles import MAX_ZOOM, degrees_of, is_tile, mercator_array, tile_bounds
from web.tiles.tile_pictures import MEDIA_TYPES, Suffix, compose, encode, scenes_of_tile
from web.tiles.tilesets import MATRIX_SET, MVT, matrix_set, tileset, tilesets
from web.tiles.vector_tile import Value, vector_tile

router = APIRouter(prefix="/api/ogc", tags=["OGC API - Tiles"], responses=COMMON_ERRORS)

MOST_ALERTS = 5000
"""Alerts of one vector tile; of more, the first ones in the filter's order are contained."""

_REVALIDATED = "private, no-cache"
_LATEST = "最新影像 Latest images"
_ALERTS = "图斑 Alerts"

Zoom = Annotated[int, Path(ge=0, le=MAX_ZOOM, description="Number of the tile matrix.")]
Number = Annotated[int, Path(ge=0, lt=2**MAX_ZOOM)]


@router.get("/tileMatrixSets")
def tile_matrix_sets(request: Request, context: Service, viewer: CurrentUser) -> JSONResponse:
    """List the tile matrix sets."""
    here = f"{base_of(request, context)}/api/ogc/tileMatrixSets/{MATRIX_SET}"
    entry = {"id": MATRIX_SET, "links": [{"rel": TILING_SCHEME, "type": "application/json", "href": here}]}
    return JSONResponse({"tileMatrixSets": [entry]})


@router.get("/tileMatrixSets/{tile_matrix_set}", responses=NOT_FOUND)
def tile_matrix_set(viewer: CurrentUser, tile_matrix_set: str) -> JSONResponse:
    """Describe a tile matrix set."""
    _check_set(tile_matrix_set)
    return JSONResponse(matrix_set())


@router.get("/map/tiles")
def map_tilesets(request: Request, context: Service, viewer: CurrentUser) -> JSONResponse:
    """List the tilesets of the latest images."""
    here = f"{base_of(request, context)}/api/ogc"
    return JSONResponse(tilesets(f"{here}/map/tiles", here, _LATEST, "map"))


@router.get("/map/tiles/{tile_matrix_set}", responses=NOT_FOUND)
def map_tileset(request: Request, context: Service, viewer: CurrentUser, tile_matrix_set: str) -> JSONResponse:
    """Describe the tiles of the latest images, with the templates of their addresses."""
    _check_set(tile_matrix_set)
    here = f"{base_of(request, context)}/api/ogc"
    with context.database.read() as session:
        box = extent_of_scenes(session, viewer).bbox
    types = {media_type: suffix for suffix, media_type in MEDIA_TYPES.items()}
    return JSONResponse(tileset(f"{here}/map/tiles", here, _LATEST, types, box))


@router.get(
    "/map/tiles/{tile_matrix_set}/{z}/{y}/{x}",
    response_class=Response,
    responses=NOT_FOUND | {200: {"content": {media_type: {} for media_type in MEDIA_TYPES.values()}}},
)
def map_tile(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    tile_matrix_set: str,
    z: Zoom,
    y: Number,
    x: Number,
    f: Annotated[Suffix | None, Query(description="Format; default: by Accept, else png.")] = None,
) -> Response:
    """Return a tile of the latest image of each place: matrix, row, column."""
    _check_set(tile_matrix_set)
    if not is_tile(z, x, y):
        raise NotFound
    suffix = f or _accepted(request)
    with context.database.read() as session:
        scenes, regions = scenes_of_tile(session, viewer, tile_bounds(z, x, y), None)
    tag = content_tag(*(scene.object_sha256 for scene in scenes), z, x, y, suffix, viewer.code if regions else "")
    if is_cached(request, tag):
        return not_modified(tag, _REVALIDATED)
    picture = compose(context, scenes, regions, tile_bounds(z, x, y))
    headers = {"etag": f'"{tag}"', "cache-control": _REVALIDATED, "vary": "accept"}
    return Response(encode(picture, suffix), media_type=MEDIA_TYPES[suffix], headers=headers)


@router.get("/collections/alerts/tiles")
def alert_tilesets(request: Request, context: Service, viewer: CurrentUser) -> JSONResponse:
    """List the vector tilesets of the alerts."""
    here = f"{base_of(request, context)}/api/ogc"
    return JSONResponse(tilesets(f"{here}/collections/alerts/tiles", here, _ALERTS, "vector"))


@router.get("/collections/alerts/tiles/{tile_matrix_set}", responses=NOT_FOUND)
def alert_tileset(request: Request, context: Service, viewer: CurrentUser, tile_matrix_set: str) -> JSONResponse:
    """Describe the vector tiles of the alerts, with the template of their addresses."""
    _check_set(tile_matrix_set)
    here = f"{base_of(request, context)}/api/ogc"
    found = tileset(f"{here}/collections/alerts/tiles", here, _ALERTS, {MVT: "mvt"}, None)
    layer = {"id": "alerts", "dataType": "vector", "geometryDimension": 2}
    return JSONResponse(found | {"layers": [layer]})


@router.get(
    "/collections/alerts/tiles/{tile_matrix_set}/{z}/{y}/{x}",
    response_class=Response,
    responses=NOT_FOUND | {200: {"content": {MVT: {}}}, 204: {"description": "No alert is there."}},
)
def alert_tile(
    context: Service,
    viewer: CurrentUser,
    tile_matrix_set: str,
    z: Zoom,
    y: Number,
    x: Number,
    alert_filter: ItemFilter,
    f: Annotated[Literal["mvt"], Query(description="Format.")] = "mvt",
) -> Response:
    """Return a vector tile of alerts: matrix, row, column. The filter is that of the collection's items."""
    _check_set(tile_matrix_set)
    if not is_tile(z, x, y):
        raise NotFound
    bounds = tile_bounds(z, x, y)
    with context.database.read() as session:
        found = alert_outlines(session, viewer, alert_filter, degrees_of(bounds), MOST_ALERTS)
    content = vector_tile("alerts", _features(found), bounds)
    headers = {"cache-control": _REVALIDATED}
    return Response(content, 200 if content else 204, headers, media_type=MVT if content else None)


def _features(alerts: list[AlertOutline]) -> Iterator[tuple[BaseGeometry, Mapping[str, Value]]]:
    for alert in alerts:
        properties: dict[str, Value] = {
            "number": alert.number,
            "kind": alert.kind,
            "type": alert.change_type,
            "state": alert.state,
            "score": round(alert.score, 4),
            "area_m2": round(alert.area_m2, 2),
            "area_mu": round(mu(alert.area_m2), 4),
            "legal_weight": alert.legal_weight,
            "over_cap": alert.over_cap,
        }
        yield shapely.transform(shapely.force_2d(alert.outline), mercator_array), properties


def _accepted(request: Request) -> Suffix:
    """Return the first format that ``Accept`` names; PNG if it names none."""
    accept = request.headers.get("accept", "")
    named = {suffix: accept.find(media_type) for suffix, media_type in MEDIA_TYPES.items()}
    known = [suffix for suffix, position in named.items() if position >= 0]
    return min(known, key=lambda suffix: named[suffix]) if known else "png"


def _check_set(name: str) -> None:
    if name != MATRIX_SET:
        raise NotFound
