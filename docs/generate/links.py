"""Files of the repository that are pages of the site, and links between them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

from rooms import ROOT, all_rooms

INCLUDED = {
    "operations.md": "deploy/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
}
"""Page → file of the repository that is its text."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```[^\S\n]*$)", re.MULTILINE | re.DOTALL)


def page_of(path: str) -> str | None:
    """The page that shows a file of the repository; None: there is none."""
    pages = {file: page for page, file in INCLUDED.items()} | {"README.md": "index.md", "README.zh.md": "index.zh.md"}
    pages |= {f"{room.name}/README.md": reference_page(room.name) for room in all_rooms() if room.top == room.name}
    pages |= {name.removesuffix("/README.md"): page for name, page in pages.items() if name.endswith("/README.md")}
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return pages.get(path.rstrip("/"))


def reference_page(room: str) -> str:
    """Where the reference of a room is."""
    return f"reference/{room}.md"


def outside_fences(markdown: str, change: Callable[[str], str]) -> str:
    """Change all of a page but its blocks of code."""
    return "".join(part if part.startswith("```") else change(part) for part in _FENCE.split(markdown))


def relinked(markdown: str, source: str, page: str) -> str:
    """Links of a text as they have to be on a page of the site.

    A link to a file that is no page becomes its words with the file's path. One to a file that does not exist stays as
    it is, so that a strict build fails.

    Args:
        markdown: the text.
        source: the file of the repository that it comes from, like ``deploy/README.md``.
        page: the page that it becomes, like ``operations.md``.
    """

    def changed(link: re.Match[str]) -> str:
        picture, words, address = link.groups()
        target, hash_, anchor = address.partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return link.group(0)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        found = page_of(path)
        if found is not None:
            return f"{picture}[{words}]({posixpath.relpath(found, posixpath.dirname(page) or '.')}{hash_}{anchor})"
        if not (ROOT / path).exists():
            return link.group(0)
        return words if words.strip("`") == path else f"{words} (`{path}`)"

    return outside_fences(markdown, lambda part: _LINK.sub(changed, part))
