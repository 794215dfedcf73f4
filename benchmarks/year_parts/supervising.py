"""Listed supervision: some corrections are listed, the township reports weekly, asks for more time, and it ends."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import select

from benchmarks.year_parts.county import County
from benchmarks.year_parts.service import SimulatedService
from errors import TubanError
from store.chain_settings import read_chain_values
from store.deadlines.supervision import (
    decide_extension,
    end_supervision,
    list_for_supervision,
    open_supervisions,
    report_progress,
    request_extension,
    supervision_of,
    visible_supervision,
)
from store.schema.tables import AlertRow


@dataclass
class Supervising:
    """Supervisions of the county."""

    service: SimulatedService
    county: County
    rng: random.Random
    taken: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def day(self, day: dt.date) -> None:
        """List a correction now and then, and follow those that are listed."""
        if self.rng.random() < 0.15:
            self._list(day)
        with self.service.database.read() as session:
            listed = [(row.id, alert.grid_code, alert.state) for row, alert in open_supervisions(session)]
        for supervision_id, code, state in listed:
            self.service.clock.pass_seconds(10)
            try:
                self._follow(supervision_id, code, state, day)
            except TubanError as error:
                self.refused[str(error.reason.code)] += 1

    def _list(self, day: dt.date) -> None:
        officer = self.county.acting("county", self.county.villages[0].code, day)
        if officer is None:
            return
        with self.service.database.write() as session:
            correcting = select(AlertRow).where(AlertRow.state.in_(("correcting", "case"))).order_by(AlertRow.id)
            alerts = [alert for alert in session.scalars(correcting) if supervision_of(session, alert.id) is None]
            if alerts:
                alert = self.rng.choice(alerts)
                list_for_supervision(
                    session, alert, officer.viewer, duty_unit="Township", requirements="demolish and restore",
                    due_on=day + dt.timedelta(days=self.rng.randrange(20, 60)), values=read_chain_values(session),
                    today=day, now=self.service.clock(),
                )  # fmt: skip
                self.taken["listed"] += 1

    def _follow(self, supervision_id: int, code: str, state: str, day: dt.date) -> None:
        township = self.county.acting("township", code, day)
        county = self.county.acting("county", code, day)
        if township is None or county is None:
            return
        now = self.service.clock()
        with self.service.database.write() as session:
            found = visible_supervision(session, county.viewer, supervision_id, lock=True)
            assert found is not None
            values = read_chain_values(session)
            if state not in ("correcting", "case", "rechecked"):
                if self.rng.random() < 0.3:
                    end_supervision(session, found, county.viewer, "the works are gone", now)
                    self.taken["ended"] += 1
            elif found.request is not None:
                decide_extension(
                    session, found, county.viewer, granted=self.rng.random() < 0.7, text="twenty days are enough",
                    values=values, today=day, now=now,
                )  # fmt: skip
                self.taken["decided"] += 1
            elif found.row.due_on - day < dt.timedelta(days=3) and self.rng.random() < 0.3:
                later = found.row.due_on + dt.timedelta(days=20)
                request_extension(session, found, township.viewer, later, "rain for two weeks", values, now)
                self.taken["requested"] += 1
            elif found.row.progress_due <= day and self.rng.random() < 0.8:
                report_progress(session, found, township.viewer, "half is gone", values, day, now)
                self.taken["reported"] += 1
