"""What programs get: alerts page by page and in full, steps by the table, images, areas, scans, nights."""

from __future__ import annotations

import base64

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from service.context import Context
from store.alerts.audit import audit_alerts
from tests.web.conftest import Browser, SignIn
from tests.web.two_villages import CODES, NUMBERS, Villages, add_alert, program
from web.app import make_app


@pytest.fixture
def app(service: Context) -> FastAPI:
    return make_app(service)


@pytest.fixture
def county(service: Context, app: FastAPI, villages: Villages) -> TestClient:
    return program(service, app, "county")


@pytest.fixture
def village_a(service: Context, app: FastAPI, villages: Villages) -> TestClient:
    return program(service, app, "village_a")


def test_strangers_are_told_how_to_show_who_they_are(stranger: Browser) -> None:
    for path in ("/api/alerts", "/api/openapi.json", "/api/ogc", "/api/stac", "/api/alerts/export?format=shp"):
        answer = stranger.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["status"] == 401
    assert stranger.get("/api/alerts", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert stranger.get("/api/alerts", headers={"authorization": "Basic dGVzdDp0ZXN0"}).status_code == 401


def test_a_gis_program_that_knows_only_basic_reads_with_the_key_as_its_password(
    stranger: Browser, village_a: TestClient
) -> None:
    key = village_a.headers["authorization"].removeprefix("Bearer ")
    basic = {"authorization": "Basic " + base64.b64encode(f"anyone:{key}".encode()).decode()}
    address = "/api/ogc/collections/alerts/items"
    assert stranger.get(address, headers=basic).json()["features"] == village_a.get(address).json()["features"] != []
    assert stranger.post("/api/batches", json={"area": "330199"}, headers=basic).status_code == 401
    for wrong in ("", "bm8gY29sb24=", "////", "nonsense"):
        assert stranger.get(address, headers={"authorization": f"Basic {wrong}"}).status_code == 401


def test_alerts_come_page_by_page_each_once(service: Context, county: TestClient, villages: Villages) -> None:
    with service.database.write() as session:
        for index in range(5):
            add_alert(session, f"330199U20261200{index:02d}", "a", villages.scan["a"], east=index * 20)
    seen: list[str] = []
    address: str | None = "/api/alerts?limit=3&sort=newest"
    while address:
        page = county.get(address).json()
        seen += [alert["number"] for alert in page["alerts"]]
        address = page["next"]
    assert len(seen) == len(set(seen)) == 7


def test_a_list_keeps_to_the_filter_and_to_the_ground(county: TestClient, village_a: TestClient) -> None:
    def numbers(client: TestClient, query: str = "") -> list[str]:
        return [alert["number"] for alert in client.get(f"/api/alerts{query}").json()["alerts"]]

    assert numbers(county, f"?place={CODES['b']}&kinds=construction,ground&min_score=0.5") == [NUMBERS["b"]]
    assert numbers(village_a) == [NUMBERS["a"]]
    assert numbers(village_a, f"?place={CODES['b']}") == []


@pytest.mark.parametrize(
    "query", ["min_score=2", "kinds=house", "bbox=1,2", "since=2026-13-01", "limit=0", "limit=x", "after=nowhere"]
)
def test_what_cannot_be_used_is_refused_with_what_was_expected(county: TestClient, query: str) -> None:
    answer = county.get(f"/api/alerts?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json()["error"]


def test_an_alert_is_told_in_full(county: TestClient) -> None:
    alert = county.get(f"/api/alerts/{NUMBERS['a']}").json()
    assert alert["properties"]["statement"]["zh"] == "疑似变化线索，须经实地核查"
    assert alert["properties"]["village"]["code"] == CODES["a"]
    assert alert["properties"]["later_image"]["date"] == "2026-11-20"
    assert county.get("/api/alerts/330199U2026119999").status_code == 404


def test_a_step_is_taken_by_the_table_and_kept_in_the_log(service: Context, county: TestClient) -> None:
    where = f"/api/alerts/{NUMBERS['a']}/transitions"
    steps = county.get(where).json()
    assert "triaged" in steps["ways_out"]
    moved = county.post(where, json={"to": "triaged", "why": "有施工迹象", "version": steps["version"]})
    assert moved.json()["properties"]["state"] == "triaged"
    assert county.post(where, json={"to": "triaged", "version": steps["version"]}).status_code == 409, "seen is old"
    assert county.post(where, json={"to": "false_change"}).status_code == 409, "no reason was given"
    log = county.get(where).json()["transitions"]
    assert [(step["to_state"], step["who"]) for step in log] == [("new", "system"), ("triaged", "county")]
    assert log[1]["previous_hash"] == log[0]["hash"]
    assert audit_alerts(service.database).intact


@pytest.mark.parametrize(
    "body",
    [
        b'{"to": "triaged", "evidence": {"a": "\\ud800"}}',
        b'{"to": "triaged", "evidence": {"a": "\\u0000"}}',
        b'{"to": "triaged", "evidence": {"a": NaN}}',
        b'{"to": "triaged", "evidence": {"undoes": 1}}',
        b'{"to": "triaged", "why": "\\u0000"}',
        b'{"to": "triaged", "why": "\\ud800"}',
        b'{"to": "triaged", "evidence": {"a": "' + b"x" * 70_000 + b'"}}',
        b'{"to": ["triaged"]}',
        b"{}",
        b"not JSON",
    ],
)
def test_what_cannot_be_kept_is_refused(county: TestClient, body: bytes) -> None:
    where = f"/api/alerts/{NUMBERS['a']}/transitions"
    answer = county.post(where, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert len(county.get(where).json()["transitions"]) == 1


def test_a_browser_needs_its_pages_token_to_take_a_step(villages: Villages, sign_in: SignIn) -> None:
    browser = sign_in("county")
    where = f"/api/alerts/{NUMBERS['a']}/transitions"
    assert browser.post(where, json={"to": "triaged"}, headers={"x-csrf-token": "wrong"}).status_code == 403
    assert browser.post(where, json={"to": "triaged"}).status_code == 200


def test_scenes_have_footprints_and_their_image_comes_in_ranges(village_a: TestClient, villages: Villages) -> None:
    listed = village_a.get("/api/scenes?limit=1").json()
    assert [scene["id"] for scene in listed["scenes"]] == [villages.after["a"]]
    following = village_a.get(listed["next"]).json()
    assert [scene["id"] for scene in following["scenes"]] == [villages.before["a"]]
    assert following["next"] is None
    assert village_a.get("/api/scenes?until=2026-06-01").json()["scenes"][0]["date"] == "2026-05-01"
    scene = village_a.get(f"/api/scenes/{villages.after['a']}").json()
    assert scene["footprint"]["type"] == "Polygon"
    image = village_a.get(f"/api/scenes/{villages.after['a']}/image.tif", headers={"range": "bytes=0-3"})
    assert (image.status_code, image.content[:2]) == (206, b"II")


def test_areas_scans_and_nights_are_those_of_the_ground(village_a: TestClient, county: TestClient) -> None:
    assert [area["code"] for area in village_a.get("/api/areas").json()["areas"]] == [
        "330199",
        "330199101",
        CODES["a"],
    ]
    assert len(village_a.get("/api/scans").json()["scans"]) == 1
    assert len(county.get("/api/scans?state=done&night=1").json()["scans"]) == 2
    assert county.get("/api/scans?state=waiting").json()["scans"] == []
    [night] = village_a.get("/api/nights").json()["nights"]
    assert (night["scans"], night["changes"], night["uncompared_m2"]) == ({"done": 1}, 1, 500.0)
    [night] = county.get("/api/nights").json()["nights"]
    assert (night["scans"], night["changes"]) == ({"done": 2}, 2)


def test_the_document_describes_every_route_with_its_refusals(village_a: TestClient) -> None:
    document = village_a.get("/api/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert {"/api/alerts", "/api/alerts/{number}", "/api/ogc", "/api/stac", "/api/scenes"} <= set(document["paths"])
    ours = ("/api/alerts", "/api/scenes", "/api/ogc", "/api/stac", "/api/areas", "/api/scans", "/api/nights")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith(ours):
                assert {"401", "422"} <= set(operation["responses"]), f"{method} {path}"
                assert ("{" not in path) or "404" in operation["responses"], f"{method} {path}"


def test_health_is_open_and_tells_nothing_else(stranger: Browser) -> None:
    assert stranger.get("/health/live").json() == {"live": True}
    answer = stranger.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "reasons": 1}), "no worker runs"
