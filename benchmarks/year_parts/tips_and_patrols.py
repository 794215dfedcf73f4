"""Tips with their reply clocks, and the weekly patrols of the villages; some become alerts."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.year_parts.county import County, Officer
from benchmarks.year_parts.ground import Ground, Site
from benchmarks.year_parts.service import SimulatedService
from enforcement.patrols.track import drawn_track
from errors import Reason, TubanError
from store.alerts.drawn_sighting import DrawnChange, circle, record_drawn_change
from store.patrols.patrol_records import NewPatrol, add_patrol, why_of
from store.schema.chain.tip_tables import PatrolFinding, TipRow
from store.tips.informant_key import Informant, informant_key
from store.tips.tip_search import visible_tip
from store.tips.tip_steps import (
    NewTip,
    StepInput,
    add_step,
    add_tip,
    evidence_of,
    set_handler,
    take_step,
    tip_source,
)
from store.tips.tip_steps import why_of as why_of_tip


@dataclass
class TipsAndPatrols:
    """What people report and officers find.

    Attributes:
        patrols: village and ISO week → patrols.
        refused: steps that were refused, by reason.
    """

    service: SimulatedService
    county: County
    ground: Ground
    rng: random.Random
    tips: int = 0
    patrols: Counter[tuple[str, tuple[int, int]]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def day(self, day: dt.date) -> None:
        """Receive the tips of a day, take the steps of the waiting ones, and go on patrol."""
        self._receive(day)
        self._handle(day)
        self._patrol(day)

    def _receive(self, day: dt.date) -> None:
        for _ in range(sum(self.rng.random() < 0.2 for _ in range(round(self.county.scale.tips / 50)))):
            site = self.rng.choice(self.ground.sites)
            officer = self.county.acting(self.rng.choice(["township", "county"]), site.village, day)
            if officer is None:
                continue
            centre = site.outline.centroid
            tip = NewTip(
                channel=self.rng.choice(["hotline", "letter", "internet"]),
                summary="People are building there, at night, on a field",
                area_code=site.village,
                place="behind the school",
                lon=round(centre.x, 6) if self.rng.random() < 0.8 else None,
                lat=round(centre.y, 6),
                radius_m=30.0,
            )
            if tip.lon is None:
                tip = NewTip(tip.channel, tip.summary, tip.area_code, tip.place)
            informant = Informant(name=f"Informant {self.tips}", phone=f"1390000{self.tips:04d}")
            now, key = self.service.clock(), informant_key(self.service.settings)
            with self.service.database.write() as session:
                add_tip(
                    session, tip, informant, key, origin="desk", who=officer.login, now=now,
                    settings=self.service.settings,
                )  # fmt: skip
            self.tips += 1
            self.service.clock.pass_seconds(60)

    def _handle(self, day: dt.date) -> None:
        with self.service.database.read() as session:
            waiting = session.execute(
                select(TipRow.id, TipRow.state, TipRow.area_code, TipRow.created_by).where(TipRow.state != "answered")
            ).all()
        for row in waiting:
            if self.rng.random() < 0.75:
                continue
            role = "township" if self.rng.random() < 0.7 else "county"
            officer = self.county.acting(role, row.area_code, day)
            if officer is None:
                continue
            self.service.clock.pass_seconds(30)
            try:
                with self.service.database.write() as session:
                    self._step(session, row.id, officer, day)
            except TubanError as error:
                self.refused[str(error.reason.code)] += 1

    def _step(self, session: Session, tip_id: int, officer: Officer, day: dt.date) -> None:
        tip = visible_tip(session, officer.viewer, tip_id, lock=True)
        assert tip is not None
        now, settings = self.service.clock(), self.service.settings
        if not tip.handler and self.rng.random() < 0.8:
            set_handler(session, tip, officer.login, officer.viewer, now)
        if tip.extended_at is None and self.rng.random() < 0.04 and tip.state in ("received", "accepted", "checked"):
            given = StepInput(words="the owner is away until next week")
            take_step(session, tip, "extend", given, officer.viewer, now=now, settings=settings)
            return
        if tip.state == "received":
            if self.rng.random() < 0.12:
                step, given = "decline", StepInput(reason="ownership", words="a quarrel about a boundary")
            else:
                step, given = "accept", StepInput(handling="forward")
        elif tip.state == "accepted":
            site = None if tip.lon is None or tip.lat is None else self._site(tip.lon, tip.lat, day)
            if site is not None and tip.alert_id is None:
                self._make_alert(session, tip, officer, site)
            finding = "true" if site is not None else "untrue"
            step, given = "check", StepInput(finding=finding, words="looked at on the ground", unit="Township")
        else:
            step, given = "answer", StepInput(words="answered by phone")
        take_step(session, tip, step, given, officer.viewer, now=now, settings=settings)

    def _site(self, lon: float, lat: float, day: dt.date) -> Site | None:
        site = self.ground.site_at(circle(lon, lat, 10.0))
        return site if site is not None and site.at(day) is not None else None

    def _make_alert(self, session: Session, tip: TipRow, officer: Officer, site: Site) -> None:
        """Make an alert of a tip, as the page does."""
        assert tip.lon is not None
        assert tip.lat is not None
        drawn = DrawnChange(
            circle(tip.lon, tip.lat, 20.0),
            site.kind,
            tip_source(tip),
            tip.received_on,
            why_of_tip(tip),
            error_m=10.0,
            evidence=evidence_of(tip),
        )
        alert = self._record(session, drawn, officer, tip.area_code)
        tip.alert_id = alert
        add_step(session, tip, "alert", officer.login, self.service.clock(), str(alert))

    def _record(self, session: Session, drawn: DrawnChange, officer: Officer, area_code: str) -> int:
        outcome = record_drawn_change(
            session,
            drawn,
            area_code=area_code,
            who=officer.login,
            role=officer.role,
            settings=self.service.settings,
            now=self.service.clock(),
        )
        if not outcome.alert.grid_code.startswith(officer.code):
            raise TubanError(Reason("The place lies outside of your area; hand it over instead.", "tip.elsewhere"))
        return int(outcome.alert.id)

    def _patrol(self, day: dt.date) -> None:
        """Let each village go on patrol about once a week; what is found there becomes an alert."""
        week = (day.isocalendar().year, day.isocalendar().week)
        for village in self.county.villages:
            if self.patrols[village.code, week] or self.rng.random() > 0.3 + 0.12 * day.weekday():
                continue
            officer = self.county.acting("village", village.code, day)
            if officer is None:
                continue
            self.service.clock.pass_seconds(5)
            there = [site for site in self._standing(village.code, day) if self.rng.random() < 0.03][:2]
            west, south, east, north = village.outline.bounds
            line = [(west + 0.1 * (east - west), south + 0.2 * (north - south)), (west + 0.004, north - 0.004)]
            patrol = NewPatrol(
                area_code=village.code,
                day=day,
                unit=f"Village {village.code[6:]}",
                people=officer.login,
                found=bool(there),
                findings=[{"project": "house", "area_mu": "1.2", "place": "by the road"} for _ in there],
            )
            now = self.service.clock()
            try:
                with self.service.database.write() as session:
                    row = add_patrol(
                        session, patrol, drawn_track(line), track_source="drawn", who=officer.login, now=now,
                        settings=self.service.settings,
                    )  # fmt: skip
                    findings = session.scalars(
                        select(PatrolFinding).where(PatrolFinding.patrol_id == row.id).order_by(PatrolFinding.sequence)
                    )
                    for finding, site in zip(findings, there, strict=True):
                        outline = site.at(day)
                        assert outline is not None
                        evidence = {"patrol": row.number}
                        drawn = DrawnChange(outline, site.kind, "patrol", day, why_of(row), evidence=evidence)
                        finding.alert_id = self._record(session, drawn, officer, village.code)
                self.patrols[village.code, week] += 1
            except TubanError as error:
                self.refused[str(error.reason.code)] += 1

    def _standing(self, village: str, day: dt.date) -> list[Site]:
        return [site for site in self.ground.sites if site.village == village and site.at(day) is not None]
