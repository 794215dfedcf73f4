"""``tuban upload`` against a running service: interrupted, killed and rejected uploads, and the final report."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from cli import main
from service.context import Context
from store.scenes.batches import batch_report
from store.schema.tables import Batch
from tests.web.uploads.upload_service import client_of, context_with_people, serving, token_of
from tests.workers.ingest.images import CODE, NEIGHBOUR, write_image
from web.uploads.upload_files import list_uploads
from workers.runtime.run_batch import run_batch


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    monkeypatch.setenv("TUBAN_CACHE", str(tmp_path / "cache"))
    with context_with_people(tmp_path / "home") as context:
        monkeypatch.setenv("TUBAN_TOKEN", token_of(context, "li"))
        yield context


@pytest.fixture
def address(context: Context) -> Iterator[str]:
    with serving(context) as address:
        yield address


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["tuban", "upload", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_info:
        main.main()
    return int(exit_info.value.code or 0)


def _batches(context: Context) -> list[int]:
    with context.database.read() as session:
        return list(session.scalars(select(Batch.id).order_by(Batch.id)))


def _worker(context: Context) -> threading.Thread:
    """Process the first batch as soon as its upload is complete."""

    def work() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with context.database.read() as session:
                states = list(session.scalars(select(Batch.state)))
            if states and set(states) != {"receiving"}:
                run_batch(context, _batches(context)[0])
                return
            time.sleep(0.1)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _assert_received(context: Context, images: list[Path]) -> None:
    """The only batch contains every image, and the stored objects equal the files."""
    [batch] = _batches(context)
    with context.database.read() as session:
        report = batch_report(session, batch)
    assert report is not None
    assert {file.name: file.size for file in report.files} == {path.name: path.stat().st_size for path in images}
    stored = sorted(context.objects.read(key) for key in context.objects.keys("received/"))
    assert stored == sorted(path.read_bytes() for path in images)


def _wait_until_complete(context: Context) -> None:
    deadline = time.monotonic() + 30
    while True:
        with context.database.read() as session:
            if set(session.scalars(select(Batch.state))) == {"working"}:
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_outcome_is_printed_and_a_failed_file_exits_with_3(
    context: Context, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "flight" / "good_20240501.tif", 1)
    (tmp_path / "flight" / "broken.tif").write_bytes(b"II*\0 nothing")
    (tmp_path / "flight" / "link.tif").symlink_to(tmp_path / "flight" / "broken.tif")
    worker = _worker(context)
    assert _run(monkeypatch, address, tmp_path / "flight", "--area", CODE) == 3
    worker.join(60)
    output = capsys.readouterr().out
    assert "1 placed, 1 failed" in output
    assert "broken.tif: " in output
    assert "link.tif is a link" in output
    assert not list((tmp_path / "cache" / "uploads").iterdir())


def test_good_files_exit_with_0(
    context: Context, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = write_image(tmp_path / "good_20240501.tif", 1)
    _worker(context)
    assert _run(monkeypatch, address, image, "--area", CODE) == 0


def test_a_killed_command_resumes(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [write_image(tmp_path / f"big_2024050{n}.tif", n, size=3000, compress=None) for n in (1, 2)]
    with serving(context) as address:
        command = [sys.executable, "-m", "cli.main", "upload", address, *map(str, images), "--area", CODE, "--no-wait"]
        killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
        deadline = time.monotonic() + 90
        while not (sent := _sent(context)):
            assert time.monotonic() < deadline
            assert killed.poll() is None
            time.sleep(0.005)
        killed.kill()
        killed.wait()
        time.sleep(0.3)
        before = _sent(context)
        assert 0 < sent <= before
        received: list[int] = []
        real = httpx.Client.request

        def recorded(self: httpx.Client, method: str, url: str, **given: object) -> httpx.Response:
            if method == "PATCH":
                received.append(len(given["content"]))  # type: ignore[arg-type]
            return real(self, method, url, **given)  # type: ignore[arg-type]

        monkeypatch.setattr(httpx.Client, "request", recorded)
        assert _run(monkeypatch, address, *images, "--area", CODE, "--no-wait") == 0
        total = sum(image.stat().st_size for image in images)
        assert sum(received) == total - before
        _wait_until_complete(context)
    _assert_received(context, images)


def _sent(context: Context) -> int:
    return sum(upload.offset for batch in _batches(context) for upload in list_uploads(context.settings, batch))


def test_an_unreachable_service_is_retried_until_it_is_back(
    context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = write_image(tmp_path / "big_20240501.tif", 1, size=3000, compress=None)
    with serving(context) as address:
        port = int(address.rpartition(":")[2])
    exit_codes: list[int] = []
    sending = threading.Thread(
        target=lambda: exit_codes.append(_run(monkeypatch, address, image, "--area", CODE, "--no-wait"))
    )
    sending.start()  # no service listens yet
    time.sleep(1)
    with serving(context, port):
        sending.join(60)
        _wait_until_complete(context)
    assert exit_codes == [0]
    _assert_received(context, [image])


@pytest.mark.parametrize(
    ("area", "token", "message"),
    [
        (NEIGHBOUR, None, "no rights for it"),
        ("12", None, "area"),
        (CODE, "wrong", "token is not known"),
        (CODE, "", "no token"),
    ],
)
def test_rejected_uploads_exit_with_2(
    context: Context, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], area: str, token: str | None, message: str,
) -> None:  # fmt: skip
    image = write_image(tmp_path / "a.tif", 1)
    if token is not None:
        monkeypatch.setenv("TUBAN_TOKEN", token)
    assert _run(monkeypatch, address, image, "--area", area) == 2
    printed = capsys.readouterr()
    assert message in printed.err + printed.out
    assert _batches(context) == []


def test_the_same_command_after_the_end_starts_another_batch(
    context: Context, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = write_image(tmp_path / "a_20240501.tif", 1)
    assert _run(monkeypatch, address, image, "--area", CODE, "--no-wait") == 0
    _wait_until_complete(context)
    run_batch(context, _batches(context)[0])
    assert _run(monkeypatch, address, image, "--area", CODE, "--no-wait") == 0
    with client_of(address, os.environ["TUBAN_TOKEN"]) as client:
        assert len(client.get("/api/batches").json()["batches"]) == 2
