"""Render pages from templates in the user's language."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from configs.texts import LANGUAGE_NAMES, LANGUAGES, catalogue, text, texts_under, translate
from configs.version import program_version
from enforcement.change_types import read_change_types
from enforcement.states import read_states
from enforcement.units import mu
from errors import Reason
from web.auth.authentication import Identity, csrf_token
from web.navigation import navigation_of
from web.static_files import static_version

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
    environment.filters["percent"] = lambda share: f"{round(100 * share)} %" if share >= 0.01 else "< 1 %"
    return environment


def language_of(request: Request) -> str:
    """Return the language of the cookie, else of the user, else of the browser, else Chinese.

    The ``Accept-Language`` of a program, which authenticates with a key, precedes the language of the key's user.
    """
    identity: Identity | None = getattr(request.state, "identity", None)
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    accepted = _accepted_language(request.headers.get("accept-language", ""))
    if identity is not None and not (accepted and "authorization" in request.headers):
        return identity.language
    return accepted or "zh"


def _accepted_language(header: str) -> str:
    """Return the preferred one of our languages in ``Accept-Language``; "" if it names none of them."""
    qualities: dict[str, float] = {}
    for part in header.lower().split(","):
        name, _, parameters = part.strip().partition(";")
        found = re.fullmatch(r"\s*q=([01](?:\.[0-9]{0,3})?)\s*", parameters) if parameters else None
        language = name.strip().partition("-")[0]
        if language in LANGUAGES and (found or not parameters):
            qualities.setdefault(language, float(found[1]) if found else 1.0)
    return max(qualities, key=lambda language: qualities[language]) if any(qualities.values()) else ""


def chosen_language(request: Request, requested: str) -> Literal["zh", "en"]:
    """Return the requested language; if it is empty, the user's."""
    return "en" if (requested or language_of(request)) == "en" else "zh"


def named(table: Mapping[str, Any], key: str, language: str) -> str:
    """Return the name of a state, role, kind or type in a language; the key itself if it is no longer defined."""
    found = table.get(key)
    return key if found is None else str(getattr(found, language))


def localized(request: Request, message: str) -> str:
    """Return a message in the user's language: a reason, a key of the catalogue, or any other text unchanged."""
    if isinstance(message, Reason):
        return translate(message, language_of(request))
    return text(message, language_of(request)) if message in catalogue() else message


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a complete page, or a fragment of one for htmx.

    In addition to ``values``, templates can use ``root`` (prepended to every path of this service), ``static`` (the
    folder of scripts and styles), ``language``,
    ``t(key, **values)``, ``viewer`` (or None), ``csrf``, ``script_texts(prefix)``, ``state_name(state)``,
    ``kind_name(kind)``, ``type_name(type)``, ``day(date)``, ``moment(time)`` in the bureau's time zone,
    ``reason_text(reason)``, and the filters ``mu`` and ``percent``.
    """
    language = language_of(request)
    identity: Identity | None = getattr(request.state, "identity", None)
    zone = request.app.state.context.settings.zone
    states, types = read_states(), read_change_types()

    def reason_text(words: str, code_and_values: Mapping[str, Any] | None = None) -> str:
        return translate(words if isinstance(words, Reason) else Reason.from_json(words, code_and_values), language)

    def moment(time: dt.datetime | None) -> str:
        return "–" if time is None else f"{time.astimezone(zone):%Y-%m-%d %H:%M}"

    content = (
        _templates()
        .get_template(template)
        .render(
            request=request,
            root=request.app.state.context.settings.path_prefix,
            version=program_version(),
            static=f"{request.app.state.context.settings.path_prefix}/static/{static_version()}",
            language=language,
            language_names=LANGUAGE_NAMES,
            t=lambda key, **placeholders: text(key, language, **placeholders),
            script_texts=lambda prefix: texts_under(prefix, language),
            viewer=identity.viewer if identity else None,
            navigation=navigation_of(request, identity.viewer) if identity else None,
            csrf=csrf_token(identity.secret) if identity and identity.secret else "",
            state_name=lambda key: named(states.states, key, language),
            role_name=lambda key: named(states.roles, key, language),
            kind_name=lambda key: named(types.kinds, key, language),
            type_name=lambda key: named(types.types, key, language),
            day=lambda date: "–" if date is None else date.isoformat(),
            moment=moment,
            reason_text=reason_text,
            **values,
        )
    )
    return HTMLResponse(content, status)
