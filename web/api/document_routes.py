"""The OpenAPI document, for authenticated users."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from web.api.schemas import COMMON_ERRORS
from web.auth.authentication import CurrentUser, context_of, cookie_name

router = APIRouter(prefix="/api", tags=["document"], responses=COMMON_ERRORS)

_DESCRIPTION = (
    "Alerts, images and scans of Tuban. An alert is a suspected change, to be checked on the ground. Every response is "
    "limited to the administrative area of the user to whom the API key belongs. Positions are longitude and latitude "
    "(EPSG:4490), areas m² and mu, times ISO 8601 in UTC."
)


@router.get("/openapi.json", response_class=JSONResponse)
def openapi_document(request: Request, viewer: CurrentUser) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of this API."""
    document: dict[str, Any] = deepcopy(request.app.openapi())
    document["info"]["description"] = _DESCRIPTION
    document.setdefault("components", {})["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, created on the account page."},
        "browser": {"type": "apiKey", "in": "cookie", "name": cookie_name(context_of(request))},
    }
    if prefix := context_of(request).settings.path_prefix:
        document["servers"] = [{"url": prefix}]
    document["security"] = [{"key": []}, {"browser": []}]
    return document
