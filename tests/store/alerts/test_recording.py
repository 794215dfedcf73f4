"""Recording of scans as alerts: observations, rejections, approvals, the weekly quota and events."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from configs.service import ServiceSettings, read_service
from store.alerts.audit import audit_alerts
from store.alerts.placed_changes import DetectedChange, place_changes
from store.alerts.recording import record_changes
from store.alerts.scan_record import Recorded
from store.alerts.transitions import append_transition
from store.schema.database import Database
from store.schema.tables import AlertRow, Area, Delivery, Feature, Observation, Scan, SceneRow, Transition
from tests.store.sample_rows import NOW, VILLAGE, add_approval, add_area, add_scan, add_scene, change, ground

SPRING, AUTUMN, WINTER = dt.date(2026, 3, 1), dt.date(2026, 10, 20), dt.date(2026, 12, 5)


@dataclass
class Place:
    """A village with its scenes, whose scans are recorded one after the other."""

    database: Database
    settings: ServiceSettings

    def scan(
        self,
        changes: Sequence[DetectedChange],
        before: dt.date = SPRING,
        after: dt.date = AUTUMN,
        now: dt.datetime = NOW,
        **scene: Any,
    ) -> Recorded:
        """Record a scan of the images of two days, which are added if missing."""
        with self.database.write() as session:
            images = [self._image(session, before), self._image(session, after, **scene)]
            scan = add_scan(session, *images, state="done", result={"alignment": {"residual_px": 0.4}})
        with self.database.read() as session:
            sightings = place_changes(session, changes, area_code=VILLAGE, on=after, settings=self.settings.alerts)
        with self.database.write() as session:
            return record_changes(session, session.get_one(Scan, scan.id), sightings, self.settings, now)

    def _image(self, session: Session, date: dt.date, **given: Any) -> SceneRow:
        found = session.scalars(select(SceneRow).where(SceneRow.date == date)).first()
        return found or add_scene(session, date, **given)

    def alerts(self) -> list[AlertRow]:
        with self.database.read() as session:
            return list(session.scalars(select(AlertRow).order_by(AlertRow.id)))

    def alert(self) -> AlertRow:
        [alert] = self.alerts()
        return alert

    def observations(self) -> list[Observation]:
        with self.database.read() as session:
            return list(session.scalars(select(Observation).order_by(Observation.id)))

    def events(self) -> list[tuple[str, str]]:
        """Return (number, kind) of each event, in order."""
        with self.database.read() as session:
            events = session.scalars(select(Delivery).order_by(Delivery.id))
            return [(e.event["subject"], e.event["type"].removeprefix("tuban.alert.")) for e in events]

    def event_kinds(self) -> list[str]:
        return [kind for _, kind in self.events()]

    def move(self, state: str, role: str, **evidence: Any) -> None:
        """Move the only alert, as a user or as the system."""
        with self.database.write() as session:
            alert = session.scalars(select(AlertRow)).one()
            append_transition(
                session, alert, state, who=f"a {role}", role=role, why="for the test", at=NOW, evidence=evidence
            )


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Place:
    with database.write() as session:
        add_area(session, VILLAGE[:6], ground(-5000, -5000, 5000, 5000))
        add_area(session, VILLAGE[:9], ground(-2000, -2000, 3000, 3000))
        add_area(session, VILLAGE, ground(-100, -100, 600, 1100))
        add_area(session, "130131001003", ground(600, -100, 1100, 1100))
    return Place(database, read_service(home=tmp_path, alerts={"cap_per_grid_and_week": 3}))


def test_a_new_change_becomes_a_numbered_alert_of_its_village_and_is_announced(place: Place) -> None:
    recorded = place.scan([change(1, 560, 100, 60, score=0.9)])
    alert = place.alert()
    assert recorded.counts() == {"new": 1}
    assert alert.number == "130131U2026110001"
    assert (alert.state, alert.kind, alert.score, alert.source) == ("new", "construction", 0.9, "drone")
    assert (alert.county_code, alert.township_code, alert.grid_code) == (VILLAGE[:6], VILLAGE[:9], VILLAGE)
    assert [area["code"] for area in alert.also_in] == ["130131001003"]
    assert alert.area_m2 == pytest.approx(3600, rel=0.002)
    assert (alert.week, alert.rank, alert.over_cap) == ("2026-W48", 1, False)
    assert (alert.seen, alert.first_date, alert.last_date) == (1, AUTUMN, AUTUMN)
    assert alert.evidence == {"before": "scans/1/0001_before.jpg", "after": "scans/1/0001_after.jpg"}
    assert place.events() == [(alert.number, "created")]
    with place.database.read() as session:
        first = session.scalars(select(Transition)).one()
        assert (first.from_state, first.to_state, first.role) == ("", "new", "system")
        properties = session.scalars(select(Delivery)).one().event["data"]["properties"]
        assert (properties["times_seen"], properties["registration_residual_px"]) == (1, 0.4)
    assert audit_alerts(place.database).intact


def test_numbers_run_by_county_source_and_local_month(place: Place) -> None:
    place.scan([change(1, 0, 0, 30), change(2, 100, 0, 30)])
    december = dt.datetime(2026, 11, 30, 17, 0, tzinfo=dt.UTC)  # the first of December in Shanghai
    place.scan([change(1, 200, 0, 30)], after=WINTER, now=december)
    place.scan([change(1, 300, 0, 30)], after=dt.date(2026, 10, 1), source="satellite")
    assert [alert.number for alert in place.alerts()] == [
        "130131U2026110001",
        "130131U2026110002",
        "130131U2026120001",
        "130131W2026110001",
    ]


def test_where_areas_are_not_loaded_the_code_of_the_batch_is_used(place: Place) -> None:
    place.scan([change(1, 4800, 4800, 30), change(2, 9000, 9000, 30)])
    with place.database.write() as session:
        session.execute(delete(Area).where(Area.code.like(f"{VILLAGE[:9]}%")))
    place.scan([change(1, 4700, 4700, 30)], after=WINTER)
    outside_the_village, outside_the_county, no_villages_loaded = place.alerts()
    assert outside_the_village.grid_code == VILLAGE[:6]
    assert (outside_the_county.county_code, outside_the_county.grid_code) == (VILLAGE[:6], VILLAGE[:6])
    assert (no_villages_loaded.township_code, no_villages_loaded.grid_code) == (VILLAGE[:9], VILLAGE)


def test_a_place_seen_again_adds_an_observation_and_no_alert(place: Place) -> None:
    place.scan([change(1, 100, 100, 40)])
    recorded = place.scan([change(7, 100, 100, 60, score=0.95)], after=WINTER)
    alert = place.alert()
    assert recorded.counts() == {"again": 1}
    assert (alert.seen, alert.first_date, alert.last_date) == (2, AUTUMN, WINTER)
    assert (round(alert.area_m2, -1), alert.score) == (3600, 0.95)
    assert alert.evidence["after"] == "scans/1/0007_after.jpg"
    assert [(o.change_number, round(o.area_m2, -1)) for o in place.observations()] == [(1, 1600), (7, 3600)]
    assert place.event_kinds() == ["created", "grown"]
    with place.database.read() as session:
        change_of_area = (
            session.scalars(select(Delivery).order_by(Delivery.id)).all()[1].event["data"]["properties"]["change"]
        )
    assert change_of_area["what"] == "grown"
    assert round(change_of_area["area_m2_before"], -2) == 1600
    assert round(change_of_area["area_m2_after"], -2) == 3600


def test_construction_on_ground_works_changes_the_kind_of_the_alert(place: Place) -> None:
    place.scan([change(1, 100, 100, 60, kind="ground")])
    place.scan([change(1, 110, 110, 40, kind="construction")], after=WINTER)
    assert place.alert().kind == "construction"


def test_comparing_the_same_later_image_again_sends_no_event(place: Place) -> None:
    place.scan([change(1, 100, 100, 40)])
    place.scan([change(1, 100, 100, 30)], before=dt.date(2025, 10, 1))
    assert place.alert().seen == 2
    assert place.alert().area_m2 == pytest.approx(1600, rel=0.01)  # the larger one
    assert place.event_kinds() == ["created"]


def test_an_older_image_does_not_change_the_alert(place: Place) -> None:
    place.scan([change(1, 100, 100, 40)])
    place.scan([change(1, 100, 100, 25)], before=dt.date(2025, 1, 1), after=dt.date(2026, 5, 1))
    alert = place.alert()
    assert (alert.first_date, alert.last_date) == (dt.date(2026, 5, 1), AUTUMN)
    assert alert.area_m2 == pytest.approx(1600, rel=0.01)


def test_two_changes_on_one_alert_are_merged_into_one_observation(place: Place) -> None:
    place.scan([change(1, 100, 100, 100)])
    place.scan([change(1, 100, 100, 40), change(2, 150, 150, 50, score=0.9)], after=WINTER)
    alert = place.alert()
    assert alert.seen == 2
    assert alert.area_m2 == pytest.approx(1600 + 2500, rel=0.01)
    assert alert.outline.geom_type == "MultiPolygon"
    assert place.observations()[1].change_number == 2


def test_a_rejected_alert_returns_only_when_it_has_grown(place: Place) -> None:
    place.scan([change(1, 100, 100, 40)])
    place.move("false_change", "county", reason="greenhouse film")
    recorded = place.scan([change(1, 100, 100, 42)], after=dt.date(2026, 11, 1))
    assert recorded.counts() == {"still_rejected": 1}
    assert (place.alert().state, place.alert().seen) == ("false_change", 2)
    assert place.event_kinds() == ["created"]

    next_week = NOW + dt.timedelta(days=7)
    recorded = place.scan([change(1, 100, 100, 60)], after=WINTER, now=next_week)
    alert = place.alert()
    assert recorded.counts() == {"returned": 1}
    assert (alert.state, alert.week, alert.rank) == ("returned", "2026-W49", 1)
    assert "1600 m²" in alert.state_reason or "1599 m²" in alert.state_reason
    assert place.event_kinds() == ["created", "returned"]
    assert audit_alerts(place.database).intact


def test_an_alert_under_an_approval_is_suppressed_with_the_reason(place: Place) -> None:
    with place.database.write() as session:
        add_approval(session, ground(90, 90, 150, 150), dt.date(2026, 1, 1), dt.date(2026, 11, 30))
    recorded = place.scan([change(1, 100, 100, 40)])
    alert = place.alert()
    assert recorded.counts() == {"suppressed": 1}
    assert (alert.state, alert.rank) == ("suppressed", None)
    assert "A-17" in alert.state_reason
    assert [overlap["number"] for overlap in alert.overlaps] == ["A-17"]
    assert place.event_kinds() == ["suppressed"]

    assert place.scan([change(1, 100, 100, 41)], after=dt.date(2026, 11, 20)).counts() == {"again": 1}
    assert place.alert().state == "suppressed"
    # the approval has expired by then
    assert place.scan([change(1, 100, 100, 41)], after=WINTER).counts() == {"returned": 1}
    assert place.alert().state == "returned"
    assert place.event_kinds() == ["suppressed", "returned"]


def test_a_later_approval_suppresses_only_alerts_that_no_user_moved(place: Place) -> None:
    place.scan([change(1, 100, 100, 40)])
    with place.database.write() as session:
        add_approval(session, ground(90, 90, 150, 150))
    place.scan([change(1, 100, 100, 40)], after=dt.date(2026, 11, 1))
    assert place.alert().state == "suppressed"
    place.move("returned", "county", reason="the approval is for another parcel")
    assert place.scan([change(1, 100, 100, 40)], after=WINTER).counts() == {"again": 1}
    assert place.alert().state == "returned"


def test_an_alert_suppressed_by_a_user_is_not_returned_by_a_scan(place: Place) -> None:
    place.scan([change(1, 100, 100, 40)])
    place.move("suppressed", "county", approval="letter 12 of the county")
    assert place.scan([change(1, 100, 100, 40)], after=WINTER).counts() == {"again": 1}
    assert place.alert().state == "suppressed"


def test_a_demolition_adds_an_observation_but_keeps_the_outline(place: Place) -> None:
    place.scan([change(1, 100, 100, 40)])
    with place.database.write() as session:
        alert = session.scalars(select(AlertRow)).one()
        for state, who, role, evidence in (
            ("triaged", "a", "county", {}),
            ("published", "a", "county", {}),
            ("dispatched", "a", "county", {}),
            ("accepted", "b", "village", {}),
            ("field_checked", "b", "village", {"photos": ["p"], "works": "built", "findings": {"use": "road"}}),
            ("submitted", "b", "village", {}),
            ("reviewed", "c", "township", {}),
            ("unlawful", "d", "county", {"basis": "x"}),
        ):
            append_transition(session, alert, state, who=who, role=role, why="", at=NOW, evidence=evidence)
    place.scan([change(1, 100, 100, 30, kind="demolition")], after=WINTER)
    alert = place.alert()
    assert (alert.kind, alert.seen, alert.state) == ("construction", 2, "unlawful")
    assert alert.area_m2 == pytest.approx(1600, rel=0.01)
    assert place.observations()[1].kind == "demolition"
    assert place.event_kinds()[-1] == "seen_again"


def test_alerts_beyond_the_quota_are_ranked_but_not_announced(place: Place) -> None:
    recorded = place.scan([change(n, 50 * n, 100, 20 + n, score=0.5 + n / 20) for n in range(1, 6)])
    alerts = sorted(place.alerts(), key=lambda alert: alert.rank or 0)
    assert [alert.rank for alert in alerts] == [1, 2, 3, 4, 5]
    assert [alert.score for alert in alerts] == [0.75, 0.7, 0.65, 0.6, 0.55]
    assert [alert.over_cap for alert in alerts] == [False, False, False, True, True]
    assert recorded.counts() == {"new": 5, "over_cap": 2}
    assert sorted(place.events()) == sorted((alert.number, "created") for alert in alerts[:3])


def test_announced_alerts_keep_their_place_and_a_free_place_goes_to_the_next(place: Place) -> None:
    place.scan([change(n, 50 * n, 100, 30, score=0.6) for n in (1, 2, 3)])
    place.scan([change(1, 300, 100, 30, score=0.9)], before=dt.date(2025, 11, 1))
    better = place.alerts()[3]
    assert (better.rank, better.over_cap) == (1, True)
    assert len(place.events()) == 3
    # an approval suppresses one of the three, and the alert with the higher score takes its place
    with place.database.write() as session:
        add_approval(session, ground(40, 90, 90, 140))
    place.scan([change(1, 50, 100, 30, score=0.6)], after=WINTER)
    assert [alert.state for alert in place.alerts()] == ["suppressed", "new", "new", "new"]
    assert not place.alerts()[3].over_cap
    assert place.events()[3:] == [(place.alerts()[0].number, "suppressed"), (better.number, "created")]


def test_alerts_beyond_the_quota_seen_again_are_not_announced(place: Place) -> None:
    place.scan([change(n, 50 * n, 100, 30, score=0.5 + n / 20) for n in (1, 2, 3, 4)])
    place.scan([change(1, 50, 100, 30)], after=WINTER)
    assert place.alerts()[0].seen == 2
    assert place.event_kinds() == ["created"] * 3


def test_two_concurrent_scans_create_one_alert_of_one_place(place: Place) -> None:
    barrier = threading.Barrier(2)
    failed: list[BaseException] = []

    def end(before: dt.date) -> None:
        try:
            with place.database.write() as session:
                after = session.scalars(select(SceneRow).where(SceneRow.date == AUTUMN)).one()
                earlier = session.scalars(select(SceneRow).where(SceneRow.date == before)).one()
                scan = add_scan(session, earlier, after, state="done", result={})
            with place.database.read() as session:
                sightings = place_changes(
                    session, [change(1, 100, 100, 40)], area_code=VILLAGE, on=AUTUMN, settings=place.settings.alerts
                )
            barrier.wait()
            with place.database.write() as session:
                record_changes(session, session.get_one(Scan, scan.id), sightings, place.settings, NOW)
        except BaseException as error:
            failed.append(error)
            raise

    days = dt.date(2025, 10, 1), dt.date(2025, 11, 1)
    with place.database.write() as session:
        for day in (*days, AUTUMN):
            add_scene(session, day)
    threads = [threading.Thread(target=end, args=(day,)) for day in days]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (place.alert().seen, len(place.observations())) == (2, 2)
    assert place.event_kinds() == ["created"]


def test_a_transaction_that_fails_leaves_neither_alerts_nor_numbers(place: Place) -> None:
    place.scan([])
    with place.database.read() as session:
        scan_id = session.scalars(select(Scan.id)).one()
        sightings = place_changes(
            session, [change(1, 100, 100, 40)], area_code=VILLAGE, on=AUTUMN, settings=place.settings.alerts
        )

    def fail() -> None:
        with place.database.write() as session:
            record_changes(session, session.get_one(Scan, scan_id), sightings, place.settings, NOW)
            raise RuntimeError("power failure")

    with pytest.raises(RuntimeError):
        fail()
    assert place.alerts() == []
    place.scan([change(1, 100, 100, 40)], after=WINTER)
    assert place.alert().number.endswith("0001")
    with place.database.read() as session:
        assert session.scalars(select(Feature)).all() == []
