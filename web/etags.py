"""Entity tags (ETag) of images: an image that the browser has cached is not sent again."""

from __future__ import annotations

import hashlib

from fastapi import Request
from fastapi.responses import Response

_VERSION = "1"
"""To be increased when the same parts produce different pixels."""


def content_tag(*parts: object) -> str:
    """Return a tag that changes when any of the inputs of an image changes."""
    return hashlib.sha256("/".join(map(str, (_VERSION, *parts))).encode()).hexdigest()[:24]


def is_cached(request: Request, tag: str) -> bool:
    """Return whether the browser has cached the image with this tag."""
    return f'"{tag}"' in request.headers.get("if-none-match", "")


def not_modified(tag: str, cache_control: str) -> Response:
    """Return a 304 response, without content."""
    return Response(status_code=304, headers={"etag": f'"{tag}"', "cache-control": cache_control})


def image_response(content: bytes, tag: str, cache_control: str, media_type: str = "image/webp") -> Response:
    """Return a response with an image and its tag."""
    return Response(content, media_type=media_type, headers={"etag": f'"{tag}"', "cache-control": cache_control})
