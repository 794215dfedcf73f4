"""A day of work on alerts: who is there takes the next step, some late, some with a wrong click that they undo."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from benchmarks.year_parts.county import County, Officer
from benchmarks.year_parts.ground import Ground, Site
from benchmarks.year_parts.paperwork import Appointment, Paperwork
from benchmarks.year_parts.service import SimulatedService
from enforcement.states import read_states
from enforcement.units import mu
from errors import TubanError
from store.evidence.evidence_files import Owner, ReceivedFile, add_file, new_uid, object_key
from store.evidence.step_evidence import later_images
from store.review.bulk_steps import OWN_OFFICER, step_many
from store.review.decisions import judge, move, reject_many, undo
from store.review.outline_edits import correct_outline
from store.schema.database import Session
from store.schema.tables import AlertRow

ACTING = {
    "new": "county", "triaged": "county", "published": "township", "dispatched": "village", "accepted": "village",
    "field_checked": "village", "submitted": "township", "reviewed": "county", "returned": "village",
    "disputed": "county", "bad_imagery": "county", "lawful": "county", "farm_facility": "county",
    "other_finding": "county", "unlawful": "township", "correcting": "township", "rechecked": "county",
    "case": "county",
}  # fmt: skip
"""State → role that ordinarily takes the next step."""

GREENHOUSE = "beyond doubt a greenhouse, no works"

Act = Callable[[Session, AlertRow, Officer], None]


@dataclass
class Casework:
    """The work of all officers on alerts.

    Attributes:
        taken: number of steps by state and step; wrong: undone clicks; refused: refused steps by reason.
        waits: alert → (state, when it was entered, day on which somebody takes the next step).
    """

    service: SimulatedService
    county: County
    ground: Ground
    rng: random.Random
    taken: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    waits: dict[int, tuple[str, dt.datetime, dt.date]] = field(default_factory=dict)
    paperwork: Paperwork | None = None

    def day(self, day: dt.date, appointments: Sequence[Appointment] = ()) -> None:
        """Let those who are there do the work of a day, between eight and six.

        Args:
            day: local day.
            appointments: what else happens at which time, in order.
        """
        self.service.clock.forward_to(self.service.local(day, 8))
        later = deque(appointments)
        columns = (
            AlertRow.id,
            AlertRow.state,
            AlertRow.changed_at,
            AlertRow.due_on,
            AlertRow.grid_code,
            AlertRow.over_cap,
        )
        with self.service.database.read() as session:
            waiting = session.execute(select(*columns).where(AlertRow.state.in_(read_states().open))).all()
        due = [row for row in waiting if not self._beyond_quota(row) and self._when(row, day) <= day]
        self.rng.shuffle(due)
        seconds = min(60.0, 9.5 * 3600 / max(1, 2 * len(due)))
        self._reject_in_bulk([row for row in due if row.state == "new"], day)
        self._dispatch_in_bulk([row for row in due if row.state == "published"], day)
        for row in due:
            self.service.clock.pass_seconds(seconds)
            while later and later[0][0] <= self.service.clock():
                later.popleft()[1]()
            officer = self._officer(row.state, row.grid_code, day)
            if officer is not None:
                self._act(row.id, row.state, officer, day)
        for moment, act in later:
            self.service.clock.forward_to(moment)
            act()

    def _beyond_quota(self, row: Any) -> bool:
        return bool(row.over_cap) and row.state in ("new", "triaged")

    def _when(self, row: Any, day: dt.date) -> dt.date:
        """Return the day on which somebody takes the next step; drawn once for each time that a state is entered."""
        known = self.waits.get(row.id)
        if known is not None and known[:2] == (row.state, row.changed_at):
            return known[2]
        due = row.due_on or day
        officers = [self._officer(row.state, row.grid_code, day)]
        late = next((officer.late for officer in officers if officer is not None), 0.05)
        days_left = max((due - day).days, 0)
        if row.state in ("correcting", "case"):
            chosen = due - dt.timedelta(days=self.rng.randrange(0, 1 + days_left // 3))
        elif row.state == "bad_imagery":
            chosen = day + dt.timedelta(days=self.rng.randrange(3, 12))
        else:
            chosen = day + dt.timedelta(days=self.rng.randrange(0, days_left + 1) if self.rng.random() < 0.5 else 0)
        if self.rng.random() < late:
            chosen = due + dt.timedelta(days=self.rng.randrange(1, 9))
        self.waits[row.id] = (row.state, row.changed_at, chosen)
        return chosen

    def _officer(self, state: str, code: str, day: dt.date) -> Officer | None:
        """Return somebody who may act in a state; where a village has nobody, the township."""
        role = ACTING[state]
        officer = self.county.acting(role, code, day)
        if officer is None and role == "village":
            officer = self.county.acting("township", code, day)
        return officer

    def _reject_in_bulk(self, rows: Sequence[Any], day: dt.date) -> None:
        officer = self.county.acting("county", self.county.villages[0].code, day)
        if officer is None or len(rows) < 4 or self.rng.random() < 0.6:
            return
        with self.service.database.write() as session:
            alerts = session.scalars(select(AlertRow).where(AlertRow.id.in_([row.id for row in rows])))
            false = [alert.number for alert in alerts if self.ground.site_at(alert.outline) is None]
            if false:
                now = self.service.clock()
                result = reject_many(session, officer.viewer, false, GREENHOUSE, now, self.service.settings)
                self.taken["new false_change, many"] += len(result.done)

    def _dispatch_in_bulk(self, rows: Sequence[Any], day: dt.date) -> None:
        groups: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            groups[row.grid_code[:9]].append(row.id)
        for code, ids in groups.items():
            officer = self.county.acting("township", code, day)
            if officer is None:
                continue
            with self.service.database.write() as session:
                numbers = list(session.scalars(select(AlertRow.number).where(AlertRow.id.in_(ids)).limit(100)))
                assignee = OWN_OFFICER if self.rng.random() < 0.5 else None
                done = step_many(
                    session,
                    officer.viewer,
                    numbers,
                    "dispatched",
                    assignee=assignee,
                    settings=self.service.settings,
                    now=self.service.clock(),
                )
                self.taken["published dispatched, many"] += len(done.done)

    def _act(self, alert_id: int, state: str, officer: Officer, day: dt.date) -> None:
        try:
            with self.service.database.write() as session:
                alert = session.get_one(AlertRow, alert_id)
                if alert.state != state:
                    return
                site = self.ground.site_at(alert.outline)
                self._wrong_click(session, alert, officer)
                self._step(session, alert, officer, site, day)
                self.taken[f"{state} {alert.state}"] += 1
        except TubanError as error:
            self.refused[f"{state}: {error.reason.code or str(error)[:60]}"] += 1

    def _wrong_click(self, session: Session, alert: AlertRow, officer: Officer) -> None:
        """Take a wrong step and undo it within minutes."""
        if self.rng.random() >= officer.careless:
            return
        before, clock = alert.state, self.service.clock
        try:
            if before in ("new", "triaged"):
                verdict: Any = self.rng.choice(["true", "false", "bad_imagery"])
                judge(
                    session,
                    alert,
                    officer.viewer,
                    verdict,
                    reason="clicked in haste",
                    settings=self.service.settings,
                    now=clock(),
                )
            elif before == "submitted":
                self._move(session, alert, officer, "returned", reason="the photos show another place")
            elif before == "reviewed":
                self._move(session, alert, officer, "lawful", basis="approval of 2019, see the register")
            elif before == "dispatched":
                self._move(session, alert, officer, "accepted")
            else:
                return
        except TubanError:
            return
        clock.pass_seconds(self.rng.uniform(20, 500))
        undo(session, alert, officer.viewer, clock(), self.service.settings)
        clock.pass_seconds(20)
        self.wrong += 1
        assert alert.state == before, (alert.number, before, alert.state)

    def _step(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        steps = {
            "new": self._judge, "triaged": self._judge, "published": self._dispatch, "dispatched": self._accept,
            "accepted": self._check, "returned": self._check, "field_checked": self._report,
            "submitted": self._review, "reviewed": self._determine, "lawful": self._close,
            "farm_facility": self._close, "other_finding": self._close, "unlawful": self._order,
            "correcting": self._recheck, "rechecked": self._settle, "case": self._decide,
            "disputed": self._arbitrate, "bad_imagery": self._reopen,
        }  # fmt: skip
        steps[alert.state](session, alert, officer, site, day)

    def _move(self, session: Session, alert: AlertRow, officer: Officer, to: str, **evidence: Any) -> None:
        now = self.service.clock()
        move(session, alert, officer.viewer, to, evidence, settings=self.service.settings, now=now)

    def _judge(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        real = site is not None and self.rng.random() < 0.97
        verdict: Any = "true" if real or self.rng.random() < 0.08 else "false"
        if self.rng.random() < 0.02:
            verdict = "bad_imagery"
        if alert.state == "triaged" and verdict == "true":
            self._move(session, alert, officer, "published")
            return
        settings, now = self.service.settings, self.service.clock()
        judge(session, alert, officer.viewer, verdict, reason="shadow of trees, see images", settings=settings, now=now)

    def _dispatch(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        self._move(session, alert, officer, "dispatched")

    def _accept(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        if self.rng.random() < 0.03:
            self._move(session, alert, officer, "disputed", reason="this lies in the neighbouring village")
        elif self.rng.random() < 0.4:
            self._move(session, alert, officer, "submitted", **self._findings(session, alert, officer, site, day))
        else:
            self._move(session, alert, officer, "accepted")

    def _check(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        to = "submitted" if self.rng.random() < 0.7 else "field_checked"
        self._move(session, alert, officer, to, **self._findings(session, alert, officer, site, day))

    def _findings(
        self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date
    ) -> dict[str, Any]:
        photos = [self.photo(session, alert, officer) for _ in range(self.rng.choice([3, 4, 5]))]
        works = "levelled" if site is None else site.works(day)
        area = round(mu(alert.area_m2), 2)
        findings = {"finding": "suspected", "works": works, "use": "other", "party": "不详", "area_mu": area}
        return {"photos": photos, "works": works, "findings": findings | {"cultivated_mu": 0.0}}

    def photo(self, session: Session, alert: AlertRow, officer: Officer) -> str:
        """Add a photo of the place; return its id."""
        uid, sha256 = new_uid(), f"{self.rng.getrandbits(256):064x}"
        file = ReceivedFile(
            uid, "photo", object_key(uid, sha256, "jpg"), sha256, 2_400_000, "image/jpeg", f"{uid[:8]}.jpg"
        )
        add_file(session, file, Owner(alert.id), who=officer.login, now=self.service.clock())
        return uid

    def _report(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        self._move(session, alert, officer, "submitted")

    def _review(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        if site is not None and self.rng.random() < 0.04:
            outline = site.at(day) or site.outline
            correct_outline(
                session,
                alert,
                officer.viewer,
                outline,
                "measured on the ground",
                settings=self.service.settings,
                now=self.service.clock(),
            )
        if self.rng.random() < 0.07:
            self._move(session, alert, officer, "returned", reason="the photos do not show the whole place")
        else:
            self._move(session, alert, officer, "reviewed")

    def _determine(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        basis = {"basis": "Article 74, survey on site and the register of approvals"}
        if site is not None and self.paperwork is not None and self.rng.random() < 0.2:
            self.paperwork.letter(session, alert, officer)
        if site is None:
            self._move(session, alert, officer, "false_change", reason="nothing was built there")
        elif site.nature in ("lawful", "approved"):
            self._move(session, alert, officer, "lawful", **basis)
        elif site.nature == "farm":
            to = "farm_facility" if self.rng.random() < 0.9 else "other_finding"
            self._move(session, alert, officer, to, **basis)
        elif self.rng.random() < 0.4:
            self._move(
                session, alert, officer, "correcting", **basis, **self._notice(session, alert, officer, site, day)
            )
        else:
            self._move(session, alert, officer, "unlawful", **basis)

    def _notice(
        self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date
    ) -> dict[str, Any]:
        correct_by = day + dt.timedelta(days=self.rng.randrange(10, 41))
        if site is not None and not site.stubborn and site.removed_on is None:
            site.stopped_on = day
            if self.rng.random() < 0.85:
                site.removed_on = max(day, correct_by - dt.timedelta(days=self.rng.randrange(1, 9)))
        if self.paperwork is not None and (issued := self.paperwork.notice(session, alert, officer, correct_by)):
            return issued
        return {"stop_notice": f"自然资停〔{day.year}〕{alert.id}号", "correct_by": correct_by.isoformat()}

    def _close(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        village = self.county.acting("village", alert.grid_code, day)
        if village is not None and self.rng.random() < 0.03:
            self._move(session, alert, village, "disputed", reason="the owner has no such approval")
        else:
            self._move(session, alert, officer, "closed")

    def _order(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        self._move(session, alert, officer, "correcting", **self._notice(session, alert, officer, site, day))

    def _recheck(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        if site is not None and site.stubborn and site.removed_on is None and self.rng.random() < 0.6:
            chief = self.county.acting("county", alert.grid_code, day)
            if chief is not None:
                self._move(session, alert, chief, "case", case_number=f"立〔{day.year}〕{alert.id}号")
                return
        images = later_images(session, alert, self.service.settings.zone)
        later = {"image": images[0].scene_id} if images else {"photos": [self.photo(session, alert, officer)]}
        self._move(session, alert, officer, "rechecked", later_image=later)

    def _settle(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        gone = site is None or site.at(day) is None
        total = round(alert.area_m2, 2)
        if gone or self.rng.random() < 0.3:
            demolished = total if gone else round(total / 2, 2)
            areas = {"demolished_m2": demolished, "regularised_m2": round(total - demolished, 2)}
            self._move(session, alert, officer, "closed", total_m2=total, agreed=True, **areas)
        else:
            self._move(session, alert, officer, "correcting", reason="the works still stand on the image")
            if site is not None and site.removed_on is None:
                site.removed_on = day + dt.timedelta(days=self.rng.randrange(3, 30))

    def _decide(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        if site is not None and site.removed_on is None:
            site.stubborn, site.stopped_on = False, day
            site.removed_on = day + dt.timedelta(days=self.rng.randrange(5, 20))
        self._move(session, alert, officer, "correcting", decision="demolish and restore the farmland")

    def _arbitrate(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        to = "returned" if self.rng.random() < 0.6 else "reviewed"
        self._move(session, alert, officer, to, reason="see the boundary of the villages")

    def _reopen(self, session: Session, alert: AlertRow, officer: Officer, site: Site | None, day: dt.date) -> None:
        self._move(session, alert, officer, "returned", reason="a better image has arrived")
