"""Entries of the navigation: those whose page exists in this installation and is meant for the user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request
from starlette.routing import Match

from store.access.rights import Viewer


def _everybody(viewer: Viewer) -> bool:
    return True


def _workers(viewer: Viewer) -> bool:
    return not viewer.views_only


def _administrators(viewer: Viewer) -> bool:
    return viewer.administrator


def _of_all_areas(viewer: Viewer) -> bool:
    return viewer.administrator and not viewer.code


@dataclass(frozen=True)
class Entry:
    """A link of the navigation.

    Attributes:
        path: of its page; the entry is shown once a route for it exists.
        text: key of its words.
        shown: whether it is meant for a user.
        count: path of a fragment with the number of things that wait; "": none.
        manages: whether it is in the menu of administration instead of the row.
    """

    path: str
    text: str
    shown: Callable[[Viewer], bool] = _everybody
    count: str = ""
    manages: bool = False


ENTRIES = (
    Entry("/todo", "nav.todo", count="/todo/count"),
    Entry("/alerts", "nav.alerts"),
    Entry("/field", "nav.field", _workers),
    Entry("/map", "nav.map"),
    Entry("/tips", "nav.tips"),
    Entry("/patrols", "nav.patrols"),
    Entry("/supervision", "nav.supervision"),
    Entry("/batches", "nav.batches"),
    Entry("/nights", "nav.nights"),
    Entry("/cameras", "nav.cameras"),
    Entry("/inbox", "nav.inbox", count="/inbox/count"),
    Entry("/people", "nav.people", _administrators, manages=True),
    Entry("/areas", "nav.areas", _administrators, manages=True),
    Entry("/layers", "nav.layers", _administrators, manages=True),
    Entry("/calendar", "nav.calendar", manages=True),
    Entry("/settings", "nav.settings", _of_all_areas, manages=True),
    Entry("/weights", "nav.weights", _administrators, manages=True),
    Entry("/messages", "nav.sent", _administrators, manages=True),
    Entry("/log", "nav.log", manages=True),
)
"""In the order of the page. A new page adds its entry here."""


@dataclass(frozen=True)
class Link:
    """An entry as a template shows it: ``counted``: whether its count exists in this installation."""

    path: str
    text: str
    count: str
    counted: bool


@dataclass(frozen=True)
class Navigation:
    """The links of the row and of the menu; ``managing``: whether the shown page is one of the menu."""

    row: list[Link]
    menu: list[Link]
    managing: bool


def navigation_of(request: Request, viewer: Viewer) -> Navigation:
    """Return the navigation of a user."""
    shown = [entry for entry in ENTRIES if entry.shown(viewer) and _exists(request, entry.path)]

    def links(manages: bool) -> list[Link]:
        return [
            Link(entry.path, entry.text, entry.count, bool(entry.count) and _exists(request, entry.count))
            for entry in shown
            if entry.manages is manages
        ]

    menu = links(manages=True)
    return Navigation(links(manages=False), menu, any(request.url.path.startswith(link.path) for link in menu))


def _exists(request: Request, path: str) -> bool:
    known: dict[str, bool] = request.app.state.__dict__.setdefault("pages", {})
    if path not in known:
        scope = {"type": "http", "path": path, "root_path": "", "method": "GET", "headers": []}
        known[path] = any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)
    return known[path]
