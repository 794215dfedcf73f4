"""Absolute URLs in responses: of the service, of the current request, and of the next page of a list."""

from __future__ import annotations

from fastapi import Request

from service.context import Context


def base_of(request: Request, context: Context) -> str:
    """Return the service's public URL without a trailing slash: the setting, else the base URL of the request."""
    return (context.settings.public_url or str(request.base_url)).rstrip("/")


def this_page(request: Request, context: Context) -> str:
    """Return the URL of the request."""
    return f"{base_of(request, context)}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")


def next_page(request: Request, context: Context, name: str, value: object) -> str | None:
    """Return the URL of the next page: this one with the parameter ``name`` set to ``value``; None if that is None."""
    if value is None:
        return None
    url = request.url.include_query_params(**{name: str(value)})
    return f"{base_of(request, context)}{url.path}?{url.query}"
