"""Numbers of a page that are links to the alerts or weeks that they count."""

from __future__ import annotations

import re
from html import unescape

_LINK = re.compile(r'<a href="(/dashboard/(?:alerts|patrols)\?[^"]*)">(.*?)</a>', re.DOTALL)


def counted_links(page: str) -> dict[str, int]:
    """Return the number that each link shows; areas in mu, which are no numbers of alerts, are left out."""
    found = {}
    for address, words in _LINK.findall(page):
        number = re.sub(r"<[^>]*>|\D*(?=<b)", "", words) if "<" in words else words
        digits = re.search(r"(\d+)$", number.strip())
        if digits and "." not in number and "indicators.farmland" not in address:
            found[unescape(address)] = int(digits[1])
    return found
