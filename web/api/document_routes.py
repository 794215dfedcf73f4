"""The OpenAPI document in versions 3.1 and 3.0, and a page that shows it, for authenticated users."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse

from web.addresses import base_of
from web.api.openapi_document import as_version_3_0, make_document
from web.api.schemas import COMMON_ERRORS
from web.auth.authentication import CurrentUser, Service, cookie_name
from web.page import page

router = APIRouter(prefix="/api", tags=["document"], responses=COMMON_ERRORS)


class OpenAPIResponse(JSONResponse):
    """An OpenAPI document."""

    media_type = "application/vnd.oai.openapi+json"


@router.get("/openapi.json", response_class=OpenAPIResponse)
def openapi_document(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    version: Annotated[Literal["3.1", "3.0"], Query(description="3.0 for clients that do not know 3.1.")] = "3.1",
) -> OpenAPIResponse:
    """Return the OpenAPI document of this API."""
    document: dict[str, Any] = make_document(request.app, base_of(request, context), cookie_name(context))
    document = as_version_3_0(document) if version == "3.0" else document
    return OpenAPIResponse(document, headers={"content-type": f"{OpenAPIResponse.media_type};version={version}"})


@router.get("", response_class=HTMLResponse, include_in_schema=False)
def api_page(request: Request, viewer: CurrentUser) -> HTMLResponse:
    """Show the API for people; the page needs no internet."""
    return page(request, "api.html")
