"""A county that reviews the alerts of its village: people, alerts, and what is told of them."""

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
from store.alerts.transitions import verify_transitions
from store.review.decisions import judge, undo
from store.schema.database import Database
from store.schema.tables import AlertRow, Delivery, Transition
from store.schema.user_tables import User
from tests.store.sample_alerts import NOW, add_alert, add_village

T = TypeVar("T")
PEOPLE = {
    "li": ("county", "330106"),
    "zhao": ("county", "330106"),
    "sun": ("city", ""),
    "chen": ("township", "330106005"),
    "wang": ("village", "330106005201"),
    "qian": ("county", "330108"),
}


def later(minutes: float = 1) -> dt.datetime:
    return NOW + dt.timedelta(minutes=minutes)


@dataclass
class ReviewSetup:
    """Each call is a transaction of its own, as a request is."""

    database: Database
    settings: ServiceSettings

    @classmethod
    def open(cls, database: Database, home: Path, cap: int = 3) -> ReviewSetup:
        with database.write() as session:
            add_village(session)
            for login, (role, code) in PEOPLE.items():
                session.add(User(login=login, name=login.title(), role=role, code=code, created_at=NOW))
        return cls(database, read_service(home=home, alerts={"cap_per_grid_and_week": cap}))

    def viewer(self, login: str) -> Viewer:
        with self.database.read() as session:
            person = session.scalars(select(User).where(User.login == login)).one()
            return Viewer(person.login, person.name, person.role, person.code, person.administrator, person.id)

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

    def change(self, act: Callable[[Session], T]) -> T:
        """In a transaction that is then there, with logs that are still whole; an alert put into a state has none."""
        with self.database.write() as session:
            done = act(session)
        with self.database.read() as session:
            assert [chain for chain in verify_transitions(session) if chain.sequence > 1] == []
        return done

    def judge(self, number: str, verdict: Any, by: str = "li", minutes: float = 1, **given: Any) -> AlertRow:
        viewer, now = self.viewer(by), later(minutes)
        return self.change(
            lambda session: judge(
                session, self.alert(number), viewer, verdict, settings=self.settings, now=now, **given
            )
        )

    def undo(self, number: str, by: str = "li", minutes: float = 5) -> AlertRow:
        viewer, now = self.viewer(by), later(minutes)
        return self.change(lambda session: undo(session, self.alert(number), viewer, now, self.settings))

    def week(self) -> dict[str, tuple[int | None, bool]]:
        """Rank and over the cap, of each alert."""
        return {number: (alert.rank, alert.over_cap) for number, alert in self.alerts().items()}

    def log(self, number: str = "330106U2026110001") -> list[tuple[str, str]]:
        """(state entered, who), oldest first."""
        with self.database.read() as session:
            rows = session.execute(
                select(Transition.to_state, Transition.who)
                .join(AlertRow, AlertRow.id == Transition.alert_id)
                .where(AlertRow.number == number)
                .order_by(Transition.sequence)
            )
            return [(row[0], row[1]) for row in rows]

    def told(self) -> list[tuple[str, str, str]]:
        """Number, kind and state of each event, in their order."""
        with self.database.read() as session:
            events = [delivery.event for delivery in session.scalars(select(Delivery).order_by(Delivery.id))]
        return [(e["subject"], e["type"].rsplit(".", 1)[1], e["data"]["properties"]["state"]) for e in events]
