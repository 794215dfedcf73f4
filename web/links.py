"""Links between the resources of OGC API - Features and STAC."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from web.api_answers import REFUSED, Refused

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


def link(rel: str, href: str, type: str = JSON, title: str = "") -> dict[str, str]:  # noqa: A002  (the word of the field)
    """One link."""
    return {"rel": rel, "type": type, "href": href} | ({"title": title} if title else {})
