"""Error responses: problem details (RFC 9457) for programs, plain text for htmx, a page for browsers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from configs.texts import catalogue
from errors import Reason
from web.auth.authentication import SAFE_METHODS
from web.page import language_of, localized, page

PROBLEM = "application/problem+json"
AUTHENTICATE = 'Bearer realm="Tuban", Basic realm="Tuban", charset="UTF-8"'
"""Accepted schemes: an API key as bearer token, or for reading as the password of Basic."""


class ProblemResponse(JSONResponse):
    """Problem details as JSON."""

    media_type = PROBLEM


def is_api_client(request: Request) -> bool:
    """Return whether the client is a program: it gets errors as JSON, never as a page."""
    return request.url.path.startswith("/api/") or "authorization" in request.headers


def error_response(request: Request, status: int, message: str, **members: Any) -> Response:
    """Return an error in the form and language of the client.

    Args:
        request: of the client.
        status: of the response; 422 becomes 400 for requests without content.
        message: a key of the text catalogue, a reason, or plain text.
        members: additional members of the problem details.
    """
    if status == 422 and request.method in SAFE_METHODS:
        status = 400
    text = localized(request, message)
    if is_api_client(request) or "text/html" not in request.headers.get("accept", "text/html"):
        problem = {
            "type": "about:blank",
            "title": _phrase(status),
            "status": status,
            "detail": text,
            "code": code_of(status, message),
            **members,
        }
        headers = {"content-language": language_of(request)} | (
            {"www-authenticate": AUTHENTICATE} if status == 401 else {}
        )
        return ProblemResponse(problem, status, headers)
    if request.headers.get("hx-request"):
        return Response(text, status, media_type="text/plain")
    return page(request, "error.html", status, message=text)


def code_of(status: int, message: str) -> str:
    """Return the stable code of an error: that of the reason, the key of the text, else the phrase of the status."""
    if isinstance(message, Reason) and message.code:
        return message.code
    return message if message in catalogue() else _phrase(status).lower().replace(" ", "_").replace("-", "_")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
