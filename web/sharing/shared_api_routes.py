"""What was shared with a receiving body as OGC API - Features; suppliers have the collection ``places`` only."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from shapely import force_2d
from shapely.geometry import box, mapping
from shapely.geometry.base import BaseGeometry

from enforcement.evidence.sheet_texts import SheetTexts
from enforcement.sharing.fields import shown_outline, shown_values
from store.schema.chain.sharing_tables import BodyRow
from store.schema.tables import AlertRow
from store.search.alert_filter import touches
from store.sharing.bodies import SUPPLIER
from store.sharing.service_stops import stops_for, supplier_values
from store.views.shared_alerts import SharedAlert, shared_alerts
from web.addresses import base_of, next_page
from web.api.coordinate_systems import CRS84
from web.api.feature_routes import CONFORMS, Collection, Collections, Conformance, LandingPage
from web.api.links import GEOJSON, GeoJSON, Link, link, links_of_items
from web.api.ogc_parameters import BBox, ItemLimit, parse_lenient_bbox
from web.api.parameters import Number
from web.api.schemas import COMMON_ERRORS, NOT_FOUND
from web.auth.authentication import CurrentUser, Service
from web.http_errors import HttpError, NotFound
from web.page import chosen_language
from web.sharing.partner_access import CurrentBody, log_read

router = APIRouter(prefix="/api/shared", tags=["sharing"], responses=COMMON_ERRORS | NOT_FOUND)

ALERTS, PLACES = "alerts", "places"
_TITLES = {ALERTS: "共享图斑 Shared alerts", PLACES: "停止供应场所 Places without supply"}


@router.get("", response_model_exclude_none=True)
def shared_landing_page(request: Request, context: Service, body: CurrentBody) -> LandingPage:
    """Return the landing page of what was shared with the key's receiving body."""
    base = base_of(request, context)
    here = f"{base}/api/shared"
    links = [
        link("self", here),
        link("conformance", f"{here}/conformance"),
        link("data", f"{here}/collections"),
        link("service-doc", f"{base}/shared", "text/html"),
    ]
    return LandingPage(title=body.name, description="图斑 Tuban", links=[Link(**one) for one in links])


@router.get("/conformance")
def shared_conformance(body: CurrentBody) -> Conformance:
    """Return the conformance classes."""
    return Conformance(conformsTo=[one for one in CONFORMS if one.endswith(("/core", "/geojson"))])


@router.get("/collections", response_model_exclude_none=True)
def shared_collections(request: Request, context: Service, body: CurrentBody) -> Collections:
    """List the one collection of the receiving body."""
    here = f"{base_of(request, context)}/api/shared/collections"
    return Collections(collections=[_collection(here, body)], links=[Link(**link("self", here))])


@router.get("/collections/{collection}", response_model_exclude_none=True)
def shared_collection(request: Request, context: Service, body: CurrentBody, collection: str) -> Collection:
    """Describe the collection."""
    if collection != _name(body):
        raise NotFound
    return _collection(f"{base_of(request, context)}/api/shared/collections", body)


@router.get("/collections/{collection}/items", response_class=GeoJSON, response_model=None)
def shared_items(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    body: CurrentBody,
    collection: str,
    bbox: BBox = "",
    limit: ItemLimit = 100,
    after: Annotated[str, Query(description="Cursor from the `next` link.", pattern="^[0-9G]{0,40}$")] = "",
) -> dict[str, Any]:
    """List what was shared with the receiving body, the latest share first; each request is logged."""
    if collection != _name(body):
        raise NotFound
    area = parse_lenient_bbox(bbox, CRS84)
    base, next_url = base_of(request, context), None
    with context.database.write() as session:
        if body.kind == SUPPLIER:
            window = None if area is None else box(*area)
            stops = [stop for stop in stops_for(session, body, context.today) if stop.number > after]
            if window is not None:
                stops = [stop for stop in stops if stop.outline.intersects(window)]
            if len(stops) > limit:
                stops = stops[:limit]
                next_url = next_page(request, context, "after", stops[-1].number)
            features = [_place(stop.outline, supplier_values(stop)) for stop in stops]
        else:
            if area is not None and "outline" not in body.fields:
                raise HttpError("sharing.no_places")
            within = [] if area is None else [touches(session, area)]
            before = int(after) if after.isdigit() and len(after) < 19 else None
            found = shared_alerts(session, body, *within, before_id=before, limit=limit + 1)
            if len(found) > limit:
                found = found[:limit]
                next_url = next_page(request, context, "after", str(found[-1].share.id))
            features = [_feature(one, body, request) for one in found]
        what = f"{collection} {request.url.query}".strip()
        log_read(request, session, body, viewer.login, "api", what, len(features))
    return {
        "type": "FeatureCollection",
        "features": features,
        "links": links_of_items(request, context, f"{base}/api/shared/collections/{collection}", next_url),
        "timeStamp": context.clock(),
        "numberReturned": len(features),
    }


@router.get("/collections/{collection}/items/{number}", response_class=GeoJSON, response_model=None)
def shared_item(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    body: CurrentBody,
    collection: str,
    number: Number,
    response: Response,
) -> dict[str, Any]:
    """Return one shared alert, or one place without supply."""
    if collection != _name(body):
        raise NotFound
    with context.database.write() as session:
        if body.kind == SUPPLIER:
            stops = [stop for stop in stops_for(session, body, context.today) if stop.number == number]
            features = [_place(stop.outline, supplier_values(stop)) for stop in stops]
        else:
            found = shared_alerts(session, body, AlertRow.number == number, limit=1)
            features = [_feature(one, body, request) for one in found]
        log_read(request, session, body, viewer.login, "api", f"{collection} {number}", len(features))
    if not features:
        raise NotFound
    here = f"{base_of(request, context)}/api/shared/collections/{collection}"
    return features[0] | {"links": [link("self", f"{here}/items/{number}", GEOJSON), link("collection", here)]}


def _name(body: BodyRow) -> str:
    return PLACES if body.kind == SUPPLIER else ALERTS


def _collection(here: str, body: BodyRow) -> Collection:
    name = _name(body)
    links = [link("self", f"{here}/{name}"), link("items", f"{here}/{name}/items", GEOJSON)]
    return Collection(
        id=name, title=_TITLES[name], description=body.name, crs=[CRS84], links=[Link(**one) for one in links]
    )


def _feature(one: SharedAlert, body: BodyRow, request: Request) -> dict[str, Any]:
    texts = SheetTexts(chosen_language(request, ""))
    values = shown_values(one.alert, one.determination, body.fields, texts)
    values |= {"shared_on": one.share.shared_at.date(), "letter": one.share.letter}
    outline = shown_outline(one.alert, body.fields)
    return _place(outline, dict(values), one.alert.number)


def _place(outline: BaseGeometry | None, values: dict[str, Any], number: str = "") -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": number or values["number"],
        "geometry": None if outline is None else dict(mapping(force_2d(outline))),
        "properties": values,
    }
