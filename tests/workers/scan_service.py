"""A service with scenes of one place whose truth is drawn, whose nights are done in this process."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select

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
WRITTEN = (AlertRow, Observation, Transition, Delivery, Scan, UncomparedGround, Night, Job)


def before_image() -> Image:
    """Ground with nothing on it, 350 × 300 m."""
    return textured(600, 700)


def after_image() -> Image:
    """The same with a house of 40 × 60 and a pit of 80 × 80 pixels."""
    image = before_image()
    image[200:240, 300:360] = WHITE
    image[420:500, 100:180] = RED
    return image


class Service:
    """One installation; its detector needs no weights and its clock goes when it is told to."""

    def __init__(self, folder: Path, database: Database | None = None, **settings: Any) -> None:
        self.folder = folder
        self.context: Context = context_in(folder, database, **settings)
        self.use(DifferenceDetector())

    def use(self, detector: Any) -> None:
        """Compare with this detector."""
        self.context.__dict__["detector"] = detector

    def take_in(
        self, image: Image | Path, date: dt.date | None, name: str = "", area_code: str = VILLAGE, **given: Any
    ) -> int:
        """A scene, as ingest leaves it; returns its id."""
        name = name or f"{date or 'undated'}.tif"
        file = image if isinstance(image, Path) else write_image(self.folder / name, image, **given)
        out = self.folder / "cog.tif"
        done = ingest_image(file, name, out, limits=Limits(), today=DAY, workdir=self.folder, default_date=date)
        key = f"scenes/{done.sha256}.tif"
        self.context.objects.put(key, out)
        with self.context.database.write() as session:
            now = self.context.clock()
            scene = add_scene(session, done, area_code=area_code, name=name, source="drone", object_key=key, now=now)
        assert scene is not None
        return scene

    def begin_night(self, day: dt.date = DAY, again: bool = False) -> None:
        """As the schedule, or a person, begins one."""
        with self.context.database.write() as session:
            add_night_job(session, day, self.context.clock(), again)

    def waiting(self) -> list[int]:
        """Jobs of nights and scans that wait."""
        with self.context.database.read() as session:
            return list(
                session.scalars(select(Job.id).where(Job.state == "waiting", Job.queue == "scan").order_by(Job.id))
            )

    def work(self, run: Callable[[Context, int], object] = run_job) -> list[object]:
        """Do all jobs that wait and those that they add; returns what became of each."""
        outcomes = []
        while waiting := self.waiting():
            outcomes += [run(self.context, job_id) for job_id in waiting]
            assert "unavailable" not in outcomes
        return outcomes

    def night(self, day: dt.date = DAY) -> Night:
        """Plan the night of a day and do all of its work."""
        self.begin_night(day)
        assert set(self.work()) <= {"done"}
        with self.context.database.read() as session:
            return session.scalars(select(Night).where(Night.day == day)).one()

    def rows(self, table: type[Base]) -> list[Any]:
        """All rows of a table, in their order."""
        with self.context.database.read() as session:
            return list(session.scalars(select(table).order_by(*table.__table__.primary_key.columns)))

    def written(self) -> dict[str, list[dict[str, Any]]]:
        """All that nights and scans write, to be compared."""
        return {
            table.__tablename__: [
                {column.name: getattr(row, column.name) for column in table.__table__.columns}
                for row in self.rows(table)
            ]
            for table in WRITTEN
        }

    def handle(self, job: Job, should_stop: Callable[[], bool] = lambda: False) -> Commit | None:
        """The work of a job without claiming it, as a process does that lost its lease and does not know it."""
        told: list[float] = []
        job_run = JobRun(job.id, job.payload, 1, told.append, should_stop)
        commit = find_job_kind(job.kind).handler(self.context, job_run)
        assert told == sorted(told)
        return commit

    def commit(self, commit: Commit | None) -> None:
        """Write a result down."""
        if commit is not None:
            with self.context.database.write() as session:
                commit(session)

    def scenes(self) -> dict[str, SceneRow]:
        """Scenes by name."""
        return {row.name: row for row in self.rows(SceneRow)}
