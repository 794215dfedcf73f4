"""Pages of the site that show files of the repository, and links between them."""

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
"""Page → file of the repository that it shows."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```[^\S\n]*$)", re.MULTILINE | re.DOTALL)


def page_of(path: str) -> str | None:
    """Return the page that shows a file of the repository; None: there is none."""
    pages = {file: page for page, file in INCLUDED.items()} | {"README.md": "index.md", "README.zh.md": "index.zh.md"}
    pages |= {f"{room.name}/README.md": reference_page(room.name) for room in all_rooms() if room.top == room.name}
    pages |= {name.removesuffix("/README.md"): page for name, page in pages.items() if name.endswith("/README.md")}
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return pages.get(path.rstrip("/"))


def reference_page(room: str) -> str:
    """Return the path of a room's reference page."""
    return f"reference/{room}.md"


def outside_fences(markdown: str, change: Callable[[str], str]) -> str:
    """Apply ``change`` to all of a page except its code blocks."""
    return "".join(part if part.startswith("```") else change(part) for part in _FENCE.split(markdown))


def rewrite_links(markdown: str, source: str, page: str) -> str:
    """Rewrite links between files of the repository as links between pages of the site.

    A link to a file without a page becomes its text with the file's path. A link to a file that does not exist is
    unchanged, so that a strict build fails.

    Args:
        markdown: content of ``source``.
        source: path in the repository, like ``deploy/README.md``.
        page: path of the page in the site, like ``operations.md``.
    """

    def replace(link: re.Match[str]) -> str:
        image, label, address = link.groups()
        target, hash_, anchor = address.partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return link.group(0)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        target_page = page_of(path)
        if target_page is not None:
            return f"{image}[{label}]({posixpath.relpath(target_page, posixpath.dirname(page) or '.')}{hash_}{anchor})"
        if not (ROOT / path).exists():
            return link.group(0)
        return label if label.strip("`") == path else f"{label} (`{path}`)"

    return outside_fences(markdown, lambda part: _LINK.sub(replace, part))
