"""What the latest two images show at a place, with a scan of just that place on request."""

from __future__ import annotations

from typing import Annotated, Literal

import shapely
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from enforcement.map_apps.links import navigation_links
from inference.settings import read_config
from service.place_scan import HALF_M, request_place_scan
from store.access.rights import Viewer
from store.chain_settings import read_chain_values
from store.objects.object_store import ObjectNotFound
from store.scans.place_pairs import PlacePair, latest_pair_at, place_scan, place_window
from store.schema.database import Session
from store.schema.tables import Scan
from store.tips.tip_search import alerts_near, may_see_place
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.etags import content_tag, image_response, is_cached, not_modified
from web.http_errors import InvalidInput, NotFound
from web.maps.tiles import MERCATOR, mercator, read_box, webp
from web.page import page

router = APIRouter(include_in_schema=False)

Lon = Annotated[float, Query(ge=-180, le=180)]
Lat = Annotated[float, Query(ge=-85, le=85)]

SIDE_PX = 480
_DAY = "private, max-age=86400"


@router.get("/places/pair")
def place_pair(request: Request, context: Service, viewer: CurrentUser, lon: Lon, lat: Lat) -> HTMLResponse:
    """Render both pictures of a place, with the state of its scan."""
    with context.database.read() as session:
        pair = _pair(session, viewer, lon, lat)
        scan = place_scan(session, pair.before.id, pair.after.id, lon, lat) if pair and pair.before else None
        return _pair_page(request, session, viewer, pair, scan, lon, lat)


@router.post("/places/scan")
def scan_place(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    lon: Annotated[float, Form()],
    lat: Annotated[float, Form()],
) -> HTMLResponse:
    """Request a scan of just this place; the fragment shows its state until it is done."""
    if not (-180 <= lon <= 180 and -85 <= lat <= 85):
        raise InvalidInput("tips.no_position")
    with context.database.write() as session:
        pair = _pair(session, viewer, lon, lat)
        if pair is None or pair.before is None:
            raise InvalidInput("tips.one_image")
        scan = request_place_scan(session, pair, lon, lat, context.clock())
        detail = {"lon": round(lon, 6), "lat": round(lat, 6), "scan": scan.id if scan else None}
        log_action(request, session, viewer, "scanned_place", about=f"{lon:.6f},{lat:.6f}", detail=detail)
        return _pair_page(request, session, viewer, pair, scan, lon, lat)


@router.get("/places/picture")
def place_picture(
    request: Request, context: Service, viewer: CurrentUser, lon: Lon, lat: Lat, which: Literal["before", "after"]
) -> Response:
    """Return the picture of a place on one of the two latest images, a square of 300 m."""
    with context.database.read() as session:
        pair = _pair(session, viewer, lon, lat)
    scene = (pair.before if which == "before" else pair.after) if pair is not None else None
    if scene is None:
        raise NotFound
    tag = content_tag(scene.object_sha256, f"{lon:.6f}", f"{lat:.6f}", SIDE_PX)
    if is_cached(request, tag):
        return not_modified(tag, _DAY)
    west, south, east, north = place_window(lon, lat, HALF_M)
    bounds = (*mercator(west, south), *mercator(east, north))
    try:
        picture = read_box(context, scene, bounds, MERCATOR, (SIDE_PX, SIDE_PX))
    except ObjectNotFound:
        raise NotFound from None
    return image_response(webp(picture), tag, _DAY)


@router.get("/places/navigation")
def navigation(
    request: Request, context: Service, viewer: CurrentUser, lon: Lon, lat: Lat, name: str = ""
) -> HTMLResponse:
    """Render the links of map apps to a place."""
    return page(request, "navigation_links.html", links=navigation_links(lon, lat, name[:60] or "图斑"))


def _pair(session: Session, viewer: Viewer, lon: float, lat: float) -> PlacePair | None:
    """Return the two latest images of a place.

    Raises:
        NotFound: the place lies outside of the user's area.
    """
    if not may_see_place(session, viewer, lon, lat):
        raise NotFound
    return latest_pair_at(session, shapely.box(*place_window(lon, lat, 5.0)), read_config().max_scale_ratio)


def _pair_page(
    request: Request,
    session: Session,
    viewer: Viewer,
    pair: PlacePair | None,
    scan: Scan | None,
    lon: float,
    lat: float,
) -> HTMLResponse:
    metres = read_chain_values(session).whole("tips.duplicate_m")
    near = (
        alerts_near(session, viewer, lon, lat, min(metres, HALF_M)) if scan is not None and scan.state == "done" else []
    )
    return page(
        request,
        "place_pair.html",
        pair=pair,
        scan=scan,
        lon=lon,
        lat=lat,
        near=near,
        running=scan is not None and scan.state in ("waiting", "scanning", "merging"),
        views_only=viewer.views_only,
        side_m=round(2 * HALF_M),
    )
