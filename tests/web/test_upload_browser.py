"""Upload in a real browser: the connection is cut in the middle, and every file still ends with its outcome."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from store.batches import batch_report
from store.people import begin_session, person_by_login
from store.tables import Batch
from tests.workers.images import CODE, write_image
from web.uploads import list_uploads
from workers.context import Context
from workers.work_off import work_off

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (Debian package chromium)")
LOOKS = os.environ.get("TUBAN_LOOKS", "")
"""A folder for pictures of the pages, to be looked at."""


@pytest.fixture
def page(context: Context, address: str) -> Iterator[Any]:
    """A page of Li's browser."""
    from playwright.sync_api import sync_playwright

    with context.database.write() as session:
        person = person_by_login(session, "li")
        assert person is not None
        secret = begin_session(session, person, context.clock(), 12)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        window = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN", base_url=address)
        window.add_cookies([{"name": "tuban", "value": secret, "url": address}])
        page = window.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
        yield page
        browser.close()
        assert faults == []


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


def _until(page: Any, true: str) -> None:
    """Playwright's own waiting evaluates words, which the content policy forbids."""
    deadline = time.monotonic() + 60
    while not page.evaluate(true):
        assert time.monotonic() < deadline, true
        page.wait_for_timeout(20)


def _arrived(context: Context, batch: int) -> int:
    return sum(upload.offset for upload in list_uploads(context.settings, batch))


def _batch(context: Context) -> Batch:
    with context.database.read() as session:
        return session.scalars(select(Batch)).one()


def test_two_images_arrive_although_the_connection_is_cut(context: Context, page: Any, tmp_path: Path) -> None:
    images = _images(tmp_path)
    page.goto("/batches")
    page.locator("select[name=area]").select_option(CODE)
    page.set_input_files("#files", images)
    _look(page, "chosen_zh")
    line = Line(page, 3_000_000)
    page.click("#begin")
    _until(page, "document.getElementById('all').value > 0.3")
    batch = _batch(context).id
    line.cut(True)
    page.wait_for_selector(".sent-files .waiting", timeout=60_000)
    before = _arrived(context, batch)
    assert 0 < before < sum(image.stat().st_size for image in images)
    _look(page, "cut_zh")
    shown = page.evaluate("[...document.querySelectorAll('.sent-files progress')].map((one) => one.value)")
    files = [image.stat().st_size for image in images]
    assert sum(share * size for share, size in zip(shown, files, strict=True)) <= before + 1, "more is shown than came"
    page.wait_for_timeout(1500)
    asked: list[int] = []
    page.on(
        "request",
        lambda request: asked.append(int(request.headers["upload-offset"])) if request.method == "PATCH" else None,
    )
    line.cut(False)
    page.wait_for_url("**/batches/*", timeout=120_000)
    assert min(asked) > 0, "a file was sent from its beginning again"
    page.wait_for_selector(".batch-working", timeout=30_000)
    work_off(context, batch)
    page.wait_for_selector(".batch-done", timeout=30_000)
    page.wait_for_selector("#batch-map[data-drawn='2']", timeout=30_000)
    assert page.locator("td .file-placed").count() == 2
    with context.database.read() as session:
        report = batch_report(session, batch)
    assert report is not None
    assert [file.size for file in report.files] == [image.stat().st_size for image in images]
    page.wait_for_timeout(300)
    _look(page, "batch_zh")
    page.get_by_role("button", name="English").click()
    page.get_by_text("Where the images lie").wait_for()
    page.wait_for_timeout(500)
    _look(page, "batch_en")
    page.goto("/batches")
    _look(page, "list_en")


def test_after_a_reload_the_same_files_go_on_where_they_stopped(context: Context, page: Any, tmp_path: Path) -> None:
    images = _images(tmp_path)
    page.goto("/batches")
    page.locator("select[name=area]").select_option(CODE)
    page.set_input_files("#files", images)
    Line(page, 3_000_000)
    page.click("#begin")
    _until(page, "document.getElementById('all').value > 0.4")
    page.click("#pause")
    batch = _batch(context).id
    page.wait_for_timeout(500)
    before = _arrived(context, batch)
    page.reload()
    page.locator("#unfinished").wait_for()
    _look(page, "unfinished_zh")
    asked: list[int] = []
    page.on(
        "request",
        lambda request: asked.append(int(request.headers["upload-offset"])) if request.method == "PATCH" else None,
    )
    page.set_input_files("#files", images)
    page.wait_for_url("**/batches/*", timeout=120_000)
    assert before > 0
    assert min(asked) > 0
    assert _batch(context).id == batch
    assert {file.state for file in work_off(context, batch).files} == {"placed"}


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
