"""A batch is closed once, when its last file has an outcome, and contains no duplicates."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
import shapely
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from imagery.conversion.ingested_image import IngestedImage
from store.jobs.queue import add_job
from store.scenes.batches import (
    REQUEST_KEY_PREFIX,
    add_file,
    batch_report,
    close_batch_if_finished,
    count_files,
    create_batch,
    file_names,
    finish_receiving,
    job_key,
    set_outcome,
    unfinished_jobs,
)
from store.scenes.scenes import add_scene, find_area, scene_by_sha256, similar_codes, smallest_area_at
from store.schema.database import Database
from store.schema.tables import Batch, BatchFile, Job, SceneRow
from tests.store.sample_rows import add_area

NOW = dt.datetime(2026, 11, 23, 18, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(minutes=5)
SQUARE = shapely.box(120.0, 30.0, 120.01, 30.01)


def created(session: Session, unique_key: str | None = None) -> Batch:
    return create_batch(
        session, area_code="330102", name="飞行", origin="command", source="drone", created_by="wang",
        unique_key=unique_key, now=NOW,
    )  # fmt: skip


def image(sha256: str) -> IngestedImage:
    return IngestedImage(
        sha256.ljust(64, "0"),
        "c" * 64,
        100,
        80,
        0.5,
        "EPSG:4547",
        SQUARE,
        (1, 2, 3),
        dt.date(2024, 5, 1),
        "given",
        1.0,
        (),
    )


def placed(session: Session, sha256: str) -> int | None:
    columns = {"area_code": "330102", "name": "a.tif", "source": "drone", "object_key": "scenes/cc/c.tif"}
    return add_scene(session, image(sha256), now=NOW, **columns)


def received(session: Session, batch_id: int, name: str) -> int:
    file_id = add_file(session, batch_id, name, size=7, now=NOW, sha256="a" * 64, received=f"received/{name}")
    assert file_id is not None
    return file_id


def test_a_batch_is_done_when_all_files_have_an_outcome(database: Database) -> None:
    with database.write() as session:
        batch = created(session)
        one, other = (received(session, batch.id, name) for name in ("a.tif", "b.tif"))
        assert set_outcome(session, one, "failed", "broken", NOW)
        assert not close_batch_if_finished(session, batch.id, NOW)  # more may come
        assert not finish_receiving(session, batch.id, NOW)
    with database.write() as session:
        scene = placed(session, "f")
        assert set_outcome(session, other, "placed", "", LATER, scene)
        assert close_batch_if_finished(session, batch.id, LATER)
        assert not close_batch_if_finished(session, batch.id, LATER)
    with database.read() as session:
        report = batch_report(session, batch.id)
    assert report is not None
    assert (report.state, report.finished_at, report.name) == ("done", LATER, "飞行")
    assert [(f.name, f.state, f.reason, f.date) for f in report.files] == [
        ("a.tif", "failed", "broken", None),
        ("b.tif", "placed", "", dt.date(2024, 5, 1)),
    ]
    assert (report.count("placed"), report.count("failed", "placed"), report.count("waiting")) == (1, 2, 0)


def test_a_batch_without_files_to_process_is_done_when_it_is_received(database: Database) -> None:
    with database.write() as session:
        batch = created(session)
        add_file(session, batch.id, "a.ovr", size=1, now=NOW, outcome="ignored", reason="not read")
        assert finish_receiving(session, batch.id, NOW)


def test_an_outcome_is_never_changed(database: Database) -> None:
    with database.write() as session:
        file_id = received(session, created(session).id, "a.tif")
        assert set_outcome(session, file_id, "failed", "first", NOW)
        assert not set_outcome(session, file_id, "placed", "second", LATER)
    with database.read() as session:
        file = session.get_one(BatchFile, file_id)
    assert (file.state, file.reason, file.finished_at, file.received) == ("failed", "first", NOW, "")


def test_file_names_are_unique_within_a_batch(database: Database) -> None:
    with database.write() as session:
        batch, other = created(session), created(session)
        received(session, batch.id, "a.tif")
        assert add_file(session, batch.id, "a.tif", size=8, now=NOW) is None
        received(session, other.id, "a.tif")
        assert file_names(session, batch.id) == {"a.tif"}


def test_a_key_returns_its_existing_batch(database: Database) -> None:
    with database.write() as session:
        first = created(session, "watch:1")
        finish_receiving(session, first.id, NOW)
    with database.write() as session:
        assert created(session, "watch:1").id == first.id
        assert session.get_one(Batch, first.id).state == "done"
        assert created(session, "watch:2").id != first.id


def test_a_request_key_is_resumed_until_its_batch_is_done(database: Database) -> None:
    key = REQUEST_KEY_PREFIX + "abc"
    with database.write() as session:
        first = created(session, key)
        file_id = received(session, first.id, "a.tif")
        finish_receiving(session, first.id, NOW)
    with database.write() as session:
        again = created(session, key)
        assert (again.id, again.state) == (first.id, "receiving")
        set_outcome(session, file_id, "failed", "", NOW)
        assert finish_receiving(session, first.id, NOW)
        assert created(session, key).id != first.id


def test_the_jobs_of_waiting_files_are_reported(database: Database) -> None:
    with database.write() as session:
        batch = created(session)
        files = [received(session, batch.id, f"{number}.tif") for number in range(3)]
        jobs = [
            add_job(session, kind="ingest.file", queue="ingest", payload={}, unique_key=job_key(file), now=NOW)
            for file in files
        ]
        job = session.get_one(Job, jobs[2])
        job.state, job.error = "dead", "no room"
        set_outcome(session, files[0], "failed", "", NOW)
    with database.read() as session:
        assert [job.id for job in unfinished_jobs(session, batch.id)] == jobs[1:]
        report = batch_report(session, batch.id)
        assert report is not None
        assert [(file.job, file.job_id) for file in report.files] == [
            ("", None),
            ("waiting", jobs[1]),
            ("dead: no room", jobs[2]),
        ]
        assert report.state != "done"
        assert count_files(session, [batch.id]) == {batch.id: {"failed": 1, "waiting": 2}}


def test_a_file_becomes_only_one_scene(database: Database) -> None:
    with database.write() as session:
        first = placed(session, "f")
        assert first is not None
        assert placed(session, "f") is None
        assert placed(session, "e") is not None
    with database.read() as session:
        scene = scene_by_sha256(session, "f".ljust(64, "0"))
        assert scene is not None
        assert (scene.id, scene.date, scene.outline.equals(SQUARE)) == (first, dt.date(2024, 5, 1), True)
        assert (scene.west, scene.north) == (120.0, 30.01)
        assert scene_by_sha256(session, "d" * 64) is None
        assert session.scalar(select(func.count()).select_from(SceneRow)) == 2


def test_two_concurrent_last_outcomes_close_the_batch_once(database: Database) -> None:
    if database.sqlite:
        pytest.skip("SQLite lets in one writer at a time")
    with database.write() as session:
        batch = created(session)
        files = [received(session, batch.id, f"{number}.tif") for number in range(2)]
        finish_receiving(session, batch.id, NOW)
    both_written = threading.Barrier(2)
    closed: list[bool] = []

    def end(file_id: int) -> None:
        with database.write() as session:
            set_outcome(session, file_id, "failed", "", NOW)
            both_written.wait(timeout=30)
            closed.append(close_batch_if_finished(session, batch.id, NOW))

    threads = [threading.Thread(target=end, args=(file_id,)) for file_id in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(closed) == [False, True]


def test_a_scene_added_twice_concurrently_exists_once(database: Database) -> None:
    if database.sqlite:
        pytest.skip("SQLite lets in one writer at a time")
    both_begun = threading.Barrier(2)
    found: list[int | None] = []

    def place() -> None:
        with database.write() as session:
            session.execute(select(SceneRow.id))
            both_begun.wait(timeout=30)
            found.append(placed(session, "f"))
            scene = scene_by_sha256(session, "f".ljust(64, "0"))
            assert scene is not None

    threads = [threading.Thread(target=place) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(id_ is None for id_ in found) == [False, True]


def test_areas_are_found_by_code_and_by_position(database: Database) -> None:
    west, east = shapely.box(120.0, 30.0, 120.1, 30.1), shapely.box(120.1, 30.0, 120.2, 30.1)
    with database.write() as session:
        add_area(session, "330102001001", west)
        add_area(session, "330102001002", east)
        add_area(session, "330106", shapely.box(120.0, 30.0, 120.2, 30.1))
    with database.read() as session:
        county, village = find_area(session, "330102"), find_area(session, "330102001002")
        assert county is not None
        assert county.outline.equals(west.union(east))
        assert village is not None
        assert (village.name, village.outline.equals(east)) == ("area 330102001002", True)
        assert find_area(session, "330103") is None
        here = smallest_area_at(session, shapely.Point(120.15, 30.05))
        assert here is not None
        assert here.code == "330102001002"
        assert smallest_area_at(session, shapely.Point(110, 30)) is None
        assert [code for code, _ in similar_codes(session, "330107")] == ["330102001001", "330102001002", "330106"]
        assert similar_codes(session, "440106") == []
