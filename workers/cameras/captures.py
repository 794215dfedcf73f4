"""A capture as a job: a camera is asked, what it showed is judged and kept, and then compared.

A camera that does not answer is an outcome and not a failed job: it is written down, and the next planned capture asks
again. Everything here waits in a queue of its own, so that a stream that hangs holds up nothing else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from errors import CameraError, Reason
from imagery.cameras.camera import Fault
from service.camera_captures import AssessedCapture, assess_capture, fetch_capture, store_frame
from service.camera_jobs import add_compare_job
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from store.cameras.cameras import set_camera_state
from store.cameras.captures import add_capture, latest_captures
from store.cameras.presets import list_presets
from store.schema.camera_tables import CameraRow, PresetRow
from store.schema.database import Session


def capture_camera(context: Context, job: JobRun) -> Commit | None:
    """Ask a camera once, and keep what it showed."""
    with context.database.read() as session:
        camera = session.get(CameraRow, int(job.payload["camera"]))
        if camera is None or not camera.active:
            return None
        presets = list_presets(session, camera.id)
        last = latest_captures(session, [camera.id]).get(camera.id)
    try:
        made = fetch_capture(context, camera)
    except CameraError as error:
        said = error.reason
        return lambda session: _note_silent(session, camera.id, said, context.clock())
    if last is not None and made.taken_at <= last.taken_at and not made.quality:
        return None  # a folder that got no new image, and need not have got one yet
    judged = assess_capture(context, made, presets, last)
    key = store_frame(context, judged.capture.frame)

    def commit(session: Session) -> None:
        keep(session, camera.id, judged, key, context.clock())

    return commit


def keep(session: Session, camera_id: int, judged: AssessedCapture, key: str, now: dt.datetime) -> int | None:
    """Write a capture down, how the camera is doing by it, and have it compared where that is possible.

    Returns:
        id of the capture; None: that moment was kept before.
    """
    camera = session.get(CameraRow, camera_id)
    if camera is None:  # removed meanwhile
        return None
    faults: tuple[Fault, ...] = judged.capture.quality.faults if judged.capture.quality else ()
    set_camera_state(camera, *_health(faults), now)
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
        set_camera_state(camera, "locked" if said.code == "camera.locked" else "no_answer", said, now)


JOB_KINDS = (JobKind("camera.capture", "capture", capture_camera),)
