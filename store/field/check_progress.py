"""Progress of the checks of an alert: what was sent, what waits, what was kept and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.evidence.evidence_files import files_of_alert
from store.field.announced_steps import FINDINGS, NEEDS_FILE, PHOTO
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.chain.field_tables import FieldStep


@dataclass(frozen=True)
class CheckProgress:
    """One check of an alert.

    Attributes:
        uid: of the check.
        who: login of the officer.
        begun_at: server time of the first announcement.
        steps: all steps, in the order of their announcement.
        photos: stored photos by the uid of their step.
    """

    uid: str
    who: str
    begun_at: dt.datetime
    steps: Sequence[FieldStep]
    photos: dict[str, EvidenceFile]

    @property
    def total(self) -> int:
        """Number of announced steps."""
        return len(self.steps)

    @property
    def arrived(self) -> int:
        """Number of steps that arrived whole: all but photos whose bytes are missing."""
        return sum(step.state != NEEDS_FILE for step in self.steps)

    @property
    def findings(self) -> FieldStep | None:
        """The findings that were announced last; None: none."""
        return next((step for step in reversed(self.steps) if step.kind == FINDINGS), None)


def checks_of_alert(session: Session, alert_id: int) -> list[CheckProgress]:
    """List the checks of an alert, latest first. The caller checked that the viewer may see the alert."""
    query = select(FieldStep).where(FieldStep.alert_id == alert_id).order_by(FieldStep.id)
    by_check: dict[str, list[FieldStep]] = {}
    for step in session.scalars(query):
        by_check.setdefault(step.check_uid, []).append(step)
    files = {file.uid: file for file in files_of_alert(session, alert_id)} if by_check else {}
    found = [
        CheckProgress(
            uid,
            steps[0].who,
            steps[0].received_at,
            steps,
            {step.uid: files[step.uid] for step in steps if step.kind == PHOTO and step.uid in files},
        )
        for uid, steps in by_check.items()
    ]
    return sorted(found, key=lambda check: check.begun_at, reverse=True)
