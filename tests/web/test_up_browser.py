"""`tuban up` in an empty folder: the printed invitation, an upload, alerts, and the shutdown."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.web.chromium import chromium_browser, needs_chromium, without_script_errors
from tests.workers.runtime.own_process import ROOT, alive
from training.sample.areas import TOWNSHIP, write_sample_areas
from training.sample.scene import render_sample_scene
from training.synthetic import SceneSpec

pytestmark = [
    pytest.mark.slow,
    needs_chromium,
]
SCENE = SceneSpec(seed=5, width=640, height=640, gsd_m=0.5)
PASSWORD = "correct horse battery"
LOOKS = os.environ.get("TUBAN_LOOKS", "")
"""A folder for screenshots."""


def _tuban(home: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return a command and its environment, with the default settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUBAN_")}
    environment |= {"TUBAN_HOME": str(home), "TUBAN_CACHE": os.environ["TUBAN_CACHE"]}
    return [sys.executable, "-m", "cli.main", *arguments], environment


def _call(home: Path, *arguments: str) -> str:
    command, environment = _tuban(home, *arguments)
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _until(condition: Callable[[], Any], seconds: float = 240) -> Any:
    """Return the first true value of ``condition``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.5)
    raise AssertionError(f"the condition was not met within {seconds:g} s")


@contextmanager
def _up(home: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service in its own process group, like a terminal."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command, environment = _tuban(home, "up", "--port", str(port))
    with log.open("wb") as words:
        running = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=words, stderr=words, process_group=0)
    try:
        yield running
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


@pytest.fixture
def page() -> Iterator[Any]:
    with chromium_browser() as browser:
        page = browser.new_page(viewport={"width": 1366, "height": 768}, locale="zh-CN")
        with without_script_errors(page):
            yield page


def test_from_an_empty_folder_to_alerts_and_shutdown(tmp_path: Path, page: Any) -> None:
    home, log = tmp_path / "home", tmp_path / "log"
    home.mkdir()
    before, after, truth = render_sample_scene(tmp_path / "scene", SCENE)
    with _up(home, log) as running:
        link = _until(lambda: re.search(r"http://\S+/welcome/\S+", log.read_text("utf-8")))[0]
        _call(home, "areas", "load", str(write_sample_areas(tmp_path / "scene", SCENE, truth).areas))
        _become_administrator(page, link)
        _upload(page, [before, after])
        _call(home, "night", "--now")
        _see_alerts(page)
        _look(page, "grid")
        family = psutil.Process(running.pid).children(recursive=True)
        assert len(family) >= 4  # pages, workers, schedule
        os.killpg(running.pid, signal.SIGINT)  # Ctrl-C reaches all of them
        assert running.wait(60) == 0, log.read_text("utf-8")
        assert [process for process in family if alive(process.pid)] == []
    assert "Tuban has stopped" in log.read_text("utf-8")
    assert not re.search(r"Traceback|\[error", log.read_text("utf-8"))


def _look(page: Any, name: str) -> None:
    if LOOKS:
        page.screenshot(path=f"{LOOKS}/up_{name}.png")


def _become_administrator(page: Any, link: str) -> None:
    page.goto(link)
    for name, value in (("login", "zhao"), ("name", "赵工"), ("password", PASSWORD), ("again", PASSWORD)):
        page.fill(f"input[name={name}]", value)
    page.click("button.primary")
    page.wait_for_url(lambda address: "/welcome/" not in address)
    assert "赵工" in page.inner_text("header")
    page.goto(link)
    assert page.locator("input[name=password]").count() == 0  # the link has been used


def _upload(page: Any, images: list[Path]) -> None:
    page.goto(page.url.partition("/welcome")[0] + "/batches")
    page.locator("select[name=area]").select_option(TOWNSHIP)
    page.set_input_files("#files", images)
    page.click("#begin")
    page.wait_for_url("**/batches/*")
    page.wait_for_selector(".batch-done")  # by a worker
    assert page.locator("td .file-placed").count() == 2


def _see_alerts(page: Any) -> None:
    base = page.url.partition("/batches")[0]

    def alerts() -> int:
        page.goto(f"{base}/alerts")
        return int(page.locator("#alerts .alert").count())

    assert _until(alerts) >= 1
    drawn = "[...document.querySelectorAll('#alerts .alert img')].every((one) => one.complete && one.naturalWidth > 0)"
    _until(lambda: page.evaluate(drawn))  # not wait_for_function: it polls by eval, which the pages forbid
    page.goto(f"{base}/nights")
    assert page.locator("tbody tr").count() == 1
    page.goto(f"{base}/alerts")
    page.click(".begin")
    page.wait_for_selector(".review[data-shown]")
    assert page.is_hidden("[data-part=after-fallback]")  # tiles, not only the stored picture
