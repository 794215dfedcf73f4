"""The night: all new ground is compared once with its best earlier image, and changes become alerts once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from sqlalchemy import select
from typer.testing import CliRunner

from cli.administration.night import night as night_command
from model.detector import Detector
from store.alerts.audit import audit_alerts
from store.areas.areas import load_areas
from store.schema.database import Database
from store.schema.tables import AlertRow, Delivery, Job, Night, Observation, Scan, UncomparedGround
from tests.databases import embedded_database
from tests.inference.scenes import textured
from tests.workers.embedded import clock_of
from tests.workers.scan_service import (
    AUTUMN,
    DAY,
    RED,
    SPRING,
    VILLAGE,
    WINTER,
    ScanService,
    after_image,
    before_image,
)
from training.sample.areas import TOWNSHIP, VILLAGES, write_sample_areas
from training.synthetic import SceneSpec, render_scene, write_scene
from workers.runtime.job_runner import run_job


@pytest.fixture
def service(tmp_path: Path, database: Database) -> ScanService:
    return ScanService(tmp_path, database)


@pytest.fixture
def embedded(tmp_path: Path) -> ScanService:
    return ScanService(tmp_path)


def test_new_scenes_become_alerts_in_the_enforcement_queue_once(service: ScanService) -> None:
    service.add_image(before_image(), SPRING)
    service.add_image(after_image(), AUTUMN)
    night = service.run_night()
    assert (night.state, night.summary["states"], night.summary["alerts"]) == ("done", {"done": 1}, {"new": 2})
    alerts = service.rows(AlertRow)
    assert sorted(alert.number for alert in alerts) == ["330199U2026110001", "330199U2026110002"]
    assert {(alert.grid_code, alert.first_date) for alert in alerts} == {(VILLAGE, AUTUMN)}
    assert sorted(alert.kind for alert in alerts) == ["construction", "ground"]
    assert [delivery.event["type"] for delivery in service.rows(Delivery)] == ["tuban.alert.created"] * 2
    assert len([job for job in service.rows(Job) if job.queue == "deliver"]) == 2
    [ground] = service.rows(UncomparedGround)  # the first image of the place
    assert ground.scene_id == service.scenes()[f"{SPRING}.tif"].id

    # the next night finds nothing new
    before = service.snapshot()
    quiet = service.run_night(DAY + dt.timedelta(days=1))
    assert (quiet.state, quiet.summary["scans"], quiet.summary["uncompared"]) == ("done", 0, [])
    after = service.snapshot()
    assert all(after[table] == before[table] for table in before if table not in ("nights", "jobs"))


def test_a_later_image_is_compared_with_one_that_shows_the_first_changes_and_adds_only_new_ones(
    embedded: ScanService,
) -> None:
    embedded.add_image(before_image(), SPRING)
    embedded.add_image(after_image(), AUTUMN)
    embedded.run_night()
    image = after_image()
    image[60:110, 500:560] = RED  # another pit
    embedded.add_image(image, WINTER)
    night = embedded.run_night(DAY + dt.timedelta(days=1))
    assert night.summary["alerts"] == {"new": 1, "again": 3}
    # both earlier images are usable; the one of the same season is selected, the other measures the known alerts
    scans = {scan.before_id: scan for scan in embedded.rows(Scan) if scan.night_id == night.id}
    autumn, spring = (scans.pop(embedded.scenes()[f"{day}.tif"].id) for day in (AUTUMN, SPRING))
    assert (autumn.windows, len(spring.windows), scans) == (None, 2, {})
    assert night.summary["looked_at_m2"] == autumn.result["looked_at"]["area_m2"]  # not counted twice
    assert (autumn.result["alerts"], spring.result["alerts"]) == ({"new": 1}, {"again": 3})
    assert [delivery.event["type"].rpartition(".")[2] for delivery in embedded.rows(Delivery)] == [
        *["created"] * 3,
        *["seen_again"] * 2,
    ]


def test_changes_seen_again_with_the_same_earlier_image_are_the_same_alerts(embedded: ScanService) -> None:
    embedded.add_image(before_image(), SPRING)
    embedded.add_image(after_image(), AUTUMN)
    embedded.run_night()
    image = after_image()
    image[420:520, 100:200] = RED
    # the earlier image of its season shows none of the changes
    embedded.add_image(before_image(), dt.date(2025, 11, 18), "last year.tif", compress="deflate")
    embedded.add_image(image, WINTER, "winter.tif")
    # the third: the pit's growth since the image that first showed it
    assert embedded.run_night(DAY + dt.timedelta(days=1)).summary["alerts"] == {"again": 3}
    house, pit = sorted(embedded.rows(AlertRow), key=lambda alert: alert.kind)
    assert (house.seen, pit.seen) == (2, 3)
    assert pit.area_m2 == pytest.approx(100 * 100 / 4, rel=0.1)
    first, *_ = [observation for observation in embedded.rows(Observation) if observation.alert_id == pit.id]
    assert first.area_m2 == pytest.approx(1600, rel=0.1)
    later = {delivery.alert_id: delivery.event["type"] for delivery in embedded.rows(Delivery)[2:]}
    assert later == {house.id: "tuban.alert.seen_again", pit.id: "tuban.alert.grown"}


def test_a_night_planned_twice_or_concurrently_plans_nothing_twice(service: ScanService) -> None:
    for month in (3, 5, 10):
        service.add_image(textured(300, 300, seed=1), dt.date(2026, month, 1), compress="deflate", zlevel=month % 9 + 1)
    for again in (False, False, True):
        service.add_night_job(again=again)
        clock_of(service.context).forward(1)
    service.add_night_job(DAY + dt.timedelta(days=1))
    plans = service.rows(Job)
    assert len(plans) == 3  # the scheduler's of this night, added twice; a user's; that of the next night
    commits = [service.run_handler(job) for job in plans]  # concurrently: none sees the results of the others
    for commit in commits:
        service.commit(commit)
    scans = service.rows(Scan)
    assert len({(scan.before_id, scan.after_id) for scan in scans}) == len(scans) == 2
    assert len([job for job in service.rows(Job) if job.kind == "scan.prepare"]) == 2
    [ground] = service.rows(UncomparedGround)
    assert "are newer" in ground.reason
    assert {scan.night_id for scan in scans} == {service.rows(Night)[0].id}


def test_scans_still_running_at_the_next_night_are_not_planned_again(embedded: ScanService) -> None:
    embedded.add_image(before_image(), SPRING)
    embedded.add_image(after_image(), AUTUMN)
    embedded.add_night_job()
    [plan] = embedded.waiting_jobs()
    run_job(embedded.context, plan)
    embedded.add_night_job(DAY + dt.timedelta(days=1))
    _, next_plan = embedded.waiting_jobs()
    run_job(embedded.context, next_plan)
    first, second = embedded.rows(Night)
    assert (first.state, second.state, second.summary["scans"]) == ("scanning", "done", 0)
    embedded.run_jobs()
    assert [night.state for night in embedded.rows(Night)] == ["done", "done"]
    [scan] = embedded.rows(Scan)
    assert scan.night_id == first.id


def test_ground_without_an_earlier_image_is_reported_once_with_the_reason(embedded: ScanService) -> None:
    embedded.add_image(before_image(), SPRING)
    embedded.add_image(textured(300, 300), None, "scan0001.tif")
    first = embedded.run_night()
    reported = {ground["reason"]: ground["area_m2"] for ground in first.summary["uncompared"]}
    [undated, alone] = sorted(reported)[::-1]
    assert "--date" in undated
    assert reported[undated] == pytest.approx(150 * 150, rel=0.01)
    assert alone == "no usable earlier image: the other images of this ground are of unknown date"
    second = embedded.run_night(DAY + dt.timedelta(days=1))
    assert second.summary["uncompared"] == []
    # an older image is added: the uncompared ground is compared with it
    embedded.add_image(before_image(), dt.date(2025, 4, 1), "older.tif", compress="deflate")
    third = embedded.run_night(DAY + dt.timedelta(days=2))
    assert third.summary["scans"] == 1


@pytest.mark.slow
def test_a_rendered_scene_gives_alerts_in_its_villages(embedded: ScanService, tmp_path: Path) -> None:
    spec = SceneSpec(seed=3, width=512, height=512, changes=4)
    pair = render_scene(spec)
    before, after, _ = write_scene(pair, tmp_path / "rendered")
    files = write_sample_areas(tmp_path, spec, pair.truth)
    context = embedded.context
    load_areas(context.database, files.areas, now=context.clock())
    embedded.use_detector(Detector("fast", runtime="openvino", threads=2))
    embedded.add_image(before, spec.dates[0], area_code=TOWNSHIP)
    embedded.add_image(after, spec.dates[1], area_code=TOWNSHIP)
    night = embedded.run_night()
    alerts = embedded.rows(AlertRow)
    assert night.summary["states"] == {"done": 1}
    assert len(alerts) >= 3
    assert {alert.grid_code for alert in alerts} <= {code for code, _ in VILLAGES}
    true_areas = [change.area_m2 for change in pair.truth]
    assert sum(alert.area_m2 for alert in alerts) < 2 * sum(true_areas)
    for alert in alerts:
        for key in alert.evidence.values():
            picture = cv2.imdecode(np.frombuffer(context.objects.read(key), np.uint8), cv2.IMREAD_COLOR)
            assert picture[:512].std() > 10
    assert audit_alerts(context.database).intact


def test_the_command_plans_a_night_immediately_and_lists_the_last_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = embedded_database(tmp_path / "home" / "tuban.db")
    monkeypatch.setenv("TUBAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TUBAN_LIMITS__FREE_DISK_MIB", "0")
    app = typer.Typer()
    app.command()(night_command)
    result = CliRunner().invoke(app, [], env={"COLUMNS": "200"})
    assert "No night was planned yet" in result.output

    service = ScanService(tmp_path, database)
    service.add_image(before_image(), SPRING)
    service.add_image(after_image(), AUTUMN)
    result = CliRunner().invoke(app, ["--now"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "1 waiting" in result.output
    assert "in progress" in result.output
    clock_of(service.context).now = dt.datetime.now(dt.UTC)  # the command uses the system clock
    assert set(service.run_jobs()) == {"done"}
    result = CliRunner().invoke(app, [], env={"COLUMNS": "200"})
    for word in ("1 done", "0.105 km²", "2 new", "157.6 mu", f"{SPRING}.tif", "are newer"):
        assert word in result.output
    with database.read() as session:
        assert session.scalars(select(Job.state).where(Job.kind == "night.plan")).all() == ["done"]
    database.close()
