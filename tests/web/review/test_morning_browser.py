"""An inspector's morning in a real browser: sign-in, interrupted upload, nightly scan, review, sheet, sign-out."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyproj import Transformer
from shapely import box, transform
from sqlalchemy import func, select

from configs.service import WebSettings
from service.context import Context
from service.scan_jobs import add_night_job
from store.access.users import add_user
from store.schema.tables import AlertRow, Batch, Job, Transition
from tests.inference.scenes import ORIGIN, DifferenceDetector, write_image
from tests.store.sample_rows import add_area
from tests.web.chromium import chromium_browser, needs_chromium, wait_until, without_script_errors
from tests.web.uploads.slow_connection import SlowConnection, bytes_received, record_offsets, wait_for_js
from tests.web.uploads.upload_service import serving
from tests.workers.embedded import context_in
from tests.workers.scan_service import DAY, VILLAGE, after_image, before_image
from web.auth.passwords import hash_password
from workers.runtime.job_runner import run_job
from workers.runtime.run_batch import run_batch

PDFTOTEXT = shutil.which("pdftotext")
pytestmark = [
    pytest.mark.slow,
    needs_chromium,
    pytest.mark.skipif(PDFTOTEXT is None, reason="pdftotext of poppler-utils is not installed"),
]
PASSWORD = "correct horse battery"
LOOKS = os.environ.get("TUBAN_LOOKS", "")
"""A folder for screenshots."""


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """A service with one village and one inspector; its detector finds differences of colour."""
    context = context_in(tmp_path, web=WebSettings(secure_cookies=False))
    context.__dict__["detector"] = DifferenceDetector()
    ground = box(ORIGIN[0] - 500, ORIGIN[1] - 900, ORIGIN[0] + 900, ORIGIN[1] + 500)
    to_degrees = Transformer.from_crs("EPSG:32650", "EPSG:4490", always_xy=True).transform
    with context.database.write() as session:
        add_area(session, VILLAGE, transform(ground, to_degrees, interleaved=False))
        hashed = hash_password(PASSWORD)
        now = context.clock()
        add_user(session, login="li", name="李工", role="county", code="330199", password_hash=hashed, now=now)
    yield context
    context.database.close()


@pytest.fixture
def page(context: Context) -> Iterator[Any]:
    """A page of a browser that is not signed in; no script may fail."""
    with serving(context) as address, chromium_browser() as browser:
        window = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN", base_url=address)
        page = window.new_page()
        with without_script_errors(page):
            yield page


def test_from_sign_in_to_sign_out(context: Context, page: Any, tmp_path: Path) -> None:
    images = [  # of eleven megabytes each, so that the interruption hits a transfer
        write_image(tmp_path / name, image.repeat(3, axis=0).repeat(3, axis=1), resolution=0.5 / 3)
        for name, image in (("正射_20260301.tif", before_image()), ("正射_20261020.tif", after_image()))
    ]
    _sign_in(page)
    batch = _upload_over_a_line_that_is_cut(context, page, images)
    _see_them_placed(context, page, batch)
    _compare(context)
    page.goto("/nights")
    page.get_by_role("link", name=DAY.isoformat()).click()
    assert "2026-10-20" in page.inner_text("main")
    _look(page, "night")
    number = _review_by_keyboard(context, page)
    _read_the_sheet(page, number, tmp_path)
    _sign_out(page)


def _look(page: Any, name: str) -> None:
    if LOOKS:
        page.wait_for_timeout(500)
        page.screenshot(path=f"{LOOKS}/morning_{name}.png")


def _sign_in(page: Any) -> None:
    page.goto("/batches")
    page.wait_for_url("**/sign-in?next=*")
    page.keyboard.type("li")  # the field has the focus
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/batches")


def _upload_over_a_line_that_is_cut(context: Context, page: Any, images: list[Path]) -> int:
    """Bytes shown as sent were received, and received bytes are not sent again."""
    page.locator("select[name=area]").select_option(VILLAGE)
    page.set_input_files("#files", images)
    line = SlowConnection(page, 3_000_000)
    page.click("#begin")
    wait_for_js(page, "document.getElementById('all').value > 0.3")
    with context.database.read() as session:
        batch = session.scalars(select(Batch.id)).one()
    line.cut(True)
    page.wait_for_selector(".sent-files .waiting")
    before, sizes = bytes_received(context, batch), [image.stat().st_size for image in images]
    assert 0 < before < sum(sizes)
    _look(page, "cut")
    shown = page.evaluate("[...document.querySelectorAll('.sent-files progress')].map((one) => one.value)")
    assert sum(share * size for share, size in zip(shown, sizes, strict=True)) <= before + 1, "more is shown than came"
    offsets = record_offsets(page)
    line.cut(False)
    page.wait_for_url("**/batches/*")
    assert min(offsets) > 0, "a file was sent from its beginning again"
    return batch


def _see_them_placed(context: Context, page: Any, batch: int) -> None:
    page.wait_for_selector(".batch-working")
    run_batch(context, batch)
    page.wait_for_selector(".batch-done")  # the page updates itself
    page.wait_for_selector("#batch-map[data-drawn='2']")
    assert page.locator("td .file-placed").count() == 2
    _look(page, "batch")


def _compare(context: Context) -> None:
    """Run the jobs of the night."""
    with context.database.write() as session:
        add_night_job(session, DAY, context.clock())
    waiting = select(Job.id).where(Job.state == "waiting", Job.queue == "scan")
    while True:
        with context.database.read() as session:
            jobs = session.scalars(waiting).all()
        if not jobs:
            return
        assert {run_job(context, job_id) for job_id in jobs} == {"done"}


def _review_by_keyboard(context: Context, page: Any) -> str:
    """Reject an alert, undo it and judge it again; return the number of the other alert."""
    page.goto("/alerts")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('begin')"):
            break
    page.keyboard.press("Enter")
    first = _shown(page, "")
    page.keyboard.press("2")
    page.keyboard.press("2")  # shadow
    second = _shown(page, first)
    page.keyboard.press("u")
    page.wait_for_selector(f".review[data-shown='{first}']")
    page.keyboard.press("1")
    page.wait_for_selector(f".review[data-shown='{second}']")
    _look(page, "review")
    wait_until(lambda: _alerts(context)[first][0] == "published")  # sent while the next alert is already shown
    alerts = _alerts(context)
    assert alerts[second][0] == "new"
    assert alerts[first][1] >= 4  # found, rejected, undone, judged
    return second


def _alerts(context: Context) -> dict[str, tuple[str, int]]:
    """Return the state and the number of transitions of each alert by its number."""
    states = select(AlertRow.number, AlertRow.state, func.count(Transition.id)).join(Transition).group_by(AlertRow.id)
    with context.database.read() as session:
        return {number: (state, steps) for number, state, steps in session.execute(states)}


def _shown(page: Any, number: str) -> str:
    page.wait_for_selector(f".review[data-shown]:not([data-shown='{number}'])")
    return str(page.evaluate("document.querySelector('.review').dataset.shown"))


def _read_the_sheet(page: Any, number: str, folder: Path) -> None:
    link = page.get_attribute("[data-part=sheet]", "href")
    response = page.context.request.get(link)
    assert (response.status, response.headers["content-type"]) == (200, "application/pdf")
    sheet = folder / "sheet.pdf"
    sheet.write_bytes(response.body())
    read = subprocess.run(["pdftotext", sheet, "-"], capture_output=True, text=True, check=True)
    text = "".join(read.stdout.split())
    for words in (number, "疑似变化线索，须经实地核查", "2026-03-01", "2026-10-20", "没有已知图斑与其重叠"):
        assert words in text, words


def _sign_out(page: Any) -> None:
    """Sign out; afterwards the pages are inaccessible, also by the back button."""
    behind = page.url
    page.get_by_role("button", name="退出").press("Enter")
    page.wait_for_url("**/sign-in")
    page.goto(behind)
    page.wait_for_url("**/sign-in?next=*")
    assert page.context.request.get("/api/alerts", headers={"accept": "application/json"}).status == 401
    page.go_back()
    assert page.locator(".review").count() == 0
