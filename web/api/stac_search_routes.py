"""STAC API item search, by GET and by POST: ids, collections, bbox, intersects, datetime, limit, sort, fields."""

from __future__ import annotations

import json
from typing import Annotated, Any

import shapely
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from errors import Reason
from service.context import Context
from store.access.rights import Viewer
from store.search.image_search import SceneFilter
from store.search.scene_items import COLUMNS, SortKey, search_items
from web.addresses import base_of, this_page
from web.api.links import GEOJSON, JSON, GeoJSON, Link, link
from web.api.ogc_parameters import MAX_ITEMS, BBox, ItemLimit, When, parse_datetime, parse_lenient_bbox
from web.api.schemas import COMMON_ERRORS
from web.api.stac_fields import FieldSelection, select_fields
from web.api.stac_items import item_of
from web.auth.authentication import CurrentUser, Service
from web.http_errors import HttpError

router = APIRouter(prefix="/api/stac", tags=["STAC"], responses=COMMON_ERRORS)

_MAX_OFFSET = 10**7
_MAX_POSITIONS = 10_000

Text = Annotated[str, Query(max_length=4000)]
Offset = Annotated[int, Query(alias="token", description="From the `next` link.", ge=0, le=_MAX_OFFSET)]


class FoundItems(BaseModel):
    """A page of scenes; with `fields`, each has only the selected members."""

    type: str
    features: list[dict[str, Any]]
    links: list[Link]
    numberMatched: int  # noqa: N815  (the standard's name)
    numberReturned: int  # noqa: N815


class SortBy(BaseModel):
    """A field and a direction."""

    model_config = ConfigDict(extra="forbid")
    field: Annotated[str, Field(max_length=100)]
    direction: Annotated[str, Field(pattern="^(asc|desc)$")] = "asc"


class SearchBody(BaseModel):
    """Search by POST; unknown members are refused."""

    model_config = ConfigDict(extra="forbid")
    ids: list[str] | None = None
    collections: list[str] | None = None
    bbox: Annotated[list[float], Field(min_length=4, max_length=6)] | None = None
    intersects: dict[str, Any] | None = None
    datetime: Annotated[str | None, Field(max_length=100)] = None
    limit: Annotated[int, Field(ge=1, json_schema_extra={"maximum": MAX_ITEMS})] = 100
    sortby: list[SortBy] = []
    fields: FieldSelection | None = None
    token: Annotated[int, Field(ge=0, le=_MAX_OFFSET)] = 0


@router.get(
    "/search",
    response_class=GeoJSON,
    responses={200: {"model": FoundItems, "content": {GEOJSON: {}}}},
    operation_id="search_items_get",
)
def search_by_get(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    ids: Annotated[Text, Query(description="Ids, separated by commas.")] = "",
    collections: Annotated[Text, Query(description="Collections, separated by commas; the only one is `scenes`.")] = "",
    bbox: BBox = "",
    intersects: Annotated[Text, Query(description="A GeoJSON geometry.")] = "",
    when: When = "",
    limit: ItemLimit = 100,
    sortby: Annotated[
        Text, Query(description="Fields with + or - before them, separated by commas.", examples=["-datetime"])
    ] = "",
    fields: Annotated[
        Text, Query(description="Members to include, or with - before them to leave out, separated by commas.")
    ] = "",
    offset: Offset = 0,
) -> GeoJSON:
    """Search scenes."""
    sort = [SortBy(field=one.lstrip("+-"), direction="desc" if one.startswith("-") else "asc") for one in _list(sortby)]
    found, following = _search(
        context,
        viewer,
        request,
        ids=_list(ids),
        collections=_list(collections),
        bbox=bbox,
        region=_region_of_text(intersects),
        when=when,
        limit=limit,
        sort=sort,
        fields=FieldSelection.from_text(fields),
        offset=offset,
    )
    links = [link("self", this_page(request, context), GEOJSON)]
    if following is not None:
        url = request.url.include_query_params(token=str(following))
        links.append(link("next", f"{base_of(request, context)}{url.path}?{url.query}", GEOJSON) | {"method": "GET"})
    return _page(found, links, request, context)


@router.post(
    "/search",
    response_class=GeoJSON,
    responses={200: {"model": FoundItems, "content": {GEOJSON: {}}}},
    operation_id="search_items_post",
)
def search_by_post(request: Request, context: Service, viewer: CurrentUser, body: SearchBody) -> GeoJSON:
    """Search scenes; only reads, so the scope `read` is sufficient."""
    found, following = _search(
        context,
        viewer,
        request,
        ids=body.ids,
        collections=body.collections,
        bbox=",".join(map(str, body.bbox or [])),
        region=None if body.intersects is None else _region(body.intersects),
        when=body.datetime or "",
        limit=min(body.limit, MAX_ITEMS),
        sort=body.sortby,
        fields=body.fields or FieldSelection(),
        offset=body.token,
    )
    links: list[dict[str, Any]] = [dict(link("self", this_page(request, context), GEOJSON))]
    if following is not None:
        following_body = {"token": following}
        links.append(
            link("next", this_page(request, context), GEOJSON)
            | {"method": "POST", "body": following_body, "merge": True}
        )
    return _page(found, links, request, context)


def _search(
    context: Context,
    viewer: Viewer,
    request: Request,
    *,
    ids: list[str] | None,
    collections: list[str] | None,
    bbox: str,
    region: BaseGeometry | None,
    when: str,
    limit: int,
    sort: list[SortBy],
    fields: FieldSelection,
    offset: int,
) -> tuple[dict[str, Any], int | None]:
    if bbox and region is not None:
        raise HttpError(Reason("bbox and intersects exclude each other.", "query.bbox_and_intersects"))
    first, last = parse_datetime(when, context.settings.zone)
    box = parse_lenient_bbox(bbox)
    known = None if not ids else tuple(int(one) for one in ids if one.isascii() and one.isdigit() and len(one) < 16)
    if collections and "scenes" not in collections:
        known = ()
    region = _box_region(box) if box is not None else region
    with context.database.read() as session:
        found = search_items(
            session,
            viewer,
            SceneFilter(since=first, until=last, ids=known),
            region=region,
            sort=[_sort_key(one) for one in sort],
            limit=limit,
            offset=offset,
        )
    base, zone = base_of(request, context), context.settings.zone
    features = [select_fields(item_of(scene, base, zone), fields) for scene in found.rows]
    return {"features": features, "numberMatched": found.matched}, found.next_offset


def _page(found: dict[str, Any], links: list[dict[str, Any]], request: Request, context: Context) -> GeoJSON:
    root = link("root", f"{base_of(request, context)}/api/stac", JSON)
    counted = {"numberReturned": len(found["features"])}
    return GeoJSON({"type": "FeatureCollection", **found, **counted, "links": [*links, root]})


def _list(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _sort_key(sort: SortBy) -> tuple[SortKey, bool]:
    name = sort.field.removeprefix("properties.")
    for key in COLUMNS:
        if key == name:
            return key, sort.direction == "desc"
    expected = ", ".join(COLUMNS)
    message = f"sortby is {sort.field[:40]!r}; expected one of {expected}."
    raise HttpError(Reason(message, "query.sortby", value=sort.field[:40], known=expected))


def _region_of_text(text: str) -> BaseGeometry | None:
    if not text:
        return None
    try:
        return _region(json.loads(text))
    except (ValueError, RecursionError):
        raise _no_geometry() from None


def _region(geometry: dict[str, Any]) -> BaseGeometry:
    try:
        return _checked(shapely.geometry.shape(geometry))
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        raise _no_geometry() from None


def _checked(region: BaseGeometry) -> BaseGeometry:
    positions = shapely.get_coordinates(region)
    if len(positions) == 0 or len(positions) > _MAX_POSITIONS or abs(positions[:, 0]).max() > 180:
        raise _no_geometry()
    if not region.is_valid or abs(positions[:, 1]).max() > 90:
        raise _no_geometry()
    return region


def _no_geometry() -> HttpError:
    message = f"intersects is not a valid GeoJSON geometry in degrees of at most {_MAX_POSITIONS:,} positions."
    return HttpError(Reason(message, "query.intersects", most=_MAX_POSITIONS))


def _box_region(box: tuple[float, float, float, float]) -> BaseGeometry:
    west, south, east, north = box
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.MultiPolygon([shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)])
