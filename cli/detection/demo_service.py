"""The demo's second half: the same two images through the service, from a batch to alerts in the enforcement queue."""

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
from rich.table import Table

from cli.administration.night import plan_now
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

LOOK_SECONDS = 0.25
LONGEST_MINUTES = 30
SHOWN = 12
FIRST_PORT = 8000


def run_service(out: Path, images: Sequence[Path], areas: SampleAreas, port: int | None = None) -> None:
    """Start `tuban up` in ``out/home``, hand in the images, let a night run, and tell which alerts came out.

    Then the pages are served until Ctrl-C, unless ``TUBAN_DEMO_EXIT`` is set.

    Args:
        out: folder of the demo.
        images: to hand in.
        areas: villages, approvals and farmland of the scene.
        port: of the pages; None: 8000, or the next one that is free.

    Raises:
        TubanError: a file was not taken, or a job failed for good; the message says why.
    """
    words = Console(highlight=False, soft_wrap=True)
    home = _fresh_home(out / "home")
    settings = read_service().model_copy(update={"home": home, "database": "", "broker": "", "objects": ""})
    set_up_logging(settings.model_copy(update={"log": LogSettings(level="warning")}))
    context = Context.from_settings(settings)
    upgrade(context.database)
    moment = context.clock()
    load_areas(context.database, areas.areas, now=moment)
    load_layer(context.database, areas.approvals, name="样例批文", kind="approval", number_field="number", now=moment)
    load_layer(context.database, areas.farmland, name="样例永久基本农田", kind="basic_farmland", now=moment)
    words.print(f"\nThe same through the service: `tuban up` in {home}, no server, messages and database are files.")
    port = port or _free_port()
    with _service(home, port) as running:
        with _bars() as bars:
            _follow(context, bars, "Starting the service", lambda: _started(context))
            report = _ingest(context, images, bars)
            _night(context, bars)
            _delivered(context, bars)
        _tell_alerts(words, context)
        words.print(
            f"{report.count('placed')} images ingested and compared by Celery workers. The enforcement queue of this "
            f"home, a GeoJSON file for each event: {settings.drop_folder}"
        )
        words.print(f"Go on from here at any time: TUBAN_HOME={home} tuban up, and in another terminal tuban status")
        if not os.environ.get("TUBAN_DEMO_EXIT"):
            _serve(words, context, port, running)
    context.database.close()


def _free_port() -> int:
    """The first of some ports from 8000 on that nobody listens on."""
    for port in range(FIRST_PORT, FIRST_PORT + 50):
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise OutputError(f"No port from {FIRST_PORT} to {FIRST_PORT + 49} is free; name one with --port.")


def _serve(words: Console, context: Context, port: int, running: subprocess.Popen[bytes]) -> None:
    """Keep the pages there until Ctrl-C."""
    with context.database.write() as session:
        secret = invite(session, None, context.clock())
    words.print("\nThe pages of the inspectors show these alerts. Open this link, choose a name and a password:")
    words.print(f"  http://127.0.0.1:{port}/welcome/{secret}", style="bold", markup=False)
    words.print("Ctrl-C ends the demo.")
    try:
        running.wait()
    except KeyboardInterrupt:
        words.print("Stopping …")


def _fresh_home(home: Path) -> Path:
    """An empty home; that of an earlier demo is removed."""
    if home.exists() and any(home.iterdir()) and not (home / "tuban.db").exists():
        raise OutputError(f"{home} holds other things than a demo's home; name another folder with --out.")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return home.resolve()


@contextmanager
def _service(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`tuban up` beside this process, its words in ``home/demo.log``, ended with it."""
    others = {"TUBAN_DATABASE": "", "TUBAN_BROKER": "", "TUBAN_OBJECTS": "", "TUBAN_HOME": str(home)}
    with (home / "demo.log").open("wb") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "up", "--port", str(port)],
            env=os.environ | others,
            stdout=log,
            stderr=log,
            process_group=0,  # Ctrl-C reaches this process, which then stops the service in order
        )
        try:
            yield running
            if running.poll() is not None:
                raise TubanError(f"The service ended by itself; {home / 'demo.log'} tells why.")
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait()


def _started(context: Context) -> float:
    """1 once workers and pages say that they live."""
    with context.database.read() as session:
        alive = read_statistics(session, context.clock()).processes
    return sum(bool(alive.get(part)) for part in ("worker", "web")) / 2


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description:<26}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


def _follow(context: Context, bars: Progress, label: str, done: Callable[[], float]) -> None:
    """Show how far something is until it is done, or a job is dead."""
    task = bars.add_task(label, total=1.0)
    latest = time.monotonic() + 60 * LONGEST_MINUTES
    while (share := done()) < 1:
        bars.update(task, completed=share)
        with context.database.read() as session:
            dead = list_jobs(session, state="dead", limit=1)
        if dead:
            raise TubanError(f"{label}: job {dead[0].id} ({dead[0].kind}) failed for good. {dead[0].error}")
        if time.monotonic() > latest:
            raise TubanError(f"{label}: not done after {LONGEST_MINUTES} minutes; the log is in the demo's home.")
        time.sleep(LOOK_SECONDS)
    bars.update(task, completed=1.0)


def _ingest(context: Context, images: Sequence[Path], bars: Progress) -> BatchReport:
    batch = receive_files(context, images, TOWNSHIP, "satellite", "command", "demo", "demo")

    def read() -> BatchReport:
        with context.database.read() as session:
            found = batch_report(session, batch)
        assert found is not None
        return found

    _follow(context, bars, "Ingesting the batch", lambda: 1 - read().count("waiting") / max(1, len(read().files)))
    report = read()
    lost = [file for file in report.files if file.state not in ("placed", "duplicate")]
    if lost:
        raise TubanError(f"{lost[0].name} was not taken: {lost[0].reason}")
    return report


def _night(context: Context, bars: Progress) -> None:
    plan_now(context)

    def done() -> float:
        with context.database.read() as session:
            night = recent_nights(session, 1)
            scans = running_scans(session)
        if night and night[0].state == "done":
            return 1.0
        return min(0.99, sum(scan.done for scan in scans) / len(scans)) if scans else 0.0

    _follow(context, bars, "Scanning the night", done)


def _delivered(context: Context, bars: Progress) -> None:
    def done() -> float:
        with context.database.read() as session:
            targets = read_statistics(session, context.clock()).targets
        waiting, sent = sum(t.waiting for t in targets), sum(t.delivered for t in targets)
        return 1.0 if not waiting else min(0.99, sent / (sent + waiting))

    _follow(context, bars, "Delivering the alerts", done)


def _tell_alerts(words: Console, context: Context) -> None:
    with context.database.read() as session:
        alerts = alerts_by_severity(session)
        names = {area.code: area.name for area in list_areas(session)}
    table = Table("alert", "kind", "village", "mu", "score", "state", title="Alerts, the gravest first")
    for alert in alerts[:SHOWN]:
        where = names.get(alert.grid_code, alert.grid_code)
        state = alert.state + (f": {alert.state_reason}" if alert.state == "suppressed" else "")
        table.add_row(alert.number, alert.kind, where, f"{mu(alert.area_m2):.1f}", f"{alert.score:.2f}", state)
    words.print(table)
    states = Counter(alert.state for alert in alerts)
    words.print(
        (f"… and {len(alerts) - SHOWN} more. " if len(alerts) > SHOWN else "")
        + f"{len(alerts)} alerts: "
        + ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        + "."
    )
