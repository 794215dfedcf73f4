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


def _above_villages(viewer: Viewer) -> bool:
    return viewer.roles != ("village",)


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
        menu: name of the menu that contains it; "": it is in the row.
    """

    path: str
    text: str
    shown: Callable[[Viewer], bool] = _everybody
    count: str = ""
    menu: str = ""


OVERSIGHT, IMAGES, MANAGE = "nav.oversight", "nav.images", "nav.manage"

ENTRIES = (
    Entry("/todo", "nav.todo", count="/todo/count"),
    Entry("/alerts", "nav.alerts"),
    Entry("/field", "nav.field", _workers),
    Entry("/map", "nav.map"),
    Entry("/tips", "nav.tips", _above_villages, count="/tips/count"),
    Entry("/patrols", "nav.patrols"),
    Entry("/dashboard", "nav.dashboard", menu=OVERSIGHT),
    Entry("/ranking", "nav.ranking", _above_villages, menu=OVERSIGHT),
    Entry("/reports", "nav.reports", menu=OVERSIGHT),
    Entry("/meetings", "nav.meetings", _above_villages, menu=OVERSIGHT),
    Entry("/supervision", "nav.supervision", menu=OVERSIGHT),
    Entry("/documents", "nav.documents", _above_villages, count="/documents/count"),
    Entry("/exports", "nav.exports", menu=MANAGE),
    Entry("/batches", "nav.batches", menu=IMAGES),
    Entry("/nights", "nav.nights", menu=IMAGES),
    Entry("/cameras", "nav.cameras", menu=IMAGES),
    Entry("/inbox", "nav.inbox", count="/inbox/count"),
    Entry("/people", "nav.people", _administrators, menu=MANAGE),
    Entry("/areas", "nav.areas", _administrators, menu=MANAGE),
    Entry("/layers", "nav.layers", _administrators, menu=MANAGE),
    Entry("/calendar", "nav.calendar", menu=MANAGE),
    Entry("/settings", "nav.settings", _of_all_areas, menu=MANAGE),
    Entry("/weights", "nav.weights", _administrators, menu=MANAGE),
    Entry("/messages", "nav.sent", _administrators, menu=MANAGE),
    Entry("/sharing", "nav.sharing", _administrators, menu=MANAGE),
    Entry("/blacklist", "nav.blacklist", _above_villages, menu=MANAGE),
    Entry("/retention", "nav.retention", _administrators, menu=MANAGE),
    Entry("/log", "nav.log", menu=MANAGE),
)
"""In the order of the page. A new page adds its entry here."""


SHARED_ENTRIES = (Entry("/shared", "nav.shared"),)
"""All that users of receiving bodies are offered."""


@dataclass(frozen=True)
class Link:
    """An entry as a template shows it: ``counted``: whether its count exists in this installation."""

    path: str
    text: str
    count: str
    counted: bool


@dataclass(frozen=True)
class Menu:
    """A menu of links; ``current``: whether it contains the shown page."""

    text: str
    links: list[Link]
    current: bool


@dataclass(frozen=True)
class Navigation:
    """The links of the row, and the menus after it."""

    row: list[Link]
    menus: list[Menu]


def navigation_of(request: Request, viewer: Viewer) -> Navigation:
    """Return the navigation of a user."""
    entries = SHARED_ENTRIES if viewer.shared_only else ENTRIES
    shown = [entry for entry in entries if entry.shown(viewer) and _exists(request, entry.path)]

    def links(menu: str) -> list[Link]:
        return [
            Link(entry.path, entry.text, entry.count, bool(entry.count) and _exists(request, entry.count))
            for entry in shown
            if entry.menu == menu
        ]

    def is_current(link: Link) -> bool:
        return request.url.path.startswith(link.path)

    menus = [Menu(name, links(name), any(map(is_current, links(name)))) for name in (OVERSIGHT, IMAGES, MANAGE)]
    return Navigation(links(""), [menu for menu in menus if menu.links])


def _exists(request: Request, path: str) -> bool:
    known: dict[str, bool] = request.app.state.__dict__.setdefault("pages", {})
    if path not in known:
        scope = {"type": "http", "path": path, "root_path": "", "method": "GET", "headers": []}
        known[path] = any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)
    return known[path]
