"""A service with fictional areas and images of one place, for the lines that measure the service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.administration.night import plan_now
from configs.service import read_service
from service.batch_intake import receive_files
from service.broker import check_broker
from service.context import Context
from service.home import prepare_home
from store.areas.areas import load_areas
from store.jobs.queue import list_jobs
from store.scans.nights import recent_nights
from store.scenes.batches import batch_report
from store.schema.migrate import upgrade
from store.views.statistics import read_statistics
from training.sample.areas import TOWNSHIP, write_sample_areas
from training.synthetic import SceneSpec

POLL_SECONDS = 0.2
MAX_SECONDS = 3600


@contextmanager
def service(home: Path, spec: SceneSpec, **settings: Any) -> Iterator[Context]:
    """Create a service with the sample areas of ``spec`` and without its own processes; other settings override."""
    home.mkdir(parents=True)
    context = Context.from_settings(read_service(home=home, **settings))
    prepare_home(context.settings)
    check_broker(context.settings)
    upgrade(context.database)
    areas = write_sample_areas(home, spec, ())
    load_areas(context.database, areas.areas, now=context.clock())
    try:
        yield context
    finally:
        context.database.close()


def wait_until(context: Context, done: Callable[[], bool]) -> None:
    """Wait.

    Raises:
        RuntimeError: a job is dead, or an hour has passed.
    """
    deadline = time.monotonic() + MAX_SECONDS
    while not done():
        with context.database.read() as session:
            dead = list_jobs(session, state="dead", limit=1)
        if dead:
            raise RuntimeError(f"job {dead[0].id} ({dead[0].kind}) is dead: {dead[0].error}")
        if time.monotonic() > deadline:
            raise RuntimeError("not done after an hour")
        time.sleep(POLL_SECONDS)


def submit(context: Context, paths: Sequence[Path], source: str) -> int:
    """Receive files as one batch of the sample township; return its id."""
    return receive_files(context, paths, TOWNSHIP, source, "command", "bench", "bench")


def wait_for_batch(context: Context, batch: int) -> None:
    """Wait until each file has an outcome.

    Raises:
        RuntimeError: a file was not placed.
    """

    def waiting() -> list[Any]:
        with context.database.read() as session:
            report = batch_report(session, batch)
        assert report is not None
        failed = [file for file in report.files if file.state == "failed"]
        if failed:
            raise RuntimeError(f"{failed[0].name} was not placed: {failed[0].reason}")
        return [file for file in report.files if file.state == "waiting"]

    wait_until(context, lambda: not waiting())


def scan_now(context: Context) -> None:
    """Plan the scans of today's images and wait until they are done."""
    plan_now(context)

    def done() -> bool:
        with context.database.read() as session:
            nights = recent_nights(session, 1)
        return bool(nights) and nights[0].state == "done"

    wait_until(context, done)


def wait_for_deliveries(context: Context) -> int:
    """Wait until all events are delivered; return their number."""

    def targets() -> Any:
        with context.database.read() as session:
            return read_statistics(session, context.clock()).targets

    wait_until(context, lambda: not sum(target.waiting for target in targets()))
    return sum(target.delivered for target in targets())
