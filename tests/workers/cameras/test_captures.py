"""Cameras from the folder of images to the enforcement queue, and the encryption of their passwords."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import pytest
import shapely
from cryptography.fernet import Fernet
from pyproj import Transformer
from sqlalchemy import select

from configs.service import read_service
from errors import CameraError, SettingsError
from imagery.cameras.address import parse_stream
from imagery.cameras.camera import ControlPoint, Stream
from service.cameras.jobs import add_capture_job
from service.cameras.schedule import capture_due, next_capture
from store.cameras.cameras import add_camera, camera_stream, parse_capture_times
from store.cameras.presets import create_preset, set_calibration
from store.cameras.secrets import KEY_FILE, CameraKey, camera_key
from store.cameras.sightings import alert_capture, camera_sightings
from store.schema.camera_tables import CameraChange, CameraRow, CaptureRow
from store.schema.tables import AlertRow, Job, Observation, Scan, SceneRow
from tests.inference.scenes import ORIGIN, Image
from tests.workers.embedded import clock_of, scheduler
from tests.workers.scan_service import AUTUMN, SPRING, VILLAGE, ScanService, after_image, before_image
from workers.runtime.job_runner import run_job

WIDTH, HEIGHT = 640, 360
SEEN = np.array([[0, 360], [640, 360], [640, 60], [0, 60]], np.float32)  # in the frame …
ON_IMAGE = np.array([[150, 560], [550, 560], [690, 120], [10, 120]], np.float32)  # … and on the orthophoto
TO_FRAME = cv2.getPerspectiveTransform(ON_IMAGE, SEEN)
MORNING = dt.datetime(2026, 11, 1, 2, 0, tzinfo=dt.UTC)  # 10:00 in Shanghai


def view(image: Image, seed: int) -> Image:
    """Return the camera's view of the ground, with random noise."""
    frame = cv2.warpPerspective(image, TO_FRAME, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    out: Image = np.clip(frame + np.random.default_rng(seed).normal(0, 3, frame.shape), 0, 255).astype(np.uint8)
    return out


def points() -> list[ControlPoint]:
    """Return six control points, as clicked by a user."""
    to_lonlat = Transformer.from_crs("EPSG:32650", "EPSG:4490", always_xy=True).transform
    control_points = []
    for x, y in ((20, 340), (620, 350), (600, 80), (40, 70), (320, 200), (200, 120)):
        column, row = cv2.perspectiveTransform(np.array([[[x, y]]], np.float32), np.linalg.inv(TO_FRAME))[0, 0]
        control_points.append(ControlPoint(x, y, *to_lonlat(ORIGIN[0] + column * 0.5, ORIGIN[1] - row * 0.5)))
    return control_points


def capture(service: ScanService, folder: Path, frame: Image, time: dt.datetime) -> None:
    """Write an image into the camera's folder at the given time, and run a capture job."""
    clock_of(service.context).now = time
    path = folder / f"{time:%Y%m%dT%H%M}.png"
    cv2.imwrite(str(path), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    os.utime(path, (time.timestamp(), time.timestamp()))
    with service.context.database.write() as session:
        job = add_capture_job(session, 1, time.isoformat(), time)
    assert job is not None
    assert run_job(service.context, job) == "done"


def add_calibrated_camera(service: ScanService, folder: Path) -> None:
    """Add a camera, capture it once and calibrate its view."""
    folder.mkdir()
    with service.context.database.write() as session:
        add_camera(
            session,
            name="ridge",
            area_code=VILLAGE,
            stream=Stream("folder", str(folder)),
            times=["10:00"],
            key=camera_key(service.context.settings),
            who="test",
            now=MORNING,
        )
    capture(service, folder, view(before_image(), 1), MORNING)
    with service.context.database.write() as session:
        first = session.scalars(select(CaptureRow)).one()
        assert first.usable, first.quality
        preset = create_preset(session, first, "north", (WIDTH, HEIGHT))
        calibration = set_calibration(preset, points(), [], 400.0, area=None, who="test", now=MORNING)
        assert calibration.rms_m < 0.2


def test_a_persistent_change_seen_by_a_camera_is_a_second_source_of_a_drone_alert(tmp_path: Path) -> None:
    service = ScanService(tmp_path)
    service.add_image(before_image(), SPRING)
    service.add_image(after_image(), AUTUMN)
    service.run_night()
    drone_alerts = {alert.kind: alert for alert in service.rows(AlertRow)}
    add_calibrated_camera(service, tmp_path / "frames")
    changed = before_image()
    changed[200:240, 300:360] = after_image()[200:240, 300:360]  # the house
    for day, image in enumerate([before_image(), changed, changed, changed, changed], 1):
        capture(service, tmp_path / "frames", view(image, day + 1), MORNING + dt.timedelta(days=day))
        service.run_jobs()
    assert [row.usable for row in service.rows(CaptureRow)] == [True] * 6
    [change] = service.rows(CameraChange)
    house = next(alert for alert in service.rows(AlertRow) if alert.kind == "construction")
    assert len(service.rows(AlertRow)) == len(drone_alerts)
    assert (house.seen, house.sources_seen) == (2, 2)
    assert house.outline.equals(drone_alerts["construction"].outline)
    assert house.position_error is None  # the position from the drone is more accurate
    assert {"before", "after", "camera_before", "camera_after"} == set(house.evidence)
    assert all(service.context.objects.exists(key) for key in house.evidence.values())
    observation = service.rows(Observation)[-1]
    assert (observation.source, observation.scan_id) == ("camera", change.scan_id)
    assert observation.position_error is not None
    with service.context.database.read() as session:
        [sighting] = camera_sightings(session, session.get_one(AlertRow, house.id))
        captures = service.rows(CaptureRow)
        assert (sighting.before.capture_id, sighting.after.capture_id) == (captures[1].id, captures[-1].id)
        assert [outline.wkt for outline in sighting.outlines] == [shapely.from_wkt(change.in_frame).wkt]
        assert alert_capture(session, house, captures[0].id) is None  # shows the place, but is not evidence

    # another capture of the same change is not reported again, and the night ignores camera scenes
    capture(service, tmp_path / "frames", view(changed, 9), MORNING + dt.timedelta(days=6))
    service.run_jobs()
    scans = len(service.rows(Scan))
    service.run_night(dt.date(2026, 11, 21))
    assert (len(service.rows(CameraChange)), len(service.rows(Scan))) == (1, scans)
    assert [scene.source for scene in service.rows(SceneRow)].count("camera") == 2


def test_a_change_seen_only_by_a_camera_is_delivered_with_its_position_error(tmp_path: Path) -> None:
    service = ScanService(tmp_path, delivery={"queue": "", "drop_folder": str(tmp_path / "drop")})
    add_calibrated_camera(service, tmp_path / "frames")
    for day, image in enumerate([before_image(), *[after_image()] * 4], 1):
        capture(service, tmp_path / "frames", view(image, day + 1), MORNING + dt.timedelta(days=day))
        service.run_jobs()
    alerts = service.rows(AlertRow)
    assert alerts
    assert {alert.source for alert in alerts} == {"camera"}
    for job in service.rows(Job):
        if job.queue == "deliver":
            assert run_job(service.context, job.id) == "done"
    delivered = [json.loads(path.read_text()) for path in (tmp_path / "drop").rglob("*.geojson")]
    features = [feature for one in delivered for feature in one.get("features", [one])]
    assert {feature["properties"]["number"] for feature in features} >= {alert.number for alert in alerts}
    assert all(feature["properties"]["position_error"]["major_m"] > 0 for feature in features)


def test_old_captures_are_deleted_once_a_day_except_evidence_and_the_last_one(tmp_path: Path) -> None:
    service = ScanService(tmp_path, cameras={"history_days": 5, "keep_days": 10})
    context = service.context
    add_calibrated_camera(service, tmp_path / "frames")
    for day in range(1, 4):
        capture(service, tmp_path / "frames", view(before_image(), day + 1), MORNING + dt.timedelta(days=day))
    scene = service.add_image(before_image(), SPRING)
    with context.database.write() as session:
        session.get_one(CaptureRow, 3).scene_id = scene
    frames = {row.id: row.object_key for row in service.rows(CaptureRow)}
    clock_of(context).now = MORNING + dt.timedelta(days=10, hours=1)
    for job in _retention_jobs(service):
        assert run_job(context, job) == "done"
    assert [row.id for row in service.rows(CaptureRow)] == [2, 3, 4]  # the first is older than ten days
    clock_of(context).now = MORNING + dt.timedelta(days=40)
    [again] = _retention_jobs(service)
    assert run_job(context, again) == "done"
    assert [row.id for row in service.rows(CaptureRow)] == [3, 4]
    stored = {number: context.objects.exists(key) for number, key in frames.items()}
    assert stored == {1: True, 2: False, 3: True, 4: True}  # the first frame is the reference frame of the view
    with pytest.raises(SettingsError, match="keep_days must be larger"):
        read_service(cameras={"history_days": 60, "keep_days": 60})


def _retention_jobs(service: ScanService) -> list[int]:
    """Let two schedulers plan retention; return the waiting jobs."""
    tasks = scheduler(service.context, "here:1:schedule")
    tasks.run_due()
    scheduler(service.context, "here:2:schedule")._plan_retention(service.context.clock())
    tasks.close()
    return [job.id for job in service.rows(Job) if job.kind == "camera.forget" and job.state == "waiting"]


def test_an_unreachable_camera_is_an_outcome_and_not_a_dead_job(tmp_path: Path) -> None:
    service = ScanService(tmp_path)
    add_calibrated_camera(service, tmp_path / "frames")
    for path in (tmp_path / "frames").iterdir():
        path.unlink()
    with service.context.database.write() as session:
        job = add_capture_job(session, 1, "later", service.context.clock())
    assert job is not None
    assert run_job(service.context, job) == "done"
    [camera] = service.rows(CameraRow)
    assert (camera.state, "contains no image" in camera.error) == ("no_answer", True)
    assert str(tmp_path) not in camera.error


def test_the_password_is_stored_encrypted_and_never_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    service = ScanService(tmp_path, cameras={"limit_seconds": 1, "loopback": True})
    settings = service.context.settings
    stream = parse_stream("mjpeg", "http://127.0.0.1:9/x?token=hidden-token", "viewer", "hidden-word")
    with service.context.database.write() as session:
        camera = add_camera(
            session,
            name="c",
            area_code=VILLAGE,
            stream=stream,
            times=[],
            key=camera_key(settings),
            who="t",
            now=MORNING,
        )
        job = add_capture_job(session, camera.id, "x", MORNING)
    assert job is not None
    assert run_job(service.context, job) == "done"
    [row] = service.rows(CameraRow)
    assert camera_stream(row, camera_key(settings)) == stream
    stored = b"".join(path.read_bytes() for path in settings.home.rglob("*") if path.is_file())
    shown = "".join([repr(stream), repr(vars(row)), row.error, *capfd.readouterr()])
    for secret in ("hidden-word", "hidden-token"):
        assert secret.encode() not in stored
        assert secret not in shown
    assert (settings.home / KEY_FILE).stat().st_mode & 0o077 == 0
    with pytest.raises(CameraError, match="another key"):
        camera_stream(row, CameraKey(Fernet.generate_key()))
    with pytest.raises(SettingsError, match="32 bytes"):
        CameraKey(b"short")


def test_a_planned_capture_is_due_once_within_the_allowed_delay() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    times = parse_capture_times("15:00, 09:00")
    assert times == ["09:00", "15:00"]
    assert capture_due(MORNING - dt.timedelta(minutes=50), times, zone, 15) == "2026-11-01T09:00"
    assert capture_due(MORNING, times, zone, 15) is None
    assert next_capture(MORNING, times, zone) == dt.datetime(2026, 11, 1, 7, 0, tzinfo=dt.UTC)
    with pytest.raises(SettingsError, match="not a time"):
        parse_capture_times("25:00")
