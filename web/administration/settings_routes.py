"""Page of the chain settings: values over their defaults, with who changed them and when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from configs.texts import catalogue, text
from enforcement.chain_settings import definition_of, read_chain_definitions
from service.context import Context
from store.access.rights import Viewer
from store.chain_settings import change_chain_setting, latest_changes, read_chain_values
from web.auth.authentication import Administrator, Service, client_address
from web.http_errors import Forbidden
from web.page import language_of, page

router = APIRouter(include_in_schema=False)

_FIRST_GROUPS = ("steps", "deadlines", "supervision", "messages", "field", "evidence")
"""Order of the sections; others follow."""


def _check(viewer: Viewer) -> None:
    """Only administrators of all areas change settings of all areas."""
    if viewer.code:
        raise Forbidden("settings.all_areas")


def _settings_page(request: Request, context: Context, changed: str = "") -> HTMLResponse:
    with context.database.read() as session:
        values = read_chain_values(session)
        changes = {row.key: (row.who, row.at) for row in latest_changes(session)}
    groups: dict[str, list[str]] = {group: [] for group in _FIRST_GROUPS}
    for key in read_chain_definitions():
        groups.setdefault(key.partition(".")[0], []).append(key)
    return page(
        request,
        "settings.html",
        groups={group: keys for group, keys in groups.items() if keys},
        group_names={group: _group_name(group, language_of(request)) for group in groups},
        definitions=read_chain_definitions(),
        values={key: values.value(key) for key in read_chain_definitions()},
        changes=changes,
        changed=changed,
    )


def _group_name(group: str, language: str) -> str:
    key = f"settings.group.{group}"
    return text(key, language) if key in catalogue() else group


@router.get("/settings")
def settings_page(request: Request, context: Service, viewer: Administrator) -> HTMLResponse:
    """Render all chain settings."""
    _check(viewer)
    return _settings_page(request, context)


@router.post("/settings")
def change(
    request: Request,
    context: Service,
    viewer: Administrator,
    key: Annotated[str, Form(max_length=60)],
    value: Annotated[str, Form(max_length=2000)] = "",
    default: Annotated[bool, Form()] = False,
) -> HTMLResponse:
    """Change one setting; ``default``: back to the default."""
    _check(viewer)
    parsed = None if default else definition_of(key).parse(key, value)
    with context.database.write() as session:
        address = client_address(request)
        change_chain_setting(session, key, parsed, who=viewer.login, now=context.clock(), address=address)
    return _settings_page(request, context, key)
