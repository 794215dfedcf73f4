"""Nights of the simulated county: images arrive, the night is planned, and each scan reports detections."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from benchmarks.year_parts.county import County
from benchmarks.year_parts.ground import Ground
from benchmarks.year_parts.service import SimulatedService
from enforcement.overlap_ratio import area_m2
from service.context import Commit, Context, JobRun
from service.images.requests import Actor
from service.images.withdraw import restore_images, withdraw_images
from service.scan_jobs import add_night_job
from store.alerts.ledger import visible_ground
from store.alerts.placed_changes import place_changes
from store.alerts.recording import record_changes
from store.evidence.correction_news import report_continued_works
from store.scans.nights import update_night_state
from store.scans.scans import finish_part, finish_scan, read_task, start_scan
from store.scenes.scenes import add_scene
from store.schema.database import Session
from store.schema.tables import SceneRow

HIDDEN_SHARE = 0.08
"""Share of drone images with a cloud's shadow over part of the ground."""


@dataclass
class Nights:
    """Images and scans.

    Attributes:
        scenes: images received; flights: last flight of each strip.
        outcomes: number of detected changes by what became of them.
    """

    service: SimulatedService
    county: County
    ground: Ground
    rng: random.Random
    scenes: int = 0
    flown: dict[int, dt.date] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Take the place of the jobs that read images."""
        self.service.handlers["scan.prepare"] = self.scan

    def first_images(self, day: dt.date) -> None:
        """Receive one image of each strip from before the year: the state with which all is compared."""
        for strip in self.county.strips:
            self._receive(strip, day, self.county.strips[strip], "drone", 0.25)

    def night(self, day: dt.date, *, satellite: bool = False) -> None:
        """Receive the images of a night, plan it and run its scans.

        Args:
            day: local day on whose early morning the night runs.
            satellite: one image of the whole county arrives, too.
        """
        self.service.clock.forward_to(self.service.local(day, 0.5))
        taken = day - dt.timedelta(days=1)
        waiting = sorted(self.county.strips, key=lambda strip: (self.flown.get(strip, dt.date.min), strip))
        for strip in waiting[: self.county.scale.flights]:
            self._receive(strip, taken, self.county.strips[strip], "drone", 0.25)
        if satellite:
            whole = shapely.union_all(list(self.county.strips.values())).envelope
            self._receive(-1, taken, whole, "satellite", 0.5)
        self.service.clock.forward_to(self.service.local(day, 1.5))
        with self.service.database.write() as session:
            add_night_job(session, day, self.service.clock())
        self.service.run_jobs()

    def scan(self, context: Context, job: JobRun) -> Commit | None:
        """Compare two images as the jobs of a scan do, with changes drawn from the truth."""
        with context.database.read() as session:
            task = read_task(session, int(job.payload["scan"]))
            scan, before, after = task.scan, task.before, task.after
            if scan.state != "waiting" or scan.withdrawn_at is not None:
                return None
            assert before.date is not None
            assert after.date is not None
            rng = random.Random(f"{scan.unique_key}")
            record = self._record(before.outline, after.outline, rng)
            visible = visible_ground(before.outline, after.outline, scan.windows, record)
            # pairs of the same images, whole and around known alerts, see the same
            seen = random.Random(f"{before.sha256}{after.sha256}")
            changes = self.ground.detect(before.date, after.date, visible, seen, false_alarms=scan.windows is None)
            placed = place_changes(
                session,
                changes,
                area_code=scan.area_code,
                on=after.date,
                settings=context.settings.alerts,
                today=context.today,
            )

        def commit(session: Session) -> None:
            now = context.clock()
            plan: dict[str, Any] = {"settings": {}, "network": {}}
            sums = {"settings_sha256": "5" * 64, "weights_sha256": "7" * 64}
            start_scan(session, scan.id, blocks=1, parts=1, plan=plan, now=now, **sums)
            finish_part(session, scan.id, 0)
            done = finish_scan(session, scan.id, result=record, changes=len(placed), now=now)
            assert done is not None
            recorded = record_changes(session, done, placed, context.settings, now)
            report_continued_works(session, done.id, context.settings.zone, now)
            done.result = {**record, "alerts": recorded.counts()}
            self.outcomes.update(recorded.counts())
            if done.night_id is not None:
                update_night_state(session, done.night_id, now)

        return commit

    def withdraw_some(self, login: str, reason: str, count: int = 2) -> list[int]:
        """Withdraw the latest images, as after a wrong upload; return their ids."""
        with self.service.database.read() as session:
            ready = select(SceneRow.id).where(SceneRow.state == "ready", SceneRow.source == "drone")
            ids = list(session.scalars(ready.order_by(SceneRow.id.desc()).limit(count)))
        outcomes = withdraw_images(self.service.context, self._actor(login), ids, reason)
        assert all(outcome.done for outcome in outcomes), [outcome.message for outcome in outcomes]
        return ids

    def restore(self, login: str, ids: list[int]) -> None:
        """Use withdrawn images again."""
        outcomes = restore_images(self.service.context, self._actor(login), ids)
        assert all(outcome.done for outcome in outcomes), [outcome.message for outcome in outcomes]

    def _actor(self, login: str) -> Actor:
        viewer = next(officer.viewer for officer in self.county.officers if officer.login == login)
        return Actor(viewer.login, viewer.code, viewer.role, viewer.administrator)

    def _receive(self, strip: int, day: dt.date, outline: BaseGeometry, source: str, gsd_m: float) -> None:
        self.scenes += 1
        self.flown[strip] = day
        name = f"{source}-{strip}-{day}.tif"
        digest = hashlib.sha256(f"{name}{self.scenes}".encode()).hexdigest()
        image = SimpleNamespace(
            sha256=digest, date=day, date_source="file", moment="", gsd_m=gsd_m, crs="EPSG:4490", transform=[],
            width=20000, height=20000, valid_share=1.0, kind="picture", bands=[], object_sha256=digest,
            footprint=outline,
        )  # fmt: skip
        villages = self.county.villages_of_strip(strip)
        code = villages[0].code[:9] if villages else self.county.villages[0].code[:6]
        with self.service.database.write() as session:
            now, key = self.service.clock(), f"scenes/{digest[:2]}/{digest}.tif"
            add_scene(session, cast("Any", image), area_code=code, name=name, source=source, object_key=key, now=now)

    @staticmethod
    def _record(before: BaseGeometry, after: BaseGeometry, rng: random.Random) -> dict[str, Any]:
        """Return what a scan writes as ``scan.json``, without its changes."""
        ground = shapely.intersection(before, after)
        record: dict[str, Any] = {"looked_at": {"area_m2": area_m2(ground)}, "grid": {"resolution_m": 0.5}}
        if rng.random() < HIDDEN_SHARE:
            west, south, east, north = ground.bounds
            x = rng.uniform(west, east)
            cloud = shapely.box(x, south, min(x + 0.15 * (east - west), east), north).intersection(ground)
            record["hidden"] = {"later": shapely.to_wkt(cloud, rounding_precision=8)}
        return record
