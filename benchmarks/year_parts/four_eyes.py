"""People who try to decide on their own work: each attempt has to be refused."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.year_parts.casework import Casework
from benchmarks.year_parts.county import County, Officer
from benchmarks.year_parts.legal_steps import rules
from benchmarks.year_parts.service import SimulatedService
from errors import TubanError
from store.alerts.transitions import steps_of
from store.review.decisions import move
from store.schema.tables import AlertRow

ATTEMPTS: dict[str, tuple[str, dict[str, Any]]] = {
    "submitted": ("reviewed", {}),
    "reviewed": ("lawful", {"basis": "approval of 2019, see the register"}),
    "lawful": ("closed", {}),
    "rechecked": ("closed", {"agreed": True}),
}
"""State → (next state, evidence) that the one who may not take this step tries."""


_BEFORE_CHECK = ("dispatched", "accepted")


class _TakenBack(Exception):  # noqa: N818  (ends a transaction that must leave nothing behind)
    """A step that should have been refused is rolled back."""


@dataclass
class FourEyes:
    """Attempts at steps that need a second person.

    Attributes:
        checked: field checks by townships, whose officers could approve them.
        refused: number of refused attempts by state; allowed: attempts that the software accepted.
    """

    service: SimulatedService
    county: County
    casework: Casework
    rng: random.Random
    checked: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    allowed: list[str] = field(default_factory=list)

    def day(self, day: dt.date) -> None:
        """Let townships check some alerts on the ground themselves, and people try to decide on their own work."""
        with self.service.database.read() as session:
            query = select(AlertRow.id, AlertRow.state, AlertRow.grid_code).where(
                AlertRow.state.in_((*_BEFORE_CHECK, *ATTEMPTS))
            )
            waiting = session.execute(query.order_by(AlertRow.id)).all()
        for alert_id, state, code in waiting:
            if state in _BEFORE_CHECK:
                if self.rng.random() < 0.15:
                    self._check(alert_id, code, day)
                    self._attempt(alert_id, "submitted")
            elif self.rng.random() < 0.3:
                self._attempt(alert_id, state)

    def _check(self, alert_id: int, code: str, day: dt.date) -> None:
        officer = self.county.acting("township", code, day)
        if officer is None:
            return
        with self.service.database.write() as session:
            alert = session.get_one(AlertRow, alert_id)
            site = self.casework.ground.site_at(alert.outline)
            findings = self.casework._findings(session, alert, officer, site, day)
            self._move(session, alert, officer, "submitted", findings)
            self.checked += 1

    def _attempt(self, alert_id: int, state: str) -> None:
        target, evidence = ATTEMPTS[state]
        rule = rules()[state, target]
        try:
            with self.service.database.write() as session:
                alert = session.get_one(AlertRow, alert_id)
                entered = [step.who for step in steps_of(session, alert) if step.to_state == rule["not_by"]]
                officer = next((one for one in self.county.officers if entered and one.login == entered[-1]), None)
                if officer is None or not officer.active or officer.role not in rule["by"]:
                    return
                if rule.get("balanced"):
                    whole = round(alert.area_m2, 2)
                    evidence = {**evidence, "total_m2": whole, "demolished_m2": whole, "regularised_m2": 0.0}
                self._move(session, alert, officer, target, evidence)
                self.allowed.append(f"{alert.number}: {officer.login} entered {rule['not_by']} and {target}")
                raise _TakenBack
        except _TakenBack:
            return
        except TubanError:
            self.refused[state] = self.refused.get(state, 0) + 1

    def _move(self, session: Session, alert: AlertRow, officer: Officer, to: str, evidence: dict[str, Any]) -> None:
        now = self.service.clock()
        move(session, alert, officer.viewer, to, evidence, settings=self.service.settings, now=now)
