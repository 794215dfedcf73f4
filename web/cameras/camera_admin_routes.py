"""Cameras added, changed, tried out, switched off and removed, by an administrator of their ground.

Address, user name and password go in and never come out: no page and no answer holds them.
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
from service.camera_captures import assess_capture, capture_settings
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
from web.api.parameters import Id
from web.auth.audit_log import log_action
from web.auth.authentication import Administrator, Service
from web.http_errors import Conflict, Forbidden, NotFound
from web.page import page

router = APIRouter(include_in_schema=False)

_TRYING = threading.BoundedSemaphore(2)
"""Each takes a process and up to a minute."""

_TRY_FRAMES, _TRY_S, _TRY_LIMIT_S = 3, 1.0, 10.0
_SHOWN_PX = 800


class Sent(BaseModel):
    """The form of a camera. Of one that is there, an empty address and user name mean that they stay."""

    name: Annotated[str, Field(max_length=100)] = ""
    area_code: Annotated[str, Field(max_length=12)] = ""
    kind: StreamKind = "rtsp"
    address: Annotated[SecretStr, Field(max_length=2000)] = SecretStr("")
    username: Annotated[str, Field(max_length=200)] = ""
    password: Annotated[SecretStr, Field(max_length=200)] = SecretStr("")
    times: Annotated[str, Field(max_length=500)] = ""

    def stream(self, context: Context, kept: CameraRow | None) -> Stream | None:
        """The stream of the form; None: that of the camera stays.

        What is kept goes to no other address than the one that it was entered for.

        Raises:
            SettingsError: the address cannot be used, or its folder is not one of the setting ``cameras.folders``.
            CameraError: what is kept was encrypted with another key.
        """
        address, password = self.address.get_secret_value().strip(), self.password.get_secret_value()
        if kept is not None and not address and self.kind == kept.kind:
            if not self.username and not password:
                return None
            return replace(
                camera_stream(kept, camera_key(context.settings)), credentials=Credentials(self.username, password)
            )
        folders = [Path(folder) for folder in context.settings.cameras.folders]
        return parse_stream(self.kind, address, self.username, password, folders)


Asked = Annotated[Sent, Form()]


@router.post("/cameras")
def add(request: Request, context: Service, viewer: Administrator, sent: Asked) -> Response:
    """Add a camera, and go on to its page."""
    given = _given(context, viewer, sent, None)
    with context.database.write() as session:
        camera = add_camera(session, **given, who=viewer.login)
        log_action(request, session, viewer, "added_camera", about=camera.name, code=camera.area_code)
    return Response(headers={"hx-redirect": f"/cameras/{camera.id}"})


@router.post("/cameras/test")
def try_new(request: Request, context: Service, viewer: Administrator, sent: Asked) -> HTMLResponse:
    """Take one frame of a stream that is not kept yet, and show it or the reason why not."""
    return _tried(request, context, lambda: sent.stream(context, None), [])


@router.post("/cameras/{camera_id}/test")
def try_kept(request: Request, context: Service, viewer: Administrator, camera_id: Id, sent: Asked) -> HTMLResponse:
    """The same of a camera, as it is kept where the form is empty."""
    with context.database.read() as session:
        camera = _theirs(session, viewer, camera_id)
        views = list_presets(session, camera.id)
    key = camera_key(context.settings)
    return _tried(request, context, lambda: sent.stream(context, camera) or camera_stream(camera, key), views)


@router.post("/cameras/{camera_id}")
def change(request: Request, context: Service, viewer: Administrator, camera_id: Id, sent: Asked) -> Response:
    """Change a camera's name, area, times and, where it is given, its stream."""
    with context.database.read() as session:
        kept = _theirs(session, viewer, camera_id)
    given = _given(context, viewer, sent, kept)
    with context.database.write() as session:
        camera = _theirs(session, viewer, camera_id)
        change_camera(session, camera, **given)
        detail = {"stream": given["stream"] is not None}
        log_action(request, session, viewer, "changed_camera", about=camera.name, code=camera.area_code, detail=detail)
    return Response(headers={"hx-refresh": "true"})


@router.post("/cameras/{camera_id}/active")
def set_active(
    request: Request, context: Service, viewer: Administrator, camera_id: Id, active: Annotated[bool, Form()]
) -> Response:
    """Switch a camera off, or on again."""
    with context.database.write() as session:
        camera = _theirs(session, viewer, camera_id)
        camera.active = active
        what = "started_camera" if active else "stopped_camera"
        log_action(request, session, viewer, what, about=camera.name, code=camera.area_code)
    return Response(headers={"hx-refresh": "true"})


@router.post("/cameras/{camera_id}/remove")
def remove(request: Request, context: Service, viewer: Administrator, camera_id: Id) -> Response:
    """Remove a camera of which no alert came, with everything that it showed."""
    with context.database.write() as session:
        camera = _theirs(session, viewer, camera_id)
        log_action(request, session, viewer, "removed_camera", about=camera.name, code=camera.area_code)
        keys = remove_camera(session, camera)
    for key in keys:
        context.objects.delete(key)
    return Response(headers={"hx-redirect": "/cameras"})


def _theirs(session: Session, viewer: Viewer, camera_id: int) -> CameraRow:
    camera = visible_camera(session, viewer, camera_id)
    if camera is None:
        raise NotFound
    return camera


def _given(context: Context, viewer: Viewer, sent: Sent, kept: CameraRow | None) -> dict[str, Any]:
    """What the form says of a camera, checked, for :func:`add_camera` and :func:`change_camera`."""
    if not may_see(viewer, sent.area_code):
        raise Forbidden
    check_area(context, sent.area_code)
    return {
        "name": sent.name.strip(),
        "area_code": sent.area_code,
        "stream": sent.stream(context, kept),
        "times": parse_capture_times(sent.times),
        "key": camera_key(context.settings),
        "now": context.clock(),
    }


def _tried(
    request: Request, context: Context, stream: Callable[[], Stream | None], views: list[PresetRow]
) -> HTMLResponse:
    """One short capture, held against the views, as a part of a page."""
    if not _TRYING.acquire(blocking=False):
        raise Conflict("cameras.busy")
    cameras = context.settings.cameras
    settings = replace(
        capture_settings(cameras),
        frames=_TRY_FRAMES,
        seconds=min(_TRY_S, cameras.seconds),
        limit_s=min(_TRY_LIMIT_S, cameras.limit_seconds),
    )
    try:
        found = stream()
        assert found is not None
        made = capture(found, settings, context.clock().astimezone(context.settings.zone))
    except (CameraError, SettingsError) as error:
        return page(request, "camera_test.html", picture="", said_of=[error.reason], size=None)
    finally:
        _TRYING.release()
    judged = assess_capture(context, made, views).capture
    faults = judged.quality.faults if judged.quality else ()
    height, width = made.frame.shape[:2]
    return page(
        request,
        "camera_test.html",
        picture=_picture(made.frame),
        said_of=[fault.reason for fault in faults],
        size=(width, height),
    )


def _picture(frame: Frame) -> str:
    """A small JPEG that stands in the page itself: nothing is kept of it."""
    scale = min(1.0, _SHOWN_PX / frame.shape[1])
    small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
