"""Fixed cameras: create, change, remove and list them, and record their state."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from errors import Reason, SettingsError
from imagery.cameras.camera import Stream, StreamKind
from store.access.rights import Viewer, visible_to
from store.cameras.capture_retention import referenced_keys
from store.cameras.secrets import CameraKey
from store.schema.camera_tables import CameraChange, CameraRow, CaptureRow, PresetRow
from store.schema.insert import insert_new

NEEDS_ATTENTION = ("no_answer", "locked", "frozen", "moved", "blocked", "size")
"""States that need manual intervention, unlike darkness, fog and rain."""

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_MAX_TIMES = 48


def parse_capture_times(text: str) -> list[str]:
    """Parse local capture times and return them sorted.

    Args:
        text: such as ``08:30, 11:00 15:00``; "": no scheduled captures.

    Raises:
        SettingsError: a value is not a time, or there are too many.
    """
    times = re.split(r"[\s,;、，；]+", text.strip()) if text.strip() else []
    for time in times:
        if not _TIME.fullmatch(time):
            raise SettingsError(f"{time[:20]!r} is not a time; expected hours and minutes like 08:30.", "camera.time")
    if len(times) > _MAX_TIMES:
        raise SettingsError(
            f"There are {len(times)} capture times; at most {_MAX_TIMES} per day are possible.",
            "camera.times",
            count=len(times),
            most=_MAX_TIMES,
        )
    return sorted(set(times))


def add_camera(
    session: Session,
    *,
    name: str,
    area_code: str,
    stream: Stream,
    times: Sequence[str],
    key: CameraKey,
    who: str,
    now: dt.datetime,
) -> CameraRow:
    """Add a camera.

    Args:
        session: a write transaction.
        name: unique display name.
        area_code: area of the observed ground, already validated; decides which users see the camera.
        stream: source of the images.
        times: from :func:`parse_capture_times`.
        key: encrypts address and credentials.
        who: login of the user.
        now: current time.

    Raises:
        SettingsError: the name is invalid or taken.
    """
    values = {
        "name": _validate_name(name),
        "area_code": area_code,
        "times": list(times),
        "active": True,
        **_stream_columns(stream, key, now),
        "created_by": who[:100],
        "created_at": now,
    }
    camera_id = insert_new(session, CameraRow, values, CameraRow.id)
    if camera_id is None:
        raise _name_taken(name)
    return session.get_one(CameraRow, camera_id)


def change_camera(
    session: Session,
    camera: CameraRow,
    *,
    name: str,
    area_code: str,
    times: Sequence[str],
    stream: Stream | None,
    key: CameraKey,
    now: dt.datetime,
) -> None:
    """Change a camera; its presets and captures are kept.

    Args:
        session: a write transaction.
        camera: row of this transaction.
        name, area_code, times, key, now: see :func:`add_camera`.
        stream: new stream; None: unchanged.

    Raises:
        SettingsError: the name is invalid or taken.
    """
    existing = camera_by_name(session, _validate_name(name))
    if existing is not None and existing.id != camera.id:
        raise _name_taken(name)
    camera.name, camera.area_code, camera.times = name, area_code, list(times)
    if stream is not None:
        for column, value in _stream_columns(stream, key, now).items():
            setattr(camera, column, value)
    session.flush()


def remove_camera(session: Session, camera: CameraRow) -> list[str]:
    """Delete a camera with its presets and captures, and return the keys of objects that can be deleted.

    Raises:
        SettingsError: captures of the camera are evidence of alerts.
    """
    reported = select(CameraChange.id).join(PresetRow).where(PresetRow.camera_id == camera.id).limit(1)
    if session.scalar(reported) is not None:
        raise SettingsError(
            "The captures of this camera are evidence of alerts, so it cannot be removed. Deactivate it instead.",
            "camera.evidence",
        )
    captures = select(CaptureRow.object_key).where(CaptureRow.camera_id == camera.id)
    frames = select(PresetRow.reference_key).where(PresetRow.camera_id == camera.id)
    keys = set(session.scalars(captures)) | set(session.scalars(frames))
    session.delete(camera)
    session.flush()
    return sorted(keys - referenced_keys(session, keys))


def _validate_name(name: str) -> str:
    if not (0 < len(name) <= 100) or name != name.strip() or not name.isprintable():
        raise SettingsError(
            "A camera's name must have 1 to 100 characters, without leading or trailing spaces.", "camera.name"
        )
    return name


def _name_taken(name: str) -> SettingsError:
    message = f"A camera named {name!r} exists already. Choose another name, or change that camera."
    return SettingsError(message, "camera.taken", name=name)


def _stream_columns(stream: Stream, key: CameraKey, now: dt.datetime) -> dict[str, Any]:
    """Return the column values of a stream without captures yet."""
    return {
        "kind": stream.kind,
        "host": stream.host[:300],
        "secret": key.encrypt(stream),
        "state": "new",
        "state_since": now,
        "error": "",
        "why": {},
    }


def camera_stream(camera: CameraRow, key: CameraKey) -> Stream:
    """Return the decrypted stream of a camera.

    Raises:
        CameraError: it was encrypted with another key.
    """
    kind: StreamKind = camera.kind  # type: ignore[assignment]  # validated when the camera was added
    return key.decrypt(kind, camera.secret)


def camera_by_name(session: Session, name: str) -> CameraRow | None:
    """Return the camera with a name; None if there is none."""
    return session.scalar(select(CameraRow).where(CameraRow.name == name))


def visible_camera(session: Session, viewer: Viewer, camera_id: int) -> CameraRow | None:
    """Return the camera with an id if the viewer may see it."""
    return session.scalar(select(CameraRow).where(CameraRow.id == camera_id, visible_to(CameraRow.area_code, viewer)))


def visible_cameras(session: Session, viewer: Viewer) -> list[CameraRow]:
    """Return the cameras that the viewer may see, ordered by name."""
    return list(
        session.scalars(select(CameraRow).where(visible_to(CameraRow.area_code, viewer)).order_by(CameraRow.name))
    )


def all_cameras(session: Session) -> list[CameraRow]:
    """Return all cameras, ordered by name."""
    return list(session.scalars(select(CameraRow).order_by(CameraRow.name)))


def set_camera_state(camera: CameraRow, state: str, error: str, now: dt.datetime) -> None:
    """Record the state of a camera; ``state_since`` changes only with the state.

    Args:
        camera: row of a write transaction.
        state: ok, no_answer, locked, or the code of a quality fault.
        error: message, a :class:`errors.Reason` if it has a code; "" if there is no error.
        now: current time.
    """
    if camera.state != state:
        camera.state, camera.state_since = state, now
    camera.error, camera.why = str(error), Reason.json_of(error)
    camera.tried_at = now
