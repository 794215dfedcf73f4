"""Alerts that a scan tells nothing new about are not looked at, which changes no row and bounds the cost of a scan."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, inspect, select

from configs.service import ServiceSettings
from store.alerts.nothing_new import NothingNew
from store.alerts.placed_changes import DetectedChange, place_changes
from store.alerts.recording import record_changes
from store.alerts.transitions import append_transition
from store.schema.database import Database
from store.schema.outlines import bounds_intersect
from store.schema.tables import AlertRow, Observation, SceneRow, Transition
from tests.databases import embedded_database
from tests.store.sample_rows import NOW, VILLAGE, add_scan, add_scene, change, ground

FIRST = dt.date(2025, 1, 1)
SITES = 14


class Ground:
    """A square kilometre with works that begin, end and are decided on, and images of it."""

    def __init__(self, folder: Path, seed: int) -> None:
        folder.mkdir()
        self.database: Database = embedded_database(folder / "tuban.db")
        self.settings = ServiceSettings(home=folder)
        self.rng = random.Random(seed)
        self.begins = {site: FIRST + dt.timedelta(days=self.rng.randrange(10, 300)) for site in range(SITES)}
        self.ends = {
            site: begin + dt.timedelta(days=self.rng.randrange(20, 400)) if self.rng.random() < 0.4 else dt.date.max
            for site, begin in self.begins.items()
        }
        self.scenes: list[int] = []

    def receive(self, day: dt.date) -> None:
        """Add an image, compare it with the one before and with an older one, and decide on some alerts."""
        west, east = (0, 1000) if self.rng.random() < 0.7 else self.rng.choice([(0, 620), (310, 1000)])
        with self.database.write() as session:
            scene = add_scene(session, day, ground(west, 0, east, 1000))
            earlier = session.scalars(select(SceneRow).where(SceneRow.id.in_(self.scenes), SceneRow.date < day)).all()
            self.scenes.append(scene.id)
        pairs = {row.id for row in (*sorted(earlier, key=lambda row: row.date or FIRST)[-1:], *earlier[:1])}
        for before in sorted(pairs, reverse=True):
            self.compare(before, scene.id)
        self._decide()

    def compare(self, before_id: int, after_id: int) -> None:
        """Record what a detector finds that misses a sixth of the changes."""
        with self.database.write() as session:
            before, after = session.get_one(SceneRow, before_id), session.get_one(SceneRow, after_id)
            scan = add_scan(session, before, after, state="done", result={})
            changes = [
                found for site in range(SITES) if (found := self._change(site, before, after)) and self._finds(found)
            ]
            now = NOW + dt.timedelta(minutes=scan.id)
            placed = place_changes(
                session, changes, area_code=VILLAGE, on=after.date, settings=self.settings.alerts, today=NOW.date()
            )
            record_changes(session, scan, placed, self.settings, now)

    def _finds(self, found: DetectedChange) -> bool:
        return self.rng.random() > 1 / 6

    def _change(self, site: int, before: SceneRow, after: SceneRow) -> DetectedChange | None:
        assert before.date is not None
        assert after.date is not None
        stood, stands = (self.begins[site] <= day < self.ends[site] for day in (before.date, after.date))
        if stood == stands:
            return None
        west, south = 30 + 140 * (site % 7), 100 + 400 * (site // 7)
        kind = "construction" if stands else "demolition"
        found = change(site + 1, west + self.rng.uniform(-1, 1), south, 40 + self.rng.uniform(-1, 1), kind)
        seen = before.outline.intersection(after.outline)
        return found if seen.covers(found.outline) else None

    def _decide(self) -> None:
        with self.database.write() as session:
            for alert in session.scalars(select(AlertRow).where(AlertRow.state == "new").order_by(AlertRow.id)):
                if self.rng.random() < 0.4:
                    states = self.rng.choice([["false_change"], ["triaged"], ["triaged", "false_change"]])
                    for state in states:
                        why = {"reason": "a greenhouse"} if state == "false_change" else {}
                        append_transition(session, alert, state, who="li", role="county", why="", at=NOW, evidence=why)

    def count_reads(self, before_id: int, after_id: int) -> Counter[str]:
        """Count the statements by their first word, and the rows of alerts, that a comparison needs."""
        found: Counter[str] = Counter()

        def statement(*given: Any) -> None:
            found[given[2].split()[0]] += 1

        def load(*_: Any) -> None:
            found["alerts"] += 1

        event.listen(self.database.engine, "after_cursor_execute", statement)
        event.listen(AlertRow, "load", load)
        self.compare(before_id, after_id)
        event.remove(AlertRow, "load", load)
        return found

    def rows(self) -> list[tuple[Any, ...]]:
        """All columns of all alerts, sightings and steps, without counters of writes."""
        found: list[tuple[Any, ...]] = []
        with self.database.read() as session:
            tables: tuple[Any, ...] = (AlertRow, Observation, Transition)
            for table in tables:
                columns = [column.key for column in inspect(table).columns if column.key not in ("version", "outline")]
                rows = session.scalars(select(table).order_by(table.id))
                found += [tuple(str(getattr(row, name)) for name in columns) for row in rows]
        return found


def days(count: int, rng: random.Random) -> list[dt.date]:
    """Days of images in order of arrival: some arrive late."""
    ordered = [FIRST + dt.timedelta(days=14 * number) for number in range(count)]
    for number in range(2, count - 1):
        if rng.random() < 0.15:
            ordered[number], ordered[number + 1] = ordered[number + 1], ordered[number]
    return ordered


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rows_are_the_same_as_if_all_alerts_were_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    left_out: Counter[str] = Counter()
    unaffected = NothingNew.unaffected

    def counted(self: NothingNew, alerts: Sequence[AlertRow]) -> set[int]:
        inside = select(AlertRow.id).where(bounds_intersect(AlertRow, self.comparison.visible))
        left_out["by the database"] += len(self.session.scalars(inside).all()) - len(alerts)
        found = unaffected(self, alerts)
        left_out["by the rule"] += len(found)
        return found

    found = []
    for name in ("left out", "all"):
        if name == "all":
            monkeypatch.setattr(NothingNew, "unaffected", lambda self, alerts: set())
            monkeypatch.setattr(
                NothingNew, "concerned", lambda self: bounds_intersect(AlertRow, self.comparison.visible)
            )
        else:
            monkeypatch.setattr(NothingNew, "unaffected", counted)
        place = Ground(tmp_path / name, seed)
        for day in days(14, random.Random(seed)):
            place.receive(day)
        found.append(place.rows())
        place.database.close()
    assert found[0] == found[1]
    assert min(left_out.values()) > 10


def test_a_scan_of_an_old_archive_reads_no_more_than_that_of_a_young_one(tmp_path: Path) -> None:
    read = {}
    for images in (4, 16):
        place = Ground(tmp_path / str(images), 1)
        place.begins = dict.fromkeys(place.begins, FIRST + dt.timedelta(days=20))
        place.ends = dict.fromkeys(place.ends, dt.date.max)
        place._finds = lambda found: True  # type: ignore[method-assign]
        for number in range(images):
            place.receive(FIRST + dt.timedelta(days=14 * number))
        with place.database.write() as session:
            for alert in session.scalars(select(AlertRow).where(AlertRow.state.in_(("new", "triaged")))):
                why = {"reason": "a greenhouse"}
                append_transition(session, alert, "false_change", who="li", role="county", why="", at=NOW, evidence=why)
            scene = add_scene(session, FIRST + dt.timedelta(days=14 * images), ground(0, 0, 1000, 1000))
        read[images] = place.count_reads(place.scenes[-1], scene.id)
        place.database.close()
    assert read[16] == read[4]
    assert read[16]["alerts"] == 0
