"""Check that the built site loads nothing from other hosts: ``python docs/generate/check_site.py site``."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

_LOADED_ATTRIBUTE = {"link": "href", "a": "", "area": ""}
"""Element → attribute whose address browsers load automatically; other elements: :data:`_OTHER_ATTRIBUTES`."""

_OTHER_ATTRIBUTES = ["src", "srcset", "data", "poster", "xlink:href", "action"]

_ADDRESS = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_IN_CSS = re.compile(r"(?:url\(|@import)\s*['\"]?\s*(?:https?:)?//", re.IGNORECASE)

_IN_SCRIPT = re.compile(r"https?://(?:unpkg|cdn|cdnjs|fonts)\b[^\"'`]*", re.IGNORECASE)


class _ExternalRequests(HTMLParser):
    """Collect the addresses on other hosts that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what an element loads. Hyperlinks and `rel="canonical"` load nothing."""
        attributes = {name: value or "" for name, value in attrs}
        names = [_LOADED_ATTRIBUTE[tag]] if tag in _LOADED_ATTRIBUTE else _OTHER_ATTRIBUTES
        if tag == "link" and attributes.get("rel") in ("canonical", "prev", "next", "alternate"):
            return
        external = [name for name in names if _ADDRESS.match(attributes.get(name, ""))]
        self.found += [f"<{tag} {name}={attributes[name]!r}>" for name in external]


def external_requests(site: Path) -> list[str]:
    """List what pages, style sheets and scripts of a site would load from other hosts, as ``file: element``."""
    found = []
    for path in sorted(site.rglob("*.html")):
        page = _ExternalRequests()
        page.feed(path.read_text("utf-8"))
        found += [f"{path.relative_to(site)}: {element}" for element in page.found]
    for pattern, external in (("*.css", _IN_CSS), ("*.js", _IN_SCRIPT)):
        for path in sorted(site.rglob(pattern)):
            found += [f"{path.relative_to(site)}: {url}" for url in external.findall(path.read_text("utf-8"))]
    return found


if __name__ == "__main__":
    requests = external_requests(Path(sys.argv[1]))
    print("\n".join(requests) or "The site loads nothing from other hosts.")
    sys.exit(bool(requests))
