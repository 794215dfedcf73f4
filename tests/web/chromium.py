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


PATIENCE_MS = 300_000
"""How long a test waits for what a page shows: far longer than any page takes, for machines that do much else."""


@contextmanager
def chromium_browser() -> Iterator[Any]:
    """Start a headless browser whose windows and expectations wait for :data:`PATIENCE_MS`."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser: Any = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        browser.new_context, browser.new_page = _patient(browser.new_context), _patient(browser.new_page)
        yield browser
        browser.close()


def _patient(make: Callable[..., Any]) -> Callable[..., Any]:
    def window(**options: Any) -> Any:
        made = make(**options)
        made.set_default_timeout(PATIENCE_MS)
        return made

    return window


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
