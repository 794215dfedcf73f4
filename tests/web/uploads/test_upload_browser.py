"""Uploads in a real browser: resume after a reload, and a dropped folder.

``tests/web/review/test_morning_browser.py`` covers an interrupted connection.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from service.context import Context
from store.access.users import begin_session, user_by_login
from store.schema.tables import Batch
from tests.web.chromium import chromium_browser, needs_chromium, without_script_errors
from tests.web.uploads.slow_connection import SlowConnection, bytes_received, record_offsets, wait_for_js
from tests.workers.ingest.images import CODE, write_image
from workers.runtime.run_batch import run_batch

pytestmark = needs_chromium
LOOKS = os.environ.get("TUBAN_LOOKS", "")
"""A folder for screenshots."""


@pytest.fixture
def page(context: Context, address: str) -> Iterator[Any]:
    """A page of the user Li's browser."""
    with context.database.write() as session:
        person = user_by_login(session, "li")
        assert person is not None
        secret = begin_session(session, person, context.clock(), 12)
    with chromium_browser() as browser:
        window = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN", base_url=address)
        window.add_cookies([{"name": "tuban", "value": secret, "url": address}])
        page = window.new_page()
        with without_script_errors(page):
            yield page


def _look(page: Any, name: str) -> None:
    if not LOOKS:
        return
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.wait_for_timeout(500)  # OpenLayers blends its colours
        page.screenshot(path=f"{LOOKS}/{name}_{theme}.png")
    page.emulate_media(color_scheme="light")


def _images(folder: Path) -> list[Path]:
    """Create two incompressible images of about ten megabytes."""
    return [write_image(folder / f"正射_2024050{n}.tif", n, east=1000.0 * n, size=1800, compress=None) for n in (1, 2)]


def _batch(context: Context) -> Batch:
    with context.database.read() as session:
        return session.scalars(select(Batch)).one()


def test_after_a_reload_the_same_files_resume(context: Context, page: Any, tmp_path: Path) -> None:
    images = _images(tmp_path)
    page.goto("/batches")
    page.locator("select[name=area]").select_option(CODE)
    page.set_input_files("#files", images)
    SlowConnection(page, 3_000_000)
    page.click("#begin")
    wait_for_js(page, "document.getElementById('all').value > 0.4")
    page.click("#pause")
    batch = _batch(context).id
    page.wait_for_timeout(500)
    before = bytes_received(context, batch)
    page.reload()
    page.locator("#unfinished").wait_for()
    _look(page, "unfinished_zh")
    offsets = record_offsets(page)
    page.set_input_files("#files", images)
    page.wait_for_url("**/batches/*")
    assert before > 0
    assert min(offsets) > 0
    assert _batch(context).id == batch
    assert {file.state for file in run_batch(context, batch).files} == {"placed"}


def test_a_dropped_folder_is_read_recursively(page: Any) -> None:
    """Scripts cannot create a dropped folder in Chromium, so the test uses an object with the same interface."""
    page.goto("/batches")
    page.evaluate(
        """() => {
          const file = (name) => ({ isFile: true, name, file: (done) => done(new File(["x"], name)) });
          const folder = (name, inside) => ({ isFile: false, name, createReader: () => {
            const left = inside.map((one) => [one]);
            return { readEntries: (done) => done(left.shift() ?? []) };
          }});
          const inner = folder("村", [file("b.tif"), file(".DS_Store")]);
          const root = folder("flight", [file("a.tif"), inner, file("a.tfw")]);
          const event = new Event("drop", { bubbles: true, cancelable: true });
          event.dataTransfer = { items: [{ webkitGetAsEntry: () => root }] };
          document.getElementById("drop").dispatchEvent(event);
        }"""
    )
    page.wait_for_selector("#rows li")
    assert page.locator("#rows .file-name").all_inner_texts() == ["flight/a.tif", "flight/村/b.tif", "flight/a.tfw"]
