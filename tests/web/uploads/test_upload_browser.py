"""Upload in a real browser, beside what tests/web/review/test_morning_browser.py does: a reload, a folder that is dropped."""

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
from tests.web.chromium import faultless, launched, needs_chromium
from tests.web.uploads.slow_line import Line, arrived, offsets_asked, until
from tests.workers.ingest.images import CODE, write_image
from workers.runtime.run_batch import run_batch

pytestmark = needs_chromium
LOOKS = os.environ.get("TUBAN_LOOKS", "")
"""A folder for pictures of the pages, to be looked at."""


@pytest.fixture
def page(context: Context, address: str) -> Iterator[Any]:
    """A page of Li's browser."""
    with context.database.write() as session:
        person = user_by_login(session, "li")
        assert person is not None
        secret = begin_session(session, person, context.clock(), 12)
    with launched() as browser:
        window = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN", base_url=address)
        window.add_cookies([{"name": "tuban", "value": secret, "url": address}])
        page = window.new_page()
        with faultless(page):
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
    """Two of about ten megabytes, which do not become smaller."""
    return [write_image(folder / f"正射_2024050{n}.tif", n, east=1000.0 * n, size=1800, compress=None) for n in (1, 2)]


def _batch(context: Context) -> Batch:
    with context.database.read() as session:
        return session.scalars(select(Batch)).one()


def test_after_a_reload_the_same_files_go_on_where_they_stopped(context: Context, page: Any, tmp_path: Path) -> None:
    images = _images(tmp_path)
    page.goto("/batches")
    page.locator("select[name=area]").select_option(CODE)
    page.set_input_files("#files", images)
    Line(page, 3_000_000)
    page.click("#begin")
    until(page, "document.getElementById('all').value > 0.4")
    page.click("#pause")
    batch = _batch(context).id
    page.wait_for_timeout(500)
    before = arrived(context, batch)
    page.reload()
    page.locator("#unfinished").wait_for()
    _look(page, "unfinished_zh")
    asked = offsets_asked(page)
    page.set_input_files("#files", images)
    page.wait_for_url("**/batches/*", timeout=120_000)
    assert before > 0
    assert min(asked) > 0
    assert _batch(context).id == batch
    assert {file.state for file in run_batch(context, batch).files} == {"placed"}


def test_a_folder_that_is_dropped_is_walked_through(page: Any) -> None:
    """Chromium gives scripts no folder of their own making, so one stands in that answers like it."""
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
