"""Links between the resources of OGC API - Features and of STAC."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from service.context import Context
from web.addresses import this_page

JSON, GEOJSON = "application/json", "application/geo+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.1"
OPENAPI_3_0 = "application/vnd.oai.openapi+json;version=3.0"


class GeoJSON(JSONResponse):
    """A GeoJSON response."""

    media_type = GEOJSON


class Link(BaseModel):
    """A link to a related resource."""

    href: str
    rel: str
    type: str | None = None
    title: str | None = None
    method: str | None = None
    body: dict[str, Any] | None = None
    merge: bool | None = None


def links_of_items(request: Request, context: Context, collection: str, next_url: str | None) -> list[dict[str, Any]]:
    """Return the links of a page of items: itself, its collection, and the next page if there is one.

    Args:
        request: the request for the page.
        context: contains the public URL of the service.
        collection: URL of the collection.
        next_url: URL of the next page; None on the last one.
    """
    links = [link("self", this_page(request, context), GEOJSON), link("collection", collection)]
    return links if next_url is None else [*links, link("next", next_url, GEOJSON)]


def link(rel: str, href: str, type: str = JSON, title: str = "") -> dict[str, Any]:  # noqa: A002  (the word of the field)
    """Return one link."""
    return {"rel": rel, "type": type, "href": href} | ({"title": title} if title else {})
