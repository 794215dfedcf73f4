"""Scenes as STAC 1.x (SpatioTemporal Asset Catalog): a catalog, one collection, and items searched by box and date."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pystac
from fastapi import APIRouter, Request
from pydantic import BaseModel

from store.search.image_search import Extent, SceneFilter, count_scenes, extent_of_scenes, search_scenes
from web.addresses import base_of, next_page
from web.api.links import GEOJSON, OPENAPI_3_0, GeoJSON, Link, link, links_of_items
from web.api.ogc_parameters import BBox, ItemLimit, When, parse_datetime, parse_lenient_bbox
from web.api.schemas import COMMON_ERRORS, NOT_FOUND, Geometry
from web.api.stac_items import as_json, item_of, midnight
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import scene_of
from web.row_ids import BeforeId, Id

router = APIRouter(prefix="/api/stac", tags=["STAC"], responses=COMMON_ERRORS)

CONFORMS = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/item-search#sort",
    "https://api.stacspec.org/v1.0.0/item-search#fields",
]
_WORLD = [-180.0, -90.0, 180.0, 90.0]


class StacCatalog(BaseModel):
    """The catalog with links to all resources."""

    type: str
    stac_version: str
    id: str
    title: str | None = None
    description: str
    conformsTo: list[str]  # noqa: N815  (the standard's name)
    links: list[Link]


class StacConformance(BaseModel):
    """The conformance classes of this API."""

    conformsTo: list[str]  # noqa: N815


class StacCollection(BaseModel):
    """The collection of all scenes."""

    type: str
    stac_version: str
    id: str
    title: str | None = None
    description: str
    license: str
    extent: dict[str, Any]
    links: list[Link]


class StacCollections(BaseModel):
    """All collections."""

    collections: list[StacCollection]
    links: list[Link]


class StacItem(BaseModel):
    """A scene."""

    type: str
    stac_version: str
    stac_extensions: list[str]
    id: str
    geometry: Geometry
    bbox: list[float]
    properties: dict[str, Any]
    links: list[Link]
    assets: dict[str, dict[str, Any]]
    collection: str


class StacItems(BaseModel):
    """A page of scenes."""

    type: str
    features: list[StacItem]
    links: list[Link]
    numberMatched: int  # noqa: N815
    numberReturned: int  # noqa: N815


@router.get("", response_model=StacCatalog, response_model_exclude_none=True)
def get_catalog(request: Request, context: Service, viewer: CurrentUser) -> dict[str, Any]:
    """Return the catalog with links to all resources."""
    base = base_of(request, context)
    here = f"{base}/api/stac"
    links = [
        link("self", here),
        link("root", here),
        link("conformance", f"{here}/conformance"),
        link("data", f"{here}/collections"),
        link("child", f"{here}/collections/scenes"),
        link("service-desc", f"{base}/api/openapi.json?version=3.0", OPENAPI_3_0),
        link("service-doc", f"{base}/api", "text/html"),
        link("search", f"{here}/search", GEOJSON) | {"method": "GET"},
        link("search", f"{here}/search", GEOJSON) | {"method": "POST"},
    ]
    catalog = pystac.Catalog("tuban", "图斑影像目录 / Images of Tuban", title="Tuban")
    return as_json(catalog, links) | {"conformsTo": CONFORMS}


@router.get("/conformance")
def conformance(viewer: CurrentUser) -> StacConformance:
    """Return the conformance classes of this API."""
    return StacConformance(conformsTo=CONFORMS)


@router.get("/collections", response_model=StacCollections, response_model_exclude_none=True)
def collections(request: Request, context: Service, viewer: CurrentUser) -> dict[str, Any]:
    """List the collections."""
    here = f"{base_of(request, context)}/api/stac"
    with context.database.read() as session:
        extent = extent_of_scenes(session, viewer)
    links = [link("self", f"{here}/collections"), link("root", here)]
    return {"collections": [_collection(here, extent, context.settings.zone)], "links": links}


@router.get("/collections/scenes", response_model=StacCollection, response_model_exclude_none=True)
def scenes_collection(request: Request, context: Service, viewer: CurrentUser) -> dict[str, Any]:
    """Describe the collection of scenes."""
    with context.database.read() as session:
        extent = extent_of_scenes(session, viewer)
    return _collection(f"{base_of(request, context)}/api/stac", extent, context.settings.zone)


@router.get(
    "/collections/scenes/items", response_class=GeoJSON, response_model=StacItems, response_model_exclude_unset=True
)
def scene_items(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    bbox: BBox = "",
    when: When = "",
    limit: ItemLimit = 100,
    before: BeforeId = None,
) -> dict[str, Any]:
    """List scenes, the most recently received first."""
    first, last = parse_datetime(when, context.settings.zone)
    scene_filter = SceneFilter(since=first, until=last, bbox=parse_lenient_bbox(bbox))
    base = base_of(request, context)
    with context.database.read() as session:
        found, next_id = search_scenes(session, viewer, scene_filter, limit=limit, before_id=before, outlines=True)
        matched = count_scenes(session, viewer, scene_filter)
    next_url = next_page(request, context, "before", next_id)
    links = [
        *links_of_items(request, context, f"{base}/api/stac/collections/scenes", next_url),
        link("root", f"{base}/api/stac"),
    ]
    return {
        "type": "FeatureCollection",
        "features": [item_of(scene, base, context.settings.zone) for scene in found],
        "links": links,
        "numberMatched": matched,
        "numberReturned": len(found),
    }


@router.get(
    "/collections/scenes/items/{scene_id}",
    response_class=GeoJSON,
    response_model=StacItem,
    response_model_exclude_unset=True,
    responses=NOT_FOUND,
)
def scene_item(request: Request, context: Service, viewer: CurrentUser, scene_id: Id) -> dict[str, Any]:
    """Return one scene."""
    with context.database.read() as session:
        scene = scene_of(session, viewer, scene_id)
    return item_of(scene, base_of(request, context), context.settings.zone)


def _collection(here: str, extent: Extent, zone: dt.tzinfo) -> dict[str, Any]:
    first, last = (None if day is None else midnight(day, zone) for day in (extent.first, extent.last))
    collection = pystac.Collection(
        "scenes",
        "已核验、定位并注明日期的影像 / Images that were checked, georeferenced and dated",
        pystac.Extent(
            pystac.SpatialExtent([list(extent.bbox) if extent.bbox else _WORLD]),
            pystac.TemporalExtent([[first, last]]),
        ),
        title="影像 Scenes",
        license="other",
    )
    links = [
        link("self", f"{here}/collections/scenes"),
        link("root", here),
        link("parent", here),
        link("items", f"{here}/collections/scenes/items", GEOJSON),
    ]
    return as_json(collection, links)
