"""Every image of an alert's place: list with the area of each day, tiles and small pictures around the alert.

Who may see the alert may see these images, but only the alert's surroundings.
"""

from __future__ import annotations

import io
import math
from typing import Any
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from PIL import Image, ImageDraw

from configs.texts import text
from enforcement.units import mu
from service.context import Context
from store.access.rights import Viewer
from store.alerts.image_pairs import latest_pair
from store.evidence.alert_images import PlaceImage, images_of_place, registration_scan
from store.evidence.place_history import PlaceHistory, WatchedFinding, area_on, place_history
from store.objects.object_store import ObjectNotFound
from store.schema.database import Session
from store.schema.tables import AlertRow, Scan, SceneRow
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.etags import content_tag, image_response, is_cached, not_modified
from web.http_errors import NotFound
from web.maps.tiles import MERCATOR, is_tile, mercator, overlap, tile_bounds, webp
from web.page import language_of
from web.review.alert_pictures import alert_window, read_alert_tile, read_picture
from web.review.registration_cache import shift_at
from web.row_ids import Id

router = APIRouter(include_in_schema=False)

_DAY = "private, max-age=86400"
_PICTURE_PX = 320
_PICTURE_SHARE = 0.6


@router.get("/alerts/{number}/images")
def place_images(request: Request, context: Service, viewer: CurrentUser, number: str) -> JSONResponse:
    """Return every image of the place, oldest first, the area of each compared day, and findings of a correction."""
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        history = place_history(session, alert, context.settings.zone)
    language, root = language_of(request), context.settings.path_prefix
    return JSONResponse(
        {
            "images": [image_data(image, root, number, language, history) for image in history.images],
            "areas": [
                {
                    "day": one.day.isoformat(),
                    "mu": round(mu(one.area_m2), 2),
                    "area_m2": round(one.area_m2, 1),
                    "gone": one.gone,
                }
                for one in history.areas
            ],
            "findings": [finding_data(found, root, number, language) for found in history.findings],
        }
    )


def image_data(
    image: PlaceImage, root: str, number: str, language: str, history: PlaceHistory | None = None
) -> dict[str, Any]:
    """Return an image as the page shows it; with a history also the area of its day."""
    base = f"{root}/alerts/{quote(number, safe='')}/images/{image.scene_id}"
    shown = area_on(history.areas, image.date) if history is not None and image.date is not None else None
    return {
        "image": image.scene_id,
        "date": image.date.isoformat() if image.date else None,
        "source": text(f"review.source.{image.source}", language),
        "gsd_m": image.gsd_m,
        "name": image.name,
        "share": image.share,
        "tiles": f"{root}/tiles/alerts/{quote(number, safe='')}/images/{image.scene_id}",
        "picture": f"{base}/picture",
        "mu": None if shown is None else round(mu(shown.area_m2), 2),
        "gone": shown is not None and shown.gone,
    }


def finding_data(found: WatchedFinding, root: str, number: str, language: str) -> dict[str, Any]:
    """Return what a later image says about the correction, with its picture."""
    finding = found.finding
    picture = f"{root}/alerts/{quote(number, safe='')}/images/{found.scene_id}/picture" if found.scene_id else None
    return {
        "day": finding.day.isoformat(),
        "finding": finding.finding,
        "words": text(
            f"evidence.found_{finding.finding}",
            language,
            day=finding.day.isoformat(),
            before=f"{mu(finding.before_m2):.2f}",
            after=f"{mu(finding.area_m2):.2f}",
        ),
        "picture": picture,
    }


@router.get("/tiles/alerts/{number}/images/{scene_id}/{z}/{x}/{y}")
def place_tile(
    request: Request, context: Service, viewer: CurrentUser, number: str, scene_id: Id, z: int, x: int, y: int
) -> Response:
    """Return a tile of one image of the place, transparent outside of the alert's surroundings."""
    if not is_tile(z, x, y):
        raise NotFound
    alert, scene, scan = _scene(context, viewer, number, scene_id)
    bounds, window = tile_bounds(z, x, y), alert_window(alert)
    sides = (round(side, 2) for side in window)
    tag = content_tag(scene.object_sha256, scan.id if scan else "", "place", *sides, z, x, y)
    if is_cached(request, tag):
        return not_modified(tag, _DAY)
    if not overlap(bounds, window):
        return image_response(webp(None), tag, _DAY)
    try:
        picture = read_alert_tile(context, alert, scene, bounds, _shift(context, alert, scan))
    except ObjectNotFound:
        raise NotFound from None
    return image_response(webp(picture), tag, _DAY)


@router.get("/alerts/{number}/images/{scene_id}/picture")
def place_picture(request: Request, context: Service, viewer: CurrentUser, number: str, scene_id: Id) -> Response:
    """Return a small picture of the place on one image, with the outline."""
    alert, scene, scan = _scene(context, viewer, number, scene_id)
    window = alert_window(alert)
    outline = content_tag(alert.outline.wkb_hex)
    tag = content_tag(scene.object_sha256, scan.id if scan else "", outline, "place picture")
    if is_cached(request, tag):
        return not_modified(tag, _DAY)
    west, south, east, north = window
    # closer than the window, whose side is three times that of the alert and at least 150 m
    side = max(east - west, north - south) * _PICTURE_SHARE
    x, y = (west + east) / 2, (south + north) / 2
    dx, dy = _shift(context, alert, scan)
    bounds = x - side / 2, y - side / 2, x + side / 2, y + side / 2
    shifted = bounds[0] + dx, bounds[1] + dy, bounds[2] + dx, bounds[3] + dy
    try:
        pixels = read_picture(context, scene, shifted, MERCATOR, _PICTURE_PX)
    except ObjectNotFound:
        raise NotFound from None
    buffer = io.BytesIO()
    _with_outline(pixels, alert, bounds).save(buffer, "JPEG", quality=82)
    return image_response(buffer.getvalue(), tag, _DAY, "image/jpeg")


def _with_outline(pixels: Any, alert: AlertRow, bounds: tuple[float, float, float, float]) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    draw, scale = ImageDraw.Draw(image), _PICTURE_PX / (bounds[2] - bounds[0])
    for part in getattr(alert.outline, "geoms", [alert.outline]):
        for ring in (part.exterior, *part.interiors):
            line = [mercator(lon, lat) for lon, lat, *_ in ring.coords]
            points = [((px - bounds[0]) * scale, (bounds[3] - py) * scale) for px, py in line]
            if all(math.isfinite(value) for point in points for value in point):
                draw.line(points, fill=(255, 64, 32), width=2)
    return image


def _scene(context: Context, viewer: Viewer, number: str, scene_id: int) -> tuple[AlertRow, SceneRow, Scan | None]:
    """Return the alert, one of the images of its place, and the scan that registered it to the alert's later image."""
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        if all(image.scene_id != scene_id for image in images_of_place(session, alert)):
            raise NotFound
        return alert, session.get_one(SceneRow, scene_id), _registration(session, alert, scene_id)


def _registration(session: Session, alert: AlertRow, scene_id: int) -> Scan | None:
    pair = latest_pair(session, alert.id)
    if pair is None or scene_id == pair.after.id:
        return None
    return pair.scan if scene_id == pair.before.id else registration_scan(session, scene_id, pair.after.id)


def _shift(context: Context, alert: AlertRow, scan: Scan | None) -> tuple[float, float]:
    if scan is None:
        return 0.0, 0.0
    centre = (alert.west + alert.east) / 2, (alert.south + alert.north) / 2
    return shift_at(context, scan, centre, MERCATOR)
