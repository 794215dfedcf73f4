"""Submit batches of files in tests and read their outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from service.batch_intake import receive_files
from service.context import Context
from store.jobs.queue import list_jobs
from store.scenes.batches import BatchReport, FileReport, batch_report
from store.schema.tables import SceneRow
from tests.workers.ingest.images import CODE
from workers.runtime.run_batch import run_batch


def submit(context: Context, *paths: Path, **arguments: Any) -> int:
    """Receive files into a batch and return its id."""
    arguments = {
        "area_code": CODE,
        "source": "drone",
        "origin": "command",
        "created_by": "wang",
        "name": "x",
    } | arguments
    return receive_files(context, list(paths), **arguments)


def ingest(context: Context, *paths: Path, **arguments: Any) -> dict[str, FileReport]:
    """Receive files and run their jobs; return the files by name."""
    report = run_batch(context, submit(context, *paths, **arguments))
    assert report.state == "done"
    assert list(context.objects.keys("received/")) == []
    assert list((context.settings.home / "work").glob("*")) == []
    return {file.name: file for file in report.files}


def states(files: dict[str, FileReport]) -> dict[str, str]:
    return {name: file.state for name, file in files.items()}


def scenes(context: Context) -> list[SceneRow]:
    with context.database.read() as session:
        return list(session.scalars(select(SceneRow).order_by(SceneRow.id)))


def report_of(context: Context, batch: int) -> BatchReport:
    with context.database.read() as session:
        report = batch_report(session, batch)
    assert report is not None
    return report


def job_ids(context: Context) -> list[int]:
    with context.database.read() as session:
        return [job.id for job in list_jobs(session, kind="ingest.file")]
