"""What other bodies see of the simulated county, and what nobody may delete: letters, rules, withdrawals, holds."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.year_parts.county import COUNTY, County
from benchmarks.year_parts.legal_steps import Step, categories, entered_on, is_open
from benchmarks.year_parts.service import SimulatedService
from enforcement.sharing.matters import DETERMINATIONS
from errors import TubanError
from store.access.rights import Viewer
from store.access.users import add_user, viewer_of
from store.retention.expired_rows import BATCH, KEPT, expired_files
from store.retention.holds import place_hold, release_hold
from store.schema.chain.deadline_tables import SupervisionRow
from store.schema.chain.evidence_tables import EvidenceFile
from store.schema.chain.retention_tables import HoldRow
from store.schema.chain.sharing_tables import ShareRow
from store.schema.tables import AlertRow
from store.search.alert_filter import AlertFilter
from store.search.alert_search import alert_by_number, count_alerts
from store.sharing.bodies import body_by_key, body_of, save_body, set_member
from store.sharing.shares import share_by_letter, withdraw_share
from store.views.shared_alerts import all_shared_alerts

REOPENED = ("returned", "disputed", "reviewed")


@dataclass
class SharingAndHolds:
    """Shares and holds, and the truth about them.

    Attributes:
        letters: (body, alert) that a person shared and nobody withdrew.
        withdrawn: (body, alert) that a person withdrew, which the rule does not share again.
        holds: id of each hold in force → (kind, area code, alert, number of the case).
    """

    service: SimulatedService
    county: County
    rng: random.Random
    bodies: dict[str, tuple[str, bool]] = field(default_factory=dict)  # key → (area code, by rule)
    viewers: dict[str, Viewer] = field(default_factory=dict)
    letters: set[tuple[str, int]] = field(default_factory=set)
    withdrawn: set[tuple[str, int]] = field(default_factory=set)
    holds: dict[int, tuple[str, str, int | None, str]] = field(default_factory=dict)

    def create(self, session: Session, now: dt.datetime) -> None:
        """Add a police station that sees by rule what is to be corrected, and a court that sees what it is sent."""
        town = self.county.villages[0].code[:9]
        rule = {"determinations": ["unlawful"]}
        for key, kind, code, matters in (("police", "police", town, rule), ("court", "court", COUNTY, {})):
            body = save_body(
                session, key=key, name=f"{key} of {code}", kind=kind, code=code, matters=matters, fields=None,
                by_rule=bool(matters), contact="", active=True, who="system", now=now,
            )  # fmt: skip
            user = add_user(session, login=key, name=key, role="partner", code=code, now=now, administrator=False)
            set_member(session, body, key)
            self.bodies[key], self.viewers[key] = (code, bool(matters)), viewer_of(user)

    def day(self, day: dt.date) -> None:
        """Share and withdraw some alerts, place and release some holds."""
        officer = self.county.acting("county", COUNTY, day)
        if officer is None:
            return
        now = self.service.clock()
        with self.service.database.write() as session:
            alerts = list(session.scalars(select(AlertRow).order_by(AlertRow.id.desc()).limit(200)))
            live = [alert for alert in alerts if categories()[alert.state] != "gone"]
            if live and self.rng.random() < 0.4:
                self._letter(session, self.rng.choice(live), officer.login, now)
            if self.rng.random() < 0.2:
                self._withdraw(session, officer.login, now)
            if live and self.rng.random() < 0.15:
                self._hold(session, self.rng.choice(live), officer.login, now)
            if self.holds and self.rng.random() < 0.1:
                hold_id = self.rng.choice(sorted(self.holds))
                row = session.get_one(HoldRow, hold_id)
                release_hold(session, row, who=officer.login, why="the case is closed", now=now)
                del self.holds[hold_id]

    def _letter(self, session: Session, alert: AlertRow, who: str, now: dt.datetime) -> None:
        key = self.rng.choice(sorted(self.bodies))
        body = body_by_key(session, key)
        assert body is not None
        try:
            share_by_letter(session, body, alert, who=who, reason="to take over", letter="抄告1号", now=now)
        except TubanError:
            return
        self.letters.add((key, alert.id))

    def _withdraw(self, session: Session, who: str, now: dt.datetime) -> None:
        rows = list(session.scalars(select(ShareRow).where(ShareRow.withdrawn_at.is_(None)).order_by(ShareRow.id)))
        if not rows:
            return
        row = self.rng.choice(rows)
        withdraw_share(session, row, who=who, why="sent to the wrong body", now=now)
        key = next(key for key in self.bodies if (body := body_by_key(session, key)) and body.id == row.body_id)
        self.letters.discard((key, row.alert_id))
        self.withdrawn.add((key, row.alert_id))

    def _hold(self, session: Session, alert: AlertRow, who: str, now: dt.datetime) -> None:
        kind = self.rng.choice(["alert", "area", "case"])
        case = f"立〔{now.year}〕{alert.id}号" if kind == "case" else ""
        code = alert.grid_code if kind == "area" else COUNTY
        row = place_hold(
            session, kind=kind, code=code, reason="asked for by the court", who=who, now=now,
            alert=alert if kind == "alert" else None, case_number=case,
        )  # fmt: skip
        self.holds[row.id] = (kind, code, alert.id if kind == "alert" else None, case)

    def faults(self, session: Session, logs: Mapping[int, Sequence[Step]], now: dt.datetime) -> list[str]:
        """Return where a body sees what it may not or misses what it should, and where a hold does not hold."""
        codes = {row[0]: (row[1], row[2]) for row in session.execute(
            select(AlertRow.id, AlertRow.grid_code, AlertRow.state)
        )}  # fmt: skip
        faults: list[str] = []
        for key, (code, by_rule) in self.bodies.items():
            expected = {alert for body, alert in self.letters if body == key}
            for alert, (place, state) in codes.items():
                ruled = by_rule and categories()[state] != "gone" and determination(logs[alert]) == "unlawful"
                if ruled and place.startswith(code) and (key, alert) not in self.withdrawn:
                    expected.add(alert)
            expected = {alert for alert in expected if codes[alert][0].startswith(code)}
            faults += self._body_faults(session, key, expected)
        return faults + self._hold_faults(session, logs, codes, now)

    def _body_faults(self, session: Session, key: str, expected: set[int]) -> list[str]:
        viewer = self.viewers[key]
        body = body_of(session, viewer)
        assert body is not None
        numbers = dict(session.execute(select(AlertRow.number, AlertRow.id)).all())
        seen = [numbers[one.alert.number] for one in all_shared_alerts(session, body)]
        faults = []
        if set(seen) != expected or len(seen) != len(expected):
            more, less = set(seen) - expected, expected - set(seen)
            faults.append(f"{key} sees {len(seen)} alerts; expected {len(expected)}: {sorted(more)} {sorted(less)}")
        if count_alerts(session, viewer, AlertFilter()):
            faults.append(f"{key} counts alerts that are not shared")
        if any(alert_by_number(session, viewer, number) is not None for number in list(numbers)[:20]):
            faults.append(f"{key} opens an alert by its number")
        return faults

    def _hold_faults(
        self,
        session: Session,
        logs: Mapping[int, Sequence[Step]],
        codes: Mapping[int, tuple[str, str]],
        now: dt.datetime,
    ) -> list[str]:
        """Compare the files that could be deleted if all times were over with a slow rule."""
        listed = set(session.scalars(select(SupervisionRow.alert_id).where(SupervisionRow.state == "open")))
        files = session.execute(
            select(EvidenceFile.id, EvidenceFile.alert_id)
            .where(EvidenceFile.state == KEPT, EvidenceFile.alert_id.is_not(None))
            .order_by(EvidenceFile.id)
        )
        expected = [
            file
            for file, alert in files
            if alert is not None
            and not is_open(codes[alert][1])
            and alert not in listed
            and not self._held(alert, codes[alert][0], logs[alert])
        ]
        found = [file.id for file in expired_files(session, now + dt.timedelta(days=1)) if file.alert_id is not None]
        if found != expected[:BATCH]:
            return [f"{len(found)} files of alerts may be deleted; expected {len(expected)}"]
        return []

    def _held(self, alert: int, code: str, log: Sequence[Step]) -> bool:
        cases = {str(step.evidence.get("case_number", "")) for step in log if step.to_state == "case"} - {""}
        return any(
            held == alert or (kind == "area" and code.startswith(area)) or (kind == "case" and case in cases)
            for kind, area, held, case in self.holds.values()
        )


def determination(log: Sequence[Step]) -> str:
    """Return the determination in force by a log alone; "": none."""
    found = ""
    for step in entered_on(log)[2]:
        if step.to_state in DETERMINATIONS:
            found = step.to_state
        elif step.to_state in REOPENED:
            found = ""
    return found
