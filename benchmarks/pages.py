"""How fast the pages answer with many alerts: 20 inspectors at once over PostGIS, and the same over SQLite.

    .venv/bin/python -m benchmarks.pages                                    # SQLite, 5,000 alerts, 500 scenes
    .venv/bin/python -m benchmarks.pages --alerts 100000 --scenes 10000 \\
        --database postgresql+psycopg://postgres@127.0.0.1/EMPTY_DATABASE

Rows are made up, in an empty database; the server is that of `tuban up`, on loopback. Figures are milliseconds from
the request to the last byte, as a browser on the same machine sees them.
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
from shapely.geometry import box
from sqlalchemy import insert, text

from configs.service import ServiceSettings
from service.home import prepare_home
from store.access.users import add_user, begin_session
from store.schema.database import Database
from store.schema.migrate import upgrade
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Area, Observation, Scan, SceneRow

WEST, SOUTH, SIDE = 119.0, 30.0, 0.02  # a county of 10 × 20 villages of two kilometres
TOWNSHIPS, VILLAGES = 10, 20
ROWS_AT_ONCE = 2000


def _village(number: int) -> tuple[str, float, float]:
    town, village = divmod(number, VILLAGES)
    return f"330199{town + 1:03d}{village + 1:03d}", WEST + SIDE * village, SOUTH + SIDE * town


def fill(database: Database, count: int, scenes: int, now: dt.datetime) -> str:
    """Make up a county; returns the number of an alert in its middle."""
    chance = random.Random(1)
    areas = [("330199", "county", box(WEST, SOUTH, WEST + SIDE * VILLAGES, SOUTH + SIDE * TOWNSHIPS))]
    for town in range(TOWNSHIPS):
        south = SOUTH + SIDE * town
        outline = box(WEST, south, WEST + SIDE * VILLAGES, south + SIDE)
        areas.append((f"330199{town + 1:03d}", "township", outline))
    for number in range(TOWNSHIPS * VILLAGES):
        code, west, south = _village(number)
        areas.append((code, "village", box(west, south, west + SIDE, south + SIDE)))
    with database.write() as session:
        session.execute(
            insert(Area),
            [
                {"code": c, "name": c, "level": level, "source": "", "loaded_at": now} | bounds_of(o)
                for c, level, o in areas
            ],
        )
        rows = []
        for number in range(scenes):
            code, west, south = _village(chance.randrange(TOWNSHIPS * VILLAGES))
            rows.append(
                {
                    "id": number + 1, "area_code": code, "sha256": f"{number:064x}", "name": f"{number}.tif",
                    "source": "drone", "date": (now - dt.timedelta(days=chance.randrange(900))).date(),
                    "date_source": "", "gsd_m": 0.1, "crs": "EPSG:4528", "width": 20000, "height": 20000,
                    "valid_share": 1.0, "object_key": f"scenes/{number}.tif", "object_sha256": f"{number:064x}",
                    "created_at": now,
                }
                | bounds_of(box(west, south, west + SIDE / 2, south + SIDE / 2))
            )  # fmt: skip
        session.execute(insert(SceneRow), rows)
        scan = {
            "id": 1, "unique_key": "1", "area_code": "330199", "before_id": 1, "after_id": 2, "state": "done",
            "reason": "", "result": {}, "created_at": now,
        }  # fmt: skip
        session.execute(insert(Scan), [scan])
    kinds, states = ("construction", "ground", "demolition"), ("new",) * 6 + ("published", "dispatched", "false_change")
    for start in range(0, count, ROWS_AT_ONCE):
        alerts, sights = [], []
        for number in range(start, min(count, start + ROWS_AT_ONCE)):
            code, west, south = _village(chance.randrange(TOWNSHIPS * VILLAGES))
            x, y = west + chance.random() * SIDE * 0.98, south + chance.random() * SIDE * 0.98
            outline = bounds_of(box(x, y, x + 0.0003, y + 0.0003))
            day = (now - dt.timedelta(days=chance.randrange(400))).date()
            shared = {
                "kind": chance.choice(kinds),
                "score": round(chance.random(), 4),
                "area_m2": chance.uniform(200, 9000),
            }
            shared |= {"source": "drone", "evidence": {}} | outline
            alerts.append(
                shared
                | {
                    "id": number + 1, "number": f"330199D202611{number:06d}", "change_type": "",
                    "state": chance.choice(states), "state_reason": "", "detected": {}, "county_code": code[:6],
                    "township_code": code[:9], "grid_code": code, "also_in": [], "overlaps": [],
                    "legal_weight": chance.choice((0, 0, 2, 5)), "week": "2026-W48", "over_cap": False, "seen": 1,
                    "sources_seen": 1, "due_on": day, "assignee": "", "first_date": day, "last_date": day,
                    "created_at": now, "changed_at": now, "version": 1,
                }
            )  # fmt: skip
            sights.append(
                shared
                | {"alert_id": number + 1, "scan_id": 1, "change_number": number, "before_date": day, "after_date": day,
                   "created_at": now}
            )  # fmt: skip
        with database.write() as session:
            session.execute(insert(AlertRow), alerts)
            session.execute(insert(Observation), sights)
    if not database.sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    return f"330199D202611{count // 2:06d}"


def _addresses(alert: str) -> dict[str, list[str]]:
    """What is measured → addresses, of which each request takes one by chance."""
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
    """Milliseconds of each request, while that many people ask one after the other."""
    found: dict[str, list[float]] = defaultdict(list)
    wrong: set[str] = set()
    until = time.monotonic() + seconds

    def inspect(number: int) -> None:
        chance = random.Random(number)
        with httpx.Client(base_url=base, cookies={"tuban": cookie}, timeout=60) as client:
            while time.monotonic() < until:
                for what, addresses in _addresses(alert).items():
                    address = chance.choice(addresses)
                    begun = time.perf_counter()
                    answer = client.get(address)
                    took = 1000 * (time.perf_counter() - begun)
                    if answer.status_code == 200:
                        found[what].append(took)
                    else:
                        wrong.add(f"{address}: {answer.status_code}")
                    time.sleep(chance.uniform(0.2, 0.8))  # a person looks at what came

    people = [threading.Thread(target=inspect, args=(number,)) for number in range(inspectors)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    for fault in sorted(wrong):
        Console(stderr=True).print(f"not measured: {fault}")
    return found


def run(
    database: Annotated[
        str, typer.Option(help="Address of an empty database; default: SQLite in a fresh folder.")
    ] = "",
    alerts: Annotated[int, typer.Option(help="Alerts.")] = 5000,
    scenes: Annotated[int, typer.Option(help="Images.")] = 500,
    inspectors: Annotated[int, typer.Option(help="People at once.")] = 20,
    seconds: Annotated[float, typer.Option(help="For how long.")] = 30,
) -> None:
    """Fill an empty database, start the pages, and measure."""
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
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        given: dict[str, Any] = {
            "TUBAN_HOME": str(home), "TUBAN_DATABASE": database, "TUBAN_WEB__SECURE_COOKIES": "false",
            "TUBAN_WEB__PORT": str(port), "TUBAN_LOG__LEVEL": "warning",
        }  # fmt: skip
        pages = ("up", "--no-work", "--no-schedule")
        server = subprocess.Popen(
            [Path(sys.executable).with_name("tuban"), *pages], env=os.environ | given, stdout=subprocess.DEVNULL
        )
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(300):
                try:
                    if httpx.get(f"{address}/sign-in").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.2)
            measure(address, cookie, alert, 2, 3)  # warm
            found = measure(address, cookie, alert, inspectors, seconds)
        finally:
            server.terminate()
            server.wait()
            base.close()
    title = f"{alerts:,} alerts, {scenes:,} scenes, {inspectors} people, {'SQLite' if not database else 'PostgreSQL'}"
    table = Table("what", "requests", "median ms", "95 % ms", "worst ms", title=title)
    for what, took in found.items():
        table.add_row(what, str(len(took)), *(f"{np.percentile(took, p):.0f}" for p in (50, 95, 100)))
    Console().print(table)


if __name__ == "__main__":
    typer.run(run)
