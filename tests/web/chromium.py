"""The browser that tests of pages drive: Debian's Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
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
