"""The browser that tests of pages drive: Debian's Chromium."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_CHROMIUM = shutil.which("chromium")

needs_chromium = pytest.mark.skipif(_CHROMIUM is None, reason="no chromium on this machine (Debian package chromium)")


@contextmanager
def launched() -> Iterator[Any]:
    """The browser, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def faultless(page: Any, refused: str = "") -> Iterator[Any]:
    """A page; at the end no script of it failed, and only ``refused`` was against its content policy."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
    yield page
    assert [fault for fault in faults if not refused or refused not in fault] == []


def come_about(true: Callable[[], bool]) -> None:
    """Wait for what a page has told the server without waiting for it itself, a minute at most."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "that did not come about within a minute"
        time.sleep(0.05)
