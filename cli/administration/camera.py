"""``tuban camera``: add, list, test and capture fixed cameras."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import cv2
import typer
from rich.console import Console

from cli.administration.ingest import system_user
from cli.administration.service import open_service
from cli.exit_codes import CAMERA, SOME_FAILED
from cli.language import in_language, say, term
from cli.listing import Column, Field, JsonOption, Listing, Row, column, print_listing
from errors import SettingsError, TubanError
from imagery.cameras.address import parse_stream
from imagery.cameras.camera import StreamKind
from service.batch_intake import check_area
from service.cameras.captures import assess_capture, fetch_capture
from service.cameras.jobs import add_capture_job
from service.cameras.schedule import next_capture
from service.context import Context
from service.home import prepare_home
from store.access.audit_log import record_action
from store.cameras.cameras import add_camera, all_cameras, camera_by_name, change_camera, parse_capture_times
from store.cameras.captures import latest_captures
from store.cameras.presets import list_presets
from store.cameras.secrets import camera_key
from store.schema.camera_tables import CameraRow
from store.schema.database import Session
from store.schema.tables import Job
from workers.runtime.job_runner import run_job

PASSWORD = "TUBAN_CAMERA_PASSWORD"
_KINDS: dict[str, StreamKind] = {"rtsp": "rtsp", "mjpeg": "mjpeg", "still": "still", "folder": "folder"}

camera_app = typer.Typer(
    name="camera",
    help="Fixed cameras, for example on a mast. Each captures the ground at set times; a change that persists becomes "
    "an alert like any other.\n\nAdd a camera, test it, take one capture, then calibrate it on its page (four or more "
    "control points, each clicked in the frame and on the map).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Argument(help="Name of the camera.")]


@camera_app.command("add")
def add(
    name: Name,
    address: Annotated[
        str,
        typer.Argument(help="rtsp://host/…, http(s)://host/…, or the absolute path of a folder. Without a password."),
    ],
    area: Annotated[str, typer.Option("--area", "-a", help="Administrative code of the ground in view.")],
    kind: Annotated[
        str, typer.Option(help="rtsp, mjpeg (a stream over HTTP), still (one image over HTTP) or folder.")
    ] = "rtsp",
    user: Annotated[
        str, typer.Option(help="User name, if the camera requires one; the password is prompted for.")
    ] = "",
    times: Annotated[
        str, typer.Option(help="Local capture times, comma-separated; empty: only by command.")
    ] = "09:00,11:00,13:00,15:00",
    replace: Annotated[bool, typer.Option("--replace", help="Change the address of an existing camera.")] = False,
) -> None:
    """Add a camera. Address and password are stored encrypted and never shown again.

    The password is prompted for or read from TUBAN_CAMERA_PASSWORD; as an argument it would stay in the shell history.

    Example: tuban camera add "North ridge" rtsp://10.1.2.3/stream1 --area 330102 --user viewer
    """
    if kind not in _KINDS:
        raise SettingsError(f"--kind is {kind!r}; expected rtsp, mjpeg, still or folder.", "cli.camera_kind", kind=kind)
    if parse_stream(_KINDS[kind], address).credentials is not None:
        raise SettingsError(
            "The address contains a user name or password, which is now in your shell history: change the password on "
            "the camera. Give the address without them, the name with --user, and the password at the prompt.",
            "cli.camera_password",
        )
    password = os.environ.get(PASSWORD) or (
        typer.prompt(say("Password", "cli.password"), hide_input=True) if user else ""
    )
    stream = parse_stream(_KINDS[kind], address, user, password if user else "")
    with open_service() as context:
        prepare_home(context.settings)
        check_area(context, area)
        key = camera_key(context.settings)
        fields: dict[str, Any] = {"area_code": area, "times": parse_capture_times(times), "stream": stream, "key": key}
        with context.database.write() as session:
            now = context.clock()
            if replace:
                camera = _require_camera(session, name)
                change_camera(session, camera, name=name, now=now, **fields)
                camera.active = True
            else:
                camera = add_camera(session, name=name, who=system_user(), now=now, **fields)
            action = "replaced_camera" if replace else "added_camera"
            record_action(session, who="command", what=action, about=camera.name, code=area, now=now)
    message = f'{name}: {kind} at {stream.host}. Next: tuban camera test "{name}"'
    typer.echo(say(message, "cli.camera_added", name=name, kind=kind, host=stream.host))


def _moment(name: str) -> Callable[[Row], str]:
    return lambda row: "" if row[name] is None else f"{row[name]:%m-%d %H:%M}"


def _local(moment: dt.datetime | None, zone: dt.tzinfo) -> dt.datetime | None:
    return None if moment is None else moment.astimezone(zone)


def _state(row: Row) -> str:
    return term("cameras.state_", row["state"]) if row["active"] else say("off", "cli.off")


CAMERAS = Listing(
    "camera list",
    (
        Field("name", "text", "Name of the camera."),
        Field("area_code", "text", "Administrative code of the ground in view."),
        Field("kind", "text", "rtsp, mjpeg, still or folder."),
        Field("host", "text", "Host of its address."),
        Field("active", "boolean", "Whether it captures at its times."),
        Field("state", "text", "ok, new, no_answer, locked, or a fault of the quality check."),
        Field("state_since", "moment", "Since when it has this state.", optional=True),
        Field("error", "text", "Error of the last capture."),
        Field("last_capture", "moment", "Last capture.", optional=True),
        Field("next_capture", "moment", "Next planned capture.", optional=True),
        Field("calibrated_views", "integer", "Number of calibrated views."),
    ),
    (
        column("camera", "name"),
        column("area", "area_code"),
        column("kind"),
        column("at", "host"),
        Column("state", _state),
        Column("since", _moment("state_since")),
        Column("last capture", _moment("last_capture")),
        Column("next capture", _moment("next_capture")),
        Column(
            "calibrated",
            lambda row: say(f"{row['calibrated_views']} views", "cli.views", count=row["calibrated_views"]),
        ),
    ),
)


@camera_app.command("list")
def list_cameras(json: JsonOption = False) -> None:
    """List cameras with their state, last capture and next planned capture."""
    with open_service() as context, context.database.read() as session:
        zone, now = context.settings.zone, context.clock()
        cameras = all_cameras(session)
        last = latest_captures(session, [camera.id for camera in cameras])
        rows = [
            {
                "name": camera.name,
                "area_code": camera.area_code,
                "kind": camera.kind,
                "host": camera.host,
                "active": camera.active,
                "state": camera.state,
                "state_since": _local(camera.state_since, zone),
                "error": camera.error,
                "last_capture": _local(last[camera.id].taken_at if camera.id in last else None, zone),
                "next_capture": _local(next_capture(now, camera.times, zone) if camera.active else None, zone),
                "calibrated_views": sum(
                    preset.calibrated_at is not None for preset in list_presets(session, camera.id)
                ),
            }
            for camera in cameras
        ]
    print_listing(CAMERAS, rows, zone, as_json=json)


@camera_app.command("test")
def check_camera(
    name: Name,
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG file for the captured frame.")] = Path("camera.png"),
) -> None:
    """Open the stream once, report its quality and write the frame to a file. Nothing is stored.

    Exit codes: 0 usable, 3 the quality check found a fault, 7 the camera does not answer.
    """
    console = Console(highlight=False, soft_wrap=True)
    with open_service() as context:
        with context.database.read() as session:
            camera = _require_camera(session, name)
            presets = list_presets(session, camera.id)
        capture = fetch_capture(context, camera)
        checked = assess_capture(context, capture, presets).capture
    height, width = capture.frame.shape[:2]
    if not cv2.imwrite(str(out), cv2.cvtColor(capture.frame, cv2.COLOR_RGB2BGR)):
        raise SettingsError(
            f"The frame cannot be written to {out}; name a .png file in a writable folder with --out.",
            "cli.frame_not_written",
            file=str(out),
        )
    seconds = context.settings.cameras.seconds
    message = f"{name}: {width} × {height} pixels, median of {capture.frames} frames over {seconds:g} s; {out}"
    values = {"name": name, "width": width, "height": height, "frames": capture.frames, "seconds": seconds}
    console.print(say(message, "cli.frame", **values, file=str(out)))
    faults = checked.quality.faults if checked.quality else ()
    for fault in faults:
        console.print(f"{term('cameras.state_', fault.code)}: {in_language(fault.words)}", style="red", markup=False)
    if faults:
        raise typer.Exit(SOME_FAILED)
    console.print(say("The quality check found no fault.", "cli.no_fault"))


@camera_app.command("capture")
def capture_now(name: Name) -> None:
    """Take one capture now and store it; the workers of `tuban up` then compare it.

    Exit codes: 0 usable, 3 stored with a fault, 7 the camera does not answer.
    """
    with open_service() as context:
        state, error = capture_once(context, name)
    typer.echo(f"{name}: {term('cameras.state_', state)}{'. ' + error if error else ''}")
    if state != "ok":
        raise typer.Exit(CAMERA if state in ("no_answer", "locked") else SOME_FAILED)


def capture_once(context: Context, name: str) -> tuple[str, str]:
    """Capture a camera in this process and return its new state with the reason.

    Raises:
        SettingsError: there is no such camera.
        TubanError: the capture job failed.
    """
    with context.database.write() as session:
        camera = _require_camera(session, name)
        now = context.clock()
        job_id = add_capture_job(session, camera.id, f"now:{now.isoformat()}", now)
    assert job_id is not None  # never a duplicate: the unique key contains the time
    outcome = run_job(context, job_id)
    with context.database.read() as session:
        if outcome != "done":
            error = session.get_one(Job, job_id).error
            raise TubanError(
                f"The capture failed (job {job_id}: {outcome}). {error}", "cli.capture_failed", job=job_id, error=error
            )
        camera = _require_camera(session, name)
        return camera.state, camera.error


def _require_camera(session: Session, name: str) -> CameraRow:
    camera = camera_by_name(session, name)
    if camera is None:
        raise SettingsError(
            f"There is no camera {name!r}. `tuban camera list` lists all cameras.", "cli.no_camera", name=name
        )
    return camera
