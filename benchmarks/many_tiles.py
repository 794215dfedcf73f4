"""Response times of pages and decisions while a batch of many small tiles arrives and is ingested.

    .venv/bin/python -m benchmarks.many_tiles                  # SQLite, 10,000 tiles of 64 × 64 pixels

A generated county is reviewed by concurrent clients, first without other work, then while ``tuban ingest --no-wait``
receives all tiles as one batch and the workers of the same ``tuban up`` process it. The measurement ends after
``--seconds``, whether or not all tiles are placed. Figures are milliseconds from the request to the last byte, as
measured by a client on the same machine.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import queue
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import httpx
import numpy as np
import rasterio
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from benchmarks.generated_county import fill
from configs.service import ServiceSettings
from service.home import prepare_home
from store.access.users import add_user, begin_session
from store.schema.database import Database
from store.schema.migrate import upgrade
from store.schema.tables import AlertRow, BatchFile
from web.auth.authentication import CSRF_HEADER, csrf_token

SIDE, GSD_M = 64, 0.5
Times = dict[str, list[float]]


def write_tiles(folder: Path, count: int) -> None:
    """Write ``count`` GeoTIFFs of different content beside each other, with their date in the name.

    One is written by GDAL; the others are copies with other pixels and another place, which takes seconds.
    """
    rng = np.random.default_rng(1)
    west, north, shape = 423_000.0, 3_331_000.0, (SIDE, SIDE, 3)  # inside the generated county
    picture = rng.integers(60, 200, shape, dtype=np.uint8)
    with rasterio.MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=SIDE, height=SIDE, count=3, dtype="uint8", crs="EPSG:4549", interleave="pixel",
            blockysize=SIDE, photometric="rgb", transform=rasterio.Affine(GSD_M, 0, west, 0, -GSD_M, north),
        ) as image:  # fmt: skip
            image.write(picture.transpose(2, 0, 1))
        template = memory.read()
    corner, pixels = struct.pack("<2d", west, north), picture.tobytes()
    assert template.count(corner) == template.count(pixels) == 1
    folder.mkdir()
    for number in range(count):
        row, column = divmod(number, 100)
        place = struct.pack("<2d", west + column * SIDE * GSD_M, north - row * SIDE * GSD_M)
        content = rng.integers(60, 200, shape, dtype=np.uint8).tobytes()
        tile = template.replace(corner, place).replace(pixels, content)
        (folder / f"tile_{number:05d}_20260501.tif").write_bytes(tile)


def measure(base: str, secret: str, alerts: queue.Queue[str], inspectors: int, stop: threading.Event) -> Times:
    """Measure the milliseconds of each request of ``inspectors`` clients until ``stop``."""
    times: Times = defaultdict(list)
    failures: list[str] = []

    def ask(client: httpx.Client, kind: str, method: str, path: str, body: object = None) -> None:
        start = time.perf_counter()
        try:
            response = client.request(method, path, json=body)
            if not response.is_success:
                failures.append(f"{kind}: {response.status_code} {response.text[:200]}")
        except httpx.TransportError as error:
            failures.append(f"{kind}: {error!r}")
        times[kind].append(1000 * (time.perf_counter() - start))

    def review(number: int) -> None:
        rng = random.Random(number)
        headers = {CSRF_HEADER: csrf_token(secret), "origin": base}
        with httpx.Client(base_url=base, cookies={"tuban": secret}, headers=headers, timeout=60) as client:
            while not stop.is_set():
                alert = alerts.get_nowait()
                ask(client, "queue page", "GET", "/alerts?states=new")
                stop.wait(rng.uniform(0.2, 0.8))
                ask(client, "an alert", "GET", f"/alerts/{alert}")
                stop.wait(rng.uniform(0.2, 0.8))
                ask(client, "a decision", "POST", f"/alerts/{alert}/judge", {"verdict": "true"})
                stop.wait(rng.uniform(0.2, 0.8))

    clients = [threading.Thread(target=review, args=(number,)) for number in range(inspectors)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    for failure in sorted(set(failures))[:5]:
        Console(stderr=True).print(f"failed ({len(failures)} of all): {failure}")
    return times


def measure_for(base: str, secret: str, alerts: queue.Queue[str], inspectors: int, seconds: float) -> Times:
    """Measure for a number of seconds."""
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    return measure(base, secret, alerts, inspectors, stop)


def run(
    database: Annotated[str, typer.Option(help="URL of an empty database; default: SQLite.")] = "",
    tiles: Annotated[int, typer.Option(help="Number of tiles.")] = 10_000,
    alerts: Annotated[int, typer.Option(help="Number of alerts.")] = 5000,
    inspectors: Annotated[int, typer.Option(help="Number of concurrent clients.")] = 5,
    seconds: Annotated[float, typer.Option(help="Duration of the measurement with the batch.")] = 120,
) -> None:
    """Start the service on a generated county, drop all tiles at once and print the response times."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        settings = ServiceSettings(home=home, database=database)
        prepare_home(settings)
        base = Database(settings.database_url)
        upgrade(base)
        now = dt.datetime.now(dt.UTC)
        fill(base, alerts, 2, now)  # so few scenes that no night is planned
        with base.write() as session:
            person = add_user(session, login="bench", name="bench", role="county", code="330199", now=now)
            secret = begin_session(session, person, now, 12)
            new: queue.Queue[str] = queue.Queue()
            for number in session.scalars(select(AlertRow.number).where(AlertRow.state == "new")):
                new.put(number)
        write_tiles(Path(folder) / "tiles", tiles)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = os.environ | {
            "TUBAN_HOME": str(home), "TUBAN_DATABASE": database, "TUBAN_WEB__SECURE_COOKIES": "false",
            "TUBAN_WEB__PORT": str(port), "TUBAN_LOG__LEVEL": "error",
            "TUBAN_AUDIT__ENABLED": "false", "TUBAN_CHECK__ENABLED": "false",  # generated scenes have no files
        }  # fmt: skip
        tuban = str(Path(sys.executable).with_name("tuban"))
        server = subprocess.Popen([tuban, "up"], env=environment, stdout=subprocess.DEVNULL)
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                try:
                    if httpx.get(f"{address}/sign-in").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.2)
            measure_for(address, secret, new, 2, 3)  # warm-up
            quiet = measure_for(address, secret, new, inspectors, seconds / 4)
            start = time.monotonic()
            command = [tuban, "ingest", str(Path(folder) / "tiles"), "--area", "330199", "--no-wait"]
            receiver = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
            busy = measure_for(address, secret, new, inspectors, seconds)
            elapsed = time.monotonic() - start
            received = receiver.poll()
            with base.read() as session:
                query = select(BatchFile.state, func.count()).group_by(BatchFile.state)
                states = dict(session.execute(query).all())
        finally:
            server.terminate()
            server.wait()
            base.close()
    title = f"{alerts:,} alerts, {tiles:,} tiles, {inspectors} people, {'PostgreSQL' if database else 'SQLite'}"
    table = Table("request", "while", "count", "median ms", "95 % ms", "worst ms", title=title)
    for name, times in (("no batch", quiet), ("the batch", busy)):
        for kind, values in times.items():
            table.add_row(kind, name, str(len(values)), *(f"{np.percentile(values, p):.0f}" for p in (50, 95, 100)))
    Console().print(table)
    Console().print(f"files after {elapsed:.0f} s: {json.dumps(states)}, exit code of the command: {received}")


if __name__ == "__main__":
    typer.run(run)
