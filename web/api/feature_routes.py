"""Alerts as OGC API - Features, Part 1 (OGC 17-069r4), for QGIS and other GIS programs.

In QGIS: Layer, Add WFS / OGC API - Features Layer, URL ``https://…/api/ogc``, authentication "Basic" with any user
name and an API key as the password, or "API header" with ``Authorization`` = ``Bearer KEY``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from inspect import Parameter, Signature, signature
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from enforcement.alert import STATEMENT
from enforcement.change_types import read_change_types
from enforcement.states import read_states
from enforcement.units import mu
from errors import SettingsError
from store.alerts.alert_geometry import outlines_of
from store.search.alert_search import (
    PARAMETERS,
    AlertFilter,
    AlertListItem,
    count_alerts,
    find_list_item,
    search_alerts,
)
from web.addresses import base_of, next_page
from web.api.coordinate_systems import (
    CRS84,
    SUPPORTED,
    BoxCrsParameter,
    CrsParameter,
    bounds_in,
    check_crs,
    transform_outline,
)
from web.api.geojson import geojson_geometry
from web.api.links import GEOJSON, OPENAPI, OPENAPI_3_0, GeoJSON, Link, link, links_of_items
from web.api.ogc_parameters import BBox, ItemLimit, When, parse_datetime, parse_lenient_bbox
from web.api.parameters import Number
from web.api.parameters import alert_filter as documented_filter
from web.api.schemas import COMMON_ERRORS, NOT_FOUND, Geometry
from web.api.tile_relations import CONFORMS as TILES_CONFORM
from web.api.tile_relations import TILESETS_MAP, TILESETS_VECTOR, TILING_SCHEMES
from web.auth.authentication import CurrentUser, Service
from web.http_errors import HttpError, NotFound

router = APIRouter(prefix="/api/ogc", tags=["OGC API - Features"], responses=COMMON_ERRORS)

CONFORMS = [
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
    *TILES_CONFORM,
]
_TITLE = f"{STATEMENT[0]} / {STATEMENT[1]}"
_MAX_COUNT = 10_000
_REPLACED = ("bbox", "since", "until", "sort")  # filter parameters for which the standard has its own


class LandingPage(BaseModel):
    """The landing page with links to all resources."""

    title: str
    description: str
    links: list[Link]


class Conformance(BaseModel):
    """The conformance classes of this API."""

    conformsTo: list[str]  # noqa: N815  (the standard's name)


class Collection(BaseModel):
    """A collection of features."""

    id: str
    title: str
    description: str
    itemType: str = "feature"  # noqa: N815
    crs: list[str]
    storageCrs: str = CRS84  # noqa: N815
    extent: dict[str, Any] | None = None
    links: list[Link]


class Collections(BaseModel):
    """All collections."""

    collections: list[Collection]
    links: list[Link]


class AlertItem(BaseModel):
    """An alert with flat properties, for an attribute table."""

    type: str
    id: str
    bbox: list[float] | None = None
    geometry: Geometry
    properties: dict[str, Any]
    links: list[Link] | None = None


class AlertItems(BaseModel):
    """A page of alerts."""

    type: str
    features: list[AlertItem]
    links: list[Link]
    timeStamp: dt.datetime  # noqa: N815
    numberMatched: int | None = None  # noqa: N815
    numberReturned: int  # noqa: N815


def _item_filter(
    request: Request, context: Service, bbox: BBox = "", bbox_crs: BoxCrsParameter = "", when: When = "", **_: Any
) -> AlertFilter:
    values = {name: request.query_params.getlist(name) for name in PARAMETERS if name not in _REPLACED}
    try:
        found = AlertFilter.from_query(values, context.settings.zone)
    except SettingsError as error:
        raise HttpError(error.reason) from None
    first, last = parse_datetime(when, context.settings.zone)
    box = parse_lenient_bbox(bbox, check_crs("bbox-crs", bbox_crs))
    return replace(found, bbox=box, since=first, until=last, sort="newest")


_own = [one for one in signature(_item_filter, eval_str=True).parameters.values() if one.kind != Parameter.VAR_KEYWORD]
_shared = [one for one in signature(documented_filter, eval_str=True).parameters.values() if one.name in PARAMETERS]
_item_filter.__signature__ = Signature(  # type: ignore[attr-defined]  # declares the shared parameters, like `states`
    [*_own, *(one for one in _shared if one.name not in _REPLACED)]
)
ItemFilter = Annotated[AlertFilter, Depends(_item_filter)]


@router.get("", response_model_exclude_none=True)
def landing_page(request: Request, context: Service, viewer: CurrentUser) -> LandingPage:
    """Return the landing page with links to all resources."""
    base = base_of(request, context)
    here = f"{base}/api/ogc"
    links = [
        link("self", here, title="this page"),
        link("service-desc", f"{base}/api/openapi.json", OPENAPI, "OpenAPI 3.1"),
        link("service-desc", f"{base}/api/openapi.json?version=3.0", OPENAPI_3_0, "OpenAPI 3.0"),
        link("service-doc", f"{base}/api", "text/html", "the API for people"),
        link("conformance", f"{here}/conformance"),
        link("data", f"{here}/collections"),
        link(TILESETS_MAP, f"{here}/map/tiles", title="tiles of the latest images"),
        link(TILING_SCHEMES, f"{here}/tileMatrixSets"),
    ]
    return LandingPage(title="图斑 Tuban", description=_TITLE, links=[Link(**one) for one in links])


@router.get("/conformance")
def conformance(viewer: CurrentUser) -> Conformance:
    """Return the conformance classes of this API."""
    return Conformance(conformsTo=CONFORMS)


@router.get("/collections", response_model_exclude_none=True)
def collections(request: Request, context: Service, viewer: CurrentUser) -> Collections:
    """List the collections."""
    here = f"{base_of(request, context)}/api/ogc/collections"
    return Collections(collections=[_collection(here)], links=[Link(**link("self", here))])


@router.get("/collections/alerts", response_model_exclude_none=True)
def alerts_collection(request: Request, context: Service, viewer: CurrentUser) -> Collection:
    """Describe the collection of alerts."""
    return _collection(f"{base_of(request, context)}/api/ogc/collections")


def _collection(here: str) -> Collection:
    links = [
        link("self", f"{here}/alerts"),
        link("items", f"{here}/alerts/items", GEOJSON, "alerts"),
        link(TILESETS_VECTOR, f"{here}/alerts/tiles", title="vector tiles of alerts"),
    ]
    return Collection(
        id="alerts",
        title="图斑 Alerts",
        description=f"{_TITLE}. `datetime` is the day of the latest image.",
        crs=list(SUPPORTED),
        links=[Link(**one) for one in links],
    )


@router.get(
    "/collections/alerts/items",
    response_class=GeoJSON,
    response_model=AlertItems,
    response_model_exclude_none=True,
)
def alert_items(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    response: Response,
    alert_filter: ItemFilter,
    limit: ItemLimit = 100,
    crs: CrsParameter = "",
    after: Annotated[str, Query(description="Cursor from the `next` link.", max_length=400)] = "",
) -> dict[str, Any]:
    """List alerts, newest first. Other parameters of `/api/alerts`, like `states` and `kinds`, also apply."""
    base, system = base_of(request, context), check_crs("crs", crs)
    response.headers["content-crs"] = f"<{system}>"
    with context.database.read() as session:
        try:
            found = search_alerts(session, viewer, alert_filter, limit=limit, after=after, now=context.clock())
        except SettingsError as error:
            raise HttpError(error.reason) from None
        matched = count_alerts(session, viewer, alert_filter, _MAX_COUNT)
        outlines = outlines_of(session, [row.id for row in found.rows])
    next_url = next_page(request, context, "after", found.after)
    links = links_of_items(request, context, f"{base}/api/ogc/collections/alerts", next_url)
    return {
        "type": "FeatureCollection",
        "features": [_feature(row, outlines[row.id], base, system) for row in found.rows],
        "links": links,
        "timeStamp": context.clock(),
        "numberMatched": matched if matched < _MAX_COUNT else None,  # counting stops at the limit
        "numberReturned": len(found.rows),
    }


@router.get(
    "/collections/alerts/items/{number}",
    response_class=GeoJSON,
    response_model=AlertItem,
    response_model_exclude_none=True,
    responses=NOT_FOUND,
)
def alert_item(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    number: Number,
    response: Response,
    crs: CrsParameter = "",
) -> dict[str, Any]:
    """Return one alert."""
    base, system = base_of(request, context), check_crs("crs", crs)
    response.headers["content-crs"] = f"<{system}>"
    with context.database.read() as session:
        row = find_list_item(session, viewer, number, context.clock())
        if row is None:
            raise NotFound
        outline = outlines_of(session, [row.id])[row.id]
    links = [
        link("self", f"{base}{request.url.path}", GEOJSON),
        link("collection", f"{base}/api/ogc/collections/alerts"),
        link("alternate", f"{base}/api/alerts/{row.number}", title="complete alert"),
    ]
    return _feature(row, outline, base, system) | {"links": links}


def _feature(row: AlertListItem, outline: BaseGeometry, base: str, crs: str) -> dict[str, Any]:
    """Return a GeoJSON feature with flat properties, because attribute tables show no nested ones."""
    names, states = read_change_types(), read_states().states
    kind, change_type, state = names.kinds.get(row.kind), names.types.get(row.change_type), states.get(row.state)
    return {
        "type": "Feature",
        "id": row.number,
        "bbox": bounds_in((row.west, row.south, row.east, row.north), crs),
        "geometry": _geometry(outline, crs),
        "properties": {
            "number": row.number,
            "statement": STATEMENT[0],
            "kind": row.kind,
            "kind_zh": kind.zh if kind else row.kind,
            "type": row.change_type,
            "type_zh": change_type.zh if change_type else "",
            "state": row.state,
            "state_zh": state.zh if state else row.state,
            "score": round(row.score, 4),
            "area_m2": round(row.area_m2, 2),
            "area_mu": round(mu(row.area_m2), 4),
            "grid_code": row.grid_code,
            "grid_name": row.grid_name,
            "legal_weight": row.legal_weight,
            "overlaps": ",".join(row.overlaps),
            "times_seen": row.seen,
            "sources_seen": row.sources_seen,
            "first_seen": _day(row.first_date),
            "last_seen": _day(row.last_date),
            "due_on": _day(row.due_on),
            "assignee": row.assignee,
            "page": f"{base}/alerts/{row.number}",
        },
    }


def _geometry(outline: BaseGeometry, crs: str) -> dict[str, Any]:
    oriented = geojson_geometry(outline)
    return oriented if crs == CRS84 else dict(mapping(transform_outline(shape(oriented), crs)))


def _day(day: dt.date | None) -> str:
    return "" if day is None else day.isoformat()
