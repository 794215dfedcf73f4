"""Pages from templates, in the language of who asks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from configs.texts import LANGUAGE_NAMES, LANGUAGES, catalogue, text, texts_under, translate
from enforcement.change_types import read_change_types
from enforcement.states import read_states
from enforcement.units import mu
from errors import Reason
from web.auth.authentication import Asking, csrf_token

LANGUAGE_COOKIE = "tuban_language"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["mu"] = lambda area_m2: f"{mu(area_m2):.2f}"
    return environment


def language_of(request: Request) -> str:
    """The person's language; before signing in that of the cookie, else the browser's, else Chinese."""
    asked: Asking | None = getattr(request.state, "asking", None)
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    if asked is not None:
        return asked.language
    wanted = request.headers.get("accept-language", "zh").lower()
    return "en" if wanted.startswith("en") else "zh"


def chosen_language(request: Request, asked: str) -> Literal["zh", "en"]:
    """The language that was asked for, else the person's."""
    return "en" if (asked or language_of(request)) == "en" else "zh"


def named(table: Mapping[str, Any], key: str, language: str) -> str:
    """Name of a state, role, kind or type in a language; the key itself where the table has it no more."""
    found = table.get(key)
    return key if found is None else str(getattr(found, language))


def words(request: Request, message: str) -> str:
    """A message of the catalogue, a reason in the language of who asks, or the words themselves."""
    if isinstance(message, Reason):
        return translate(message, language_of(request))
    return text(message, language_of(request)) if message in catalogue() else message


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page, or a part of one for htmx.

    Templates have, besides ``values``: ``t(key, **values)``, ``language``, ``viewer`` (or None), ``csrf``,
    ``script_texts(prefix)``, ``state_name(state)``, ``kind_name(kind)``, ``type_name(type)``, ``day(date)``,
    ``moment(moment)`` in the bureau's time zone, ``said(reason)``, and the filter ``mu``.
    """
    language = language_of(request)
    asked: Asking | None = getattr(request.state, "asking", None)
    zone = request.app.state.context.settings.zone
    states, types = read_states(), read_change_types()

    def said(words: str, told: Mapping[str, Any] | None = None) -> str:
        return translate(words if isinstance(words, Reason) else Reason.of(words, told), language)

    def moment(at: dt.datetime | None) -> str:
        return "–" if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M}"

    content = (
        _templates()
        .get_template(template)
        .render(
            request=request,
            language=language,
            language_names=LANGUAGE_NAMES,
            t=lambda key, **given: text(key, language, **given),
            script_texts=lambda prefix: texts_under(prefix, language),
            viewer=asked.viewer if asked else None,
            csrf=csrf_token(asked.secret) if asked and asked.secret else "",
            state_name=lambda key: named(states.states, key, language),
            role_name=lambda key: named(states.roles, key, language),
            kind_name=lambda key: named(types.kinds, key, language),
            type_name=lambda key: named(types.types, key, language),
            day=lambda date: "–" if date is None else date.isoformat(),
            moment=moment,
            said=said,
            **values,
        )
    )
    return HTMLResponse(content, status)
