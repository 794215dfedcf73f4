"""Scenes, areas, scans and nights for programs, each as far as it is the person's."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from shapely.geometry import mapping
from starlette.background import BackgroundTask

from store.access.rights import visible_areas
from store.objects.object_store import ObjectNotFound
from store.schema.tables import Scan, SceneRow
from store.search.image_search import SceneFilter, search_nights, search_scans, search_scenes
from web.addresses import next_page
from web.api.parameters import BeforeId, BoxText, Day, Id, Limit, Place, box_asked, day_asked
from web.api.schemas import (
    NOT_FOUND,
    UNAUTHORIZED,
    AreaAnswer,
    AreaList,
    Geometry,
    NightAnswer,
    NightList,
    ScanAnswer,
    ScanList,
    SceneAnswer,
    SceneList,
    SceneSummary,
)
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import scene_of
from web.http_errors import NotFound

router = APIRouter(prefix="/api", tags=["images"], responses=UNAUTHORIZED)


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
    """List scenes, the newest first."""
    asked = SceneFilter(place, source, day_asked("since", since), day_asked("until", until), box_asked(bbox))
    with context.database.read() as session:
        found, following = search_scenes(session, viewer, asked, limit=limit, before_id=before)
        scenes = [SceneSummary(**_facts(scene)) for scene in found]
    return SceneList(scenes=scenes, next=next_page(request, context, "before", following))


@router.get("/scenes/{scene_id}", responses=NOT_FOUND)
def one_scene(context: Service, viewer: CurrentUser, scene_id: Id) -> SceneAnswer:
    """Tell a scene with its footprint."""
    with context.database.read() as session:
        scene = scene_of(session, viewer, scene_id)
        return SceneAnswer(**_facts(scene), footprint=Geometry.model_validate(mapping(scene.outline)))


@router.get(
    "/scenes/{scene_id}/image.tif",
    response_class=FileResponse,
    responses=NOT_FOUND
    | {
        200: {"content": {"image/tiff": {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "The asked range of bytes."},
        416: {"description": "The file has no such range."},
    },
)
def scene_image(context: Service, viewer: CurrentUser, scene_id: Id) -> FileResponse:
    """Send the image as our cloud-optimised GeoTIFF; ranges can be asked for."""
    with context.database.read() as session:
        scene = scene_of(session, viewer, scene_id)
    held = ExitStack()
    try:
        path = held.enter_context(context.objects.local(scene.object_key))
    except ObjectNotFound:
        raise NotFound from None
    return FileResponse(
        path,
        media_type="image/tiff; application=geotiff; profile=cloud-optimized",
        filename=f"scene-{scene.id}.tif",
        background=BackgroundTask(held.close),
    )


@router.get("/areas", tags=["areas"])
def list_areas(context: Service, viewer: CurrentUser) -> AreaList:
    """List the person's areas by code, and those that these lie in."""
    with context.database.read() as session:
        found = visible_areas(session, viewer)
    return AreaList(
        areas=[
            AreaAnswer(
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
    """List scans, the newest first."""
    with context.database.read() as session:
        found, following = search_scans(
            session, viewer, place=place, state=state, night_id=night, limit=limit, before_id=before
        )
    return ScanList(scans=[_scan(scan) for scan in found], next=next_page(request, context, "before", following))


@router.get("/nights", tags=["scans"])
def list_nights(request: Request, context: Service, viewer: CurrentUser, limit: Limit = 30, before: Day = "") -> NightList:
    """List nights, the newest first, each with what it came to on the person's ground."""
    with context.database.read() as session:
        found, following = search_nights(session, viewer, limit=limit, before=day_asked("before", before))
    nights = [
        NightAnswer(
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
    return NightList(nights=nights, next=next_page(request, context, "before", following))


def _facts(scene: SceneRow) -> dict[str, Any]:
    names = ("id", "area_code", "name", "source", "date", "date_source", "gsd_m", "crs", "width", "height")
    told = {name: getattr(scene, name) for name in (*names, "valid_share", "sha256", "created_at")}
    return told | {"bbox": (scene.west, scene.south, scene.east, scene.north)}


def _scan(scan: Scan) -> ScanAnswer:
    return ScanAnswer.model_validate({name: getattr(scan, name) for name in ScanAnswer.model_fields})
