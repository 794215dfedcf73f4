"""Administration of cameras: add, change, test, deactivate and remove.

Address, user name and password are write-only: no page and no response contains them.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import cv2
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field, SecretStr

from errors import CameraError, SettingsError
from imagery.cameras.address import parse_stream
from imagery.cameras.camera import Credentials, Frame, Stream, StreamKind
from imagery.cameras.capture import capture
from service.batch_intake import check_area
from service.cameras.captures import assess_capture, capture_settings
from service.context import Context
from store.access.rights import Viewer, may_see
from store.cameras.cameras import (
    add_camera,
    camera_stream,
    change_camera,
    parse_capture_times,
    remove_camera,
    visible_camera,
)
from store.cameras.presets import list_presets
from store.cameras.secrets import camera_key
from store.schema.camera_tables import CameraRow, PresetRow
from store.schema.database import Session
from web.auth.audit_log import log_action
from web.auth.authentication import Administrator, Service
from web.http_errors import Conflict, Forbidden, NotFound
from web.page import page
from web.row_ids import Id

router = APIRouter(include_in_schema=False)

_RUNNING_TESTS = threading.BoundedSemaphore(2)
"""Limit of concurrent tests: each needs a process for up to a minute."""

_TEST_FRAMES, _TEST_S, _TEST_LIMIT_S = 3, 1.0, 10.0
_PREVIEW_PX = 800


class CameraForm(BaseModel):
    """The form of a camera. For an existing camera, an empty address and user name leave them unchanged."""

    name: Annotated[str, Field(max_length=100)] = ""
    area_code: Annotated[str, Field(max_length=12)] = ""
    kind: StreamKind = "rtsp"
    address: Annotated[SecretStr, Field(max_length=2000)] = SecretStr("")
    username: Annotated[str, Field(max_length=200)] = ""
    password: Annotated[SecretStr, Field(max_length=200)] = SecretStr("")
    times: Annotated[str, Field(max_length=500)] = ""

    def stream(self, context: Context, existing: CameraRow | None) -> Stream | None:
        """Return the stream of the form; None: that of the existing camera is unchanged.

        Stored credentials are never combined with a new address, which could be another host's.

        Raises:
            SettingsError: the address is invalid, or its folder is not in the setting ``cameras.folders``.
            CameraError: the stored stream is encrypted with another key.
        """
        address, password = self.address.get_secret_value().strip(), self.password.get_secret_value()
        if existing is not None and not address and self.kind == existing.kind:
            if not self.username and not password:
                return None
            return replace(
                camera_stream(existing, camera_key(context.settings)), credentials=Credentials(self.username, password)
            )
        folders = [Path(folder) for folder in context.settings.cameras.folders]
        return parse_stream(self.kind, address, self.username, password, folders)


FormData = Annotated[CameraForm, Form()]


@router.post("/cameras")
def add(request: Request, context: Service, viewer: Administrator, form: FormData) -> Response:
    """Add a camera, and redirect to its page."""
    values = _checked_values(context, viewer, form, None)
    with context.database.write() as session:
        camera = add_camera(session, **values, who=viewer.login)
        log_action(request, session, viewer, "added_camera", about=camera.name, code=camera.area_code)
    return Response(headers={"hx-redirect": f"/cameras/{camera.id}"})


@router.post("/cameras/test")
def test_new_camera(request: Request, context: Service, viewer: Administrator, form: FormData) -> HTMLResponse:
    """Capture a test frame of a new camera, and render it or the error."""
    return _render_test(request, context, lambda: form.stream(context, None), [])


@router.post("/cameras/{camera_id}/test")
def test_camera(
    request: Request, context: Service, viewer: Administrator, camera_id: Id, form: FormData
) -> HTMLResponse:
    """Capture a test frame of an existing camera, with its stored stream if the form has none."""
    with context.database.read() as session:
        camera = _managed_camera(session, viewer, camera_id)
        views = list_presets(session, camera.id)
    key = camera_key(context.settings)
    return _render_test(request, context, lambda: form.stream(context, camera) or camera_stream(camera, key), views)


@router.post("/cameras/{camera_id}")
def change(request: Request, context: Service, viewer: Administrator, camera_id: Id, form: FormData) -> Response:
    """Change a camera's name, area, capture times and, if given, its stream."""
    with context.database.read() as session:
        existing = _managed_camera(session, viewer, camera_id)
    values = _checked_values(context, viewer, form, existing)
    with context.database.write() as session:
        camera = _managed_camera(session, viewer, camera_id)
        change_camera(session, camera, **values)
        detail = {"stream": values["stream"] is not None}
        log_action(request, session, viewer, "changed_camera", about=camera.name, code=camera.area_code, detail=detail)
    return Response(headers={"hx-refresh": "true"})


@router.post("/cameras/{camera_id}/active")
def set_active(
    request: Request, context: Service, viewer: Administrator, camera_id: Id, active: Annotated[bool, Form()]
) -> Response:
    """Activate or deactivate a camera."""
    with context.database.write() as session:
        camera = _managed_camera(session, viewer, camera_id)
        camera.active = active
        what = "started_camera" if active else "stopped_camera"
        log_action(request, session, viewer, what, about=camera.name, code=camera.area_code)
    return Response(headers={"hx-refresh": "true"})


@router.post("/cameras/{camera_id}/remove")
def remove(request: Request, context: Service, viewer: Administrator, camera_id: Id) -> Response:
    """Remove a camera without alerts, with all its captures."""
    with context.database.write() as session:
        camera = _managed_camera(session, viewer, camera_id)
        log_action(request, session, viewer, "removed_camera", about=camera.name, code=camera.area_code)
        keys = remove_camera(session, camera)
    for key in keys:
        context.objects.delete(key)
    return Response(headers={"hx-redirect": "/cameras"})


def _managed_camera(session: Session, viewer: Viewer, camera_id: int) -> CameraRow:
    camera = visible_camera(session, viewer, camera_id)
    if camera is None:
        raise NotFound
    return camera


def _checked_values(context: Context, viewer: Viewer, form: CameraForm, existing: CameraRow | None) -> dict[str, Any]:
    """Return the checked values of the form, as arguments of :func:`add_camera` and :func:`change_camera`."""
    if not may_see(viewer, form.area_code):
        raise Forbidden
    check_area(context, form.area_code)
    return {
        "name": form.name.strip(),
        "area_code": form.area_code,
        "stream": form.stream(context, existing),
        "times": parse_capture_times(form.times),
        "key": camera_key(context.settings),
        "now": context.clock(),
    }


def _render_test(
    request: Request, context: Context, stream: Callable[[], Stream | None], views: list[PresetRow]
) -> HTMLResponse:
    """Make a short capture, compare it with the views, and render the result."""
    if not _RUNNING_TESTS.acquire(blocking=False):
        raise Conflict("cameras.busy")
    cameras = context.settings.cameras
    settings = replace(
        capture_settings(cameras),
        frames=_TEST_FRAMES,
        seconds=min(_TEST_S, cameras.seconds),
        limit_s=min(_TEST_LIMIT_S, cameras.limit_seconds),
    )
    try:
        source = stream()
        assert source is not None
        captured = capture(source, settings, context.clock().astimezone(context.settings.zone))
    except (CameraError, SettingsError) as error:
        return page(request, "camera_test.html", picture="", problems=[error.reason], size=None)
    finally:
        _RUNNING_TESTS.release()
    assessed = assess_capture(context, captured, views).capture
    faults = assessed.quality.faults if assessed.quality else ()
    height, width = captured.frame.shape[:2]
    return page(
        request,
        "camera_test.html",
        picture=_data_url(captured.frame),
        problems=[fault.reason for fault in faults],
        size=(width, height),
    )


def _data_url(frame: Frame) -> str:
    """Return a small JPEG as a data URL, so that nothing is stored."""
    scale = min(1.0, _PREVIEW_PX / frame.shape[1])
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
