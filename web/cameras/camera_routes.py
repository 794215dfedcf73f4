"""API and pages of cameras: state, captures and calibration."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response

from configs.texts import translate
from errors import ControlPointError
from imagery.cameras.calibration import calibrate
from service.cameras.captures import read_frame
from service.cameras.schedule import next_capture
from service.context import Context
from store.access.rights import Viewer
from store.areas.areas import list_areas
from store.cameras.cameras import NEEDS_ATTENTION, visible_camera, visible_cameras
from store.cameras.captures import get_capture, latest_captures, list_captures
from store.cameras.presets import camera_area, create_preset, get_preset, list_presets, set_calibration
from store.cameras.sightings import alert_capture
from store.objects.object_store import ObjectNotFound
from store.schema.camera_tables import CameraRow, CaptureRow, PresetRow
from store.schema.database import Session
from web.api.camera_schemas import CalibrationInput, CalibrationResult, CameraDetail, CameraList
from web.api.parameters import Number
from web.api.schemas import COMMON_ERRORS, FORBIDDEN, NOT_FOUND
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.http_errors import NotFound
from web.page import language_of, page
from web.row_ids import Id

router = APIRouter()

_MAX_CAPTURES = 40
_CAMERA_ERRORS = COMMON_ERRORS | NOT_FOUND


@router.get("/api/cameras", tags=["cameras"], responses=COMMON_ERRORS)
def list_cameras(context: Service, viewer: CurrentUser) -> CameraList:
    """List the cameras that the user may see."""
    with context.database.read() as session:
        cameras = visible_cameras(session, viewer)
        last = latest_captures(session, [camera.id for camera in cameras])
    return CameraList(cameras=[_camera_detail(context, camera, last.get(camera.id)) for camera in cameras])


@router.get("/api/cameras/{camera_id}", tags=["cameras"], responses=_CAMERA_ERRORS)
def one_camera(context: Service, viewer: CurrentUser, camera_id: Id) -> CameraDetail:
    """Return a camera with its state."""
    with context.database.read() as session:
        camera = _camera(session, viewer, camera_id)
        last = latest_captures(session, [camera.id]).get(camera.id)
    return _camera_detail(context, camera, last)


@router.post(
    "/api/cameras/{camera_id}/views/{preset_id}/calibration", tags=["cameras"], responses=_CAMERA_ERRORS | FORBIDDEN
)
def calibration(
    request: Request, context: Service, viewer: CurrentUser, camera_id: Id, preset_id: Id, body: CalibrationInput
) -> CalibrationResult:
    """Test or store the control points of a view, and return the residual of each in metres."""
    points = [point.point() for point in body.points]
    with context.database.read() as session:
        camera, preset = _view(session, viewer, camera_id, preset_id)
        area = camera_area(session, camera)
    try:
        result = calibrate(points, (preset.width, preset.height), area)
    except ControlPointError as error:
        message = translate(error.reason, language_of(request))
        return CalibrationResult(residuals_m=[], rms_m=None, warnings=[], fault=message, point=error.point, saved=False)
    if body.save:
        with context.database.write() as session:
            camera, row = _view(session, viewer, camera_id, preset_id)
            set_calibration(row, points, body.region, body.range_m, area=area, who=viewer.login, now=context.clock())
            about = f"{camera.name}, {row.name}"
            log_action(request, session, viewer, "calibrated_camera", about=about, code=camera.area_code)
    return CalibrationResult(
        residuals_m=[round(residual.metres, 2) for residual in result.residuals],
        rms_m=round(result.rms_m, 2),
        warnings=[translate(warning, language_of(request)) for warning in result.warnings],
        fault="",
        point=None,
        saved=body.save,
    )


@router.get("/cameras", include_in_schema=False)
def cameras_page(request: Request, context: Service, viewer: CurrentUser) -> HTMLResponse:
    """Render the list of the cameras that the user may see."""
    with context.database.read() as session:
        cameras = visible_cameras(session, viewer)
        last = latest_captures(session, [camera.id for camera in cameras])
        views = {camera.id: list_presets(session, camera.id) for camera in cameras}
    coming = {camera.id: _next_capture(context, camera) for camera in cameras}
    return page(
        request,
        "cameras.html",
        **_form(context, viewer),
        cameras=cameras,
        last=last,
        views=views,
        coming=coming,
        needs=NEEDS_ATTENTION,
    )


@router.get("/cameras/{camera_id}", include_in_schema=False)
def camera_page(request: Request, context: Service, viewer: CurrentUser, camera_id: Id) -> HTMLResponse:
    """Render a camera with its views and latest captures."""
    with context.database.read() as session:
        camera = _camera(session, viewer, camera_id)
        captures, views = list_captures(session, camera.id, _MAX_CAPTURES), list_presets(session, camera.id)
    coming = _next_capture(context, camera)
    return page(
        request,
        "camera.html",
        **_form(context, viewer),
        camera=camera,
        captures=captures,
        views=views,
        coming=coming,
        needs=NEEDS_ATTENTION,
    )


@router.get("/cameras/{camera_id}/captures/{capture_id}/frame", include_in_schema=False)
def frame(context: Service, viewer: CurrentUser, camera_id: Id, capture_id: Id) -> Response:
    """Return the frame of a capture."""
    with context.database.read() as session:
        camera = _camera(session, viewer, camera_id)
        capture = get_capture(session, camera.id, capture_id)
    if capture is None:
        raise NotFound
    return _picture(context, capture.object_key)


@router.get("/alerts/{number}/frames/{capture_id}", include_in_schema=False)
def alert_frame(context: Service, viewer: CurrentUser, number: Number, capture_id: Id) -> Response:
    """Return the complete frame of a capture that detected an alert, to users who may see the alert."""
    with context.database.read() as session:
        capture = alert_capture(session, alert_of(session, viewer, number), capture_id)
    if capture is None:
        raise NotFound
    return _picture(context, capture.object_key)


@router.post("/cameras/{camera_id}/views", include_in_schema=False)
def add_view(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    camera_id: Id,
    capture: Annotated[int, Form(ge=1, le=2**53)],
    name: Annotated[str, Form(max_length=100)],
) -> Response:
    """Create a view from a capture's frame, and redirect to its calibration."""
    with context.database.read() as session:
        camera = _camera(session, viewer, camera_id)
        chosen = get_capture(session, camera.id, capture)
    if chosen is None:
        raise NotFound
    height, width = read_frame(context, chosen.object_key).shape[:2]
    with context.database.write() as session:
        row = session.get_one(CaptureRow, chosen.id)
        preset = create_preset(session, row, name.strip(), (width, height))
        about = f"{camera.name}, {preset.name}"
        log_action(request, session, viewer, "added_view", about=about, code=camera.area_code)
    return Response(headers={"hx-redirect": f"/cameras/{camera.id}/views/{preset.id}"})


@router.get("/cameras/{camera_id}/views/{preset_id}", include_in_schema=False)
def view_page(request: Request, context: Service, viewer: CurrentUser, camera_id: Id, preset_id: Id) -> HTMLResponse:
    """Render the calibration page of a view."""
    with context.database.read() as session:
        camera, preset = _view(session, viewer, camera_id, preset_id)
        area = camera_area(session, camera)
    settings = {
        "camera": camera.id,
        "view": preset.id,
        "size": [preset.width, preset.height],
        "points": preset.control_points,
        "region": preset.region,
        "range_m": preset.range_m,
        "extent": list(area.bounds) if area is not None else [73.5, 18.0, 135.0, 53.5],
    }
    return page(request, "calibration.html", camera=camera, preset=preset, settings=settings)


@router.get("/cameras/{camera_id}/views/{preset_id}/frame", include_in_schema=False)
def reference(context: Service, viewer: CurrentUser, camera_id: Id, preset_id: Id) -> Response:
    """Return the reference frame of a view."""
    with context.database.read() as session:
        _, preset = _view(session, viewer, camera_id, preset_id)
    return _picture(context, preset.reference_key)


def _camera(session: Session, viewer: Viewer, camera_id: int) -> CameraRow:
    camera = visible_camera(session, viewer, camera_id)
    if camera is None:
        raise NotFound
    return camera


def _view(session: Session, viewer: Viewer, camera_id: int, preset_id: int) -> tuple[CameraRow, PresetRow]:
    camera = _camera(session, viewer, camera_id)
    preset = get_preset(session, camera.id, preset_id)
    if preset is None:
        raise NotFound
    return camera, preset


def _picture(context: Context, key: str) -> Response:
    try:
        data = context.objects.read(key)
    except ObjectNotFound:
        raise NotFound from None
    return Response(data, media_type="image/webp", headers={"cache-control": "private, max-age=86400"})


def _next_capture(context: Context, camera: CameraRow) -> dt.datetime | None:
    return next_capture(context.clock(), camera.times, context.settings.zone) if camera.active else None


def _form(context: Context, viewer: Viewer) -> dict[str, Any]:
    """Return the choices of the camera form, for administrators only."""
    if not viewer.administrator:
        return {}
    with context.database.read() as session:
        areas = list_areas(session, under=viewer.code)
    return {"areas": areas, "folders": context.settings.cameras.folders}


def _camera_detail(context: Context, camera: CameraRow, last: CaptureRow | None) -> CameraDetail:
    names = ("id", "name", "area_code", "kind", "host", "active", "state", "state_since", "error", "times")
    values = {name: getattr(camera, name) for name in names}
    values["captured_at"] = last.taken_at if last is not None else None
    values["next_capture"] = _next_capture(context, camera)
    return CameraDetail.model_validate(values)
