"""Check that the built site asks no other host for anything: ``python docs/generate/check_site.py site``."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

_LOADS = {"link": "href", "a": "", "area": ""}
"""Element → attribute whose address a browser loads by itself; every other element: ``src`` and its kin."""

_ADDRESS = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_IN_CSS = re.compile(r"(?:url\(|@import)\s*['\"]?\s*(?:https?:)?//", re.IGNORECASE)

_IN_SCRIPT = re.compile(r"https?://(?:unpkg|cdn|cdnjs|fonts)\b[^\"'`]*", re.IGNORECASE)


class _Loaded(HTMLParser):
    """Addresses of other hosts that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element loads; a link that a person follows, and `rel="canonical"`, load nothing."""
        given = {name: value or "" for name, value in attrs}
        names = [_LOADS[tag]] if tag in _LOADS else ["src", "srcset", "data", "poster", "xlink:href", "action"]
        if tag == "link" and given.get("rel") in ("canonical", "prev", "next", "alternate"):
            return
        self.found += [f"<{tag} {name}={given[name]!r}>" for name in names if _ADDRESS.match(given.get(name, ""))]


def asked_elsewhere(site: Path) -> list[str]:
    """What pages, style sheets and scripts of a site would load from other hosts."""
    found = []
    for path in sorted(site.rglob("*.html")):
        page = _Loaded()
        page.feed(path.read_text("utf-8"))
        found += [f"{path.relative_to(site)}: {what}" for what in page.found]
    for pattern, loads in (("*.css", _IN_CSS), ("*.js", _IN_SCRIPT)):
        for path in sorted(site.rglob(pattern)):
            found += [f"{path.relative_to(site)}: {what}" for what in loads.findall(path.read_text("utf-8"))]
    return found


if __name__ == "__main__":
    elsewhere = asked_elsewhere(Path(sys.argv[1]))
    print("\n".join(elsewhere) or "The site asks no other host for anything.")
    sys.exit(bool(elsewhere))
