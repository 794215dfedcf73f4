"""Alerts as OGC API - Features, Part 1 (OGC 17-069r4): what QGIS and other GIS programs connect to.

In QGIS: layer, add WFS / OGC API - Features layer, address ``https://…/api/ogc``, authentication "Basic" with any user
name and a key as the password, or "API header" with ``Authorization`` = ``Bearer KEY``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from shapely.geometry import mapping
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
from web.api.links import GEOJSON, OPENAPI, REFUSED_ITEMS, GeoJSON, Link, link, links_of_items
from web.api.ogc_parameters import BBox, ItemLimit, When, box_asked, days_asked
from web.api.parameters import Number
from web.api.schemas import NOT_THEIRS, Geometry
from web.auth.authentication import CurrentUser, Service
from web.http_errors import NotFound, Refusal

router = APIRouter(prefix="/api/ogc", tags=["OGC API - Features"], responses=REFUSED_ITEMS)

CONFORMS = [
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
]
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_TITLE = f"{STATEMENT[0]} / {STATEMENT[1]}"
_COUNTED = 10_000
_OWN = ("bbox", "since", "until", "sort")  # of the filter's parameters, those that this interface says in its own way


class Landing(BaseModel):
    """Where everything is."""

    title: str
    description: str
    links: list[Link]


class Conformance(BaseModel):
    """What the interface keeps to."""

    conformsTo: list[str]  # noqa: N815  (the standard's name)


class Collection(BaseModel):
    """A collection of features."""

    id: str
    title: str
    description: str
    itemType: str = "feature"  # noqa: N815
    crs: list[str]
    extent: dict[str, Any] | None = None
    links: list[Link]


class Collections(BaseModel):
    """All collections."""

    collections: list[Collection]
    links: list[Link]


class AlertItem(BaseModel):
    """An alert with what a table of attributes can show."""

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


@router.get("", response_model_exclude_none=True)
def landing_page(request: Request, context: Service, viewer: CurrentUser) -> Landing:
    """Say where everything is."""
    base = base_of(request, context)
    here = f"{base}/api/ogc"
    links = [
        link("self", here, title="this page"),
        link("service-desc", f"{base}/api/openapi.json", OPENAPI, "OpenAPI"),
        link("conformance", f"{here}/conformance"),
        link("data", f"{here}/collections"),
    ]
    return Landing(title="图斑 Tuban", description=_TITLE, links=[Link(**one) for one in links])


@router.get("/conformance")
def conformance(viewer: CurrentUser) -> Conformance:
    """Say what the interface keeps to."""
    return Conformance(conformsTo=CONFORMS)


@router.get("/collections", response_model_exclude_none=True)
def collections(request: Request, context: Service, viewer: CurrentUser) -> Collections:
    """List the collections."""
    here = f"{base_of(request, context)}/api/ogc/collections"
    return Collections(collections=[_collection(here)], links=[Link(**link("self", here))])


@router.get("/collections/alerts", response_model_exclude_none=True)
def alerts_collection(request: Request, context: Service, viewer: CurrentUser) -> Collection:
    """Describe the alerts."""
    return _collection(f"{base_of(request, context)}/api/ogc/collections")


def _collection(here: str) -> Collection:
    links = [
        link("self", f"{here}/alerts"),
        link("items", f"{here}/alerts/items", GEOJSON, "alerts"),
    ]
    return Collection(
        id="alerts",
        title="线索 Alerts",
        description=f"{_TITLE}. `datetime` is the day of the latest image.",
        crs=[CRS84],
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
    bbox: BBox = "",
    when: When = "",
    limit: ItemLimit = 100,
    after: Annotated[str, Query(description="Of the `next` link.", max_length=400)] = "",
) -> dict[str, Any]:
    """List alerts, the newest first. Further parameters are those of `/api/alerts`, like `states` and `kinds`."""
    asked = _filter(request, bbox, when, context.settings.zone)
    base = base_of(request, context)
    with context.database.read() as session:
        try:
            found = search_alerts(session, viewer, asked, limit=limit, after=after, now=context.clock())
        except SettingsError as error:
            raise Refusal(str(error)) from None
        matched = count_alerts(session, viewer, asked, _COUNTED)
        outlines = outlines_of(session, [row.id for row in found.rows])
    following = next_page(request, context, "after", found.after)
    links = links_of_items(request, context, f"{base}/api/ogc/collections/alerts", following)
    return {
        "type": "FeatureCollection",
        "features": [_feature(row, outlines[row.id], base) for row in found.rows],
        "links": links,
        "timeStamp": context.clock(),
        "numberMatched": matched if matched < _COUNTED else None,  # that many or more: not told
        "numberReturned": len(found.rows),
    }


@router.get(
    "/collections/alerts/items/{number}",
    response_class=GeoJSON,
    response_model=AlertItem,
    response_model_exclude_none=True,
    responses=NOT_THEIRS,
)
def alert_item(request: Request, context: Service, viewer: CurrentUser, number: Number) -> dict[str, Any]:
    """Tell one alert."""
    base = base_of(request, context)
    with context.database.read() as session:
        row = find_list_item(session, viewer, number, context.clock())
        if row is None:
            raise NotFound
        outline = outlines_of(session, [row.id])[row.id]
    links = [
        link("self", f"{base}{request.url.path}", GEOJSON),
        link("collection", f"{base}/api/ogc/collections/alerts"),
        link("alternate", f"{base}/api/alerts/{row.number}", title="everything that is known of it"),
    ]
    return _feature(row, outline, base) | {"links": links}


def _filter(request: Request, bbox: str, when: str, zone: dt.tzinfo) -> AlertFilter:
    given = {name: request.query_params.getlist(name) for name in PARAMETERS if name not in _OWN}
    try:
        asked = AlertFilter.from_query(given, zone)
    except SettingsError as error:
        raise Refusal(str(error)) from None
    first, last = days_asked(when, zone)
    return replace(asked, bbox=box_asked(bbox), since=first, until=last, sort="newest")


def _feature(row: AlertListItem, outline: BaseGeometry, base: str) -> dict[str, Any]:
    """Flat properties: a table of attributes shows no nested ones."""
    words, states = read_change_types(), read_states().states
    kind, change_type, state = words.kinds.get(row.kind), words.types.get(row.change_type), states.get(row.state)
    return {
        "type": "Feature",
        "id": row.number,
        "bbox": [row.west, row.south, row.east, row.north],
        "geometry": mapping(outline),
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


def _day(day: dt.date | None) -> str:
    return "" if day is None else day.isoformat()
