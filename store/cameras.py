"""Fixed cameras: added, found by who may see them, and how each is doing."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from errors import Reason, SettingsError
from imagery.cameras.camera import Stream, StreamKind
from store.camera_secrets import CameraKey
from store.camera_tables import CameraRow
from store.insert import insert_new
from store.rights import Viewer, under

NEEDS_A_PERSON = ("no_answer", "locked", "frozen", "moved", "blocked", "size")
"""States that do not pass by themselves as darkness, fog and rain do."""

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_MOST_TIMES = 48


def checked_times(text: str) -> list[str]:
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
    replace: bool = False,
) -> CameraRow:
    """Add a camera, or give one that is there another stream and other times.

    Args:
        session: of a transaction that writes.
        name: for people, one for each camera.
        area_code: of the ground that it looks at; decides who may see it. It was checked.
        stream: where its images come from.
        times: as of :func:`checked_times`.
        key: encrypts what reaches it.
        who: adds it.
        now: this moment.
        replace: whether one of that name may be there; it keeps its views and its captures.

    Raises:
        SettingsError: the name cannot be used, is taken, or not there to be replaced.
    """
    if not (0 < len(name) <= 100) or name != name.strip() or not name.isprintable():
        raise SettingsError("A camera's name has 1 to 100 letters, without spaces around.", "camera.name")
    values = {
        "area_code": area_code,
        "kind": stream.kind,
        "host": stream.host[:300],
        "secret": key.sealed(stream),
        "times": list(times),
        "active": True,
        "state": "new",
        "state_since": now,
        "error": "",
        "why": {},
    }
    camera = camera_by_name(session, name)
    if replace:
        if camera is None:
            raise SettingsError(f"There is no camera {name!r} to be replaced.", "camera.unknown", name=name)
        for column, value in values.items():
            setattr(camera, column, value)
        session.flush()
        return camera
    made = insert_new(
        session, CameraRow, {"name": name, **values, "created_by": who[:100], "created_at": now}, CameraRow.id
    )
    if made is None:
        raise SettingsError(
            f"There is a camera {name!r} already. Choose another name, or replace its address: --replace.",
            "camera.taken",
            name=name,
        )
    return session.get_one(CameraRow, made)


def stream_of(camera: CameraRow, key: CameraKey) -> Stream:
    """Where its images come from.

    Raises:
        CameraError: it was encrypted with another key.
    """
    kind: StreamKind = camera.kind  # type: ignore[assignment]  # was checked when it was added
    return key.opened(kind, camera.secret)


def camera_by_name(session: Session, name: str) -> CameraRow | None:
    """The camera of that name."""
    return session.scalar(select(CameraRow).where(CameraRow.name == name))


def camera_seen(session: Session, viewer: Viewer, camera_id: int) -> CameraRow | None:
    """The camera of that id, if it is the viewer's."""
    return session.scalar(select(CameraRow).where(CameraRow.id == camera_id, under(CameraRow.area_code, viewer)))


def cameras_seen(session: Session, viewer: Viewer) -> list[CameraRow]:
    """The viewer's cameras, by name."""
    return list(session.scalars(select(CameraRow).where(under(CameraRow.area_code, viewer)).order_by(CameraRow.name)))


def all_cameras(session: Session) -> list[CameraRow]:
    """Every camera, by name."""
    return list(session.scalars(select(CameraRow).order_by(CameraRow.name)))


def note_state(camera: CameraRow, state: str, error: str, now: dt.datetime) -> None:
    """Write down how a camera is doing; since when, only where that changes.

    Args:
        camera: of a transaction that writes.
        state: ok, no_answer, locked, or the code of a fault that the gate found.
        error: words, as a :class:`errors.Reason` where they have a code; "" when it is well.
        now: this moment.
    """
    if camera.state != state:
        camera.state, camera.state_since = state, now
    camera.error, camera.why = str(error), Reason.told_of(error)
    camera.tried_at = now
