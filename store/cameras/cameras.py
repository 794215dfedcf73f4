"""Fixed cameras: added, found by who may see them, and how each is doing."""

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
"""States that do not pass by themselves as darkness, fog and rain do."""

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_MOST_TIMES = 48


def parse_capture_times(text: str) -> list[str]:
    """Local times of captures, in their order.

    Args:
        text: like ``08:30, 11:00 15:00``; "": none by the clock.

    Raises:
        SettingsError: one is no time, or there are too many.
    """
    given = re.split(r"[\s,;、，；]+", text.strip()) if text.strip() else []
    for time in given:
        if not _TIME.fullmatch(time):
            raise SettingsError(f"{time[:20]!r} is no time; expected hours and minutes like 08:30.", "camera.time")
    if len(given) > _MOST_TIMES:
        raise SettingsError(
            f"There are {len(given)} capture times; at most {_MOST_TIMES} a day are possible.",
            "camera.times",
            count=len(given),
            most=_MOST_TIMES,
        )
    return sorted(set(given))


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
        session: of a transaction that writes.
        name: for people, one for each camera.
        area_code: of the ground that it looks at; decides who may see it. It was checked.
        stream: where its images come from.
        times: as of :func:`parse_capture_times`.
        key: encrypts what reaches it.
        who: adds it.
        now: this moment.

    Raises:
        SettingsError: the name cannot be used or is taken.
    """
    values = {
        "name": _checked_name(name),
        "area_code": area_code,
        "times": list(times),
        "active": True,
        **_reached_by(stream, key, now),
        "created_by": who[:100],
        "created_at": now,
    }
    made = insert_new(session, CameraRow, values, CameraRow.id)
    if made is None:
        raise _taken(name)
    return session.get_one(CameraRow, made)


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
    """Change a camera, which keeps its views and its captures.

    Args:
        session: of a transaction that writes.
        camera: of it.
        name, area_code, times, key, now: as of :func:`add_camera`.
        stream: another one; None: it stays.

    Raises:
        SettingsError: the name cannot be used or is taken.
    """
    holder = camera_by_name(session, _checked_name(name))
    if holder is not None and holder.id != camera.id:
        raise _taken(name)
    camera.name, camera.area_code, camera.times = name, area_code, list(times)
    if stream is not None:
        for column, value in _reached_by(stream, key, now).items():
            setattr(camera, column, value)
    session.flush()


def remove_camera(session: Session, camera: CameraRow) -> list[str]:
    """Remove a camera with its views and captures; returns the objects that nothing else needs, to be deleted.

    Raises:
        SettingsError: something that it saw was reported, and is evidence.
    """
    reported = select(CameraChange.id).join(PresetRow).where(PresetRow.camera_id == camera.id).limit(1)
    if session.scalar(reported) is not None:
        raise SettingsError(
            "Alerts refer to what this camera saw, so it stays with its captures. Switch it off instead.",
            "camera.evidence",
        )
    captures = select(CaptureRow.object_key).where(CaptureRow.camera_id == camera.id)
    frames = select(PresetRow.reference_key).where(PresetRow.camera_id == camera.id)
    keys = set(session.scalars(captures)) | set(session.scalars(frames))
    session.delete(camera)
    session.flush()
    return sorted(keys - referenced_keys(session, keys))


def _checked_name(name: str) -> str:
    if not (0 < len(name) <= 100) or name != name.strip() or not name.isprintable():
        raise SettingsError("A camera's name has 1 to 100 letters, without spaces around.", "camera.name")
    return name


def _taken(name: str) -> SettingsError:
    words = f"There is a camera {name!r} already. Choose another name, or change that camera."
    return SettingsError(words, "camera.taken", name=name)


def _reached_by(stream: Stream, key: CameraKey, now: dt.datetime) -> dict[str, Any]:
    """What is kept of a stream that was not asked yet."""
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
    """Where its images come from.

    Raises:
        CameraError: it was encrypted with another key.
    """
    kind: StreamKind = camera.kind  # type: ignore[assignment]  # was checked when it was added
    return key.decrypt(kind, camera.secret)


def camera_by_name(session: Session, name: str) -> CameraRow | None:
    """The camera of that name."""
    return session.scalar(select(CameraRow).where(CameraRow.name == name))


def visible_camera(session: Session, viewer: Viewer, camera_id: int) -> CameraRow | None:
    """The camera of that id, if it is the viewer's."""
    return session.scalar(select(CameraRow).where(CameraRow.id == camera_id, visible_to(CameraRow.area_code, viewer)))


def visible_cameras(session: Session, viewer: Viewer) -> list[CameraRow]:
    """The viewer's cameras, by name."""
    return list(session.scalars(select(CameraRow).where(visible_to(CameraRow.area_code, viewer)).order_by(CameraRow.name)))


def all_cameras(session: Session) -> list[CameraRow]:
    """Every camera, by name."""
    return list(session.scalars(select(CameraRow).order_by(CameraRow.name)))


def set_camera_state(camera: CameraRow, state: str, error: str, now: dt.datetime) -> None:
    """Write down how a camera is doing; since when, only where that changes.

    Args:
        camera: of a transaction that writes.
        state: ok, no_answer, locked, or the code of a fault that the gate found.
        error: words, as a :class:`errors.Reason` where they have a code; "" when it is well.
        now: this moment.
    """
    if camera.state != state:
        camera.state, camera.state_since = state, now
    camera.error, camera.why = str(error), Reason.json_of(error)
    camera.tried_at = now
