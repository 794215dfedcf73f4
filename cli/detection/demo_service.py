"""Second part of the demo: the service processes the same images, from batch to alerts in the enforcement queue."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.administration.night import plan_now
from cli.detection.demo_document import write_stop_notice
from cli.detection.demo_reports import write_friday_sheet
from cli.language import and_more, headed, in_language, say, state_name, term
from configs.service import LogSettings, read_service
from enforcement.units import mu
from errors import OutputError, TubanError
from service.batch_intake import receive_files
from service.context import Context
from service.logs import set_up_logging
from store.access.users import invite
from store.alerts.alert_data import alerts_by_severity
from store.areas.areas import list_areas, load_areas
from store.areas.layers import load_layer
from store.jobs.queue import list_jobs
from store.scans.nights import recent_nights
from store.scans.scans import running_scans
from store.scenes.batches import BatchReport, batch_report
from store.schema.migrate import upgrade
from store.views.statistics import read_statistics
from training.sample.areas import TOWNSHIP, SampleAreas

POLL_SECONDS = 0.25
MAX_WAIT_MINUTES = 30
MAX_LISTED = 12
FIRST_PORT = 8000


def run_service(out: Path, images: Sequence[Path], areas: SampleAreas, port: int | None = None) -> None:
    """Start `tuban up` in ``out/home``, ingest the images, run a nightly scan and print the alerts.

    Then the pages are served until Ctrl-C, unless ``TUBAN_DEMO_EXIT`` is set.

    Args:
        out: folder of the demo.
        images: images to ingest.
        areas: villages, approvals and farmland of the scene.
        port: port of the pages; None: the first free one from 8000.

    Raises:
        TubanError: a file was not placed, or a job is dead; the message contains the reason.
    """
    console = Console(highlight=False, soft_wrap=True)
    home = _fresh_home(out / "home")
    settings = read_service().model_copy(update={"home": home, "database": "", "broker": "", "objects": ""})
    set_up_logging(settings.model_copy(update={"log": LogSettings(level="warning")}))
    context = Context.from_settings(settings)
    upgrade(context.database)
    moment = context.clock()
    load_areas(context.database, areas.areas, now=moment)
    load_layer(context.database, areas.approvals, name="样例批文", kind="approval", number_field="number", now=moment)
    load_layer(context.database, areas.farmland, name="样例永久基本农田", kind="basic_farmland", now=moment)
    text = f"Now the service does the same: `tuban up` in {home}; database and messages are files."
    console.print("\n" + say(text, "demo.service", home=home))
    port = port or _free_port()
    with _running_service(home, port) as process:
        with _progress_bars() as bars:
            _wait_until_done(context, bars, say("Starting the service", "demo.starting"), lambda: _started(context))
            report = _ingest(context, images, bars)
            _scan_night(context, bars)
            _wait_for_deliveries(context, bars)
        _print_alerts(console, context)
        placed, folder = report.count("placed"), settings.drop_folder
        text = (
            f"Celery workers ingested and compared {placed} images. Events of the enforcement queue, one GeoJSON file "
            f"each: {folder}"
        )
        console.print(say(text, "demo.compared", placed=placed, folder=folder))
        for path in write_friday_sheet(context, out):
            console.print(say(f"Friday sheet of the village: {path}", "demo.friday_sheet", path=path))
        for path in write_stop_notice(context, out):
            console.print(say(f"Draft of a stop notice: {path}", "demo.stop_notice", path=path))
        text = f"To continue later: TUBAN_HOME={home} tuban up, and in another terminal tuban status"
        console.print(say(text, "demo.later", home=home))
        if not os.environ.get("TUBAN_DEMO_EXIT"):
            _serve_pages(console, context, port, process)
    context.database.close()


def _free_port() -> int:
    """Return the first free port from 8000."""
    for port in range(FIRST_PORT, FIRST_PORT + 50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise OutputError(f"No port from {FIRST_PORT} to {FIRST_PORT + 49} is free. Give a free one with --port.")


def _serve_pages(console: Console, context: Context, port: int, process: subprocess.Popen[bytes]) -> None:
    """Print the link of the first administrator and serve the pages until Ctrl-C."""
    with context.database.write() as session:
        secret = invite(session, None, context.clock())
    text = "The inspectors' pages show these alerts. Open this link and choose a name and a password:"
    console.print("\n" + say(text, "demo.pages"))
    console.print(f"  http://127.0.0.1:{port}/welcome/{secret}", style="bold", markup=False)
    console.print(say("Ctrl-C ends the demo.", "demo.ctrl_c"))
    try:
        process.wait()
    except KeyboardInterrupt:
        console.print(say("Stopping …", "demo.stopping"))


def _fresh_home(home: Path) -> Path:
    """Create an empty home folder; that of an earlier demo is deleted.

    Raises:
        OutputError: the folder contains other files.
    """
    if home.exists() and any(home.iterdir()) and not (home / "tuban.db").exists():
        raise OutputError(f"{home} contains files that the demo did not write. Choose another folder with --out.")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return home.resolve()


@contextmanager
def _running_service(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `tuban up` as a child process with its output in ``home/demo.log``; stop it at the end."""
    overrides = {"TUBAN_DATABASE": "", "TUBAN_BROKER": "", "TUBAN_OBJECTS": "", "TUBAN_HOME": str(home)}
    with (home / "demo.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up", "--port", str(port)],
            env=os.environ | overrides,
            stdout=log,
            stderr=log,
            process_group=0,  # so that Ctrl-C reaches only this process, which then stops the service in order
        )
        try:
            yield process
            if process.poll() is not None:
                raise TubanError(f"The service ended unexpectedly. The reason is in {home / 'demo.log'}.")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _started(context: Context) -> float:
    """Return 1 once workers and pages have reported, else the share of them that has."""
    with context.database.read() as session:
        alive = read_statistics(session, context.clock()).processes
    return sum(bool(alive.get(part)) for part in ("worker", "web")) / 2


def _progress_bars() -> Progress:
    return Progress(
        TextColumn("{task.description:<26}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )


def _wait_until_done(context: Context, bars: Progress, label: str, progress: Callable[[], float]) -> None:
    """Show a progress bar until ``progress`` returns 1.

    Raises:
        TubanError: a job is dead, or the time limit has passed.
    """
    task = bars.add_task(label, total=1.0)
    deadline = time.monotonic() + 60 * MAX_WAIT_MINUTES
    while (share := progress()) < 1:
        bars.update(task, completed=share)
        with context.database.read() as session:
            dead = list_jobs(session, state="dead", limit=1)
        if dead:
            raise TubanError(f"{label}: job {dead[0].id} ({dead[0].kind}) is dead. {dead[0].error}")
        if time.monotonic() > deadline:
            raise TubanError(
                f"{label}: not done after {MAX_WAIT_MINUTES} minutes. The log is demo.log in the demo's home folder."
            )
        time.sleep(POLL_SECONDS)
    bars.update(task, completed=1.0)


def _ingest(context: Context, images: Sequence[Path], bars: Progress) -> BatchReport:
    batch = receive_files(context, images, TOWNSHIP, "satellite", "command", "demo", "demo")

    def read() -> BatchReport:
        with context.database.read() as session:
            report = batch_report(session, batch)
        assert report is not None
        return report

    _wait_until_done(
        context,
        bars,
        say("Ingesting the batch", "demo.ingesting"),
        lambda: 1 - read().count("waiting") / max(1, len(read().files)),
    )
    report = read()
    failed = [file for file in report.files if file.state not in ("placed", "duplicate")]
    if failed:
        raise TubanError(f"{failed[0].name} was not placed: {failed[0].reason}")
    return report


def _scan_night(context: Context, bars: Progress) -> None:
    plan_now(context)

    def progress() -> float:
        with context.database.read() as session:
            night = recent_nights(session, 1)
            scans = running_scans(session)
        if night and night[0].state == "done":
            return 1.0
        return min(0.99, sum(scan.done for scan in scans) / len(scans)) if scans else 0.0

    _wait_until_done(context, bars, say("Scanning the night", "demo.scanning"), progress)


def _wait_for_deliveries(context: Context, bars: Progress) -> None:
    def progress() -> float:
        with context.database.read() as session:
            targets = read_statistics(session, context.clock()).targets
        waiting, sent = sum(t.waiting for t in targets), sum(t.delivered for t in targets)
        return 1.0 if not waiting else min(0.99, sent / (sent + waiting))

    _wait_until_done(context, bars, say("Delivering the alerts", "demo.delivering"), progress)


def _print_alerts(console: Console, context: Context) -> None:
    with context.database.read() as session:
        alerts = alerts_by_severity(session)
        names = {area.code: area.name for area in list_areas(session)}
    table = headed("alert", "kind", "village", "mu", "score", "state")
    table.title = say("Alerts, the most serious first", "demo.alerts")
    for alert in alerts[:MAX_LISTED]:
        where = names.get(alert.grid_code, alert.grid_code)
        state = state_name(alert.state)
        if alert.state == "suppressed":
            state += f": {in_language(alert.state_reason)}"
        area = f"{mu(alert.area_m2):.1f}"
        table.add_row(alert.number, term("scan.kind.", alert.kind), where, area, f"{alert.score:.2f}", state)
    console.print(table)
    if len(alerts) > MAX_LISTED:
        console.print(and_more(len(alerts) - MAX_LISTED))
    counted = Counter(alert.state for alert in alerts)
    states = ", ".join(f"{count} {state_name(state)}" for state, count in sorted(counted.items()))
    console.print(say(f"{len(alerts)} alerts: {states}.", "demo.states", count=len(alerts), states=states))
