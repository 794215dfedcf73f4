"""``tuban camera``: fixed cameras are added, listed, tried out and captured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import cv2
import typer
from rich.console import Console
from rich.table import Table

from cli.administration.ingest import person
from cli.administration.service import service
from errors import SettingsError, TubanError
from imagery.cameras.address import parse_stream
from imagery.cameras.camera import StreamKind
from service.batch_intake import check_area
from service.camera_captures import assess_capture, fetch
from service.camera_jobs import add_capture_job
from service.capture_schedule import next_capture
from service.context import Context
from service.home import prepare_home
from store.access.audit_log import record_action
from store.cameras.cameras import add_camera, all_cameras, camera_by_name, change_camera, parse_capture_times
from store.cameras.captures import latest_captures
from store.cameras.presets import list_presets
from store.cameras.secrets import camera_key
from store.schema.camera_tables import CameraRow
from store.schema.tables import Job
from workers.runtime.job_runner import run_job

PASSWORD = "TUBAN_CAMERA_PASSWORD"
NOT_USABLE = 3
_KINDS: dict[str, StreamKind] = {"rtsp": "rtsp", "mjpeg": "mjpeg", "still": "still", "folder": "folder"}

camera_app = typer.Typer(
    name="camera",
    help="Fixed cameras: on a mast over a valley, say. Each looks at the ground at set times; what has changed "
    "persistently becomes an alert like any other.\n\nFirst add one, then test it, capture once, and calibrate it on its "
    "page (four or more points, each clicked in the frame and on the map).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Argument(help="The camera's name.")]


@camera_app.command("add")
def add(
    name: Name,
    address: Annotated[
        str, typer.Argument(help="rtsp://host/…, http(s)://host/…, or the whole path of a folder. Without a password.")
    ],
    area: Annotated[str, typer.Option("--area", "-a", help="Administrative code of the ground that it looks at.")],
    kind: Annotated[
        str, typer.Option(help="rtsp, mjpeg (a stream over HTTP), still (one image over HTTP) or folder.")
    ] = "rtsp",
    user: Annotated[str, typer.Option(help="User name, if the camera asks for one; the password is asked for.")] = "",
    times: Annotated[
        str, typer.Option(help="Local times of captures, with commas; empty: only by command.")
    ] = "09:00,11:00,13:00,15:00",
    replace: Annotated[bool, typer.Option("--replace", help="Give a camera that is there another address.")] = False,
) -> None:
    """Add a camera. Address and password are kept encrypted and never shown again.

    The password is asked for, or taken from TUBAN_CAMERA_PASSWORD: as an argument it would stay in the shell's history.

    Example: tuban camera add "North ridge" rtsp://10.1.2.3/stream1 --area 330102 --user viewer
    """
    if kind not in _KINDS:
        raise SettingsError("A camera is of the kind rtsp, mjpeg, still or folder. Choose one with --kind.")
    if parse_stream(_KINDS[kind], address).credentials is not None:
        raise SettingsError(
            "The address holds a user name or password, which now stands in your shell's history: change it on the "
            "camera. Give the address without it, the name with --user, and the password when it is asked for."
        )
    password = os.environ.get(PASSWORD) or (typer.prompt("Password", hide_input=True) if user else "")
    stream = parse_stream(_KINDS[kind], address, user, password if user else "")
    with service() as context:
        prepare_home(context.settings)
        check_area(context, area)
        key = camera_key(context.settings)
        given: dict[str, Any] = {"area_code": area, "times": parse_capture_times(times), "stream": stream, "key": key}
        with context.database.write() as session:
            now = context.clock()
            if replace:
                camera = _camera(camera_by_name(session, name), name)
                change_camera(session, camera, name=name, now=now, **given)
                camera.active = True
            else:
                camera = add_camera(session, name=name, who=person(), now=now, **given)
            what = "replaced_camera" if replace else "added_camera"
            record_action(session, who="command", what=what, about=camera.name, code=area, now=now)
    typer.echo(f'{name}: {kind} at {stream.host}. Next: tuban camera test "{name}"')


@camera_app.command("list")
def list_cameras() -> None:
    """List cameras with how each is doing, its last capture and its next."""
    table = Table("camera", "area", "kind", "at", "state", "since", "last capture", "next capture", "calibrated")
    with service() as context, context.database.read() as session:
        zone, now = context.settings.zone, context.clock()
        cameras = all_cameras(session)
        last = latest_captures(session, [camera.id for camera in cameras])
        for camera in cameras:
            seen = last[camera.id].taken_at if camera.id in last else None
            coming = next_capture(now, camera.times, zone) if camera.active else None
            ready = sum(preset.calibrated_at is not None for preset in list_presets(session, camera.id))
            moments = [
                "" if moment is None else f"{moment.astimezone(zone):%m-%d %H:%M}"
                for moment in (camera.state_since, seen, coming)
            ]
            table.add_row(
                camera.name,
                camera.area_code,
                camera.kind,
                camera.host,
                camera.state if camera.active else "off",
                *moments,
                f"{ready} views",
            )
    Console(highlight=False).print(table)


@camera_app.command("test")
def try_out(
    name: Name,
    out: Annotated[Path, typer.Option("--out", "-o", help="The frame as PNG.")] = Path("camera.png"),
) -> None:
    """Open the stream once, tell what was found, and write the frame. Nothing is kept.

    Exit codes: 0 usable, 3 the quality gate found a fault, 7 the camera does not answer.
    """
    words = Console(highlight=False, soft_wrap=True)
    with service() as context:
        with context.database.read() as session:
            camera = _camera(camera_by_name(session, name), name)
            presets = list_presets(session, camera.id)
        made = fetch(context, camera)
        judged = assess_capture(context, made, presets).capture
    height, width = made.frame.shape[:2]
    if not cv2.imwrite(str(out), cv2.cvtColor(made.frame, cv2.COLOR_RGB2BGR)):
        raise SettingsError(f"The frame cannot be written to {out}; give the name of a .png with --out.")
    seconds = context.settings.cameras.seconds
    words.print(f"{name}: {width} × {height} pixels, median of {made.frames} frames over {seconds:g} s; {out}")
    faults = judged.quality.faults if judged.quality else ()
    for fault in faults:
        words.print(f"{fault.code}: {fault.words}", style="red", markup=False)
    if faults:
        raise typer.Exit(NOT_USABLE)
    words.print("The quality gate found nothing wrong.")


@camera_app.command("capture")
def capture_now(name: Name) -> None:
    """Take one capture now and keep it; workers of `tuban up` then compare it.

    Exit codes: 0 usable, 3 kept with a fault, 7 the camera does not answer.
    """
    with service() as context:
        state, error = capture_once(context, name)
    typer.echo(f"{name}: {state}{'. ' + error if error else ''}")
    if state != "ok":
        raise typer.Exit(7 if state in ("no_answer", "locked") else NOT_USABLE)


def capture_once(context: Context, name: str) -> tuple[str, str]:
    """Capture a camera in this process; how it is doing then, and why.

    Raises:
        TubanError: the job failed.
    """
    with context.database.write() as session:
        camera = _camera(camera_by_name(session, name), name)
        now = context.clock()
        job_id = add_capture_job(session, camera.id, f"now:{now.isoformat()}", now)
    assert job_id is not None  # its key holds the moment
    outcome = run_job(context, job_id)
    with context.database.read() as session:
        if outcome != "done":
            raise TubanError(f"The capture failed (job {job_id}: {outcome}). {session.get_one(Job, job_id).error}")
        camera = _camera(camera_by_name(session, name), name)
        return camera.state, camera.error


def _camera(found: CameraRow | None, name: str) -> CameraRow:
    if found is None:
        raise SettingsError(f"There is no camera {name!r}; `tuban camera list` lists them.")
    return found
