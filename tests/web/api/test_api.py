"""API: alerts, transitions, scenes, areas, scans, nights, the OpenAPI document and health checks."""

from __future__ import annotations

import base64

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.testclient import TestClient

from configs.version import program_version
from service.context import Context
from store.alerts.audit import audit_alerts
from tests.web.conftest import Browser, SignIn
from tests.web.two_villages import CODES, NUMBERS, Villages, add_alert, api_client
from web.app import make_app
from web.protocol.methods import flatten


@pytest.fixture
def app(service: Context) -> FastAPI:
    return make_app(service)


@pytest.fixture
def county(service: Context, app: FastAPI, villages: Villages) -> TestClient:
    return api_client(service, app, "county")


@pytest.fixture
def village_a(service: Context, app: FastAPI, villages: Villages) -> TestClient:
    return api_client(service, app, "village_a")


def test_unauthenticated_requests_get_401_with_the_scheme(anonymous: Browser) -> None:
    for path in ("/api/alerts", "/api/openapi.json", "/api/ogc", "/api/stac", "/api/alerts/export?format=shp"):
        response = anonymous.get(path)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json()["status"] == 401
    assert anonymous.get("/api/alerts", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert anonymous.get("/api/alerts", headers={"authorization": "Basic dGVzdDp0ZXN0"}).status_code == 401


def test_basic_authentication_with_the_key_as_password_can_only_read(anonymous: Browser, village_a: TestClient) -> None:
    key = village_a.headers["authorization"].removeprefix("Bearer ")
    basic = {"authorization": "Basic " + base64.b64encode(f"anyone:{key}".encode()).decode()}
    address = "/api/ogc/collections/alerts/items"
    assert anonymous.get(address, headers=basic).json()["features"] == village_a.get(address).json()["features"] != []
    assert anonymous.post("/api/batches", json={"area": "330199"}, headers=basic).status_code == 401
    for wrong in ("", "bm8gY29sb24=", "////", "nonsense"):
        assert anonymous.get(address, headers={"authorization": f"Basic {wrong}"}).status_code == 401


def test_paging_returns_each_alert_once(service: Context, county: TestClient, villages: Villages) -> None:
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


def test_the_list_is_limited_by_the_filter_and_the_users_area(county: TestClient, village_a: TestClient) -> None:
    def numbers(client: TestClient, query: str = "") -> list[str]:
        return [alert["number"] for alert in client.get(f"/api/alerts{query}").json()["alerts"]]

    assert numbers(county, f"?place={CODES['b']}&kinds=construction,ground&min_score=0.5") == [NUMBERS["b"]]
    assert numbers(village_a) == [NUMBERS["a"]]
    assert numbers(village_a, f"?place={CODES['b']}") == []


@pytest.mark.parametrize(
    "query", ["min_score=2", "kinds=house", "bbox=1,2", "since=2026-13-01", "limit=0", "limit=x", "after=nowhere"]
)
def test_invalid_parameters_are_rejected_with_their_name(county: TestClient, query: str) -> None:
    response = county.get(f"/api/alerts?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["detail"]


def test_an_alert_is_returned_with_all_properties(county: TestClient) -> None:
    alert = county.get(f"/api/alerts/{NUMBERS['a']}").json()
    assert alert["properties"]["statement"]["zh"] == "疑似变化线索，须经实地核查"
    assert alert["properties"]["village"]["code"] == CODES["a"]
    assert alert["properties"]["later_image"]["date"] == "2026-11-20"
    assert county.get("/api/alerts/330199U2026119999").status_code == 404


def test_a_transition_follows_the_state_table_and_is_logged(service: Context, county: TestClient) -> None:
    where = f"/api/alerts/{NUMBERS['a']}/transitions"
    steps = county.get(where).json()
    assert "triaged" in steps["ways_out"]
    moved = county.post(where, json={"to": "triaged", "why": "有施工迹象", "version": steps["version"]})
    assert moved.json()["properties"]["state"] == "triaged"
    assert county.post(where, json={"to": "triaged", "version": steps["version"]}).status_code == 409, "old version"
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
def test_values_that_cannot_be_stored_are_rejected(county: TestClient, body: bytes) -> None:
    where = f"/api/alerts/{NUMBERS['a']}/transitions"
    response = county.post(where, content=body, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422), response.text
    assert len(county.get(where).json()["transitions"]) == 1


def test_a_browser_needs_the_csrf_token_for_a_transition(villages: Villages, sign_in: SignIn) -> None:
    browser = sign_in("county")
    where = f"/api/alerts/{NUMBERS['a']}/transitions"
    assert browser.post(where, json={"to": "triaged"}, headers={"x-csrf-token": "wrong"}).status_code == 403
    assert browser.post(where, json={"to": "triaged"}).status_code == 200


def test_scenes_have_footprints_and_their_images_support_byte_ranges(village_a: TestClient, villages: Villages) -> None:
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


def test_areas_scans_and_nights_are_limited_to_the_users_area(village_a: TestClient, county: TestClient) -> None:
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


def test_the_openapi_document_describes_the_errors_of_every_route(village_a: TestClient) -> None:
    document = village_a.get("/api/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert {"/api/alerts", "/api/alerts/{number}", "/api/ogc", "/api/stac", "/api/scenes"} <= set(document["paths"])
    ours = ("/api/alerts", "/api/scenes", "/api/ogc", "/api/stac", "/api/areas", "/api/scans", "/api/nights")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith(ours):
                assert {"400", "401"} <= set(operation["responses"]), f"{method} {path}"
                assert ("{" not in path) or "404" in operation["responses"], f"{method} {path}"


def test_health_checks_need_no_authentication_and_reveal_no_details(anonymous: Browser) -> None:
    version = program_version()
    assert anonymous.get("/health/live").json() == {"live": True, "version": version}
    response = anonymous.get("/health/ready")
    expected = {"ready": False, "reasons": 2, "version": version}
    assert (response.status_code, response.json()) == (503, expected), "neither a worker nor the schedule runs"


def test_every_page_shows_the_version(anonymous: Browser, sign_in: SignIn, villages: Villages) -> None:
    for browser, path, name in ((anonymous, "/sign-in", "Tuban"), (sign_in("village_a"), "/batches", "图斑")):
        assert f'<footer class="version">{name} {program_version()}</footer>' in browser.get(path).text


def test_a_misspelt_member_of_a_json_body_is_refused(app: FastAPI) -> None:
    lenient = set()
    for route in flatten(app.routes):
        if isinstance(route, APIRoute) and route.path.startswith("/api/"):
            for parameter in route.dependant.body_params:
                model = parameter.field_info.annotation
                if (
                    isinstance(model, type)
                    and issubclass(model, BaseModel)
                    and model.model_config.get("extra") != "forbid"
                ):
                    lenient.add(model.__name__)
    assert lenient == set()
