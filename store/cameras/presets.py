"""Views of cameras: the frame that everything is measured in, control points, ground and range."""

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
    """The views of a camera, in the order in which they were made."""
    return list(session.scalars(select(PresetRow).where(PresetRow.camera_id == camera_id).order_by(PresetRow.id)))


def get_preset(session: Session, camera_id: int, preset_id: int) -> PresetRow | None:
    """A view of that camera."""
    return session.scalar(select(PresetRow).where(PresetRow.id == preset_id, PresetRow.camera_id == camera_id))


def create_preset(session: Session, capture: CaptureRow, name: str, size: tuple[int, int]) -> PresetRow:
    """Let a capture be the frame of a new view.

    Args:
        session: of a transaction that writes.
        capture: of the camera; whatever it was captured for.
        name: of the view, one for each of a camera.
        size: width and height of its frame.

    Raises:
        SettingsError: the name cannot be used or is taken.
    """
    if not (0 < len(name) <= 100) or name != name.strip() or not name.isprintable():
        raise SettingsError("A view's name has 1 to 100 letters, without spaces around.", "camera.view_name")
    if any(preset.name == name for preset in list_presets(session, capture.camera_id)):
        raise SettingsError(f"The camera has a view {name!r} already.", "camera.view_taken", name=name)
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
    """A view as plain data."""
    return Preset(
        row.name,
        tuple(ControlPoint(*point) for point in row.control_points),
        tuple((float(x), float(y)) for x, y in row.region),
        row.range_m,
        (row.width, row.height),
    )


def calibrate_preset(row: PresetRow, area: BaseGeometry | None) -> Calibration:
    """The plane of the ground by the view's control points.

    Raises:
        ControlPointError: they cannot be used.
    """
    return calibrate(preset_data(row).control_points, (row.width, row.height), area)


def camera_area(session: Session, camera: CameraRow) -> BaseGeometry | None:
    """The area that the camera belongs to; longitude, latitude. None: it was not loaded."""
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
    """Give a view its control points, ground and range, and return what they make.

    Args:
        row: of a transaction that writes.
        points: four or more.
        region: corners of what is ground; empty: all below the horizon.
        range_m: to which it is believed.
        area: as of :func:`camera_area`.
        who: calibrates.
        now: this moment.

    Raises:
        ControlPointError: the points cannot be used.
        SettingsError: the region or the range cannot.
    """
    if len(points) > MAX_CONTROL_POINTS:
        raise SettingsError(
            f"There are {len(points)} control points; {MAX_CONTROL_POINTS} are enough.",
            "camera.points",
            count=len(points),
            most=MAX_CONTROL_POINTS,
        )
    if not 10 <= range_m <= MAX_RANGE_M:
        raise SettingsError(
            f"The range is {range_m:g} m; expected 10 to {MAX_RANGE_M:g} m.", "camera.range", most=MAX_RANGE_M
        )
    if 0 < len(region) < 3:
        raise SettingsError("The region of ground has fewer than three corners. Add some, or none.", "camera.region")
    made = calibrate(points, (row.width, row.height), area)
    row.control_points = [[p.x, p.y, p.lon, p.lat] for p in points]
    row.region = [[float(x), float(y)] for x, y in region]
    row.range_m = range_m
    row.calibrated_at, row.calibrated_by = now, who[:100]
    return made
