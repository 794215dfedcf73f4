"""Ground that a night could not compare is counted once, and no longer once another scan has compared it."""

from __future__ import annotations

import datetime as dt

import pytest
import shapely

from errors import Reason
from store.scans.hidden_ground import hidden_ground
from store.scans.nights import (
    add_uncompared_ground,
    night_summary,
    open_night,
    remove_planned_gaps,
    reported_ground,
    update_night_state,
)
from store.scans.scans import finish_scan, finish_uncompared
from store.scans.withdrawn_scans import withdraw_scans
from store.schema.database import Database, Session
from store.schema.tables import Night, SceneRow
from tests.store.sample_rows import NOW, VILLAGE, add_scan, add_scene, ground

DAY = dt.date(2026, 11, 24)
KM2 = 1_000_000.0


def uncompared_m2(session: Session, night: Night) -> float:
    update_night_state(session, night.id, NOW)
    return sum(one["area_m2"] for one in night_summary(session, night)["uncompared"])


def failed(session: Session, night: Night, later: SceneRow, day: int, reason: str) -> None:
    scan = add_scan(session, add_scene(session, dt.date(2026, 1, day)), later, night_id=night.id)
    finish_uncompared(session, scan.id, "not_comparable", reason, NOW)


def test_several_failed_scans_of_one_ground_count_once(database: Database) -> None:
    with database.write() as session:
        night, later = open_night(session, DAY, NOW), add_scene(session, dt.date(2026, 11, 1))
        for day in (1, 2, 3):
            failed(session, night, later, day, f"cloud {day}")
        assert uncompared_m2(session, night) == pytest.approx(KM2, rel=0.01)
        [one] = night_summary(session, night)["uncompared"]
        assert one["reason"] == "cloud 3"


def test_ground_that_another_scan_of_the_night_compared_is_not_counted(database: Database) -> None:
    with database.write() as session:
        night, later = open_night(session, DAY, NOW), add_scene(session, dt.date(2026, 11, 1))
        failed(session, night, later, 1, "cloud")
        half = add_scene(session, dt.date(2026, 2, 1), ground(0, 0, 500, 1000))
        scan = add_scan(session, half, later, night_id=night.id, state="merging")
        finish_scan(session, scan.id, result={}, changes=0, now=NOW)
        assert uncompared_m2(session, night) == pytest.approx(KM2 / 2, rel=0.01)
        rest = add_scene(session, dt.date(2026, 3, 1), ground(400, 0, 1000, 1000))
        scan = add_scan(session, rest, later, night_id=night.id, state="merging")
        finish_scan(session, scan.id, result={}, changes=0, now=NOW)
        assert uncompared_m2(session, night) == 0


def test_ground_of_other_images_and_nights_stays(database: Database) -> None:
    with database.write() as session:
        night, later = open_night(session, DAY, NOW), add_scene(session, dt.date(2026, 11, 1))
        other = add_scene(session, dt.date(2026, 11, 2))
        before = open_night(session, DAY - dt.timedelta(days=1), NOW)
        failed(session, before, later, 1, "cloud")
        failed(session, night, other, 2, "cloud")
        failed(session, night, later, 3, "cloud")
        assert uncompared_m2(session, night) == pytest.approx(2 * KM2, rel=0.01)
        assert uncompared_m2(session, before) == pytest.approx(KM2, rel=0.01)


def test_a_second_plan_of_a_night_replaces_the_gaps_of_the_first(database: Database) -> None:
    with database.write() as session:
        night, scene = open_night(session, DAY, NOW), add_scene(session, dt.date(2026, 11, 1))
        gap = {"scene_id": scene.id, "area_code": VILLAGE, "outline": scene.outline, "area_m2": KM2, "reason": "first"}
        add_uncompared_ground(session, night.id, **gap)
        session.flush()
        assert reported_ground(session, VILLAGE, DAY) == {}  # the same night reports it again
        assert reported_ground(session, VILLAGE, DAY + dt.timedelta(days=1)).keys() == {scene.id}
        remove_planned_gaps(session, night.id)
        assert uncompared_m2(session, night) == 0


def test_ground_of_a_corrected_image_is_to_be_reported_again(database: Database) -> None:
    with database.write() as session:
        night, scene = open_night(session, DAY, NOW), add_scene(session, dt.date(2026, 11, 1))
        gap = {"scene_id": scene.id, "area_code": VILLAGE, "outline": scene.outline, "area_m2": KM2, "reason": "first"}
        add_uncompared_ground(session, night.id, **gap)
        session.flush()
        withdraw_scans(session, [scene.id], Reason("its day was corrected", "x"), NOW)
        assert reported_ground(session, VILLAGE, DAY + dt.timedelta(days=1)) == {}


def test_an_unfinished_scan_that_is_withdrawn_ends_its_night(database: Database) -> None:
    with database.write() as session:
        night = open_night(session, DAY, NOW)
        first, second = add_scene(session, dt.date(2026, 1, 1)), add_scene(session, dt.date(2026, 11, 1))
        scan = add_scan(session, first, second, night_id=night.id, state="scanning")
        [withdrawn] = withdraw_scans(session, [second.id], Reason("wrong county", "x"), NOW)
        assert (withdrawn.id, withdrawn.state, night.state) == (scan.id, "withdrawn", "done")
        again = add_scan(session, first, second, unique_key=f"scan:{first.id}:{second.id}:test")  # the pair is free
        assert again.id != scan.id


def test_hidden_ground_of_a_finished_scan_is_reported_and_planned_again(database: Database) -> None:
    with database.write() as session:
        night, later = open_night(session, DAY, NOW), add_scene(session, dt.date(2026, 11, 1))
        earlier = add_scene(session, dt.date(2026, 2, 1))
        failed(session, night, later, 1, "not registered")
        scan = add_scan(session, earlier, later, night_id=night.id, state="merging")
        cloud, glare = ground(0, 0, 300, 1000), ground(700, 0, 1000, 1000)
        hidden = {"earlier": shapely.to_wkt(cloud), "later": shapely.to_wkt(glare)}
        finish_scan(session, scan.id, result={"hidden": hidden}, changes=0, now=NOW)
        update_night_state(session, night.id, NOW)
        reported = {one["reason"]: one["area_m2"] for one in night_summary(session, night)["uncompared"]}
        cause = "cloud, snow, overexposure or blur hide it in the"
        earlier_m2 = reported[f"{cause} earlier image, or that image is displaced there"]
        later_m2 = reported[f"{cause} later image"]
        assert (earlier_m2, later_m2) == pytest.approx((0.3 * KM2, 0.3 * KM2), rel=0.01)
        # another earlier image can help only where the earlier one hides the ground
        again = hidden_ground(session, VILLAGE)
        assert again.keys() == {(earlier.id, later.id)}
        assert again[earlier.id, later.id].symmetric_difference(cloud).area < 1e-7
