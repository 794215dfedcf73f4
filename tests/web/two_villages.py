"""Test data: two villages of one township, each with images, a scan and an alert that the other may not see."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, field

import numpy as np
import pytest
from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from service.context import Context
from store.access.api_keys import add_key, allowed_scopes
from store.access.users import user_by_login
from store.alerts.sighting_chain import append_sighting
from store.alerts.transitions import append_transition
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Batch, BatchFile, Night, Observation, Scan, SceneRow, UncomparedGround
from tests.store.sample_rows import CRS, ORIGIN, add_area, add_scan, add_scene, ground
from tests.web.maps.cogs import cog_of
from tests.web.people import NOW
from tests.web.people import ORIGIN as HOST
from web.app import make_app

CODES = {"a": "330199101001", "b": "330199101002"}
NUMBERS = {"a": "330199U2026110001", "b": "330199U2026110002"}
SIDE_M = 200
EAST = {"a": 0, "b": 1000}
"""Western edge of each village's images, metres from the origin."""


@dataclass
class Villages:
    """Ids of the rows of each village, ``a`` and ``b``."""

    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    scan: dict[str, int] = field(default_factory=dict)
    alert: dict[str, int] = field(default_factory=dict)
    batch: dict[str, int] = field(default_factory=dict)


def create_villages(context: Context) -> Villages:
    """Create the rows and objects of both villages."""
    created = Villages()
    with context.database.write() as session:
        add_area(session, "330199", ground(-3000, -3000, 4000, 3000))
        add_area(session, "330199101", ground(-2000, -2000, 3000, 2000))
        session.add(Night(id=1, day=dt.date(2026, 11, 23), state="done", begun_at=NOW, finished_at=NOW, summary={}))
        for name, code in CODES.items():
            add_area(session, code, ground(EAST[name] - 100, -100, EAST[name] + 600, 600))
            created.before[name] = _scene(context, session, name, dt.date(2026, 5, 1))
            created.after[name] = _scene(context, session, name, dt.date(2026, 11, 20))
            created.scan[name] = _scan(context, session, created, name)
            created.alert[name] = add_alert(session, NUMBERS[name], name, created.scan[name])
            batch = Batch(area_code=code, name=f"flight {name}", origin="upload", state="done", created_at=NOW)
            session.add(batch)
            session.flush()
            created.batch[name] = batch.id
            session.add(
                BatchFile(batch_id=batch.id, name="a.tif", size=5, state="placed", scene_id=created.after[name])
            )
    return created


def add_alert(session: Session, number: str, village: str, scan_id: int, east: float = 60) -> int:
    """Add an alert of 40 m by 40 m with its first transition, and return its id."""
    left = EAST[village] + east
    outline = ground(left, 60, left + 40, 100)
    alert = AlertRow(
        number=number,
        kind="construction",
        state="new",
        score=0.9,
        area_m2=1600.0,
        detected={"crs": CRS, "wkt": "POLYGON ((0 0, 1 0, 1 1, 0 0))"},
        source="drone",
        county_code="330199",
        township_code="330199101",
        grid_code=CODES[village],
        overlaps=[{"layer": "耕地2025", "kind": "cultivated", "dated": "2025-12-31", "share": 0.8, "number": ""}],
        week="2026-W48",
        first_date=dt.date(2026, 11, 20),
        last_date=dt.date(2026, 11, 20),
        evidence={"before": f"scans/{scan_id}/before.jpg", "after": f"scans/{scan_id}/after.jpg"},
        created_at=NOW,
        changed_at=NOW,
        **bounds_of(outline),
    )
    session.add(alert)
    session.flush()
    append_transition(session, alert, "new", who="system", role="system", why=f"scan {scan_id}", at=NOW)
    append_sighting(
        session,
        Observation(
            alert_id=alert.id,
            scan_id=scan_id,
            change_number=1,
            source="drone",
            before_date=dt.date(2026, 5, 1),
            after_date=dt.date(2026, 11, 20),
            kind="construction",
            score=0.9,
            area_m2=1600.0,
            created_at=NOW,
            **bounds_of(outline),
        ),
    )
    session.flush()
    return alert.id


def api_client(context: Context, app: FastAPI, login: str) -> TestClient:
    """Return a client with an API key of the user."""
    with context.database.write() as session:
        user = user_by_login(session, login)
        assert user is not None
        key = add_key(session, user, "test", NOW, days=None, scopes=allowed_scopes(user.administrator))
    headers = {"authorization": f"Bearer {key}", "accept-language": "en"}
    return TestClient(app, base_url=HOST, headers=headers, follow_redirects=False, raise_server_exceptions=False)


def _scene(context: Context, session: Session, village: str, day: dt.date) -> int:
    side = 2 * SIDE_M
    pixels = np.random.default_rng(day.toordinal()).integers(40, 200, (side, side, 3), np.uint8)
    key = f"scenes/{village}-{day}.tif"
    west, north = ORIGIN[0] + EAST[village], ORIGIN[1] + SIDE_M
    cog = cog_of(pixels, west, north, day)
    context.objects.put(key, cog)
    outline = ground(EAST[village], 0, EAST[village] + SIDE_M, SIDE_M)
    values = {
        "area_code": CODES[village],
        "object_key": key,
        "object_sha256": hashlib.sha256(cog).hexdigest(),
        "width": side,
        "height": side,
        "transform": [0.5, 0.0, west, 0.0, -0.5, north],
        "moment": f"{day}T10:20:30" if village == "b" else "",
    }
    return add_scene(session, day, outline, **values).id


def _scan(context: Context, session: Session, created: Villages, village: str) -> int:
    before, after = (session.get_one(SceneRow, ids[village]) for ids in (created.before, created.after))
    scan: Scan = add_scan(session, before, after, state="done", night_id=1, changes=1, finished_at=NOW)
    session.add(
        UncomparedGround(
            night_id=1,
            scene_id=after.id,
            area_code=CODES[village],
            area_m2=500.0,
            reason="no earlier image",
            **bounds_of(after.outline),
        )
    )
    for which in ("before", "after"):
        context.objects.put(f"scans/{scan.id}/{which}.jpg", b"\xff\xd8 a picture")
    return scan.id


@pytest.fixture
def villages(service: Context) -> Villages:
    """Both villages with their data."""
    return create_villages(service)


@pytest.fixture
def county(service: Context, villages: Villages) -> TestClient:
    """An API client of the county's user."""
    return api_client(service, make_app(service), "county")
