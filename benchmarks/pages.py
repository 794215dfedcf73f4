"""Response times of the pages with many alerts and 20 concurrent inspectors, with SQLite or PostGIS.

    .venv/bin/python -m benchmarks.pages                                    # SQLite, 5,000 alerts, 500 scenes
    .venv/bin/python -m benchmarks.pages --alerts 100000 --scenes 10000 \\
        --database postgresql+psycopg://postgres@127.0.0.1/EMPTY_DATABASE

Rows are generated in an empty database; the server is that of ``tuban up``, on loopback. Figures are milliseconds from
the request to the last byte, as measured by a client on the same machine.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.generated_county import SIDE, SOUTH, TOWNSHIPS, VILLAGES, WEST, fill
from configs.service import ServiceSettings
from service.home import prepare_home
from store.access.users import add_user, begin_session
from store.schema.database import Database
from store.schema.migrate import upgrade


def _addresses(alert: str) -> dict[str, list[str]]:
    """Return the measured kinds of requests, each with addresses of which one is chosen at random."""
    middle = f"{WEST},{SOUTH},{WEST + SIDE * VILLAGES},{SOUTH + SIDE * TOWNSHIPS}"
    close = f"{WEST + 0.05},{SOUTH + 0.05},{WEST + 0.07},{SOUTH + 0.07}"
    return {
        "grid": ["/alerts?sort=gravest", "/alerts?states=new"],
        "grid, filtered": [
            "/alerts?kinds=construction&states=new&min_score=0.8",
            "/alerts?place=330199003&sort=largest",
            "/alerts?sort=overdue&min_area_m2=1000",
        ],
        "alert": [f"/alerts/{alert}/data"],
        "map, whole county": [f"/map/alerts?bbox={middle}&zoom=11"],
        "map, close": [f"/map/alerts?bbox={close}&zoom=16"],
        "map, scenes": [f"/map/scenes?bbox={middle}&zoom=11"],
        "API": ["/api/alerts?limit=50", "/api/scenes?limit=50"],
    }


def measure(base: str, cookie: str, alert: str, inspectors: int, seconds: float) -> dict[str, list[float]]:
    """Measure the milliseconds of each request while ``inspectors`` clients send requests in sequence."""
    times: dict[str, list[float]] = defaultdict(list)
    failed: set[str] = set()
    deadline = time.monotonic() + seconds

    def inspect(number: int) -> None:
        rng = random.Random(number)
        with httpx.Client(base_url=base, cookies={"tuban": cookie}, timeout=60) as client:
            while time.monotonic() < deadline:
                for kind, addresses in _addresses(alert).items():
                    address = rng.choice(addresses)
                    start = time.perf_counter()
                    response = client.get(address)
                    elapsed = 1000 * (time.perf_counter() - start)
                    if response.status_code == 200:
                        times[kind].append(elapsed)
                    else:
                        failed.add(f"{address}: {response.status_code}")
                    time.sleep(rng.uniform(0.2, 0.8))  # time for looking at the response

    clients = [threading.Thread(target=inspect, args=(number,)) for number in range(inspectors)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    for failure in sorted(failed):
        Console(stderr=True).print(f"not measured: {failure}")
    return times


def response_times(database: str, alerts: int, scenes: int, inspectors: int, seconds: float) -> dict[str, list[float]]:
    """Fill an empty database, start the pages and measure them; see :func:`run`.

    Returns:
        Kind of request → milliseconds of each.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        settings = ServiceSettings(home=home, database=database)
        prepare_home(settings)
        base = Database(settings.database_url)
        upgrade(base)
        now = dt.datetime.now(dt.UTC)
        alert = fill(base, alerts, scenes, now)
        with base.write() as session:
            person = add_user(session, login="bench", name="bench", role="county", code="330199", now=now)
            cookie = begin_session(session, person, now, 12)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment: dict[str, Any] = {
            "TUBAN_HOME": str(home), "TUBAN_DATABASE": database, "TUBAN_WEB__SECURE_COOKIES": "false",
            "TUBAN_WEB__PORT": str(port), "TUBAN_LOG__LEVEL": "warning",
        }  # fmt: skip
        pages = ("up", "--no-work", "--no-schedule")
        server = subprocess.Popen(
            [Path(sys.executable).with_name("tuban"), *pages], env=os.environ | environment, stdout=subprocess.DEVNULL
        )
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(300):
                try:
                    if httpx.get(f"{address}/sign-in").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.2)
            measure(address, cookie, alert, 2, 3)  # warm-up
            return measure(address, cookie, alert, inspectors, seconds)
        finally:
            server.terminate()
            server.wait()
            base.close()


def run(
    database: Annotated[
        str, typer.Option(help="URL of an empty database; default: SQLite in a temporary folder.")
    ] = "",
    alerts: Annotated[int, typer.Option(help="Number of alerts.")] = 5000,
    scenes: Annotated[int, typer.Option(help="Number of images.")] = 500,
    inspectors: Annotated[int, typer.Option(help="Number of concurrent clients.")] = 20,
    seconds: Annotated[float, typer.Option(help="Duration of the measurement.")] = 30,
) -> None:
    """Fill an empty database, start the pages and print the response times."""
    times = response_times(database, alerts, scenes, inspectors, seconds)
    title = f"{alerts:,} alerts, {scenes:,} scenes, {inspectors} people, {'SQLite' if not database else 'PostgreSQL'}"
    table = Table("request", "count", "median ms", "95 % ms", "worst ms", title=title)
    for kind, values in times.items():
        table.add_row(kind, str(len(values)), *(f"{np.percentile(values, p):.0f}" for p in (50, 95, 100)))
    Console().print(table)


if __name__ == "__main__":
    typer.run(run)
