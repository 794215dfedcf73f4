"""Presets (views) of cameras: reference frame, control points, ground region and range."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from shapely.geometry.base import BaseGeometry
from sqlalchemy import select
from sqlalchemy.orm import Session

from errors import SettingsError
from imagery.cameras.calibration import calibrate
from imagery.cameras.camera import Calibration, ControlPoint, Pixel, Preset
from store.scenes.scenes import find_area
from store.schema.camera_tables import CameraRow, CaptureRow, PresetRow

DEFAULT_RANGE_M = 800.0
MAX_RANGE_M = 10_000.0
MAX_CONTROL_POINTS = 100


def list_presets(session: Session, camera_id: int) -> list[PresetRow]:
    """Return the presets of a camera, in the order of their creation."""
    return list(session.scalars(select(PresetRow).where(PresetRow.camera_id == camera_id).order_by(PresetRow.id)))


def get_preset(session: Session, camera_id: int, preset_id: int) -> PresetRow | None:
    """Return a preset of the camera; None if it has no such preset."""
    return session.scalar(select(PresetRow).where(PresetRow.id == preset_id, PresetRow.camera_id == camera_id))


def create_preset(session: Session, capture: CaptureRow, name: str, size: tuple[int, int]) -> PresetRow:
    """Create a preset with a capture as its reference frame.

    Args:
        session: a write transaction.
        capture: any capture of the camera.
        name: of the preset, unique for the camera.
        size: width and height of the frame in pixels.

    Raises:
        SettingsError: the name is invalid or taken.
    """
    if not (0 < len(name) <= 100) or name != name.strip() or not name.isprintable():
        raise SettingsError(
            "A view's name must have 1 to 100 characters, without leading or trailing spaces.", "camera.view_name"
        )
    if any(preset.name == name for preset in list_presets(session, capture.camera_id)):
        raise SettingsError(f"The camera already has a view named {name!r}.", "camera.view_taken", name=name)
    preset = PresetRow(
        camera_id=capture.camera_id,
        name=name,
        reference_key=capture.object_key,
        width=size[0],
        height=size[1],
        control_points=[],
        region=[],
        range_m=DEFAULT_RANGE_M,
        calibrated_at=None,
        calibrated_by="",
    )
    session.add(preset)
    session.flush()
    capture.preset_id = preset.id
    return preset


def preset_data(row: PresetRow) -> Preset:
    """Return a preset as plain data."""
    return Preset(
        row.name,
        tuple(ControlPoint(*point) for point in row.control_points),
        tuple((float(x), float(y)) for x, y in row.region),
        row.range_m,
        (row.width, row.height),
    )


def calibrate_preset(row: PresetRow, area: BaseGeometry | None) -> Calibration:
    """Fit the ground plane to the control points of a preset.

    Raises:
        ControlPointError: the control points cannot be used.
    """
    return calibrate(preset_data(row).control_points, (row.width, row.height), area)


def camera_area(session: Session, camera: CameraRow) -> BaseGeometry | None:
    """Return the outline of the camera's area in longitude and latitude; None if the area is not loaded."""
    area = find_area(session, camera.area_code)
    return area.outline if area is not None else None


def set_calibration(
    row: PresetRow,
    points: Sequence[ControlPoint],
    region: Sequence[Pixel],
    range_m: float,
    *,
    area: BaseGeometry | None,
    who: str,
    now: dt.datetime,
) -> Calibration:
    """Set the control points, ground region and range of a preset, and return the calibration.

    Args:
        row: row of a write transaction.
        points: four or more control points.
        region: corners of the ground region in pixels; empty: everything below the horizon.
        range_m: maximum distance at which changes are used.
        area: from :func:`camera_area`.
        who: login of the user.
        now: current time.

    Raises:
        ControlPointError: the control points cannot be used.
        SettingsError: too many points, or the region or the range is invalid.
    """
    if len(points) > MAX_CONTROL_POINTS:
        raise SettingsError(
            f"There are {len(points)} control points; at most {MAX_CONTROL_POINTS} are possible.",
            "camera.points",
            count=len(points),
            most=MAX_CONTROL_POINTS,
        )
    if not 10 <= range_m <= MAX_RANGE_M:
        raise SettingsError(
            f"The range is {range_m:g} m; expected 10 to {MAX_RANGE_M:g} m.", "camera.range", most=MAX_RANGE_M
        )
    if 0 < len(region) < 3:
        raise SettingsError("The ground region has fewer than three corners. Add more, or remove all.", "camera.region")
    calibration = calibrate(points, (row.width, row.height), area)
    row.control_points = [[p.x, p.y, p.lon, p.lat] for p in points]
    row.region = [[float(x), float(y)] for x, y in region]
    row.range_m = range_m
    row.calibrated_at, row.calibrated_by = now, who[:100]
    return calibration
