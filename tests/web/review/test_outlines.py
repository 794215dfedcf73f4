"""Missed changes are drawn and outlines corrected; the detected outline stays, and the training export gets both."""

from __future__ import annotations

import datetime as dt
import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import mapping
from sqlalchemy import select

from enforcement.evidence.bundle_check import verify_bundle
from service.context import Context
from store.access.rights import Viewer
from store.alerts.derived_alert import refresh_alerts
from store.review.reviewed_scans import reviewed_scans
from store.schema.tables import AlertRow, Counter, Observation
from tests.store.sample_rows import ground
from tests.web.conftest import NOW, SignIn
from tests.web.two_villages import NUMBERS, create_villages

A = NUMBERS["a"]
EVERYTHING = Viewer("admin", "admin", "city", "", True, 1)


def _alert(service: Context, number: str = A) -> AlertRow:
    with service.database.read() as session:
        return session.scalars(select(AlertRow).where(AlertRow.number == number)).one()


def _body(outline: Any, why: str = "阴影误入范围", **more: Any) -> dict[str, Any]:
    return {"outline": mapping(outline), "why": why} | more


def test_a_corrected_outline_changes_area_and_stays_when_the_alert_is_derived_again(
    sign_in: SignIn, service: Context
) -> None:
    create_villages(service)
    county = sign_in("county")
    half = ground(60, 60, 80, 100)
    done = county.post(f"/alerts/{A}/outline", json=_body(half))
    assert done.status_code == 200, done.text
    assert done.json()["changes"][0] == "面积 2.40 → 1.20 亩"
    alert = _alert(service)
    assert shapely.equals_exact(alert.outline, half, 1e-9)
    with service.database.write() as session:
        row = session.get_one(AlertRow, alert.id)
        refresh_alerts(session, [row], service.settings.alerts, NOW)
        assert abs(row.area_m2 - 800) < 2
        detected = session.scalars(select(Observation.outline).where(Observation.alert_id == alert.id)).one()
        assert shapely.equals_exact(detected, ground(60, 60, 100, 100), 1e-9)
    [edit] = county.get(f"/alerts/{A}/outlines").json()["edits"]
    assert (edit["who"], edit["why"], edit["before_mu"], edit["mu"]) == ("county", "阴影误入范围", "2.40", "1.20")
    assert county.post(f"/alerts/{A}/outline", json={"outline": None, "why": "重新核对影像"}).status_code == 200
    assert abs(_alert(service).area_m2 - 1600) < 5


def test_what_cannot_be_an_outline_or_lies_elsewhere_is_refused_with_a_reason(
    sign_in: SignIn, service: Context
) -> None:
    create_villages(service)
    county, village, town = sign_in("county"), sign_in("village_a"), sign_in("town")
    address = f"/alerts/{A}/outline"
    here = ground(60, 60, 90, 100)
    assert village.post(address, json=_body(here)).status_code == 409  # their role draws nothing
    assert sign_in("village_b").post(address, json=_body(here)).status_code == 404
    assert county.post(address, json=_body(here, why="不知道")).status_code == 422
    crossing = shapely.Polygon([(114, 30), (114.001, 30.001), (114.001, 30), (114, 30.001)])
    assert county.post(address, json=_body(crossing)).status_code == 422
    assert county.post(address, json=_body(ground(400, 400, 440, 440))).status_code == 422
    assert (
        county.post(address, json={"outline": {"type": "Polygon", "coordinates": [1]}, "why": "改"}).status_code == 422
    )
    assert town.post("/api/drawn-alerts", json=_body(ground(3500, 0, 3540, 40), kind="ground")).status_code == 422
    assert _alert(service).area_m2 == 1600


def test_a_drawn_alert_is_what_the_scan_missed(sign_in: SignIn, service: Context) -> None:
    created = create_villages(service)
    with service.database.write() as session:
        session.add(
            Counter(name="alert:330199:drone:202611", value=100)
        )  # the villages' alerts have numbers of their own
    outline = ground(140, 140, 170, 180)
    done = sign_in("county").post("/api/drawn-alerts", json=_body(outline, why="房屋未检出", kind="construction"))
    assert done.status_code == 201, done.text
    number = done.json()["number"]
    assert done.json()["created"]
    alert = _alert(service, number)
    assert (alert.grid_code, alert.there_on, alert.not_yet_on) == (
        "330199101001", dt.date(2026, 11, 20), dt.date(2026, 5, 1)
    )  # fmt: skip
    data = sign_in("village_a").get(f"/alerts/{number}/data").json()
    assert (data["images"]["before"]["date"], data["images"]["after"]["date"]) == ("2026-05-01", "2026-11-20")
    assert sign_in("village_b").get(f"/alerts/{number}/data").status_code == 404
    with service.database.read() as session:
        scans, _ = reviewed_scans(session, EVERYTHING)
    [missed] = [
        one for scan in scans if scan.scan.id == created.scan["a"] for one in scan.alerts if one.origin == "drawn"
    ]
    assert (missed.alert, missed.confirmed) == (number, True)


def test_the_sheet_of_a_drawn_alert_has_the_images_of_its_place_and_who_changed_the_outline(
    sign_in: SignIn, service: Context, tmp_path: Path
) -> None:
    create_villages(service)
    with service.database.write() as session:
        session.add(Counter(name="alert:330199:drone:202611", value=100))
    county = sign_in("county")
    drawn = county.post("/api/drawn-alerts", json=_body(ground(140, 140, 170, 180), kind="ground", why="漏检新建道路"))
    number = drawn.json()["number"]
    smaller = ground(140, 140, 170, 160)
    assert county.post(f"/alerts/{number}/outline", json=_body(smaller, why="只有南半部")).status_code == 200
    content = county.get(f"/alerts/{number}/bundle.zip").content
    (tmp_path / "bundle.zip").write_bytes(content)
    assert verify_bundle(tmp_path / "bundle.zip").good, drawn.text
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {"before.png", "after.png"} <= set(archive.namelist())
        listed = json.loads(archive.read("outlines.json"))["outlines"]
        (tmp_path / "sheet.pdf").write_bytes(archive.read("sheet_en.pdf"))
    assert [(one["action"], one["who"], one["why"]) for one in listed] == [
        ("drawn", "county", "漏检新建道路"),
        ("corrected", "county", "只有南半部"),
    ]
    assert listed[1]["area_m2"] < listed[1]["area_m2_before"]
    read = subprocess.run(["pdftotext", tmp_path / "sheet.pdf", "-"], capture_output=True, text=True, check=True).stdout
    assert "Changes of the outline by people" in read
    assert "只有南半部" in read
    assert "2026-11-20" in read  # the later image
