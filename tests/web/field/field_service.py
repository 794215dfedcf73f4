"""A village with alerts to check, photos of a phone, and the steps that a phone sends."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import uuid
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagery.files.evidence_content import check_content
from service.context import Context
from service.evidence import intake
from store.alerts.transitions import append_transition
from store.chain_settings import change_chain_setting
from store.schema.tables import AlertRow
from tests.store.sample_rows import ground
from tests.web.people import NOW
from tests.web.two_villages import Villages, add_alert, create_villages

TUS_BYTES = {"tus-resumable": "1.0.0", "content-type": "application/offset+octet-stream"}
FINDINGS = {
    "finding": "suspected",
    "works": "partly_built",
    "use": "factory",
    "party": "张三",
    "area_mu": 2.4,
    "cultivated_mu": 1.1,
}


def for_browsers(context: Context) -> Context:
    """Return the service for browsers in tests: with their clock, and cookies that also travel over http."""
    web = context.settings.web.model_copy(update={"secure_cookies": False})
    settings = context.settings.model_copy(update={"web": web})
    return replace(context, settings=settings, clock=lambda: dt.datetime.now(dt.UTC))


def check_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check photos without a process of their own, which takes a second for each."""
    monkeypatch.setattr(intake, "run_sandboxed", lambda function, task, limits, workdir: check_content(task))


def numbers(count: int) -> list[str]:
    """Return the numbers of the first alerts of village A."""
    return [f"330199U20261101{index:02d}" for index in range(count)]


def create_alerts(context: Context, count: int, state: str = "dispatched") -> Villages:
    """Add alerts to village A beside the ordinary ones, dispatched and if asked accepted by ``village_a``."""
    villages = create_villages(context)
    with context.database.write() as session:
        for key, value in (("field.zoom_most", 16), ("field.map_radius_m", 50)):  # few tiles: rendering them takes time
            change_chain_setting(session, key, value, who="admin", now=NOW)
        for index, number in enumerate(numbers(count)):
            alert = session.get_one(AlertRow, add_alert(session, number, "a", villages.scan["a"], east=60 + index % 5))
            for to, who, role in (
                ("triaged", "county", "county"),
                ("published", "county", "county"),
                ("dispatched", "county", "county"),
                ("accepted", "village_a", "village"),
            ):
                append_transition(session, alert, to, who=who, role=role, why="", at=NOW)
                if to == state:
                    break
    return villages


def photo(seed: int, side: int = 160, orientation: int = 0, place: tuple[float, float] | None = None) -> bytes:
    """Return a JPEG of noise, no two alike; ``place`` (lon, lat) goes into its EXIF."""
    pixels = np.random.default_rng(seed).integers(0, 255, (side // 4, side // 4, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    if place is not None:
        lon, lat = place
        exif.get_ifd(0x8825).update({1: "N", 2: _dms(lat), 3: "E", 4: _dms(lon)})
    out = io.BytesIO()
    Image.fromarray(pixels[:, : side * 3 // 4]).save(out, "JPEG", quality=90, exif=exif)
    return out.getvalue()


def _dms(degrees: float) -> tuple[float, float, float]:
    return float(int(degrees)), float(int(degrees * 60 % 60)), degrees * 3600 % 60


def place_of_alert() -> tuple[float, float]:
    """Return longitude and latitude inside the alerts of village A."""
    place = ground(80, 80, 81, 81).centroid
    return place.x, place.y


def record(shot: str = "far", **changes: Any) -> dict[str, Any]:
    """Return the record of a photo taken at an alert of village A."""
    lon, lat = place_of_alert()
    return {
        "shot": shot,
        "source": "camera",
        "lon": lon,
        "lat": lat,
        "accuracy_m": 6.0,
        "fix_age_s": 1.0,
        "heading_deg": 91.0,
        "heading_source": "deviceorientationabsolute",
        "heading_north": "magnetic",
        "device_time": NOW.isoformat(),
        "gps_time": NOW.isoformat(),
    } | changes


def new_id() -> str:
    """Return an id as a phone makes it."""
    return str(uuid.uuid4())


def photo_step(content: bytes, shot: str = "far", **changes: Any) -> dict[str, Any]:
    """Return the announcement of a photo."""
    described = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "name": "IMG.jpg"}
    return {"uid": new_id(), "kind": "photo", "content": described | {"record": record(shot, **changes)}}


def step(kind: str, after: list[dict[str, Any]], **content: Any) -> dict[str, Any]:
    """Return a step that comes after others."""
    return {"uid": new_id(), "kind": kind, "after": [one["uid"] for one in after], "content": content}


def english(browser: Any) -> Any:
    """Choose English in a browser."""
    browser.cookies.set("tuban_language", "en")
    return browser


class Phone:
    """A phone that sends checks by the API, in any order."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser
        self.check = new_id()

    def send(self, number: str, *steps: dict[str, Any], device_time: str = "", check: str = "") -> dict[str, Any]:
        """Announce steps; returns the answers by id."""
        body = {
            "uid": check or self.check,
            "alert": number,
            "device_time": device_time or NOW.isoformat(),
            "steps": list(steps),
        }
        response = self.browser.post("/api/field/checks", json=body)
        assert response.status_code == 200, response.text
        return {answer["uid"]: answer for answer in response.json()["steps"]}

    def upload(self, uid: str, content: bytes, offset: int = 0) -> int:
        """Send bytes of a photo; returns the status."""
        headers = TUS_BYTES | {"upload-offset": str(offset)}
        status: int = self.browser.patch(f"/api/uploads/field/{uid}", content=content, headers=headers).status_code
        return status

    def take(self, number: str) -> Any:
        """Take an alert along."""
        return self.browser.post(f"/api/field/alerts/{number}/take")
