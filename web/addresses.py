"""Addresses that are handed out: of the service, of what was asked, of the page after it."""

from __future__ import annotations

from fastapi import Request

from service.context import Context


def base_of(request: Request, context: Context) -> str:
    """Where people reach the service, without a slash at the end: as it is set, else as it was asked."""
    return (context.settings.public_url or str(request.base_url)).rstrip("/")


def this_page(request: Request, context: Context) -> str:
    """Address of what was asked."""
    return f"{base_of(request, context)}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")


def next_page(request: Request, context: Context, name: str, value: object) -> str | None:
    """Address of the page after this one: the same with ``name`` set to ``value``; None when that is None."""
    if value is None:
        return None
    asked = request.url.include_query_params(**{name: str(value)})
    return f"{base_of(request, context)}{asked.path}?{asked.query}"
