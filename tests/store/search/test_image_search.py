"""Scenes, scans, nights and reviewed alerts that a viewer may see, on every database."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from store.access.rights import Viewer
from store.alerts.alert_geometry import areas_around, outlines_of
from store.alerts.sighting_chain import append_sighting
from store.alerts.transitions import append_transition, log_of
from store.review.reviewed_scans import reviewed_scans
from store.schema.database import Database
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Night, Observation, UncomparedGround
from store.search.alert_search import find_list_item
from store.search.image_search import (
    SceneFilter,
    count_scenes,
    extent_of_scenes,
    search_nights,
    search_scans,
    search_scenes,
    visible_scene,
)
from tests.store.sample_rows import NOW, add_area, add_scan, add_scene, ground

A, B = "330199101001", "330199101002"
CITY = Viewer("city", "", "city", "", True, 1)
OF_A = Viewer("a", "", "village", A, False, 2)


def add_two_villages(session: Session) -> dict[str, int]:
    """Add two scenes and a scan per village in one night, and one alert each that was judged true."""
    session.add(Night(id=1, day=dt.date(2026, 11, 23), state="done", begun_at=NOW, summary={}))
    alerts = {}
    for east, code in ((0, A), (1500, B)):
        outline = ground(east, 0, east + 1000, 1000)
        add_area(session, code, outline)
        before = add_scene(session, dt.date(2026, 5, 1), outline, area_code=code)
        after = add_scene(session, None, outline, area_code=code)
        scan = add_scan(session, before, after, state="done", night_id=1, changes=2)
        session.add(
            UncomparedGround(
                night_id=1, scene_id=after.id, area_code=code, area_m2=10.0, reason="x", **bounds_of(outline)
            )
        )
        place = bounds_of(ground(east + 10, 10, east + 50, 50))
        common = {"kind": "construction", "score": 0.5, "area_m2": 1600.0, "created_at": NOW}
        alert = AlertRow(
            number=f"N{code}",
            state="new",
            detected={},
            source="drone",
            grid_code=code,
            changed_at=NOW,
            **common,
            **place,
        )
        session.add(alert)
        session.flush()
        append_sighting(
            session, Observation(alert_id=alert.id, scan_id=scan.id, change_number=1, source="drone", **common, **place)
        )
        for state, role in (("new", "system"), ("triaged", "county")):
            evidence = {"verdict": "true"} if role == "county" else {}
            append_transition(session, alert, state, who=role, role=role, why="", at=NOW, evidence=evidence)
        alerts[code] = alert.id
    return alerts


def test_lists_are_limited_to_the_viewers_area(database: Database) -> None:
    with database.write() as session:
        add_two_villages(session)
    with database.read() as session:
        everything, one = SceneFilter(), SceneFilter(until=dt.date(2026, 6, 1))
        assert [len(search_scenes(session, viewer, everything, limit=9)[0]) for viewer in (CITY, OF_A)] == [4, 2]
        assert [count_scenes(session, viewer, one) for viewer in (CITY, OF_A)] == [2, 1]
        assert [len(search_scans(session, viewer, limit=9)[0]) for viewer in (CITY, OF_A)] == [2, 1]
        nights = [search_nights(session, viewer, limit=9)[0][0] for viewer in (CITY, OF_A)]
        assert [(night.scans, night.changes, night.uncompared_m2) for night in nights] == [
            ({"done": 2}, 4, 20.0),
            ({"done": 1}, 2, 10.0),
        ]
        assert search_nights(session, OF_A, limit=9, before=dt.date(2026, 11, 23)) == ([], None)
        [other] = search_scans(session, CITY, place=B, limit=9)[0]
        assert visible_scene(session, CITY, other.after_id) is not None
        assert visible_scene(session, OF_A, other.after_id) is None
        extent = extent_of_scenes(session, OF_A)
        assert extent.bbox is not None
        assert extent.first == extent.last == dt.date(2026, 5, 1)
        assert extent_of_scenes(session, Viewer("c", "", "village", "1" * 12, False, 3)).bbox is None


def test_scenes_are_paginated_and_filtered_by_box(database: Database) -> None:
    with database.write() as session:
        add_two_villages(session)
    with database.read() as session:
        first, following = search_scenes(session, CITY, SceneFilter(), limit=3, outlines=True)
        assert following == first[-1].id
        last, end = search_scenes(session, CITY, SceneFilter(), limit=3, before_id=following)
        assert (len(last), end) == (1, None)
        bounds = last[0].west, last[0].south, last[0].east, last[0].north
        assert count_scenes(session, CITY, SceneFilter(bbox=bounds)) == 2


def test_an_alerts_item_outline_log_and_areas_are_found(database: Database) -> None:
    with database.write() as session:
        alerts = add_two_villages(session)
    with database.read() as session:
        row = find_list_item(session, OF_A, f"N{A}", NOW)
        assert row is not None
        assert row.id == alerts[A]
        assert find_list_item(session, OF_A, f"N{B}", NOW) is None
        assert outlines_of(session, [alerts[A]])[alerts[A]].area > 0
        alert = session.get_one(AlertRow, alerts[A])
        assert [step.fields["to_state"] for step in log_of(session, alert)] == ["new", "triaged"]
        assert [area.code for area in areas_around(session, OF_A, alert)] == [A]
        assert [area.code for area in areas_around(session, CITY, alert)] == [A, B]
        assert [area.code for area in areas_around(session, CITY, alert, limit=1)] == [A]
        assert [area.code for area in areas_around(session, CITY, alert, extent="area")] == [A]  # B is 500 m away


def test_reviewed_alerts_are_grouped_by_their_latest_scan(database: Database) -> None:
    with database.write() as session:
        alerts = add_two_villages(session)
        session.get_one(AlertRow, alerts[B]).state = "false_change"
    with database.read() as session:
        found, excluded = reviewed_scans(session, CITY)
        assert [(alert.alert, alert.confirmed) for scan in found for alert in scan.alerts] == [
            (f"N{A}", True),
            (f"N{B}", False),
        ]
        assert excluded == 0
        assert [alert.alert for scan in reviewed_scans(session, OF_A)[0] for alert in scan.alerts] == [f"N{A}"]
    with database.write() as session:
        session.get_one(AlertRow, alerts[A]).state = "returned"
    with database.read() as session:
        assert reviewed_scans(session, OF_A) == ([], 0)
