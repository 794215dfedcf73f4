"""Pictures of alerts: tiles of the ground around one on both dates, and its stored evidence."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from store.alerts.image_pairs import latest_pair
from store.objects.object_store import ObjectNotFound
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.etags import content_tag, image_response, is_cached, not_modified
from web.http_errors import NotFound
from web.maps.tiles import MERCATOR, is_tile, overlap, tile_bounds, webp
from web.review.alert_pictures import alert_window, before_shift, read_alert_tile

router = APIRouter(include_in_schema=False)

_DAY = "private, max-age=86400"
_FOREVER = "private, max-age=31536000, immutable"
_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}

Which = Literal["before", "after"]


@router.get("/tiles/alerts/{number}/{which}/{z}/{x}/{y}")
def alert_tile(
    request: Request, context: Service, person: CurrentUser, number: str, which: Which, z: int, x: int, y: int
) -> Response:
    """A tile of the earlier or later image of an alert: the ground around the alert, and transparent elsewhere."""
    if not is_tile(z, x, y):
        raise NotFound
    bounds = tile_bounds(z, x, y)
    with context.database.read() as session:
        alert = alert_of(session, person, number)
        pair = latest_pair(session, alert.id)
    if pair is None:
        raise NotFound
    scene = pair.before if which == "before" else pair.after
    window = alert_window(alert)
    tag = content_tag(scene.object_sha256, pair.scan.id, which, *(round(side, 2) for side in window), z, x, y)
    if is_cached(request, tag):
        return not_modified(tag, _DAY)
    if not overlap(bounds, window):
        return image_response(webp(None), tag, _DAY)
    shift = before_shift(context, alert, pair, MERCATOR) if which == "before" else (0.0, 0.0)
    return image_response(webp(read_alert_tile(context, alert, scene, bounds, shift)), tag, _DAY)


@router.get("/alerts/{number}/evidence/{name}")
def evidence(
    request: Request, context: Service, person: CurrentUser, number: str, name: str, key: str | None = None
) -> Response:
    """A stored picture of an alert, by the name it has in the alert.

    The alert's next sight brings other pictures under the same name. With ``key``, the mark of the very picture
    (:func:`web.etags.content_tag`), the answer never changes and is kept for ever; without, browsers ask whether it is new.
    """
    with context.database.read() as session:
        alert = alert_of(session, person, number)
    stored = alert.evidence.get(name)
    if not isinstance(stored, str):
        raise NotFound
    kind = _TYPES.get(stored.rpartition(".")[2].lower())
    tag = content_tag(stored)
    if kind is None or (key is not None and key != tag):
        raise NotFound
    kept = _FOREVER if key else "private, no-cache"
    if is_cached(request, tag):
        return not_modified(tag, kept)
    try:
        return image_response(context.objects.read(stored), tag, kept, kind)
    except ObjectNotFound:
        raise NotFound from None
