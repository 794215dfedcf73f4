"""Tiles and previews of scenes."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from store.access.rights import may_see, visible_region
from store.objects.object_store import ObjectNotFound
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import scene_of, whole_scene_of
from web.etags import content_tag, image_response, is_cached, not_modified
from web.http_errors import NotFound
from web.maps.region_mask import clip_to_region
from web.maps.tiles import is_tile, read_preview, read_tile, tile_bounds, webp
from web.row_ids import Id

router = APIRouter(include_in_schema=False)

_DAY = "private, max-age=86400"
_PREVIEW_PX = 512


@router.get("/tiles/scenes/{scene_id}/{z}/{x}/{y}")
def scene_tile(
    request: Request, context: Service, viewer: CurrentUser, scene_id: Id, z: int, x: int, y: int
) -> Response:
    """Return a Web Mercator tile of a scene, 256 × 256 pixels, transparent where the scene has no data.

    Of a scene that belongs to a larger area than the user's, only the user's area is shown.
    """
    if not is_tile(z, x, y):
        raise NotFound
    with context.database.read() as session:
        scene = scene_of(session, viewer, scene_id)
        region = None if may_see(viewer, scene.area_code) else visible_region(session, viewer)
    tag = content_tag(scene.object_sha256, z, x, y, *([viewer.code] if region is not None else []))
    if is_cached(request, tag):
        return not_modified(tag, _DAY)
    bounds = tile_bounds(z, x, y)
    try:
        picture = read_tile(context, scene, bounds)
    except ObjectNotFound:
        raise NotFound from None
    return image_response(webp(picture if region is None else clip_to_region(picture, bounds, region)), tag, _DAY)


@router.get("/scenes/{scene_id}/preview")
def preview(request: Request, context: Service, viewer: CurrentUser, scene_id: Id) -> Response:
    """Return a small image of the complete scene, on its own grid."""
    with context.database.read() as session:
        scene = whole_scene_of(session, viewer, scene_id)
    tag = content_tag(scene.object_sha256, "preview")
    if is_cached(request, tag):
        return not_modified(tag, _DAY)
    try:
        return image_response(webp(read_preview(context, scene, _PREVIEW_PX)), tag, _DAY)
    except ObjectNotFound:
        raise NotFound from None
