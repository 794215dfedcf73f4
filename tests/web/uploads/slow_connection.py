"""A slow browser connection that can be interrupted, and functions to observe uploads."""

from __future__ import annotations

import time
from typing import Any

from service.context import Context
from web.uploads.upload_files import list_uploads


class SlowConnection:
    """A slow connection of a page that can be interrupted."""

    def __init__(self, page: Any, bytes_per_second: int) -> None:
        self._page, self._speed = page, bytes_per_second
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("Network.enable")
        self.cut(False)

    def cut(self, cut: bool) -> None:
        """Interrupt or restore the connection; Playwright's own switch does not affect throttled transfers."""
        limits = {"offline": cut, "latency": 0, "downloadThroughput": -1, "uploadThroughput": self._speed}
        self._devtools.send("Network.emulateNetworkConditions", limits)
        self._page.context.set_offline(cut)


def wait_for_js(page: Any, condition: str) -> None:
    """Wait for a JavaScript condition; Playwright's own function needs eval, which the content policy forbids."""
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


def bytes_received(context: Context, batch: int) -> int:
    """Return the number of bytes of a batch that the server has received."""
    return sum(upload.offset for upload in list_uploads(context.settings, batch))


def record_offsets(page: Any) -> list[int]:
    """Record the offset of each PATCH request from now on, in a list that grows."""
    offsets: list[int] = []
    page.on(
        "request",
        lambda request: offsets.append(int(request.headers["upload-offset"])) if request.method == "PATCH" else None,
    )
    return offsets
