"""Patrol records by page and API: tracks, statistics, and the alerts of what was found."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from service.context import Context
from store.schema.tables import AlertRow
from tests.enforcement.patrols.test_track import gpx
from tests.store.sample_rows import ground
from tests.web.conftest import SignIn
from tests.web.two_villages import CODES, EAST, NUMBERS, Villages, api_client
from web.app import make_app

FOUND = {"found": True, "findings": [{"project": "厂房", "party": "某公司", "area_mu": "2.4"}]}


def patrol(**given: Any) -> dict[str, Any]:
    return {"day": "2026-11-24", "people": "甲、乙", "region": "一至三组"} | given


@pytest.fixture
def village(service: Context, villages: Villages) -> TestClient:
    return api_client(service, make_app(service), "village_a")


def test_a_record_with_a_track_and_its_gaps(village: TestClient, sign_in: SignIn) -> None:
    track = gpx([(0, 0), (1, 1), (5, 21), (6, 22)])
    added = village.post("/api/patrols", json=patrol(gpx=track.decode()))
    assert added.status_code == 201
    record = added.json()
    assert (record["number"], record["area"], record["found"]) == ("330199XC202600001", CODES["a"], False)
    assert (record["track_source"], round(record["length_m"]), len(record["gaps"])) == ("gpx", 222, 1)
    browser = sign_in("village_a")
    assert browser.get(f"/patrols/{record['id']}/track.gpx").content == track
    page = browser.get(f"/patrols/{record['id']}").text
    assert "中断 20 分钟，两端直线距离 443 米" in page
    assert sign_in("town").get(f"/patrols/{record['id']}").status_code == 200


def test_bad_records_say_what_is_expected_and_take_no_number(village: TestClient) -> None:
    bomb = gpx([(0, 0), (1, 1)], head='<!DOCTYPE gpx [<!ENTITY a "b">]>').decode()
    for given, words in (
        ({"gpx": bomb}, "document type or entities"),
        ({"day": "2026-11-25"}, "at most today"),
        ({"people": " "}, "who was on patrol"),
        ({"found": True}, "describes no place"),
        (FOUND | {"findings": [{"area_mu": "two"}]}, "expected a number of mu"),
        ({"found": False, "findings": FOUND["findings"]}, "describes no place"),
        ({"area": CODES["b"]}, "not yours"),
        ({"area": "x"}, "administrative code"),
    ):
        refused = village.post("/api/patrols", json=patrol(**given))
        assert (refused.status_code, words in refused.text) == (422, True), refused.text
    assert village.post("/api/patrols", json=patrol()).json()["number"].endswith("00001")


def test_a_record_that_is_sent_twice_is_there_once(village: TestClient) -> None:
    first, second = (village.post("/api/patrols", json=patrol(client_id="phone-0001")).json() for _ in range(2))
    assert first["id"] == second["id"]


def test_statistics_count_patrols_that_found_nothing(village: TestClient, service: Context, villages: Villages) -> None:
    line = [[120.0, 30.0], [120.0, 30.01]]
    for given in ({}, {"line": line}, {"day": "2026-11-23"}, {"day": "2026-11-15"}, FOUND):
        assert village.post("/api/patrols", json=patrol(**given)).status_code == 201
    days = {"first": "2026-11-01", "last": "2026-11-30"}
    weeks = village.get("/api/patrols/statistics", params=days).json()["weeks"]
    counted = [(week["week"], week["patrols"], week["nothing_found"], week["findings"], week["days"]) for week in weeks]
    assert counted == [("2026-W46", 1, 1, 0, 1), ("2026-W48", 4, 3, 1, 2)]
    assert weeks[1]["length_m"] == pytest.approx(1109, abs=2)
    other = api_client(service, make_app(service), "village_b")
    assert other.get("/api/patrols/statistics", params=days).json()["weeks"] == []
    years = {"first": "2020-01-01", "last": "2026-01-01"}
    assert village.get("/api/patrols/statistics", params=years).status_code == 400


def test_what_a_patrol_found_becomes_an_alert_with_its_letter_or_joins_the_known_one(
    service: Context, village: TestClient, sign_in: SignIn
) -> None:
    browser = sign_in("village_a")
    record = browser.post("/patrols", json=patrol(**FOUND)).json()["id"]
    new = ground(EAST["a"] + 200, 200, EAST["a"] + 240, 240)
    address = f"/patrols/{record}/findings/1/alert"
    outside = ground(EAST["b"] + 200, 200, EAST["b"] + 240, 240)
    assert browser.post(address, json={"corners": list(outside.exterior.coords)[:-1]}).status_code == 422
    made = browser.post(address, json={"corners": list(new.exterior.coords)[:-1]}).json()
    assert made == {"number": "330199P2026110001", "new": True}
    assert browser.post(address, json={"lon": 113.0, "lat": 30.0}).status_code == 409
    second = browser.post("/patrols", json=patrol(**FOUND)).json()["id"]
    known = ground(EAST["a"] + 60, 60, EAST["a"] + 100, 100).centroid
    joined = browser.post(
        f"/patrols/{second}/findings/1/alert", json={"lon": known.x, "lat": known.y, "radius_m": 20}
    ).json()
    assert joined == {"number": NUMBERS["a"], "new": False}
    with service.database.read() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == NUMBERS["a"])).one()
        assert {part["source"] for part in alert.confidence_parts} == {"drone", "patrol"}
        assert alert.area_m2 == pytest.approx(1600, rel=0.01)  # as the drone measured it
    assert NUMBERS["a"] in browser.get(f"/patrols/{second}").text
