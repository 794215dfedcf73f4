"""A capture as a job: a camera is asked, what it showed is judged and kept, and then compared.

A camera that does not answer is an outcome and not a failed job: it is written down, and the next planned capture asks
again. Everything here waits in a queue of its own, so that a stream that hangs holds up nothing else.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from sqlalchemy.orm import Session

from configs.service import CameraSettings
from errors import CameraError, Reason, TubanError
from imagery.cameras.camera import Capture, Fault, Frame
from imagery.cameras.capture import capture
from imagery.cameras.gate import judge
from imagery.cameras.settings import CaptureSettings
from store.camera_presets import presets_of
from store.camera_secrets import camera_key
from store.camera_tables import CameraRow, CaptureRow, PresetRow
from store.cameras import note_state, stream_of
from store.captures import add_capture, last_captures
from workers.camera_jobs import add_compare_job
from workers.context import Commit, Context, Work
from workers.kinds import Kind

_LOSSLESS = 101  # for WebP


@dataclass(frozen=True)
class Judged:
    """A capture held against the views of its camera.

    Attributes:
        capture: after the gate.
        preset_id: the view that it shows; None: none.
    """

    capture: Capture
    preset_id: int | None


def capture_camera(context: Context, work: Work) -> Commit | None:
    """Ask a camera once, and keep what it showed."""
    with context.database.read() as session:
        camera = session.get(CameraRow, int(work.payload["camera"]))
        if camera is None or not camera.active:
            return None
        presets = presets_of(session, camera.id)
        last = last_captures(session, [camera.id]).get(camera.id)
    try:
        made = fetch(context, camera)
    except CameraError as error:
        said = error.reason
        return lambda session: _note_silent(session, camera.id, said, context.clock())
    if last is not None and made.taken_at <= last.taken_at and not made.quality:
        return None  # a folder that got no new image, and need not have got one yet
    judged = judge_against(context, made, presets, last)
    key = store_frame(context, judged.capture.frame)

    def commit(session: Session) -> None:
        keep(session, camera.id, judged, key, context.clock())

    return commit


def fetch(context: Context, camera: CameraRow) -> Capture:
    """One capture as it was fetched, in local time.

    Raises:
        CameraError: it does not answer, refuses, sends no image, or was encrypted with another key.
    """
    settings = context.settings
    stream = stream_of(camera, camera_key(settings))
    return capture(stream, capture_settings(settings.cameras), context.clock().astimezone(settings.zone))


def capture_settings(settings: CameraSettings) -> CaptureSettings:
    """What captures are made with."""
    return CaptureSettings(
        frames=settings.frames,
        seconds=settings.seconds,
        limit_s=settings.limit_seconds,
        stale_hours=settings.stale_hours,
        loopback=settings.loopback,
    )


def judge_against(
    context: Context, made: Capture, presets: Sequence[PresetRow], last: CaptureRow | None = None
) -> Judged:
    """Hold a capture against each view of its camera; it belongs to the first that it shows.

    Args:
        context: where the reference frames are.
        made: as it was fetched.
        presets: of the camera; none: only what a single image tells is asked.
        last: the capture before, which shows by its checksum that a stream stands still.
    """
    before = last.sha256 if last is not None else ""
    if not presets:
        return Judged(judge(made, None, before), None)
    tried = [Judged(judge(made, read_frame(context, preset.reference_key), before), preset.id) for preset in presets]
    shown = next((one for one in tried if not _elsewhere(one.capture)), None)
    return shown or replace(tried[0], preset_id=None)


def store_frame(context: Context, frame: Frame) -> str:
    """Keep a frame among the objects, lossless, by what is in it; returns its key."""
    encoded, data = cv2.imencode(".webp", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, _LOSSLESS])
    if not encoded:
        raise TubanError("The frame of the camera cannot be encoded.")
    name = hashlib.sha256(data.tobytes()).hexdigest()
    key = f"cameras/{name[:2]}/{name}.webp"
    context.objects.put(key, data.tobytes())
    return key


def read_frame(context: Context, key: str) -> Frame:
    """A frame of ours.

    Raises:
        ObjectMissing: it is not there any more.
    """
    found = cv2.imdecode(np.frombuffer(context.objects.read(key), np.uint8), cv2.IMREAD_COLOR_RGB)
    if found is None:
        raise TubanError(f"The stored frame {key} cannot be decoded.")
    return np.asarray(found, np.uint8)


def keep(session: Session, camera_id: int, judged: Judged, key: str, now: dt.datetime) -> int | None:
    """Write a capture down, how the camera is doing by it, and have it compared where that is possible.

    Returns:
        id of the capture; None: that moment was kept before.
    """
    camera = session.get(CameraRow, camera_id)
    if camera is None:  # removed meanwhile
        return None
    faults: tuple[Fault, ...] = judged.capture.quality.faults if judged.capture.quality else ()
    note_state(camera, *_health(faults), now)
    made = add_capture(session, camera_id, judged.preset_id, judged.capture, key, now)
    preset = session.get(PresetRow, judged.preset_id) if judged.preset_id is not None else None
    if made is not None and not faults and preset is not None and preset.control_points:
        add_compare_job(session, made, now)
    return made


def _health(faults: Sequence[Fault]) -> tuple[str, str]:
    return (faults[0].code, faults[0].reason) if faults else ("ok", "")


def _note_silent(session: Session, camera_id: int, said: Reason, now: dt.datetime) -> None:
    camera = session.get(CameraRow, camera_id)
    if camera is not None:
        note_state(camera, "locked" if said.code == "camera.locked" else "no_answer", said, now)


def _elsewhere(made: Capture) -> bool:
    return made.quality is not None and any(fault.code in ("moved", "size") for fault in made.quality.faults)


KINDS = (Kind("camera.capture", "capture", capture_camera),)
