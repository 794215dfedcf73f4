"""A generated county with areas, scenes and alerts, as content of a database that benchmarks measure."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from shapely.geometry import box
from sqlalchemy import insert, text

from enforcement.hash_chain import GENESIS_HASH
from store.schema.database import Database, Session
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Area, Observation, Scan, SceneRow

WEST, SOUTH, SIDE = 119.0, 30.0, 0.02  # a county of 10 × 20 villages of two kilometres
TOWNSHIPS, VILLAGES = 10, 20
ROWS_PER_INSERT = 2000
KINDS = ("construction", "ground", "demolition")
STATES = ("new",) * 6 + ("published", "dispatched", "false_change")


def fill(database: Database, alerts: int, scenes: int, now: dt.datetime) -> str:
    """Fill an empty database with a generated county; return the number of an alert in its middle."""
    rng = random.Random(1)
    with database.write() as session:
        _insert_areas(session, now)
        _insert_scenes(session, scenes, rng, now)
    for start in range(0, alerts, ROWS_PER_INSERT):
        with database.write() as session:
            _insert_alerts(session, range(start, min(alerts, start + ROWS_PER_INSERT)), rng, now)
    if not database.sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    return f"330199D202611{alerts // 2:06d}"


def _village(number: int) -> tuple[str, float, float]:
    """Return code, west and south of a village."""
    town, village = divmod(number, VILLAGES)
    return f"330199{town + 1:03d}{village + 1:03d}", WEST + SIDE * village, SOUTH + SIDE * town


def _insert_areas(session: Session, now: dt.datetime) -> None:
    areas = [("330199", "county", box(WEST, SOUTH, WEST + SIDE * VILLAGES, SOUTH + SIDE * TOWNSHIPS))]
    for town in range(TOWNSHIPS):
        south = SOUTH + SIDE * town
        outline = box(WEST, south, WEST + SIDE * VILLAGES, south + SIDE)
        areas.append((f"330199{town + 1:03d}", "township", outline))
    for number in range(TOWNSHIPS * VILLAGES):
        code, west, south = _village(number)
        areas.append((code, "village", box(west, south, west + SIDE, south + SIDE)))
    rows = [
        {"code": code, "name": code, "level": level, "source": "", "loaded_at": now} | bounds_of(outline)
        for code, level, outline in areas
    ]
    session.execute(insert(Area), rows)


def _insert_scenes(session: Session, count: int, rng: random.Random, now: dt.datetime) -> None:
    """Insert scenes of half a village each, and one scan."""
    rows = []
    for number in range(count):
        code, west, south = _village(rng.randrange(TOWNSHIPS * VILLAGES))
        rows.append(
            {
                "id": number + 1, "area_code": code, "sha256": f"{number:064x}", "name": f"{number}.tif",
                "source": "drone", "date": (now - dt.timedelta(days=rng.randrange(900))).date(),
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


def _insert_alerts(session: Session, numbers: range, rng: random.Random, now: dt.datetime) -> None:
    """Insert alerts with one observation each, whose hashes are placeholders: an audit would find them wrong."""
    alerts, observations = [], []
    for number in numbers:
        code, west, south = _village(rng.randrange(TOWNSHIPS * VILLAGES))
        x, y = west + rng.random() * SIDE * 0.98, south + rng.random() * SIDE * 0.98
        outline = bounds_of(box(x, y, x + 0.0003, y + 0.0003))
        day = (now - dt.timedelta(days=rng.randrange(400))).date()
        shared: dict[str, Any] = {
            "kind": rng.choice(KINDS),
            "score": round(rng.random(), 4),
            "area_m2": rng.uniform(200, 9000),
        }
        shared |= {"source": "drone", "evidence": {}} | outline
        alerts.append(
            shared
            | {
                "id": number + 1, "number": f"330199D202611{number:06d}", "change_type": "",
                "state": rng.choice(STATES), "state_reason": "", "detected": {}, "county_code": code[:6],
                "township_code": code[:9], "grid_code": code, "also_in": [], "overlaps": [],
                "legal_weight": rng.choice((0, 0, 2, 5)), "week": "2026-W48", "over_cap": False, "seen": 1,
                "sources_seen": 1, "due_on": day, "assignee": "", "first_date": day, "last_date": day,
                "created_at": now, "changed_at": now, "version": 1,
            }
        )  # fmt: skip
        observations.append(
            shared
            | {"alert_id": number + 1, "scan_id": 1, "change_number": number, "before_date": day, "after_date": day,
               "created_at": now, "sequence": 1, "previous_hash": GENESIS_HASH, "hash": GENESIS_HASH}
        )  # fmt: skip
    session.execute(insert(AlertRow), alerts)
    session.execute(insert(Observation), observations)
