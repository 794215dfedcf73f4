"""The simulated year: day by day, night by night, with checks at the end of each week."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.year_parts.casework import Casework
from benchmarks.year_parts.county import COUNTY, County, Scale
from benchmarks.year_parts.four_eyes import FourEyes
from benchmarks.year_parts.ground import Ground
from benchmarks.year_parts.images import Nights
from benchmarks.year_parts.measured import Measured
from benchmarks.year_parts.paperwork import Paperwork
from benchmarks.year_parts.service import SimulatedService
from benchmarks.year_parts.sharing_and_holds import SharingAndHolds
from benchmarks.year_parts.supervising import Supervising
from benchmarks.year_parts.tips_and_patrols import TipsAndPatrols
from service.messages.schedule import add_daily_job
from store.deadlines.calendar import calendar_of
from store.schema.database import Database
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Feature, Layer

FIRST_DAY = dt.date(2026, 1, 5)


@dataclass
class Year:
    """A county in a year.

    Attributes:
        service, county, ground: where, who and what is true.
        measured: seconds and rows.
    """

    database: Database
    home: Path
    seed: int
    scale: Scale
    first_day: dt.date = FIRST_DAY
    measured: Measured = field(default_factory=Measured)

    def __post_init__(self) -> None:
        """Create county, truth and people in an empty database."""
        start = dt.datetime.combine(self.first_day, dt.time(), dt.UTC) - dt.timedelta(days=1)
        self.service = SimulatedService(self.database, self.home, start, self.seed)
        self.county = County(self.scale, self.first_day, random.Random(f"people {self.seed}"))
        self.ground = Ground(self.county, random.Random(f"ground {self.seed}"))
        with self.database.write() as session:
            self.county.create(session, start)
            self.ground.create()
            self._add_layers(session, start)
            self.calendar = calendar_of(session)
        rng = [
            random.Random(f"{name} {self.seed}") for name in ("images", "work", "tips", "days", "supervision", "paper")
        ]
        self.nights = Nights(self.service, self.county, self.ground, rng[0])
        self.paperwork = Paperwork(self.service, self.county, self.calendar, rng[5])
        self.casework = Casework(self.service, self.county, self.ground, rng[1], paperwork=self.paperwork)
        self.tips = TipsAndPatrols(self.service, self.county, self.ground, rng[2])
        self.supervising = Supervising(self.service, self.county, rng[4])
        self.four_eyes = FourEyes(self.service, self.county, self.casework, random.Random(f"attempts {self.seed}"))
        self.sharing = SharingAndHolds(self.service, self.county, random.Random(f"sharing {self.seed}"))
        with self.database.write() as session:
            self.sharing.create(session, start)
        self.rng = rng[3]

    def run(
        self, each_week: Callable[[Year, dt.date], None] | None = None, progress: Callable[[], None] | None = None
    ) -> None:
        """Run all days; ``each_week`` is called on the evening of each Sunday, ``progress`` after each day."""
        self.nights.first_images(self.first_day - dt.timedelta(days=20))
        flown = 0
        withdrawn: list[int] = []
        with self.service.connected():
            for number in range(self.scale.days):
                day = self.first_day + dt.timedelta(days=number)
                works = self.calendar.is_working(day)
                if works and flown < self.scale.nights:
                    flown += 1
                    with self.measured.phase("nights"):
                        self.nights.night(day, satellite=flown % 60 == 30)
                self.service.clock.forward_to(self.service.local(day, 7.5))
                with self.measured.phase("messages of the day"):
                    self._morning(day)
                if not works:
                    with self.measured.phase("reports of free days"):
                        self.service.clock.forward_to(self.service.local(day, 9.1))
                        self.paperwork.hour(day, 9)
                if works:
                    withdrawn = self._work(day, number, withdrawn)
                self.service.clock.forward_to(self.service.local(day, 19))
                with self.measured.phase("messages"):
                    self.service.run_jobs()
                self.service.clock.forward_to(self.service.local(day, 20))
                if day.weekday() == 6 and each_week is not None:
                    with self.measured.phase("checks of the week"):
                        each_week(self, day)
                if progress is not None:
                    progress()
            self.last_day = self.first_day + dt.timedelta(days=self.scale.days - 1)
            self.service.clock.forward_to(self.service.local(self.last_day + dt.timedelta(days=1), 9))
            with self.measured.phase("messages"):
                self.service.run_jobs()

    def _morning(self, day: dt.date) -> None:
        with self.database.write() as session:
            add_daily_job(session, day, self.service.clock())
        self.service.run_jobs()

    def _work(self, day: dt.date, number: int, withdrawn: list[int]) -> list[int]:
        if number % 30 == 17:
            with self.measured.phase("people"):
                self._replace_somebody()
        with self.measured.phase("work on alerts, documents, reports"):
            self.casework.day(day, self.paperwork.appointments(day))
        with self.measured.phase("supervision"):
            self.supervising.day(day)
        with self.measured.phase("four eyes, sharing, holds"):
            self.four_eyes.day(day)
            self.sharing.day(day)
        with self.measured.phase("tips and patrols"):
            self.tips.day(day)
        chief = next(officer for officer in self.county.officers if officer.role == "county" and officer.active)
        with self.measured.phase("withdrawn images"):
            if withdrawn:
                self.nights.restore(chief.login, withdrawn)
                return []
            if number % 90 == 11:
                return self.nights.withdraw_some(chief.login, "uploaded under a wrong date")
        return withdrawn

    def _replace_somebody(self) -> None:
        """Replace a village officer; what was assigned to the former one is assigned to the successor."""
        old = self.rng.choice([each for each in self.county.officers if each.role == "village" and each.active])
        with self.database.write() as session:
            new = self.county.replace(session, old, self.service.clock())
            for alert in session.scalars(select(AlertRow).where(AlertRow.assignee == old.login)):
                alert.assignee = new.login

    def _add_layers(self, session: Session, now: dt.datetime) -> None:
        """Add approvals of some sites, and the farmland of the northern half of each village."""
        for name, kind in (("批文", "approval"), ("耕地", "cultivated"), ("永久基本农田", "basic_farmland")):
            layer = Layer(name=name, kind=kind, dated=self.first_day, loaded_at=now)
            session.add(layer)
            session.flush()
            if kind == "approval":
                outlines = [site.outline.buffer(0.0001) for site in self.ground.approved()]
            else:
                share = 0.5 if kind == "cultivated" else 0.25
                outlines = []
                for village in self.county.villages:
                    west, south, east, north = village.outline.bounds
                    top = south + (1 - share) * (north - south)
                    outlines.append(village.outline.intersection(village.outline.__class__(
                        [(west, top), (east, top), (east, north), (west, north)]
                    )))  # fmt: skip
            session.add_all(
                Feature(layer_id=layer.id, number=f"{COUNTY}-{number}", **bounds_of(outline))
                for number, outline in enumerate(outlines, 1)
            )
