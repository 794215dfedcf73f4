"""A scan as jobs: any cut into jobs gives the scan's own result, and no job does anything twice."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image as Pictures
from sqlalchemy import select

from configs import read_yaml
from errors import WeightsError
from imagery import open_scene
from inference.detect_changes import detect_changes
from inference.scan_result import ScanResult
from inference.settings import read_config, settings_for
from service.context import Context
from service.job_registry import ReleaseJob
from store.jobs.queue import revive
from store.schema.tables import AlertRow, Job, Observation, Scan, UncomparedGround
from tests.inference.scenes import DifferenceDetector, textured
from tests.workers.scan_service import AUTUMN, SPRING, Service, after_image, before_image


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A pair whose scan has six blocks, two in a job, and is planned."""
    monkeypatch.chdir(tmp_path)
    Path("profiles.yaml").write_text(yaml.safe_dump(read_yaml(Path("profiles.yaml")) | {"block_px": 304}))
    service = Service(tmp_path, jobs={"blocks_per_job": 2})
    service.take_in(before_image(), SPRING)
    service.take_in(after_image(), AUTUMN)
    service.begin_night()
    return service


def _whole(service: Service) -> ScanResult:
    """The same scan in one go."""
    scenes = service.scenes()
    objects = service.context.objects
    with (
        objects.local(scenes[f"{SPRING}.tif"].object_key) as one,
        objects.local(scenes[f"{AUTUMN}.tif"].object_key) as other,
        open_scene(one, date=SPRING) as before,
        open_scene(other, date=AUTUMN) as after,
    ):
        settings = settings_for(read_config(), "auto", 0.5)
        return detect_changes(before, after, DifferenceDetector(), settings)


def test_a_scan_in_jobs_gives_what_the_scan_in_one_gives(service: Service) -> None:
    outcomes = service.work()
    [scan] = service.rows(Scan)
    assert (scan.state, scan.blocks, scan.block_jobs, scan.changes) == ("done", 6, 3, 2)
    assert outcomes == ["done"] * (1 + 1 + 3 + 1)  # the plan, the preparation, the blocks, the merging
    whole = _whole(service)
    sights = service.rows(Observation)
    assert [(s.kind, s.score, s.area_m2) for s in sights] == [(c.kind, c.score, c.area_m2) for c in whole.changes]
    assert all(s.outline.equals_exact(c.lonlat, 1e-12) for s, c in zip(sights, whole.changes, strict=True))
    assert scan.result["looked_at"]["area_m2"] == pytest.approx(whole.compared_area_m2, abs=0.01)
    assert scan.result["inputs"]["after"]["name"] == f"{AUTUMN}.tif"
    assert scan.result["alerts"] == {"new": 2}
    assert (scan.weights_sha256, scan.settings_sha256) == (whole.weights_sha256, whole.settings.sha256)
    assert b'"alerts"' not in service.context.objects.read(f"scans/{scan.id}/scan.json")


def test_each_change_has_its_pictures(service: Service) -> None:
    service.work()
    for alert in service.rows(AlertRow):
        before, after = (
            np.asarray(Pictures.open(io.BytesIO(service.context.objects.read(alert.evidence[when]))))
            for when in ("before", "after")
        )
        assert before.shape == after.shape == (546, 512, 3)
        row, column = (220, 330) if alert.kind == "construction" else (460, 140)
        around = np.s_[row - 3 : row + 3, column - 3 : column + 3]
        for picture, image in ((before, before_image()), (after, after_image())):
            seen = picture[246:266, 246:266].mean(axis=(0, 1))  # the middle, 144 px of ground over 512
            assert np.abs(seen - image[around].mean(axis=(0, 1))).max() < 15


def test_every_job_done_twice_changes_nothing(service: Service) -> None:
    def twice(context: Context, job_id: int) -> None:
        with context.database.write() as session:
            job = session.get_one(Job, job_id)
            job.state = "done"
        service.commit(service.handle(job))
        once = service.written()
        service.commit(service.handle(job))
        assert service.written() == once

    service.work(twice)
    assert [alert.seen for alert in service.rows(AlertRow)] == [1, 1]
    before = service.written()
    for job in service.rows(Job):
        if job.queue == "scan":
            service.commit(service.handle(job))
    assert service.written() == before


def test_two_processes_at_one_job_at_once_write_its_result_once(service: Service) -> None:
    def by_two(context: Context, job_id: int) -> None:
        with context.database.write() as session:
            job = session.get_one(Job, job_id)
            job.state = "done"
        results = [service.handle(job), service.handle(job)]
        service.commit(results[0])
        once = service.written()
        service.commit(results[1])
        assert service.written() == once

    service.work(by_two)
    assert [alert.seen for alert in service.rows(AlertRow)] == [1, 1]


def test_a_worker_that_is_asked_to_stop_gives_its_blocks_back(service: Service) -> None:
    plan, *_ = service.rows(Job)
    service.commit(service.handle(plan))
    prepare = service.rows(Job)[1]
    with pytest.raises(ReleaseJob):
        service.handle(prepare, should_stop=lambda: True)
    service.commit(service.handle(prepare))
    blocks = service.rows(Job)[2]
    with pytest.raises(ReleaseJob):
        service.handle(blocks, should_stop=lambda: True)
    assert service.rows(Scan)[0].result["plan"]["parts_done"] == []
    service.work()
    assert service.rows(Scan)[0].state == "done"


def test_a_worker_with_other_weights_does_not_take_part(service: Service) -> None:
    plan = service.rows(Job)[0]
    service.commit(service.handle(plan))
    service.commit(service.handle(service.rows(Job)[1]))
    own = DifferenceDetector()
    service.use(DifferenceDetector(weights=replace(own.weights, sha256="1" * 64)))
    with pytest.raises(WeightsError, match="one scan needs one network"):
        service.handle(service.rows(Job)[2])
    assert "dead" in service.work()
    [scan] = service.rows(Scan)
    assert scan.state == "failed"
    assert "one scan needs one network" in scan.reason
    service.use(own)
    with service.context.database.write() as session:
        for job_id in session.scalars(select(Job.id).where(Job.state == "dead")).all():
            revive(session, job_id, service.context.clock())
    service.work()
    assert service.rows(Scan)[0].state == "done"


def test_images_that_do_not_fit_are_an_outcome_with_the_ground_and_the_reason(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.take_in(textured(600, 700, seed=1), SPRING)
    service.take_in(textured(600, 700, seed=2), AUTUMN)
    night = service.night()
    [scan] = service.rows(Scan)
    assert scan.state == "not_comparable"
    assert "cannot be registered" in scan.reason
    assert f"{AUTUMN}.tif" in scan.reason
    [first, left] = service.rows(UncomparedGround)  # the first image has none before it
    assert (left.scan_id, left.reason) == (scan.id, scan.reason)
    assert left.area_m2 == pytest.approx(350 * 300, rel=0.01)
    assert (night.state, night.summary["states"]) == ("done", {"not_comparable": 1})
    assert first.scan_id is None


def test_an_image_that_cannot_be_read_any_more_fails_its_scan(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.take_in(before_image(), SPRING)
    service.take_in(after_image(), AUTUMN)
    scene = service.scenes()[f"{AUTUMN}.tif"]
    service.context.objects.put(scene.object_key, b"II*\0 was an image once")
    night = service.night()
    [scan] = service.rows(Scan)
    assert scan.state == "failed"
    assert f"{AUTUMN}.tif" in scan.reason
    assert night.state == "done"
    assert service.rows(UncomparedGround)[-1].scan_id == scan.id
