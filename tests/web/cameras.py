"""A camera with one capture and a view of it, for tests of pages."""

from __future__ import annotations

import numpy as np

from imagery.cameras.camera import Capture, Light, Quality, Stream
from store.camera_presets import make_preset
from store.camera_secrets import camera_key
from store.camera_tables import CaptureRow
from store.cameras import add_camera, note_state
from store.captures import add_capture
from tests.web.conftest import NOW
from workers.captures import store_frame
from workers.context import Context

NAME = "ridge over flight b"


def watch(service: Context, code: str, state: str = "ok", scene_id: int | None = None) -> None:
    """A camera of that area; its capture is the scene, which leads were seen on."""
    frame = np.full((72, 128, 3), 120, np.uint8)
    key = store_frame(service, frame)
    with service.database.write() as session:
        stream = Stream("mjpeg", "http://10.0.0.1/secret-path")
        secret = camera_key(service.settings)
        camera = add_camera(
            session, name=NAME, area_code=code, stream=stream, times=["09:00"], key=secret, who="t", now=NOW
        )
        light = Light(9.0, 120.0, 30.0, 0.0, (0.125,) * 8)
        made = Capture(frame, NOW, Quality(), light, 9, "0" * 64)
        capture = session.get_one(CaptureRow, add_capture(session, camera.id, None, made, key, NOW))
        capture.scene_id = scene_id
        make_preset(session, capture, "north", (128, 72))
        note_state(camera, state, "", NOW)
