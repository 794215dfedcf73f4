"""Setup of review tests: the users of a county, alerts of its village, and access to logs and events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings, read_service
from store.access.rights import Viewer
from store.access.users import viewer_of
from store.alerts.audit import audit_alerts
from store.review.decisions import judge, undo
from store.schema.database import Database
from store.schema.tables import AlertRow, Delivery, Transition
from store.schema.user_tables import User
from tests.store.sample_alerts import NOW, add_alert, add_village

T = TypeVar("T")
USERS = {
    "li": ("county", "330106"),
    "zhao": ("county", "330106"),
    "sun": ("city", ""),
    "chen": ("township", "330106005"),
    "wang": ("village", "330106005201"),
    "qian": ("county", "330108"),
}

FINDINGS = {
    "finding": "suspected", "works": "built", "use": "factory", "party": "Zhang", "area_mu": 0.6, "cultivated_mu": 0.2
}  # fmt: skip
"""A complete card of the check on the ground."""


def later(minutes: float = 1) -> dt.datetime:
    return NOW + dt.timedelta(minutes=minutes)


@dataclass
class ReviewSetup:
    """Calls of the review functions, each in its own transaction like a request."""

    database: Database
    settings: ServiceSettings

    @classmethod
    def create(cls, database: Database, home: Path, cap: int = 3) -> ReviewSetup:
        with database.write() as session:
            add_village(session)
            for login, (role, code) in USERS.items():
                session.add(User(login=login, name=login.title(), role=role, code=code, created_at=NOW))
        return cls(database, read_service(home=home, alerts={"cap_per_grid_and_week": cap}))

    def viewer(self, login: str) -> Viewer:
        with self.database.read() as session:
            return viewer_of(session.scalars(select(User).where(User.login == login)).one())

    def add(self, number: str = "330106U2026110001", **given: Any) -> str:
        with self.database.write() as session:
            alert = add_alert(session, number)
            alert.rank = 1
            for name, value in given.items():
                setattr(alert, name, value)
        return number

    def alert(self, number: str = "330106U2026110001") -> AlertRow:
        with self.database.read() as session:
            return session.scalars(select(AlertRow).where(AlertRow.number == number)).one()

    def alerts(self) -> dict[str, AlertRow]:
        with self.database.read() as session:
            return {alert.number: alert for alert in session.scalars(select(AlertRow).order_by(AlertRow.id))}

    def run(self, act: Callable[[Session], T]) -> T:
        """Run ``act`` in a writing transaction, then verify the logs.

        A fault at the first row is expected of alerts that were added in a later state.
        """
        with self.database.write() as session:
            result = act(session)
        assert [chain for chain in audit_alerts(self.database).listed if chain.sequence > 1] == []
        return result

    def judge(self, number: str, verdict: Any, by: str = "li", minutes: float = 1, **given: Any) -> AlertRow:
        viewer, now = self.viewer(by), later(minutes)
        return self.run(
            lambda session: judge(
                session, self.alert(number), viewer, verdict, settings=self.settings, now=now, **given
            )
        )

    def undo(self, number: str, by: str = "li", minutes: float = 5) -> AlertRow:
        viewer, now = self.viewer(by), later(minutes)
        return self.run(lambda session: undo(session, self.alert(number), viewer, now, self.settings))

    def week(self) -> dict[str, tuple[int | None, bool]]:
        """Return (rank, over the quota) of each alert, by number."""
        return {number: (alert.rank, alert.over_cap) for number, alert in self.alerts().items()}

    def log(self, number: str = "330106U2026110001") -> list[tuple[str, str]]:
        """Return (state entered, user) of each transition, oldest first."""
        with self.database.read() as session:
            rows = session.execute(
                select(Transition.to_state, Transition.who)
                .join(AlertRow, AlertRow.id == Transition.alert_id)
                .where(AlertRow.number == number)
                .order_by(Transition.sequence)
            )
            return [(row[0], row[1]) for row in rows]

    def events(self) -> list[tuple[str, str, str]]:
        """Return (number, kind, state) of each event, in order."""
        with self.database.read() as session:
            events = [delivery.event for delivery in session.scalars(select(Delivery).order_by(Delivery.id))]
        return [(e["subject"], e["type"].rsplit(".", 1)[1], e["data"]["properties"]["state"]) for e in events]
