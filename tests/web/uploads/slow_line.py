"""A browser's connection that is slow and can be cut, and how a test waits for what a page shows."""

from __future__ import annotations

import time
from typing import Any

from service.context import Context
from web.uploads.upload_files import list_uploads


class Line:
    """A slow connection of a page, which can be cut."""

    def __init__(self, page: Any, bytes_per_second: int) -> None:
        self._page, self._speed = page, bytes_per_second
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("Network.enable")
        self.cut(False)

    def cut(self, cut: bool) -> None:
        """Playwright's own switch does not stop what another one slows down, so both are used."""
        limits = {"offline": cut, "latency": 0, "downloadThroughput": -1, "uploadThroughput": self._speed}
        self._devtools.send("Network.emulateNetworkConditions", limits)
        self._page.context.set_offline(cut)


def until(page: Any, true: str) -> None:
    """Playwright's own waiting evaluates words, which the content policy forbids."""
    deadline = time.monotonic() + 60
    while not page.evaluate(true):
        assert time.monotonic() < deadline, true
        page.wait_for_timeout(20)


def arrived(context: Context, batch: int) -> int:
    """Bytes of a batch that the server has."""
    return sum(upload.offset for upload in list_uploads(context.settings, batch))


def offsets_asked(page: Any) -> list[int]:
    """From which byte on each piece is sent from now on; grows as the page sends."""
    asked: list[int] = []
    page.on(
        "request",
        lambda request: asked.append(int(request.headers["upload-offset"])) if request.method == "PATCH" else None,
    )
    return asked
