"""Every route: strangers get nothing, and a person of village A reads or changes nothing of village B.

A route with something in its path that is not in :data:`TABLE` fails a test: whoever adds one says here what of village
B is asked for by it. The person of village A has the role of a county and is an administrator, so that nothing but the
administrative code stands between them and village B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient

from service.context import Context
from store.access.users import add_token, add_user, user_by_login
from store.schema.tables import Base
from tests.web.cameras.camera_service import watch
from tests.web.conftest import NOW, ORIGIN, Browser, SignIn
from tests.web.two_villages import CODES, NUMBERS, program, settle
from tests.web.uploads.upload_service import TUS, metadata
from web.app import make_app

OPEN = {
    "/",
    "/sign-in",
    "/welcome/{secret}",
    "/language/{language}",
    "/static",
    "/packages/{name}",
    "/openid/begin",
    "/openid/back",
    "/health/live",
    "/health/ready",
}
"""Routes for strangers."""

NOT_COMPARED = {"actions", "web_sessions", "counters"}
"""Tables of what people did, of who is signed in, and of rows that are locked: they hold nothing of a village."""


@dataclass(frozen=True)
class Ask:
    """How something of village B is asked for.

    Attributes:
        json, form, headers, content, query: sent along.
        shared: it is nobody's: an answer is fine, if nothing of village B is in it.
    """

    json: Any = None
    form: dict[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    query: str = ""
    shared: bool = False


_BYTES = TUS | {"content-type": "application/offset+octet-stream", "upload-offset": "0"}
_CAMERA = {"name": "mine", "kind": "mjpeg", "address": "http://10.0.0.2/x", "times": "09:00"}
_WORLD = "bbox=100,20,130,50&zoom=18"

TABLE: dict[tuple[str, str], Ask] = {
    ("GET", "/alerts/{number}"): Ask(),
    ("GET", "/alerts/{number}/data"): Ask(),
    ("POST", "/alerts/{number}/lock"): Ask(),
    ("DELETE", "/alerts/{number}/lock"): Ask(),
    ("POST", "/alerts/{number}/judge"): Ask(json={"verdict": "true"}),
    ("POST", "/alerts/{number}/move"): Ask(json={"to": "triaged"}),
    ("POST", "/alerts/{number}/undo"): Ask(),
    ("POST", "/alerts/{number}/assign"): Ask(json={"login": "strong_a"}),
    ("POST", "/alerts/{number}/type"): Ask(json={"kind": "ground", "change_type": ""}),
    ("POST", "/alerts/{number}/split"): Ask(json={}),
    ("GET", "/alerts/{number}/sheet.pdf"): Ask(),
    ("GET", "/alerts/{number}/bundle.zip"): Ask(),
    ("GET", "/alerts/{number}/evidence/{name}"): Ask(),
    ("GET", "/api/alerts/{number}"): Ask(),
    ("GET", "/api/alerts/{number}/transitions"): Ask(),
    ("POST", "/api/alerts/{number}/transitions"): Ask(json={"to": "triaged"}),
    ("GET", "/api/ogc/collections/alerts/items/{number}"): Ask(),
    ("GET", "/api/stac/collections/scenes/items/{scene_id}"): Ask(),
    ("GET", "/api/scenes/{scene_id}"): Ask(),
    ("GET", "/api/scenes/{scene_id}/image.tif"): Ask(),
    ("GET", "/scenes/{scene_id}/preview"): Ask(),
    ("GET", "/tiles/scenes/{scene_id}/{z}/{x}/{y}"): Ask(),
    ("GET", "/tiles/alerts/{number}/{which}/{z}/{x}/{y}"): Ask(),
    ("GET", "/api/batches/{batch_id}"): Ask(),
    ("GET", "/api/batches/{batch_id}/footprints"): Ask(),
    ("GET", "/api/batches/{batch_id}/photos"): Ask(),
    ("POST", "/api/batches/{batch_id}/complete"): Ask(query="leave_out=true"),
    ("GET", "/batches/{batch_id}"): Ask(),
    ("GET", "/batches/{batch_id}/files"): Ask(),
    ("HEAD", "/api/uploads/{upload_id}"): Ask(headers=TUS),
    ("PATCH", "/api/uploads/{upload_id}"): Ask(headers=_BYTES, content=b"evil"),
    ("DELETE", "/api/uploads/{upload_id}"): Ask(headers=TUS),
    ("POST", "/people/{person_id}/link"): Ask(),
    ("POST", "/people/{person_id}/active"): Ask(form={"active": "false"}),
    ("POST", "/account/keys/{key_id}/revoke"): Ask(),
    ("GET", "/api/cameras/{camera_id}"): Ask(),
    ("POST", "/api/cameras/{camera_id}/views/{preset_id}/calibration"): Ask(json={"points": [], "save": True}),
    ("GET", "/cameras/{camera_id}"): Ask(),
    ("POST", "/cameras/{camera_id}"): Ask(form=_CAMERA | {"area_code": CODES["a"]}),
    ("POST", "/cameras/{camera_id}/test"): Ask(form=_CAMERA),
    ("POST", "/cameras/{camera_id}/active"): Ask(form={"active": "false"}),
    ("POST", "/cameras/{camera_id}/remove"): Ask(),
    ("POST", "/cameras/{camera_id}/views"): Ask(form={"capture": "1", "name": "mine"}),
    ("GET", "/alerts/{number}/frames/{capture_id}"): Ask(),
    ("GET", "/cameras/{camera_id}/captures/{capture_id}/frame"): Ask(),
    ("GET", "/cameras/{camera_id}/views/{preset_id}"): Ask(),
    ("GET", "/cameras/{camera_id}/views/{preset_id}/frame"): Ask(),
    ("GET", "/nights/{day}"): Ask(shared=True),
    ("GET", "/map/layers/{layer_id}"): Ask(query=_WORLD, shared=True),
}
"""Method and path of every route with something in its path → how it is asked for."""

NAMED: dict[tuple[str, str], Ask] = {
    ("GET", "/map/areas"): Ask(query=_WORLD),
    ("GET", "/map/scenes"): Ask(query=_WORLD),
    ("GET", "/map/scans"): Ask(query=_WORLD),
    ("GET", "/map/alerts"): Ask(query=_WORLD),
    ("GET", "/map/goto"): Ask(query=f"text={NUMBERS['b']}"),
    ("GET", "/alerts"): Ask(query=f"place={CODES['b']}"),
    ("GET", "/api/alerts/export"): Ask(query="format=geojson"),
    ("POST", "/alerts/reject"): Ask(json={"numbers": [NUMBERS["b"]], "reason": "shadow"}),
    ("POST", "/api/batches"): Ask(json={"area": CODES["b"], "name": "mine now"}),
    ("POST", "/cameras"): Ask(form=_CAMERA | {"area_code": CODES["b"]}),
    ("POST", "/people"): Ask(form={"login": "spy", "role": "village", "name": "x", "code": CODES["b"]}),
}
"""Routes without anything in their path, where village B can be named otherwise."""


def every_route(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of all routes, those of included routers too."""

    def walk(routes: Any) -> Iterator[tuple[str, str]]:
        for route in routes:
            included = getattr(route, "original_router", None)
            if included is not None:
                yield from walk(included.routes)
            elif getattr(route, "methods", None):
                yield from ((method, route.path) for method in sorted(route.methods - {"HEAD"} or route.methods))
            else:
                yield "GET", route.path

    yield from walk(app.routes)


@dataclass
class World:
    """The service with both villages, and what village B's things are called.

    Attributes:
        named: name of a part of a path → its value for village B.
    """

    service: Context
    app: FastAPI
    strong_a: TestClient
    named: dict[str, str]

    def path(self, path: str, query: str = "") -> str:
        """The path with village B's things in it."""
        filled = re.sub(r"\{(\w+)(:\w+)?\}", lambda part: self.named[part[1]], path)
        return filled + (f"?{query}" if query else "")

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is kept."""
        kept = {}
        with self.service.database.read() as session:
            for table in Base.metadata.sorted_tables:
                if table.name not in NOT_COMPARED:
                    columns = [column for column in table.columns if column.name not in ("used_at", "signed_in_at")]
                    found = session.execute(select(*columns).order_by(*table.primary_key.columns))
                    kept[table.name] = [tuple(map(str, row)) for row in found]
        return kept

    def ask(self, method: str, path: str, ask: Ask) -> Any:
        """Ask as the person of village A."""
        sent = {"json": ask.json, "data": ask.form, "content": ask.content}
        given: dict[str, Any] = {name: value for name, value in sent.items() if value is not None}
        return self.strong_a.request(method, self.path(path, ask.query), headers=ask.headers, **given)


@pytest.fixture
def world(service: Context, sign_in: SignIn) -> World:
    villages = settle(service)
    with service.database.write() as session:
        strong = add_user(
            session, login="strong_a", name="A", role="village", code=CODES["a"], administrator=True, now=NOW
        )
        strong.role = "county"  # which nobody of a village has: what they may do then is decided by the code alone
        other = user_by_login(session, "village_b")
        assert other is not None
        add_token(session, other.id, "theirs", NOW, None)
    of_b = sign_in("village_b")
    batch = of_b.post("/api/batches", json={"area": CODES["b"], "name": "flight b, receiving"}).json()["id"]
    announced = TUS | {"upload-length": "4"} | metadata(batch=batch, filename="b.tif")
    upload = of_b.post("/api/uploads", headers=announced).headers["location"].rpartition("/")[2]
    watch(service, CODES["b"], scene_id=villages.after["b"])
    named = {
        "camera_id": "1",
        "preset_id": "1",
        "capture_id": "1",
        "number": NUMBERS["b"],
        "scene_id": str(villages.after["b"]),
        "batch_id": str(batch),
        "upload_id": upload,
        "person_id": str(other.id),
        "key_id": "1",
        "layer_id": "1",
        "day": "2026-11-23",
        "which": "before",
        "name": "before",
        "z": "0",
        "x": "0",
        "y": "0",
        "secret": "x",
        "language": "zh",
    }
    app = make_app(service)
    return World(service, app, program(service, app, "strong_a"), named)


def test_strangers_get_nothing_but_what_is_open(world: World, stranger: Browser) -> None:
    said = {}
    for method, path in every_route(world.app):
        if path in OPEN:
            continue
        asked = TABLE.get((method, path)) or NAMED.get((method, path)) or Ask(headers=TUS)
        for accept in ("text/html", "application/json"):
            headers = {"origin": ORIGIN, "accept": accept} | asked.headers
            answer = stranger.request(method, world.path(path, asked.query), headers=headers)
            led = answer.headers.get("location", "").startswith("/sign-in?next=")
            if not (answer.status_code == 401 or (answer.status_code == 303 and led and accept == "text/html")):
                said[f"{method} {path} {accept}"] = answer.status_code
    assert said == {}


def test_what_is_open_to_strangers_is_there(world: World) -> None:
    assert {path for _, path in every_route(world.app)} >= OPEN


def test_every_route_with_something_in_its_path_is_in_the_table(world: World) -> None:
    routes = {(method, path) for method, path in every_route(world.app) if "{" in path and path not in OPEN}
    assert routes - TABLE.keys() == set(), "say in TABLE how something of village B is asked for by these"
    assert TABLE.keys() - routes == set(), "these routes are gone"


def test_what_is_named_in_a_path_of_village_b_is_not_there_for_village_a(world: World) -> None:
    before, wrong = world.rows(), {}
    for (method, path), ask in TABLE.items():
        answer = world.ask(method, path, ask)
        if not (answer.status_code == 404 or (ask.shared and answer.status_code == 200)):
            wrong[f"{method} {path}"] = answer.status_code
        if told := [secret for secret in (CODES["b"], "flight b") if secret in answer.text]:
            wrong[f"{method} {path} tells"] = told
        if (now := world.rows()) != before:
            wrong[f"{method} {path} changes"] = [name for name in now if now[name] != before[name]]
            before = now
    assert wrong == {}


def test_the_same_requests_are_answered_for_village_b_itself(world: World) -> None:
    of_b = program(world.service, world.app, "village_b")
    reads = [path for method, path in TABLE if method == "GET" and "{layer_id}" not in path]
    said = {path: of_b.get(world.path(path)).status_code for path in reads}
    assert {path: status for path, status in said.items() if status != 200} == {}


def test_village_b_cannot_be_named_otherwise_either(world: World) -> None:
    before, wrong = world.rows(), {}
    for (method, path), ask in NAMED.items():
        answer = world.ask(method, path, ask)
        if answer.status_code not in (200, 403, 404, 409, 422):
            wrong[f"{method} {path}"] = answer.status_code
        if (now := world.rows()) != before:
            wrong[f"{method} {path} changes"] = [name for name in now if now[name] != before[name]]
            before = now
    assert wrong == {}


def test_no_list_tells_of_village_b(world: World) -> None:
    wrong = {}
    for method, path in every_route(world.app):
        if method == "GET" and "{" not in path and path not in OPEN:
            told_again = path in ("/alerts", "/map/goto")  # what was asked
            answer = world.ask(method, path, Ask() if told_again else NAMED.get((method, path), Ask()))
            secrets = (NUMBERS["b"], CODES["b"], "flight b", "village_b")
            if answer.status_code >= 500 or any(secret in answer.text for secret in secrets):
                wrong[path] = answer.status_code, [secret for secret in secrets if secret in answer.text]
    assert wrong == {}
