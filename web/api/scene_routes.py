"""API routes of scenes, areas, scans and nights, limited to what the user may see."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from store.access.rights import visible_areas
from store.objects.object_store import ObjectNotFound
from store.schema.tables import Scan, SceneRow
from store.search.image_search import SceneFilter, search_nights, search_scans, search_scenes
from web.addresses import next_page
from web.api.geojson import geojson_geometry
from web.api.parameters import BoxText, Day, Limit, Place, parse_day_parameter, parse_optional_bbox
from web.api.schemas import (
    COMMON_ERRORS,
    NOT_FOUND,
    AreaList,
    AreaSummary,
    Geometry,
    NightList,
    NightSummary,
    ScanList,
    ScanSummary,
    SceneDetail,
    SceneList,
    SceneSummary,
)
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import scene_of, whole_scene_of
from web.etags import content_tag, is_cached, not_modified
from web.http_errors import NotFound
from web.row_ids import BeforeId, Id

router = APIRouter(prefix="/api", tags=["images"], responses=COMMON_ERRORS)

_REVALIDATED = "private, no-cache"


@router.get("/scenes")
def list_scenes(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    place: Place = "",
    source: Literal["", "drone", "satellite", "camera"] = "",
    since: Day = "",
    until: Day = "",
    bbox: BoxText = "",
    limit: Limit = 50,
    before: BeforeId = None,
) -> SceneList:
    """List scenes, newest first."""
    first, last = parse_day_parameter("since", since), parse_day_parameter("until", until)
    scene_filter = SceneFilter(place, source, first, last, parse_optional_bbox(bbox))
    with context.database.read() as session:
        found, next_id = search_scenes(session, viewer, scene_filter, limit=limit, before_id=before)
        scenes = [SceneSummary(**_scene_values(scene)) for scene in found]
    return SceneList(scenes=scenes, next=next_page(request, context, "before", next_id))


@router.get("/scenes/{scene_id}", responses=NOT_FOUND)
def one_scene(context: Service, viewer: CurrentUser, scene_id: Id) -> SceneDetail:
    """Return a scene with its footprint."""
    with context.database.read() as session:
        scene = scene_of(session, viewer, scene_id)
        return SceneDetail(**_scene_values(scene), footprint=Geometry.model_validate(geojson_geometry(scene.outline)))


@router.get(
    "/scenes/{scene_id}/image.tif",
    response_class=FileResponse,
    responses=NOT_FOUND
    | {
        200: {"content": {"image/tiff": {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "The client has it already (`If-None-Match`)."},
        206: {"description": "The requested byte range."},
        416: {"description": "The byte range is outside of the file."},
    },
)
def scene_image(request: Request, context: Service, viewer: CurrentUser, scene_id: Id) -> Response:
    """Return the image as a cloud-optimized GeoTIFF; byte ranges are supported."""
    with context.database.read() as session:
        scene = whole_scene_of(session, viewer, scene_id)
    tag = content_tag(scene.object_sha256)
    if is_cached(request, tag):
        return not_modified(tag, _REVALIDATED)
    local_copy = ExitStack()
    try:
        path = local_copy.enter_context(context.objects.local(scene.object_key))
    except ObjectNotFound:
        raise NotFound from None
    return FileResponse(
        path,
        media_type="image/tiff; application=geotiff; profile=cloud-optimized",
        filename=f"scene-{scene.id}.tif",
        headers={"etag": f'"{tag}"', "cache-control": _REVALIDATED},
        background=BackgroundTask(local_copy.close),
    )


@router.get("/areas", tags=["areas"])
def list_areas(context: Service, viewer: CurrentUser) -> AreaList:
    """List the user's areas by code, and the areas that contain these."""
    with context.database.read() as session:
        found = visible_areas(session, viewer)
    return AreaList(
        areas=[
            AreaSummary(
                code=area.code, name=area.name, level=area.level, bbox=(area.west, area.south, area.east, area.north)
            )
            for area in found
        ]
    )


@router.get("/scans", tags=["scans"])
def list_scans(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    place: Place = "",
    state: Literal["", "waiting", "scanning", "merging", "done", "not_comparable", "failed"] = "",
    night: Annotated[int | None, Query(description="Id of a night.", ge=1, le=2**53)] = None,
    limit: Limit = 50,
    before: BeforeId = None,
) -> ScanList:
    """List scans, newest first."""
    with context.database.read() as session:
        found, next_id = search_scans(
            session, viewer, place=place, state=state, night_id=night, limit=limit, before_id=before
        )
    return ScanList(scans=[_scan(scan) for scan in found], next=next_page(request, context, "before", next_id))


@router.get("/nights", tags=["scans"])
def list_nights(
    request: Request, context: Service, viewer: CurrentUser, limit: Limit = 30, before: Day = ""
) -> NightList:
    """List nights, newest first, each with its results in the user's area."""
    with context.database.read() as session:
        found, next_day = search_nights(session, viewer, limit=limit, before=parse_day_parameter("before", before))
    nights = [
        NightSummary(
            id=seen.night.id,
            day=seen.night.day,
            state=seen.night.state,
            begun_at=seen.night.begun_at,
            finished_at=seen.night.finished_at,
            scans=seen.scans,
            changes=seen.changes,
            uncompared_m2=round(seen.uncompared_m2, 2),
        )
        for seen in found
    ]
    return NightList(nights=nights, next=next_page(request, context, "before", next_day))


def _scene_values(scene: SceneRow) -> dict[str, Any]:
    names = ("id", "area_code", "name", "source", "date", "date_source", "gsd_m", "crs", "width", "height")
    values = {name: getattr(scene, name) for name in (*names, "valid_share", "sha256", "created_at")}
    return values | {"bbox": (scene.west, scene.south, scene.east, scene.north)}


def _scan(scan: Scan) -> ScanSummary:
    return ScanSummary.model_validate({name: getattr(scan, name) for name in ScanSummary.model_fields})
