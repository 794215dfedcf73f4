"""Files that crawlers and security researchers look for: ``robots.txt`` and ``security.txt`` (RFC 9116)."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from web.addresses import base_of
from web.auth.authentication import Service
from web.http_errors import NotFound

router = APIRouter(include_in_schema=False)


@router.get("/robots.txt")
def robots() -> PlainTextResponse:
    """Ask crawlers to index nothing."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


@router.get("/.well-known/security.txt")
def security_contact(request: Request, context: Service) -> PlainTextResponse:
    """Return the contact for reports of weaknesses; 404 if the setting ``web.security_contact`` is empty."""
    contact = context.settings.web.security_contact
    if not contact:
        raise NotFound
    expires = (context.clock() + dt.timedelta(days=180)).replace(microsecond=0)
    lines = [
        f"Contact: {contact}",
        f"Expires: {expires.astimezone(dt.UTC).isoformat().replace('+00:00', 'Z')}",
        "Preferred-Languages: zh, en",
        f"Canonical: {base_of(request, context)}/.well-known/security.txt",
    ]
    return PlainTextResponse("\n".join(lines) + "\n")
