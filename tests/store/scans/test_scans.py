"""The steps of a scan are idempotent, and a night ends with its last scan."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select

from store.scans.nights import night_summary, open_night, uncompared_ground, update_night_state
from store.scans.scans import finish_part, finish_scan, finish_uncompared, read_task, running_scans, start_scan
from store.schema.database import Database
from store.schema.tables import Night, Scan, UncomparedGround
from tests.store.sample_rows import NOW, add_scan, add_scene, ground

DAY = dt.date(2026, 11, 24)


@pytest.fixture
def scan_ids(database: Database) -> list[int]:
    """Two planned scans of one night."""
    with database.write() as session:
        night = open_night(session, DAY, NOW)
        scenes = [add_scene(session, dt.date(2026, month, 1), ground(0, 0, 1000, 100 * month)) for month in (3, 5, 10)]
        scans = [add_scan(session, scenes[n], scenes[2], night_id=night.id) for n in (0, 1)]
        update_night_state(session, night.id, NOW)
        return [scan.id for scan in scans]


def _begin(database: Database, scan_id: int, parts: int) -> bool:
    with database.write() as session:
        return start_scan(
            session,
            scan_id,
            blocks=4 * parts,
            parts=parts,
            plan={"settings": {"block_px": 64}},
            settings_sha256="5" * 64,
            weights_sha256="7" * 64,
            now=NOW,
        )


def _end_part(database: Database, scan_id: int, part: int) -> bool:
    with database.write() as session:
        return finish_part(session, scan_id, part)


def _finish(database: Database, scan_id: int) -> None:
    with database.write() as session:
        scan = finish_scan(session, scan_id, result={"looked_at": {"area_m2": 5.0}}, changes=2, now=NOW)
        if scan is not None and scan.night_id is not None:
            update_night_state(session, scan.night_id, NOW)


def _concurrently(*calls: Callable[[], object]) -> None:
    barrier = threading.Barrier(len(calls))

    def go(call: Callable[[], object]) -> None:
        barrier.wait()
        call()

    threads = [threading.Thread(target=go, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_parts_that_end_concurrently_only_the_last_starts_the_merge(database: Database, scan_ids: list[int]) -> None:
    assert _begin(database, scan_ids[0], 6)
    last: list[bool] = []
    _concurrently(*(lambda part=part: last.append(_end_part(database, scan_ids[0], part)) for part in range(6)))  # type: ignore[misc]
    assert sorted(last) == [False] * 5 + [True]
    with database.read() as session:
        assert read_task(session, scan_ids[0]).scan.state == "merging"


def test_a_repeated_step_changes_nothing(database: Database, scan_ids: list[int]) -> None:
    scan_id = scan_ids[0]
    assert _begin(database, scan_id, 2)
    assert not _begin(database, scan_id, 9)
    assert [_end_part(database, scan_id, part) for part in (0, 0, 1, 1)] == [False, False, True, False]
    _finish(database, scan_id)
    with database.write() as session:
        assert finish_scan(session, scan_id, result={}, changes=0, now=NOW) is None
        assert not finish_uncompared(session, scan_id, "failed", "too late", NOW)
    with database.read() as session:
        scan = session.get_one(Scan, scan_id)
        assert (scan.state, scan.blocks, scan.block_jobs, scan.changes) == ("done", 8, 2, 2)
        assert scan.result == {"looked_at": {"area_m2": 5.0}}
        assert session.scalars(select(UncomparedGround)).all() == []


def test_unfinished_scans_report_their_progress(database: Database, scan_ids: list[int]) -> None:
    _begin(database, scan_ids[0], 4)
    _end_part(database, scan_ids[0], 3)
    with database.read() as session:
        first, second = running_scans(session)
        assert (first.state, first.done, first.before) == ("scanning", 0.25, "2026-03-01-0.tif")
        assert (second.state, second.done) == ("waiting", 0.0)


def test_uncompared_ground_is_recorded_with_its_reason(database: Database, scan_ids: list[int]) -> None:
    with database.write() as session:
        assert finish_uncompared(session, scan_ids[0], "not_comparable", "they cannot be laid onto each other", NOW)
    with database.read() as session:
        night = session.scalars(select(Night)).one()
        [(left, name)] = uncompared_ground(session, night.id)
        assert (left.reason, left.scan_id, name) == (
            "they cannot be laid onto each other",
            scan_ids[0],
            "2026-10-01-2.tif",
        )
        assert left.area_m2 == pytest.approx(300_000, rel=0.01)  # what both show
        assert night.state == "scanning"
        assert night_summary(session, night)["states"] == {"not_comparable": 1, "waiting": 1}


def test_a_night_is_done_when_its_last_scans_end_concurrently(database: Database, scan_ids: list[int]) -> None:
    _begin(database, scan_ids[0], 1)
    _end_part(database, scan_ids[0], 0)

    def end_without_comparison() -> None:
        with database.write() as session:
            finish_uncompared(session, scan_ids[1], "failed", "the file is broken", NOW)

    _concurrently(lambda: _finish(database, scan_ids[0]), end_without_comparison)
    with database.read() as session:
        night = session.scalars(select(Night)).one()
        assert (night.state, night.finished_at) == ("done", NOW)
        assert night.summary["states"] == {"done": 1, "failed": 1}
        assert (night.summary["looked_at_m2"], night.summary["changes"]) == (5.0, 2)
        assert [piece["reason"] for piece in night.summary["uncompared"]] == ["the file is broken"]


def test_a_night_without_scans_is_done_at_once(database: Database) -> None:
    with database.write() as session:
        night = open_night(session, DAY, NOW)
        assert update_night_state(session, night.id, NOW).state == "done"
    with database.write() as session:
        again = open_night(session, DAY, NOW)
        assert again.id == night.id
        assert update_night_state(session, again.id, NOW + dt.timedelta(hours=1)).summary["scans"] == 0
