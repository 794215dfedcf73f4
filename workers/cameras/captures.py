"""Job that captures a camera: fetch a frame, assess and store it, and add its comparison.

An unreachable camera is an outcome, not a failed job: its state is recorded, and the next planned capture tries again.
These jobs have a queue of their own, so that a hanging stream blocks no other jobs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from errors import CameraError, Reason
from imagery.cameras.camera import Fault
from service.cameras.captures import AssessedCapture, assess_capture, fetch_capture, store_frame
from service.cameras.jobs import add_compare_job
from service.context import Commit, Context, JobRun
from service.job_registry import JobKind
from store.cameras.cameras import set_camera_state
from store.cameras.captures import add_capture, latest_captures
from store.cameras.presets import list_presets
from store.schema.camera_tables import CameraRow, PresetRow
from store.schema.database import Session


def capture_camera(context: Context, job: JobRun) -> Commit | None:
    """Capture a camera once, and store the frame with its assessment."""
    with context.database.read() as session:
        camera = session.get(CameraRow, int(job.payload["camera"]))
        if camera is None or not camera.active:
            return None
        presets = list_presets(session, camera.id)
        last = latest_captures(session, [camera.id]).get(camera.id)
    try:
        fetched = fetch_capture(context, camera)
    except CameraError as error:
        reason = error.reason
        return lambda session: _record_unreachable(session, camera.id, reason, context.clock())
    if last is not None and fetched.taken_at <= last.taken_at and not fetched.quality:
        return None  # a folder without a new image, and none is expected yet
    assessed = assess_capture(context, fetched, presets, last)
    key = store_frame(context, assessed.capture.frame)

    def commit(session: Session) -> None:
        record_capture(session, camera.id, assessed, key, context.clock())

    return commit


def record_capture(
    session: Session, camera_id: int, assessed: AssessedCapture, key: str, now: dt.datetime
) -> int | None:
    """Record a capture and the camera's state, and add a comparison job if the view is calibrated.

    Returns:
        id of the capture; None: a capture of that time exists already, or the camera was removed.
    """
    camera = session.get(CameraRow, camera_id)
    if camera is None:  # removed in the meantime
        return None
    faults: tuple[Fault, ...] = assessed.capture.quality.faults if assessed.capture.quality else ()
    set_camera_state(camera, *_health(faults), now)
    capture_id = add_capture(session, camera_id, assessed.preset_id, assessed.capture, key, now)
    preset = session.get(PresetRow, assessed.preset_id) if assessed.preset_id is not None else None
    if capture_id is not None and not faults and preset is not None and preset.control_points:
        add_compare_job(session, capture_id, now)
    return capture_id


def _health(faults: Sequence[Fault]) -> tuple[str, str]:
    """Return the camera's state and its reason."""
    return (faults[0].code, faults[0].reason) if faults else ("ok", "")


def _record_unreachable(session: Session, camera_id: int, reason: Reason, now: dt.datetime) -> None:
    camera = session.get(CameraRow, camera_id)
    if camera is not None:
        set_camera_state(camera, "locked" if reason.code == "camera.locked" else "no_answer", reason, now)


JOB_KINDS = (JobKind("camera.capture", "capture", capture_camera),)
