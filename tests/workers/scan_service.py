"""A service with synthetic scenes of one place, whose nights run in this process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select

from imagery.conversion.given_metadata import GivenMetadata
from imagery.conversion.ingest import ingest_image
from imagery.limits import Limits
from service.context import Commit, Context, JobRun
from service.job_registry import find_job_kind
from service.scan_jobs import add_night_job
from store.scenes.scenes import add_scene
from store.schema.database import Database
from store.schema.tables import (
    AlertRow,
    Base,
    Delivery,
    Job,
    Night,
    Observation,
    Scan,
    SceneRow,
    Transition,
    UncomparedGround,
)
from tests.inference.scenes import DifferenceDetector, Image, textured, write_image
from tests.workers.embedded import context_in
from workers.runtime.job_runner import run_job

VILLAGE = "330199101201"
SPRING, AUTUMN, WINTER = dt.date(2026, 3, 1), dt.date(2026, 10, 20), dt.date(2026, 11, 18)
DAY = dt.date(2026, 11, 20)
WHITE, RED = (235, 235, 235), (235, 110, 20)
TABLES = (AlertRow, Observation, Transition, Delivery, Scan, UncomparedGround, Night, Job)


def before_image() -> Image:
    """Return textured ground without changes, 350 × 300 m at 0.5 m per pixel."""
    return textured(600, 700)


def after_image() -> Image:
    """Return the same ground with a house of 40 × 60 and a pit of 80 × 80 pixels."""
    image = before_image()
    image[200:240, 300:360] = WHITE
    image[420:500, 100:180] = RED
    return image


class ScanService:
    """An embedded service with a settable clock and a detector that needs no weights."""

    def __init__(self, folder: Path, database: Database | None = None, **settings: Any) -> None:
        self.folder = folder
        self.context: Context = context_in(folder, database, **settings)
        self.use_detector(DifferenceDetector())

    def use_detector(self, detector: Any) -> None:
        """Replace the detector."""
        self.context.__dict__["detector"] = detector

    def add_image(
        self,
        image: Image | Path,
        date: dt.date | None,
        name: str = "",
        area_code: str = VILLAGE,
        source: str = "drone",
        **profile: Any,
    ) -> int:
        """Add an image as an ingested scene; return the scene's id."""
        name = name or f"{date or 'undated'}.tif"
        file = image if isinstance(image, Path) else write_image(self.folder / name, image, **profile)
        cog = self.folder / "cog.tif"
        ingested = ingest_image(
            file, name, cog, limits=Limits(), today=DAY, workdir=self.folder, given=GivenMetadata(date=date)
        )
        key = f"scenes/{ingested.sha256}.tif"
        self.context.objects.put(key, cog)
        with self.context.database.write() as session:
            now = self.context.clock()
            scene = add_scene(session, ingested, area_code=area_code, name=name, source=source, object_key=key, now=now)
        assert scene is not None
        return scene

    def add_night_job(self, day: dt.date = DAY, again: bool = False) -> None:
        """Add the planning job of a night, as the scheduler or a user does."""
        with self.context.database.write() as session:
            add_night_job(session, day, self.context.clock(), again)

    def waiting_jobs(self) -> list[int]:
        """Return the ids of waiting jobs of nights and scans."""
        with self.context.database.read() as session:
            return list(
                session.scalars(select(Job.id).where(Job.state == "waiting", Job.queue == "scan").order_by(Job.id))
            )

    def run_jobs(self, run: Callable[[Context, int], object] = run_job) -> list[object]:
        """Run all waiting jobs and those that they add; return their outcomes."""
        outcomes = []
        while waiting := self.waiting_jobs():
            outcomes += [run(self.context, job_id) for job_id in waiting]
            assert "unavailable" not in outcomes
        return outcomes

    def run_night(self, day: dt.date = DAY) -> Night:
        """Plan the night of a date and run all of its jobs."""
        self.add_night_job(day)
        assert set(self.run_jobs()) <= {"done"}
        with self.context.database.read() as session:
            return session.scalars(select(Night).where(Night.day == day)).one()

    def rows(self, table: type[Base]) -> list[Any]:
        """Return all rows of a table, by primary key."""
        with self.context.database.read() as session:
            return list(session.scalars(select(table).order_by(*table.__table__.primary_key.columns)))

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """Return all rows that nights and scans write, for comparison."""
        return {
            table.__tablename__: [
                {column.name: getattr(row, column.name) for column in table.__table__.columns}
                for row in self.rows(table)
            ]
            for table in TABLES
        }

    def run_handler(self, job: Job, should_stop: Callable[[], bool] = lambda: False) -> Commit | None:
        """Run a job's handler without claiming the job, like a process that has lost its lease unnoticed."""
        progress: list[float] = []
        job_run = JobRun(job.id, job.payload, 1, progress.append, should_stop)
        commit = find_job_kind(job.kind).handler(self.context, job_run)
        assert progress == sorted(progress)
        return commit

    def commit(self, commit: Commit | None) -> None:
        """Write the result of a handler."""
        if commit is not None:
            with self.context.database.write() as session:
                commit(session)

    def scenes(self) -> dict[str, SceneRow]:
        """Return all scenes by name."""
        return {row.name: row for row in self.rows(SceneRow)}
