"""The OpenAPI document, for whoever may use the API."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from web.api.schemas import REFUSED
from web.auth.authentication import CurrentUser, context_of, cookie_name

router = APIRouter(prefix="/api", tags=["document"], responses=REFUSED)

_ABOUT = (
    "Alerts, images and scans of Tuban. An alert is a suspected change, to be checked on the ground. Every answer is "
    "limited to what lies under the administrative code of the person for whom a key was made. Positions are longitude "
    "and latitude (EPSG:4490), areas m² and mu, moments ISO 8601 in UTC."
)


@router.get("/openapi.json", response_class=JSONResponse)
def openapi_document(request: Request, viewer: CurrentUser) -> dict[str, Any]:
    """Describe this API (OpenAPI 3.1)."""
    document: dict[str, Any] = deepcopy(request.app.openapi())
    document["info"]["description"] = _ABOUT
    document.setdefault("components", {})["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "A key, made on the page of one's account."},
        "browser": {"type": "apiKey", "in": "cookie", "name": cookie_name(context_of(request))},
    }
    document["security"] = [{"key": []}, {"browser": []}]
    return document
