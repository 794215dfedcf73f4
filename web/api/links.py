"""Links between the resources of OGC API - Features and STAC."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from service.context import Context
from web.addresses import this_page
from web.api.schemas import REFUSED, Refused

JSON, GEOJSON = "application/json", "application/geo+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.1"

REFUSED_ITEMS: dict[int | str, dict[str, Any]] = REFUSED | {
    400: {"model": Refused, "description": "bbox, datetime or another parameter cannot be used."}
}


class GeoJSON(JSONResponse):
    """An answer of GeoJSON."""

    media_type = GEOJSON


class Link(BaseModel):
    """Where else to look."""

    href: str
    rel: str
    type: str | None = None
    title: str | None = None


def links_of_items(request: Request, context: Context, collection: str, following: str | None) -> list[dict[str, str]]:
    """Links of a page of items: itself, its collection, and the next page if there is one.

    Args:
        request: for the page.
        context: how the service is reached.
        collection: address of the collection.
        following: address of the next page.
    """
    links = [link("self", this_page(request, context), GEOJSON), link("collection", collection)]
    return links if following is None else [*links, link("next", following, GEOJSON)]


def link(rel: str, href: str, type: str = JSON, title: str = "") -> dict[str, str]:  # noqa: A002  (the word of the field)
    """One link."""
    return {"rel": rel, "type": type, "href": href} | ({"title": title} if title else {})
