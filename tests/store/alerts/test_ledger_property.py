"""Random sites, images and orders of arrival: one place keeps one alert with the area that was seen."""

from __future__ import annotations

import datetime as dt
import random
from itertools import combinations
from pathlib import Path

import pytest
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from configs.service import ServiceSettings
from enforcement.overlap_ratio import area_m2, overlap_ratios
from enforcement.states import read_states
from store.alerts.audit import audit_alerts
from store.alerts.derived_alert import SAME_OUTLINE
from store.alerts.placed_changes import DetectedChange, place_changes
from store.alerts.recording import record_changes
from store.alerts.transitions import append_transition
from store.schema.database import Database
from store.schema.tables import AlertRow, Delivery, SceneRow
from tests.databases import embedded_database
from tests.enforcement.ledger.growing_site import PLANE, History, SiteImage, compare, pairs_of, random_history
from tests.store.sample_rows import NOW, VILLAGE, add_scan, add_scene


class Arrivals:
    """A database that gets the images of a history in some order."""

    def __init__(self, folder: Path, history: History, seed: int) -> None:
        folder.mkdir()
        self.database: Database = embedded_database(folder / "tuban.db")
        self.settings = ServiceSettings(home=folder)
        self.history, self.seed = history, seed
        self.scenes: dict[int, int] = {}

    def receive(self, image: SiteImage) -> None:
        """Add an image, and record its comparisons with those that arrived before."""
        with self.database.write() as session:
            scene = add_scene(
                session, image.day, PLANE.degrees(image.footprint), gsd_m=image.gsd_m, source=image.source
            )
            self.scenes[image.number] = scene.id
        for before, after in pairs_of(self.history):
            if image.number in (before.number, after.number) and {before.number, after.number} <= set(self.scenes):
                self._record(before, after)

    def _record(self, before: SiteImage, after: SiteImage) -> None:
        changes = [
            DetectedChange(
                number,
                kind,
                round(score, 4),
                round(area_m2(PLANE.degrees(outline)), 2),
                PLANE.degrees(outline),
                {"crs": "EPSG:4490", "wkt": shapely.to_wkt(PLANE.degrees(outline), rounding_precision=8)},
                {},
            )
            for number, (kind, outline, score) in enumerate(_detect(before, after, self.seed), 1)
        ]
        with self.database.write() as session:
            scenes = [session.get_one(SceneRow, self.scenes[image.number]) for image in (before, after)]
            scan = add_scan(session, *scenes, state="done", result={})
            placed = place_changes(session, changes, area_code=VILLAGE, on=after.day, settings=self.settings.alerts)
            record_changes(session, scan, placed, self.settings, NOW + dt.timedelta(minutes=scan.id))

    def alerts(self) -> list[AlertRow]:
        with self.database.read() as session:
            return list(session.scalars(select(AlertRow).order_by(AlertRow.id)))

    def standing(self) -> list[AlertRow]:
        """Return the open alerts of works, without demolitions."""
        return [alert for alert in self.alerts() if alert.state in read_states().open and alert.kind != "demolition"]


SAME_AREA = 2 * (1 - SAME_OUTLINE)
"""Relative difference of two areas that the row of an alert does not tell apart."""


@pytest.fixture(params=(0, 6, 12, 37))
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def _orders(history: History, seed: int) -> list[list[SiteImage]]:
    later = history.images[1:]
    shuffled = random.Random(seed).sample(later, len(later))
    return [history.images, [history.images[0], *shuffled], [*later[::-1], history.images[0]]]


def _detect(before: SiteImage, after: SiteImage, seed: int) -> list[tuple[str, BaseGeometry, float]]:
    """Compare two images with noise that is the same in every order of arrival."""
    return compare(before, after, random.Random(f"{seed} {before.number} {after.number}"))


def _missed(history: History, seed: int) -> list[int]:
    """Return the images in which the detector found nothing of the works that they show."""
    later = history.images[1:]
    return [
        image.number
        for image in later
        if image.works.intersects(image.footprint)
        and not any(_detect(before, image, seed) for before, after in pairs_of(history) if after is image)
    ]


def test_every_order_of_arrival_gives_the_same_ground_area_and_dates(tmp_path: Path, seed: int) -> None:
    history = random_history(random.Random(seed))
    told = []
    for number, order in enumerate(_orders(history, seed)):
        arrivals = Arrivals(tmp_path / str(number), history, seed)
        for image in order:
            arrivals.receive(image)
        standing = arrivals.standing()
        assert not any(
            overlap_ratios(one.outline, other.outline).of_smaller > 0.02 for one, other in combinations(standing, 2)
        )
        told.append([((alert.not_yet_on, alert.there_on), alert.area_m2) for alert in standing])
        _check_events(arrivals)
        assert audit_alerts(arrivals.database).intact
        arrivals.database.close()
    expected, *others = (sorted(alerts) for alerts in told)
    for alerts in others:
        assert [dates for dates, _ in alerts] == [dates for dates, _ in expected]
        assert [area for _, area in alerts] == pytest.approx([area for _, area in expected], rel=SAME_AREA)
    seen = area_m2(PLANE.degrees(history.seen(len(history.images) - 1, _missed(history, seed))))
    assert sum(area for _, area in expected) == pytest.approx(seen, rel=0.1, abs=1)


def test_judged_alerts_are_never_lost_and_share_no_ground(tmp_path: Path, seed: int) -> None:
    history = random_history(random.Random(seed))
    arrivals = Arrivals(tmp_path / "judged", history, seed)
    judged: list[str] = []
    for image in history.images:
        arrivals.receive(image)
        with arrivals.database.write() as session:
            for alert in session.scalars(select(AlertRow).where(AlertRow.state == "new")):
                append_transition(session, alert, "triaged", who="li", role="county", why="", at=NOW)
                judged.append(alert.number)
    by_number = {alert.number: alert for alert in arrivals.alerts()}
    assert judged
    assert all(read_states().category(by_number[number].state) == "open" for number in judged)
    grounds = [shapely.make_valid(by_number[number].outline) for number in judged]
    assert not any(overlap_ratios(one, other).of_smaller > 0.3 for one, other in combinations(grounds, 2))
    arrivals.database.close()


def _check_events(arrivals: Arrivals) -> None:
    """The last event of each alert holds its state and area, and each change says what it means."""
    by_number = {alert.number: alert for alert in arrivals.alerts()}
    with arrivals.database.read() as session:
        events = [delivery.event for delivery in session.scalars(select(Delivery).order_by(Delivery.id))]
    assert events
    for event in events:
        change, kind = event["data"]["properties"]["change"], event["type"].removeprefix("tuban.alert.")
        if kind == "grown":
            assert change["area_m2_after"] >= change["area_m2_before"] or change.get("merged")
        if kind in ("merged", "vanished"):
            assert change["area_m2_after"] == 0
        if kind == "merged":
            assert change["into"] in by_number
    for number, event in {event["subject"]: event for event in events}.items():
        assert event["data"]["properties"]["state"] == by_number[number].state
