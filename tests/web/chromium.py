"""Chromium of the Debian package, driven by Playwright in the tests of pages."""

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
def chromium_browser() -> Iterator[Any]:
    """Start a headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def without_script_errors(page: Any, refused: str = "") -> Iterator[Any]:
    """Check at the end that no script failed and that only ``refused`` violated the content security policy."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
    yield page
    assert [fault for fault in faults if not refused or refused not in fault] == []


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait up to a minute for the effect of a request that a page sends in the background."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met within a minute"
        time.sleep(0.05)
