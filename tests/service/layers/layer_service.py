"""A service with a village of alerts side by side, and files of layers."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from configs.service import ServiceSettings
from service.context import Context
from service.home import prepare_home
from service.layers.administration import NewVersion, discard, request_use, submit
from service.layers.files import receive_layer_file
from store.alerts.transitions import append_transition
from store.areas.layer_options import LayerOptions
from store.schema.database import Database
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Job, LayerVersion, Transition
from tests.store.areas.polygon_files import write
from tests.store.sample_alerts import NOW, add_alert, add_village
from workers.runtime.job_runner import run_job

VILLAGE = "330106005201"
"""Code of the village of all alerts."""


def place(index: int) -> BaseGeometry:
    """Outline of an alert: places lie side by side, from west to east."""
    return box(120.01 + 0.002 * index, 30.01, 120.011 + 0.002 * index, 30.011)


def number(index: int) -> str:
    return f"330106W20261100{index:02}"


@dataclass
class LayerService:
    """The service.

    Attributes:
        context: of this process; its clock is set by tests.
        folder: for files.
    """

    context: Context
    folder: Path

    @classmethod
    def create(cls, database: Database, folder: Path, alerts: int = 5) -> LayerService:
        """Create the rows: alerts that a scan found, numbered from 0."""
        settings = ServiceSettings(home=folder / "home")
        prepare_home(settings)
        service = cls(Context(settings, database, clock=lambda: NOW), folder)
        with database.write() as session:
            add_village(session)
            for index in range(alerts):
                alert = add_alert(session, number(index))
                alert.last_date, alert.overlaps, alert.legal_weight = dt.date(2026, 11, 30), [], 10
                for name, value in bounds_of(place(index)).items():
                    setattr(alert, name, value)
                append_transition(session, alert, "new", who="system", role="system", why="found", at=NOW)
        return service

    def at(self, day: dt.date) -> None:
        """Set the clock to the morning of a local day."""
        moment = dt.datetime.combine(day, dt.time(1), dt.UTC)
        self.context.clock = lambda: moment

    def write(self, name: str, outlines: list[BaseGeometry], fields: dict[str, list[Any]]) -> Path:
        return write(self.folder / name, outlines, fields)

    def load(self, path: Path, name: str, kind: str = "", code: str = "", **options: Any) -> LayerVersion:
        """Submit a file and run the jobs; return the version."""
        file = receive_layer_file(self.context, [(path.name, path)])
        new = NewVersion(name, code, kind, dt.date(2026, 11, 1), LayerOptions(**options), "chief")
        version_id = submit(self.context, new, file, in_background=True)
        self.run_jobs()
        return self.version(version_id)

    def use(self, version: LayerVersion) -> LayerVersion:
        """Take a version into use and run the jobs."""
        request_use(self.context, version.id, "chief")
        self.run_jobs()
        return self.version(version.id)

    def run_jobs(self) -> None:
        """Run the waiting jobs of layers; deliveries would only cost time."""
        with self.context.database.read() as session:
            jobs = session.scalars(select(Job.id).where(Job.state == "waiting", Job.kind.startswith("layers."))).all()
        for job_id in jobs:
            assert run_job(self.context, job_id) == "done"

    def discard(self, version: LayerVersion) -> None:
        discard(self.context, version.id, "chief")

    def version(self, version_id: int) -> LayerVersion:
        with self.context.database.read() as session:
            return session.get_one(LayerVersion, version_id)

    def alert(self, index: int) -> AlertRow:
        with self.context.database.read() as session:
            return session.scalars(select(AlertRow).where(AlertRow.number == number(index))).one()

    def states(self) -> list[str]:
        with self.context.database.read() as session:
            return list(session.scalars(select(AlertRow.state).order_by(AlertRow.number)))

    def last_step(self, index: int) -> Transition:
        alert = self.alert(index)
        with self.context.database.read() as session:
            steps = select(Transition).where(Transition.alert_id == alert.id).order_by(Transition.sequence.desc())
            return session.scalars(steps.limit(1)).one()

    def move(self, index: int, *states: str) -> None:
        """Move an alert as a person of the county."""
        with self.context.database.write() as session:
            alert = session.scalars(select(AlertRow).where(AlertRow.number == number(index))).one()
            for state in states:
                append_transition(session, alert, state, who="li", role="county", why="", at=self.context.clock())
