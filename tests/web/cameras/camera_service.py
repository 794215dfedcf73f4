"""Test data: a camera with captures and a view."""

from __future__ import annotations

import datetime as dt

import numpy as np
import shapely

from imagery.cameras.camera import Capture, Light, Quality, Stream
from service.cameras.captures import store_frame
from service.context import Context
from store.cameras.cameras import add_camera, set_camera_state
from store.cameras.captures import add_capture
from store.cameras.presets import create_preset
from store.cameras.secrets import camera_key
from store.schema.camera_tables import CameraChange, CaptureRow
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow
from tests.web.conftest import NOW
from tests.web.two_villages import Villages

NAME = "ridge over flight b"
SIZE = (128, 72)


def watch(
    service: Context, code: str, state: str = "ok", scene_id: int | None = None, size: tuple[int, int] = SIZE
) -> None:
    """Add a camera of an area, with one capture that belongs to the scene."""
    frame = np.random.default_rng(1).integers(60, 200, (size[1], size[0], 3), dtype=np.uint8)
    key = store_frame(service, frame)
    with service.database.write() as session:
        stream = Stream("mjpeg", "http://10.0.0.1/secret-path")
        secret = camera_key(service.settings)
        camera = add_camera(
            session, name=NAME, area_code=code, stream=stream, times=["09:00"], key=secret, who="t", now=NOW
        )
        light = Light(9.0, 120.0, 30.0, 0.0, (0.125,) * 8)
        captured = Capture(frame, NOW, Quality(), light, 9, "0" * 64)
        capture = session.get_one(CaptureRow, add_capture(session, camera.id, None, captured, key, NOW))
        capture.scene_id = scene_id
        create_preset(session, capture, "north", size)
        set_camera_state(camera, state, "", NOW)


def report(service: Context, villages: Villages, village: str) -> None:
    """Add a detection of a village's alert by that camera: a square in its frame, one day after another capture."""
    earlier = np.random.default_rng(2).integers(60, 200, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    key = store_frame(service, earlier)
    with service.database.write() as session:
        captured = Capture(earlier, NOW - dt.timedelta(days=1), Quality(), None, 9, "1" * 64)
        capture = session.get_one(CaptureRow, add_capture(session, 1, 1, captured, key, NOW))
        capture.scene_id = villages.before[village]
        change = CameraChange(
            preset_id=1,
            scan_id=villages.scan[village],
            kind="construction",
            in_frame=shapely.to_wkt(shapely.box(30, 20, 60, 50)),
            area_m2=1600.0,
            score=0.9,
            first_seen=NOW,
            last_seen=NOW,
            created_at=NOW,
            **bounds_of(session.get_one(AlertRow, villages.alert[village]).outline),
        )
        session.add(change)
