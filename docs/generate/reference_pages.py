"""One page of reference for each room and inner room: its README, and its modules as they are documented."""

from __future__ import annotations

import re

from links import reference_page, relinked
from rooms import FLOORS, Room, all_rooms, imports, modules_of

_LEFT_OUT = ("store.migrations",)
"""Rooms whose modules nobody calls."""


def described() -> list[Room]:
    """The rooms that have a page, in the order of the floors."""
    return [room for room in all_rooms() if not room.name.startswith(_LEFT_OUT)]


def reference_text(room: Room) -> str:
    """A room's page as Markdown."""
    readme = room.folder / "README.md"
    path = f"{room.name.replace('.', '/')}/README.md"
    if readme.exists():
        text = relinked(readme.read_text("utf-8"), path, reference_page(room.name))
        text = re.sub(r"\A# .*\n", "", text)
    else:
        text = "" if room.name == "tuban" else f"{room.summary}\n"
    parts = [f"# {room.name}\n", text]
    if room.name == "tuban":  # what it exports is all there is
        parts.append(f"::: {room.name}\n    options:\n      heading_level: 2\n      show_root_heading: false\n")
    elif modules := modules_of(room):
        parts.append("## Modules\n")
        parts += [f"::: {module}\n    options:\n      heading_level: 3\n" for module in modules]
    return "\n".join(parts)


def navigation() -> list[dict[str, object]]:
    """Pages of reference as entries of the navigation; a room with inner rooms is a section."""
    entries: list[dict[str, object]] = []
    for top in (name for floor in FLOORS for name in floor):
        rooms = [room.name for room in described() if room.top == top]
        pages: list[dict[str, object]] = [{name: reference_page(name)} for name in rooms]
        if len(pages) > 1:
            entries.append({top: pages})
        else:
            entries += pages
    return entries


def table_of_rooms() -> str:
    """What each room is for, from its docstring, and which inner rooms of the same room it needs."""
    lines = ["| room | what it is for | inner rooms it imports from |", "| --- | --- | --- |"]
    for room in all_rooms():
        inner = room.name != room.top
        needed = [name for name in sorted(imports()[room.name]) if inner and name.startswith(f"{room.top}.")]
        name = f"`{room.name}`"
        if room in described():
            name = f"[{name}]({reference_page(room.name)})"
        summary = re.sub(r":[a-z]+:`~?([^`]+)`", r"`\1`", room.summary.replace("``", "`")).replace("|", "\\|")
        listed = ", ".join(f"`{name.partition('.')[2]}`" for name in needed)
        lines.append(f"| {'&emsp;' if inner else ''}{name} | {summary} | {listed} |")
    return "\n".join(lines)
