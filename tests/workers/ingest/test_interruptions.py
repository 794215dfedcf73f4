"""Interrupted calls, full disks and killed workers: nothing is lost, and each file still gets its outcome."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from errors import OutputError
from imagery.conversion.ingest import ingest_image
from service.context import Context
from store.objects.object_store import ObjectStoreUnavailable
from store.schema.tables import Batch
from tests.workers.embedded import clock_of
from tests.workers.ingest.batches import ingest, job_ids, report_of, states, submit
from tests.workers.ingest.images import write_image
from workers.runtime.job_runner import run_job
from workers.runtime.run_batch import run_batch


def test_an_interrupted_call_is_resumed_by_the_same_call(context: Context, folder: Path) -> None:
    for number in range(3):
        write_image(folder / f"{number}.tif", number)

    def killed(name: str, done: int, total: int) -> None:
        if name == "2.tif":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        submit(context, folder, progress=killed)
    with context.database.read() as session:
        [batch] = session.scalars(select(Batch))
    assert (batch.state, len(report_of(context, batch.id).files)) == ("receiving", 2)
    assert submit(context, folder) == batch.id
    report = run_batch(context, batch.id)
    assert ([file.name for file in report.files], report.count("placed")) == (["0.tif", "1.tif", "2.tif"], 3)
    assert submit(context, folder) != batch.id  # the batch is done, so the same folder starts a new one


def test_an_unavailable_object_store_stops_the_call_and_loses_nothing(
    context: Context, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(folder / "a.tif", 1)

    def full(key: str, data: bytes | Path) -> None:
        raise ObjectStoreUnavailable("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(context.objects, "put", full)
        with pytest.raises(OutputError, match="full"):
            submit(context, folder)
    assert states(ingest(context, folder)) == {"a.tif": "placed"}


def test_on_a_full_disk_a_job_waits_and_is_retried(
    context: Context, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(folder / "a.tif", 1)
    batch = submit(context, folder)
    [job] = job_ids(context)

    def full(*_: Any, **__: Any) -> None:
        raise OutputError("No room.")

    with monkeypatch.context() as broken:
        broken.setattr("workers.ingest.images.ingest_image", full)
        assert run_job(context, job) == "waiting"
    clock_of(context).forward(600)
    assert run_job(context, job) == "done"
    assert report_of(context, batch).count("placed") == 1


def test_a_second_attempt_runs_in_a_sandboxed_process(
    context: Context, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(folder / "a.tif", 1)
    submit(context, folder)
    [job] = job_ids(context)
    sandboxed: list[bool] = []

    def spy(*arguments: Any, **named: Any) -> Any:
        sandboxed.append(named["sandboxed"])
        if len(sandboxed) == 1:
            raise RuntimeError("like a killed process")
        return ingest_image(*arguments, **named)

    monkeypatch.setattr("workers.ingest.images.ingest_image", spy)
    assert run_job(context, job) == "waiting"
    clock_of(context).forward(600)
    assert run_job(context, job) == "done"
    assert sandboxed == [False, True]


def test_a_missing_object_is_an_outcome(context: Context, folder: Path) -> None:
    write_image(folder / "a.tif", 1)
    batch = submit(context, folder)
    for key in list(context.objects.keys("received/")):
        context.objects.delete(key)
    [file] = run_batch(context, batch).files
    assert (file.state, file.reason) == ("failed", "its received content no longer exists; submit the file again")


def test_a_killed_worker_leaves_no_files_behind(context: Context, folder: Path, tmp_path: Path) -> None:
    """SIGKILL while the COG is being written; the next attempt creates the scene."""
    write_image(folder / "a.tif", 1)
    batch = submit(context, folder)
    [job] = job_ids(context)
    program = f"""
        import os, signal
        from pathlib import Path
        import workers.ingest.images
        from configs.service import ServiceSettings
        from store.schema.database import Database
        from service.context import Context
        from workers.runtime.job_runner import run_job
        def killed(*_, **named):
            (named["workdir"] / "stage.tif").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        workers.ingest.images.ingest_image = killed
        settings = ServiceSettings(home=Path({str(context.settings.home)!r}), limits={{"free_disk_mib": 0}})
        context = Context(settings, Database(settings.database_url), clock=lambda: __import__("datetime").datetime(
            2026, 11, 20, 2, 30, tzinfo=__import__("datetime").UTC))
        run_job(context, {job})
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert killed.returncode == -9
    assert list((context.settings.home / "work").rglob("stage.tif"))
    clock_of(context).forward(600)
    assert run_job(context, job) == "done"
    report = report_of(context, batch)
    assert (report.state, report.count("placed")) == ("done", 1)
    assert list((context.settings.home / "work").iterdir()) == []
