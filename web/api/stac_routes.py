"""Scenes as STAC 1.x (SpatioTemporal Asset Catalog): a catalog, one collection, and items searched by box and date."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pystac
from fastapi import APIRouter, Request
from pydantic import BaseModel
from shapely.geometry import mapping

from store.schema.tables import SceneRow
from store.search.image_search import (
    Extent,
    SceneFilter,
    count_scenes,
    extent_of_scenes,
    search_scenes,
)
from web.addresses import base_of, next_page
from web.api.links import GEOJSON, JSON, OPENAPI, GeoJSON, Link, link, links_of_items
from web.api.ogc_parameters import BBox, ItemLimit, When, parse_datetime, parse_lenient_bbox
from web.api.schemas import COMMON_ERRORS, NOT_FOUND, Geometry
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import scene_of
from web.row_ids import BeforeId, Id

router = APIRouter(prefix="/api/stac", tags=["STAC"], responses=COMMON_ERRORS)

CONFORMS = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
]
_PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"  # an identifier; it is never fetched
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
        link("service-desc", f"{base}/api/openapi.json", OPENAPI),
    ]
    catalog = pystac.Catalog("tuban", "图斑影像目录 / Images of Tuban", title="Tuban")
    return _as_json(catalog, links) | {"conformsTo": CONFORMS}


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
        "features": [_item(scene, base, context.settings.zone) for scene in found],
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
    return _item(scene, base_of(request, context), context.settings.zone)


def _as_json(stac_object: pystac.STACObject, links: list[dict[str, str]]) -> dict[str, Any]:
    """Return a STAC object as JSON with these links, instead of those that pystac creates for files."""
    stac_object.clear_links()
    return {**stac_object.to_dict(include_self_link=False, transform_hrefs=False), "links": links}


def _collection(here: str, extent: Extent, zone: dt.tzinfo) -> dict[str, Any]:
    first, last = (None if day is None else _midnight(day, zone) for day in (extent.first, extent.last))
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
    return _as_json(collection, links)


def _item(scene: SceneRow, base: str, zone: dt.tzinfo) -> dict[str, Any]:
    time = scene.created_at if scene.date is None else _midnight(scene.date, zone)
    properties: dict[str, Any] = {
        "title": scene.name,
        "gsd": scene.gsd_m,
        "created": scene.created_at.isoformat(),
        "proj:shape": [scene.height, scene.width],
        "tuban:source": scene.source,
        "tuban:area_code": scene.area_code,
        "tuban:date_source": scene.date_source,
        "tuban:dated": scene.date is not None,  # false: datetime is the time of receipt
        "tuban:sha256": scene.sha256,
    }
    if scene.crs.startswith("EPSG:"):
        properties["proj:code"] = scene.crs
    item = pystac.Item(
        str(scene.id),
        dict(mapping(scene.outline)),
        [scene.west, scene.south, scene.east, scene.north],
        time,
        properties,
        stac_extensions=[_PROJECTION],
        collection="scenes",
    )
    image_url = f"{base}/api/scenes/{scene.id}/image.tif"
    item.add_asset("image", pystac.Asset(image_url, media_type=pystac.MediaType.COG, roles=["data"]))
    here = f"{base}/api/stac"
    links = [
        link("self", f"{here}/collections/scenes/items/{scene.id}", GEOJSON),
        link("collection", f"{here}/collections/scenes"),
        link("parent", f"{here}/collections/scenes"),
        link("root", here, JSON),
    ]
    return _as_json(item, links)


def _midnight(day: dt.date, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
