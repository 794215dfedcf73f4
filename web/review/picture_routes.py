"""Pictures of alerts: tiles of the area around an alert on both dates, and its stored evidence."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from store.objects.object_store import ObjectNotFound
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.etags import content_tag, image_response, is_cached, not_modified
from web.http_errors import NotFound
from web.maps.tiles import MERCATOR, is_tile, overlap, tile_bounds, webp
from web.review.alert_pictures import alert_window, before_shift, read_alert_tile
from web.review.shown_pair import shown_pair

router = APIRouter(include_in_schema=False)

_DAY = "private, max-age=86400"
_IMMUTABLE = "private, max-age=31536000, immutable"
_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}

Which = Literal["before", "after"]


@router.get("/tiles/alerts/{number}/{which}/{z}/{x}/{y}")
def alert_tile(
    request: Request, context: Service, viewer: CurrentUser, number: str, which: Which, z: int, x: int, y: int
) -> Response:
    """Return a tile of an alert's earlier or later image, transparent outside of the alert's surroundings."""
    if not is_tile(z, x, y):
        raise NotFound
    bounds = tile_bounds(z, x, y)
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        pair = shown_pair(session, alert)
    scene = (pair.before if which == "before" else pair.after) if pair is not None else None
    if pair is None or scene is None:
        raise NotFound
    window = alert_window(alert)
    compared = pair.scan.id if pair.scan else 0
    tag = content_tag(scene.object_sha256, compared, which, *(round(side, 2) for side in window), z, x, y)
    if is_cached(request, tag):
        return not_modified(tag, _DAY)
    if not overlap(bounds, window):
        return image_response(webp(None), tag, _DAY)
    scan = pair.scan if which == "before" else None
    shift = before_shift(context, alert, scan, MERCATOR) if scan is not None else (0.0, 0.0)
    return image_response(webp(read_alert_tile(context, alert, scene, bounds, shift)), tag, _DAY)


@router.get("/alerts/{number}/evidence/{name}")
def evidence(
    request: Request, context: Service, viewer: CurrentUser, number: str, name: str, key: str | None = None
) -> Response:
    """Return a stored picture of an alert by its name in the alert's evidence.

    A later detection replaces the pictures. With ``key``, the picture's content tag (:func:`web.etags.content_tag`),
    the response never changes and is cached permanently; without it browsers revalidate.
    """
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
    stored = alert.evidence.get(name)
    if not isinstance(stored, str):
        raise NotFound
    media_type = _TYPES.get(stored.rpartition(".")[2].lower())
    tag = content_tag(stored)
    if media_type is None or (key is not None and key != tag):
        raise NotFound
    cache_control = _IMMUTABLE if key else "private, no-cache"
    if is_cached(request, tag):
        return not_modified(tag, cache_control)
    try:
        return image_response(context.objects.read(stored), tag, cache_control, media_type)
    except ObjectNotFound:
        raise NotFound from None
