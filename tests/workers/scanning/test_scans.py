"""Jobs of a scan: they give the same result as one call, and repeating any of them changes nothing."""

from __future__ import annotations

import datetime as dt
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
from store.schema.tables import AlertRow, Job, Observation, Scan, SceneRow, UncomparedGround
from tests.inference.scenes import DifferenceDetector, textured
from tests.workers.scan_service import AUTUMN, DAY, SPRING, ScanService, after_image, before_image


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScanService:
    """A service with a planned scan of nine blocks, two per job."""
    monkeypatch.chdir(tmp_path)
    Path("profiles.yaml").write_text(yaml.safe_dump(read_yaml(Path("profiles.yaml")) | {"block_px": 304}))
    service = ScanService(tmp_path, jobs={"blocks_per_job": 2})
    service.add_image(before_image(), SPRING)
    service.add_image(after_image(), AUTUMN)
    service.add_night_job()
    return service


def _detect_at_once(service: ScanService) -> ScanResult:
    """Run the same scan in one call."""
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


def test_a_scan_in_jobs_equals_the_scan_in_one_call(service: ScanService) -> None:
    outcomes = service.run_jobs()
    [scan] = service.rows(Scan)
    assert (scan.state, scan.blocks, scan.block_jobs, scan.changes) == ("done", 9, 5, 2)
    assert outcomes == ["done"] * (1 + 1 + 5 + 1)  # plan, prepare, blocks, merge
    expected = _detect_at_once(service)
    observations = service.rows(Observation)
    assert [(s.kind, s.score, s.area_m2) for s in observations] == [
        (c.kind, c.score, c.area_m2) for c in expected.changes
    ]
    assert all(s.outline.equals_exact(c.lonlat, 1e-12) for s, c in zip(observations, expected.changes, strict=True))
    assert scan.result["looked_at"]["area_m2"] == pytest.approx(expected.compared_area_m2, abs=0.01)
    assert scan.result["inputs"]["after"]["name"] == f"{AUTUMN}.tif"
    assert scan.result["alerts"] == {"new": 2}
    assert (scan.weights_sha256, scan.settings_sha256) == (expected.weights_sha256, expected.settings.sha256)
    assert b'"alerts"' not in service.context.objects.read(f"scans/{scan.id}/scan.json")


def test_each_change_has_thumbnails_of_both_dates(service: ScanService) -> None:
    service.run_jobs()
    for alert in service.rows(AlertRow):
        before, after = (
            np.asarray(Pictures.open(io.BytesIO(service.context.objects.read(alert.evidence[when]))))
            for when in ("before", "after")
        )
        assert before.shape == after.shape == (546, 512, 3)
        row, column = (220, 330) if alert.kind == "construction" else (460, 140)
        around = np.s_[row - 3 : row + 3, column - 3 : column + 3]
        for picture, image in ((before, before_image()), (after, after_image())):
            seen = picture[246:266, 246:266].mean(axis=(0, 1))  # the centre; 144 px of the scene are scaled to 512
            assert np.abs(seen - image[around].mean(axis=(0, 1))).max() < 15


def test_repeating_any_job_changes_nothing(service: ScanService) -> None:
    def twice(context: Context, job_id: int) -> None:
        with context.database.write() as session:
            job = session.get_one(Job, job_id)
            job.state = "done"
        service.commit(service.run_handler(job))
        once = service.snapshot()
        service.commit(service.run_handler(job))
        assert service.snapshot() == once

    service.run_jobs(twice)
    assert [alert.seen for alert in service.rows(AlertRow)] == [1, 1]
    before = service.snapshot()
    for job in service.rows(Job):
        if job.queue == "scan":
            service.commit(service.run_handler(job))
    assert service.snapshot() == before


def test_two_processes_that_run_one_job_write_its_result_once(service: ScanService) -> None:
    def by_two(context: Context, job_id: int) -> None:
        with context.database.write() as session:
            job = session.get_one(Job, job_id)
            job.state = "done"
        results = [service.run_handler(job), service.run_handler(job)]
        service.commit(results[0])
        once = service.snapshot()
        service.commit(results[1])
        assert service.snapshot() == once

    service.run_jobs(by_two)
    assert [alert.seen for alert in service.rows(AlertRow)] == [1, 1]


def test_a_worker_that_shuts_down_releases_its_blocks(service: ScanService) -> None:
    plan, *_ = service.rows(Job)
    service.commit(service.run_handler(plan))
    prepare = service.rows(Job)[1]
    with pytest.raises(ReleaseJob):
        service.run_handler(prepare, should_stop=lambda: True)
    service.commit(service.run_handler(prepare))
    blocks = service.rows(Job)[2]
    with pytest.raises(ReleaseJob):
        service.run_handler(blocks, should_stop=lambda: True)
    assert service.rows(Scan)[0].result["plan"]["parts_done"] == []
    service.run_jobs()
    assert service.rows(Scan)[0].state == "done"


def test_a_worker_with_other_weights_is_refused(service: ScanService) -> None:
    plan = service.rows(Job)[0]
    service.commit(service.run_handler(plan))
    service.commit(service.run_handler(service.rows(Job)[1]))
    detector = DifferenceDetector()
    service.use_detector(DifferenceDetector(weights=replace(detector.weights, sha256="1" * 64)))
    with pytest.raises(WeightsError, match="one scan needs one network"):
        service.run_handler(service.rows(Job)[2])
    assert "dead" in service.run_jobs()
    [scan] = service.rows(Scan)
    assert scan.state == "failed"
    assert "one scan needs one network" in scan.reason
    service.use_detector(detector)
    with service.context.database.write() as session:
        for job_id in session.scalars(select(Job.id).where(Job.state == "dead")).all():
            revive(session, job_id, service.context.clock())
    service.run_jobs()
    assert service.rows(Scan)[0].state == "done"


def test_a_damaged_image_fails_its_scan_and_is_quarantined(service: ScanService) -> None:
    """200 flipped bytes in a stored image gave three times the area."""
    after = service.rows(SceneRow)[1]
    path = Path(service.context.settings.objects_url) / after.object_key
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(byte ^ 0xFF for byte in content[middle : middle + 200])
    path.write_bytes(content)
    service.run_jobs()
    [scan] = service.rows(Scan)
    assert (scan.state, scan.changes) == ("failed", 0)
    assert "was changed or damaged" in scan.reason
    assert service.rows(AlertRow) == []
    assert [scene.state for scene in service.rows(SceneRow)] == ["ready", "damaged"]
    service.run_night(DAY + dt.timedelta(days=1))
    assert len(service.rows(Scan)) == 1, "nothing is compared with it"


def test_incomparable_images_are_an_outcome_with_ground_and_reason(tmp_path: Path) -> None:
    service = ScanService(tmp_path)
    service.add_image(textured(600, 700, seed=1), SPRING)
    service.add_image(textured(600, 700, seed=2), AUTUMN)
    night = service.run_night()
    [scan] = service.rows(Scan)
    assert scan.state == "not_comparable"
    assert "cannot be registered" in scan.reason
    assert f"{AUTUMN}.tif" in scan.reason
    [first, second] = service.rows(UncomparedGround)  # the first image has no earlier one
    assert (second.scan_id, second.reason) == (scan.id, scan.reason)
    assert second.area_m2 == pytest.approx(350 * 300, rel=0.01)
    assert (night.state, night.summary["states"]) == ("done", {"not_comparable": 1})
    assert first.scan_id is None


def test_a_corrupt_image_fails_its_scan(tmp_path: Path) -> None:
    service = ScanService(tmp_path)
    service.add_image(before_image(), SPRING)
    service.add_image(after_image(), AUTUMN)
    scene = service.scenes()[f"{AUTUMN}.tif"]
    service.context.objects.put(scene.object_key, b"II*\0 was an image once")
    night = service.run_night()
    [scan] = service.rows(Scan)
    assert scan.state == "failed"
    assert f"{AUTUMN}.tif" in scan.reason
    assert night.state == "done"
    assert service.rows(UncomparedGround)[-1].scan_id == scan.id
