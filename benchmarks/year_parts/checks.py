"""All checks of the simulated year together: at the end of each week, and at the end."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field

from sqlalchemy import func, select

from benchmarks.year_parts.legal_steps import alert_faults, read_steps
from benchmarks.year_parts.numbers_and_messages import message_faults, number_faults, sum_faults
from benchmarks.year_parts.paper_checks import (
    chain_faults,
    document_number_faults,
    paper_visibility_faults,
    report_faults,
)
from benchmarks.year_parts.ranking_checks import ranking_faults
from benchmarks.year_parts.run import Year
from benchmarks.year_parts.visibility import visibility_faults
from store.alerts.audit import audit_alerts
from store.schema.tables import AlertRow

OVERDUE_DAYS = 60
"""Open alerts that nobody has touched for so long after their deadline were forgotten by the software."""


@dataclass
class Checks:
    """Checks and the faults that they found.

    Attributes:
        viewers: people per check whose lists are compared.
        faults: what is wrong, in the order of discovery.
        weeks: number of checked weeks.
    """

    viewers: int = 8
    faults: list[str] = field(default_factory=list)
    weeks: int = 0

    def week(self, year: Year, day: dt.date) -> None:
        """Check what has to hold on the evening of any day."""
        self.weeks += 1
        rng = random.Random(f"{year.seed} {day}")
        present = [officer for officer in year.county.officers if officer.active]
        sampled = {officer.role: officer for officer in rng.sample(present, len(present))}
        chosen = [*sampled.values(), *rng.sample(present, min(self.viewers, len(present)))][: self.viewers]
        with year.database.read() as session:
            logs = read_steps(session)
            found = alert_faults(session, day, logs)
            found += visibility_faults(session, chosen, day, year.service.clock())
            found += number_faults(session)
            found += report_faults(session, day - dt.timedelta(days=6), day, logs)
            found += document_number_faults(session)
            found += paper_visibility_faults(session, chosen, day)
            found += year.sharing.faults(session, logs, year.service.clock())
            viewer = next(officer.viewer for officer in year.county.officers if officer.role == "leader")
            found += ranking_faults(session, viewer, logs, day)
        found += [f"allowed: {attempt}" for attempt in year.four_eyes.allowed]
        year.four_eyes.allowed.clear()
        self.faults += [f"{day}: {fault}" for fault in found]

    def end(self, year: Year) -> None:
        """Check the whole: chains, numbers, messages, sums, and that no alert was forgotten."""
        audit = audit_alerts(year.database)
        self.faults += [f"log of {broken.number}: {broken.reason}" for broken in audit.listed]
        with year.database.read() as session:
            self.faults += message_faults(session, year.service.post, end=True)
            self.faults += sum_faults(session)
            self.faults += number_faults(session) + document_number_faults(session) + chain_faults(session)
            self.faults += [f"signed although {what} failed: {n}" for what, n in year.paperwork.failed_checks.items()]
            limit = year.last_day - dt.timedelta(days=OVERDUE_DAYS)
            forgotten = select(AlertRow.number, AlertRow.state, AlertRow.due_on).where(
                AlertRow.due_on < limit, AlertRow.over_cap.is_(False)
            )
            self.faults += [f"{n} ({state}) was due on {due}" for n, state, due in session.execute(forgotten)]
            if not session.scalar(select(func.count()).select_from(AlertRow)):
                self.faults.append("there are no alerts at all")
