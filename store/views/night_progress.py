"""Progress of the night that is running, and whether one is about to be planned."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.scans.nights import UNFINISHED
from store.scans.scans import share_done
from store.schema.job_states import in_state
from store.schema.tables import Job, Night, Scan


@dataclass(frozen=True)
class NightProgress:
    """Progress of the comparisons of all areas.

    Attributes:
        planned: whether a night waits to be planned or is being planned.
        day: local day of the night that is running; None: none is.
        done: number of its scans that have ended.
        scans: number of its scans.
        share: share of its work that is done, 0…1; unfinished scans count by their blocks.
    """

    planned: bool
    day: dt.date | None = None
    done: int = 0
    scans: int = 0
    share: float = 0.0

    @property
    def running(self) -> bool:
        """Whether anything is planned or compared."""
        return self.planned or self.day is not None


def night_progress(session: Session) -> NightProgress:
    """Return the progress of the latest night whose scans are unfinished."""
    plan = select(Job.id).where(Job.kind == "night.plan", in_state("waiting", "running")).limit(1)
    planned = session.scalar(plan) is not None
    night = session.scalar(select(Night).where(Night.state != "done").order_by(Night.day.desc()).limit(1))
    if night is None:
        return NightProgress(planned)
    scans = session.scalars(select(Scan).where(Scan.night_id == night.id)).all()
    done = sum(scan.state not in UNFINISHED for scan in scans)
    work = sum(1.0 if scan.state not in UNFINISHED else share_done(scan) for scan in scans)
    return NightProgress(planned, night.day, done, len(scans), work / len(scans) if scans else 0.0)
