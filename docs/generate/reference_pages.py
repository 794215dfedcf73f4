"""Reference pages: one for each room and inner room, with its README and its modules."""

from __future__ import annotations

import re

from links import reference_page, rewrite_links
from rooms import LAYERS, Room, all_rooms, imports, modules_of

_EXCLUDED = ("store.migrations",)
"""Rooms without a public API."""


def documented_rooms() -> list[Room]:
    """Return the rooms that have a page, in the order of the layers."""
    return [room for room in all_rooms() if not room.name.startswith(_EXCLUDED)]


def reference_markdown(room: Room) -> str:
    """Return a room's page as Markdown."""
    readme = room.folder / "README.md"
    path = f"{room.name.replace('.', '/')}/README.md"
    if readme.exists():
        text = rewrite_links(readme.read_text("utf-8"), path, reference_page(room.name))
        text = re.sub(r"\A# .*\n", "", text)
    else:
        text = "" if room.name == "tuban" else f"{room.summary}\n"
    parts = [f"# {room.name}\n", text]
    if room.name == "tuban":  # the package exports its complete API
        parts.append(f"::: {room.name}\n    options:\n      heading_level: 2\n      show_root_heading: false\n")
    elif modules := modules_of(room):
        parts.append("## Modules\n")
        parts += [f"::: {module}\n    options:\n      heading_level: 3\n" for module in modules]
    return "\n".join(parts)


def navigation() -> list[dict[str, object]]:
    """Return the reference pages as navigation entries; a room with inner rooms is a section."""
    entries: list[dict[str, object]] = []
    for top in (name for layer in LAYERS for name in layer):
        rooms = [room.name for room in documented_rooms() if room.top == top]
        pages: list[dict[str, object]] = [{name: reference_page(name)} for name in rooms]
        if len(pages) > 1:
            entries.append({top: pages})
        else:
            entries += pages
    return entries


def rooms_table() -> str:
    """Return a table of all rooms: purpose, from the docstring, and imports of inner rooms of the same room."""
    lines = ["| room | purpose | imports inner rooms |", "| --- | --- | --- |"]
    for room in all_rooms():
        inner = room.name != room.top
        imported = [name for name in sorted(imports()[room.name]) if inner and name.startswith(f"{room.top}.")]
        name = f"`{room.name}`"
        if room in documented_rooms():
            name = f"[{name}]({reference_page(room.name)})"
        summary = re.sub(r":[a-z]+:`~?([^`]+)`", r"`\1`", room.summary.replace("``", "`")).replace("|", "\\|")
        listed = ", ".join(f"`{name.partition('.')[2]}`" for name in imported)
        lines.append(f"| {'&emsp;' if inner else ''}{name} | {summary} | {listed} |")
    return "\n".join(lines)
