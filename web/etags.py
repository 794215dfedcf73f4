"""Entity tags of images: answers that a browser has already are not sent again."""

from __future__ import annotations

import hashlib

from fastapi import Request
from fastapi.responses import Response

_VERSION = "1"
"""Raised when the same parts give other pixels."""


def content_tag(*parts: object) -> str:
    """Return a tag that differs when any part of what an image is made from differs."""
    return hashlib.sha256("/".join(map(str, (_VERSION, *parts))).encode()).hexdigest()[:24]


def is_cached(request: Request, tag: str) -> bool:
    """Whether the browser has the image with this tag."""
    return f'"{tag}"' in request.headers.get("if-none-match", "")


def not_modified(tag: str, cache_control: str) -> Response:
    """Return the answer without content."""
    return Response(status_code=304, headers={"etag": f'"{tag}"', "cache-control": cache_control})


def image_response(content: bytes, tag: str, cache_control: str, media_type: str = "image/webp") -> Response:
    """Return an image with its tag."""
    return Response(content, media_type=media_type, headers={"etag": f'"{tag}"', "cache-control": cache_control})
