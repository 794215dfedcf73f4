"""Authorization of every route: a user of village A can neither read nor change anything of village B.

A test fails for each route with a path parameter that is not in :data:`TABLE`: whoever adds a route adds a request for
an object of village B here. The user of village A has the role of a county and is an administrator, so that only the
administrative code protects village B.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient

from service.context import Context
from store.access import users
from store.access.api_keys import add_key, allowed_scopes
from store.access.users import add_user, user_by_login
from store.areas.layer_options import LayerOptions
from store.areas.layer_versions import add_version
from store.layers.layer_impact import impact_json
from store.schema.database import Session
from store.schema.tables import Area, Base
from tests.web.cameras.camera_service import watch
from tests.web.conftest import NOW, ORIGIN, Browser, SignIn
from tests.web.documents.of_village_b import add_document
from tests.web.exports.ready_export import add_ready_export
from tests.web.field.of_village_b import add_photo
from tests.web.messages.of_village_b import add_messages
from tests.web.reports.of_village_b import add_report_and_decision
from tests.web.sharing.of_village_b import add_sharing
from tests.web.tips.tip_rows import PLACE_B, add_tip_and_patrol
from tests.web.two_villages import CODES, NUMBERS, api_client, create_villages
from tests.web.uploads.upload_service import TUS, metadata
from web.app import make_app
from web.auth.authentication import SHARED_ROUTES
from web.auth.scopes import scope_of

OPEN = {
    "/",
    "/sign-in",
    "/welcome/{secret}",
    "/language/{language}",
    "/static",
    "/packages/{name}",
    "/field",
    "/manifest.webmanifest",
    "/sw.js",
    "/report",
    "/report/files/{ticket}",
    "/report/state",
    "/openid/begin",
    "/openid/back",
    "/robots.txt",
    "/.well-known/security.txt",
    "/health/live",
    "/health/ready",
}
"""Routes without authentication."""

NOT_COMPARED = {"actions", "web_sessions", "counters"}
"""Tables of the audit log, of sessions and of row locks: they contain nothing of a village."""


@dataclass(frozen=True)
class Request:
    """A request for an object of village B.

    Attributes:
        json, form, headers, content, query, files: of the request.
        shared: it belongs to no village: 200 is allowed if the response contains nothing of village B.
    """

    json: Any = None
    form: dict[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    query: str = ""
    files: dict[str, Any] | None = None
    shared: bool = False


_BYTES = TUS | {"content-type": "application/offset+octet-stream", "upload-offset": "0"}
_CAMERA = {"name": "mine", "kind": "mjpeg", "address": "http://10.0.0.2/x", "times": "09:00"}
_WORLD = "bbox=100,20,130,50&zoom=18"

TABLE: dict[tuple[str, str], Request] = {
    ("GET", "/alerts/{number}"): Request(),
    ("GET", "/alerts/{number}/data"): Request(),
    ("GET", "/alerts/{number}/days"): Request(),
    ("GET", "/alerts/{number}/form"): Request(query="to=triaged"),
    ("GET", "/alerts/{number}/images"): Request(),
    ("GET", "/alerts/{number}/images/{scene_id}/picture"): Request(),
    ("GET", "/tiles/alerts/{number}/images/{scene_id}/{z}/{x}/{y}"): Request(),
    ("GET", "/alerts/{number}/outlines"): Request(),
    ("POST", "/alerts/{number}/outline"): Request(json={"outline": None, "why": "look again"}),
    ("GET", "/api/alerts/{number}/files"): Request(),
    ("POST", "/api/alerts/{number}/files"): Request(content=b"x", query="name=a.jpg&field=photos"),
    ("GET", "/api/alerts/{number}/files/{uid}"): Request(),
    ("GET", "/api/alerts/{number}/files/{uid}/shown"): Request(),
    ("DELETE", "/api/alerts/{number}/files/{uid}"): Request(),
    ("GET", "/alerts/{number}/deadline"): Request(),
    ("GET", "/supervision/{supervision_id}"): Request(),
    ("POST", "/supervision/{supervision_id}/progress"): Request(form={"text": "x"}),
    ("POST", "/supervision/{supervision_id}/extension"): Request(form={"text": "x", "day": "2027-02-01"}),
    ("POST", "/supervision/{supervision_id}/decision"): Request(form={"text": "x", "granted": "true"}),
    ("POST", "/supervision/{supervision_id}/result"): Request(form={"text": "x"}),
    ("GET", "/documents/{document_id}"): Request(),
    ("POST", "/documents/{document_id}/fields"): Request(form={"f_party": "evil", "preview": "1"}),
    ("POST", "/documents/{document_id}/steps"): Request(form={"step": "void", "words": "evil"}),
    ("POST", "/documents/{document_id}/alert-step"): Request(form={"to": "triaged"}),
    ("GET", "/documents/{document_id}/pdf-state"): Request(),
    ("GET", "/documents/{document_id}/file.docx"): Request(),
    ("GET", "/documents/{document_id}/file.pdf"): Request(),
    ("POST", "/documents/{document_id}/receipts"): Request(files={"file": ("a.pdf", b"%PDF-1.4")}),
    ("GET", "/documents/{document_id}/receipts/{uid}"): Request(),
    ("GET", "/documents/templates/{kind}/file.docx"): Request(shared=True),
    ("GET", "/documents/templates/{kind}/sample.docx"): Request(shared=True),
    ("POST", "/documents/templates/{kind}/use"): Request(form={"number": "1"}),
    ("GET", "/alerts/{number}/documents"): Request(),
    ("POST", "/api/alerts/{number}/documents"): Request(json={"kind": "stop_notice"}),
    ("GET", "/api/documents/{document_id}"): Request(),
    ("PATCH", "/api/documents/{document_id}"): Request(json={"data": {"party": "evil"}}),
    ("POST", "/api/documents/{document_id}/steps"): Request(json={"step": "void", "words": "evil"}),
    ("GET", "/api/documents/{document_id}/file.{suffix}"): Request(),
    ("POST", "/messages/{sending_id}/again"): Request(),
    ("GET", "/alerts/{number}/sharing"): Request(),
    ("POST", "/alerts/{number}/sharing"): Request(form={"body": "court-b", "reason": "x"}),
    ("POST", "/alerts/{number}/sharing/{share_id}/withdraw"): Request(form={"why": "x"}),
    ("POST", "/alerts/{number}/sharing/stop"): Request(
        form={"place": "x", "address": "x", "since": "2026-11-01", "reason": "x"}
    ),
    ("POST", "/alerts/{number}/sharing/hold"): Request(form={"reason": "x"}),
    ("POST", "/sharing/{key}/members"): Request(form={"login": "judge"}),
    ("POST", "/service-stops/{stop_id}/end"): Request(),
    ("POST", "/blacklist/{entry_id}/remove"): Request(form={"on": "2026-12-01", "why": "x"}),
    ("POST", "/retention/holds/{hold_id}/release"): Request(form={"why": "x"}),
    ("GET", "/api/shared/collections/{collection}"): Request(),
    ("GET", "/api/shared/collections/{collection}/items"): Request(),
    ("GET", "/api/shared/collections/{collection}/items/{number}"): Request(),
    ("POST", "/alerts/{number}/lock"): Request(),
    ("DELETE", "/alerts/{number}/lock"): Request(),
    ("POST", "/alerts/{number}/judge"): Request(json={"verdict": "true"}),
    ("POST", "/alerts/{number}/move"): Request(json={"to": "triaged"}),
    ("POST", "/alerts/{number}/undo"): Request(),
    ("POST", "/alerts/{number}/assign"): Request(json={"login": "strong_a"}),
    ("POST", "/alerts/{number}/type"): Request(json={"kind": "ground", "change_type": ""}),
    ("POST", "/alerts/{number}/merge"): Request(json={"alerts": ["330106U2026110099"]}),
    ("POST", "/alerts/{number}/split"): Request(json={}),
    ("GET", "/alerts/{number}/checks"): Request(),
    ("POST", "/alerts/{number}/checks/{check_uid}/apply"): Request(json={"why": "evil"}),
    ("GET", "/alerts/{number}/photos/{uid}/shown.jpg"): Request(),
    ("GET", "/alerts/{number}/photos/{uid}/stamped.jpg"): Request(),
    ("GET", "/alerts/{number}/photos/{uid}/black-out"): Request(),
    ("POST", "/alerts/{number}/photos/{uid}/black-out"): Request(json={"boxes": []}),
    ("POST", "/api/field/alerts/{number}/take"): Request(),
    ("HEAD", "/api/uploads/field/{uid}"): Request(headers=TUS),
    ("PATCH", "/api/uploads/field/{uid}"): Request(headers=_BYTES, content=b"evil"),
    ("GET", "/alerts/{number}/sheet.pdf"): Request(),
    ("GET", "/alerts/{number}/bundle.zip"): Request(),
    ("GET", "/alerts/{number}/evidence/{name}"): Request(),
    ("GET", "/api/alerts/{number}"): Request(),
    ("GET", "/api/alerts/{number}/transitions"): Request(),
    ("POST", "/api/alerts/{number}/transitions"): Request(json={"to": "triaged"}),
    ("GET", "/api/ogc/collections/alerts/items/{number}"): Request(),
    ("GET", "/api/stac/collections/scenes/items/{scene_id}"): Request(),
    ("GET", "/api/scenes/{scene_id}"): Request(),
    ("GET", "/api/scenes/{scene_id}/image.tif"): Request(),
    ("GET", "/scenes/{scene_id}/preview"): Request(),
    ("GET", "/images/{scene_id}"): Request(),
    ("GET", "/tiles/scenes/{scene_id}/{z}/{x}/{y}"): Request(),
    ("GET", "/api/tiles/scenes/{scene_id}/tile.json"): Request(),
    ("GET", "/api/tiles/scenes/{scene_id}/{z}/{x}/{y}.{suffix}"): Request(),
    ("GET", "/api/tiles/latest/{day}/tile.json"): Request(shared=True),
    ("GET", "/api/tiles/latest/{day}/{z}/{x}/{y}.{suffix}"): Request(shared=True),
    ("GET", "/tiles/alerts/{number}/{which}/{z}/{x}/{y}"): Request(),
    ("GET", "/api/batches/{batch_id}"): Request(),
    ("GET", "/api/batches/{batch_id}/footprints"): Request(),
    ("GET", "/api/batches/{batch_id}/photos"): Request(),
    ("POST", "/api/batches/{batch_id}/complete"): Request(query="leave_out=true"),
    ("GET", "/batches/{batch_id}"): Request(),
    ("GET", "/batches/{batch_id}/files"): Request(),
    ("HEAD", "/api/uploads/{upload_id}"): Request(headers=TUS),
    ("PATCH", "/api/uploads/{upload_id}"): Request(headers=_BYTES, content=b"evil"),
    ("DELETE", "/api/uploads/{upload_id}"): Request(headers=TUS),
    ("POST", "/people/{person_id}/link"): Request(),
    ("POST", "/people/{person_id}/unlock"): Request(),
    ("POST", "/people/{person_id}/roles"): Request(form={"roles": "village", "code": CODES["a"]}),
    ("POST", "/areas/{area_id}/delete"): Request(),
    ("POST", "/people/{person_id}/active"): Request(form={"active": "false"}),
    ("POST", "/account/keys/{key_id}/revoke"): Request(),
    ("GET", "/api/cameras/{camera_id}"): Request(),
    ("POST", "/api/cameras/{camera_id}/views/{preset_id}/calibration"): Request(json={"points": [], "save": True}),
    ("GET", "/cameras/{camera_id}"): Request(),
    ("POST", "/cameras/{camera_id}"): Request(form=_CAMERA | {"area_code": CODES["a"]}),
    ("POST", "/cameras/{camera_id}/test"): Request(form=_CAMERA),
    ("POST", "/cameras/{camera_id}/active"): Request(form={"active": "false"}),
    ("POST", "/cameras/{camera_id}/remove"): Request(),
    ("POST", "/cameras/{camera_id}/views"): Request(form={"capture": "1", "name": "mine"}),
    ("GET", "/alerts/{number}/frames/{capture_id}"): Request(),
    ("GET", "/cameras/{camera_id}/captures/{capture_id}/frame"): Request(),
    ("GET", "/cameras/{camera_id}/views/{preset_id}"): Request(),
    ("GET", "/cameras/{camera_id}/views/{preset_id}/frame"): Request(),
    ("GET", "/tips/{tip_id}"): Request(),
    ("GET", "/api/tips/{tip_id}"): Request(),
    ("POST", "/api/tips/{tip_id}/steps"): Request(json={"step": "accept", "handling": "direct"}),
    ("POST", "/tips/{tip_id}/steps"): Request(form={"step": "accept", "handling": "direct"}),
    ("POST", "/tips/{tip_id}/handler"): Request(form={"login": "strong_a"}),
    ("POST", "/tips/{tip_id}/informant"): Request(),
    ("POST", "/tips/{tip_id}/alert"): Request(json={"radius_m": 30}),
    ("POST", "/tips/{tip_id}/files"): Request(files={"file": ("a.pdf", b"%PDF-1.4")}),
    ("GET", "/tips/{tip_id}/files/{file_uid}"): Request(),
    ("POST", "/tips/{tip_id}/files/{file_uid}/release"): Request(),
    ("POST", "/tips/{tip_id}/files/{file_uid}/refuse"): Request(),
    ("GET", "/patrols/{patrol_id}"): Request(),
    ("GET", "/reports/{report_id}"): Request(),
    ("GET", "/reports/{report_id}/file"): Request(query="format=xlsx"),
    ("POST", "/reports/{report_id}/fill"): Request(),
    ("POST", "/reports/{report_id}/correct"): Request(form={"row": "alerts/x", "field": "party", "value": "evil"}),
    ("POST", "/reports/{report_id}/prepare"): Request(),
    ("POST", "/reports/{report_id}/approve"): Request(),
    ("POST", "/reports/{report_id}/return"): Request(form={"reason": "evil"}),
    ("POST", "/reports/{report_id}/lock"): Request(),
    ("GET", "/api/reports/{report_id}"): Request(),
    ("GET", "/api/reports/{report_id}/file"): Request(query="format=pdf"),
    ("POST", "/meetings/{decision_id}"): Request(form={"state": "done", "outcome": "evil"}),
    ("GET", "/api/patrols/{patrol_id}"): Request(),
    ("GET", "/patrols/{patrol_id}/track.gpx"): Request(),
    ("POST", "/patrols/{patrol_id}/findings/{sequence}/alert"): Request(json={"lon": 113.8, "lat": 30.9}),
    ("GET", "/nights/{day}"): Request(shared=True),
    ("GET", "/map/layers/{layer_id}"): Request(query=_WORLD, shared=True),
    ("GET", "/layers/versions/{version_id}"): Request(),
    ("GET", "/layers/versions/{version_id}/progress"): Request(),
    ("POST", "/layers/versions/{version_id}/use"): Request(),
    ("POST", "/layers/versions/{version_id}/discard"): Request(),
    ("GET", "/api/ogc/tileMatrixSets/{tile_matrix_set}"): Request(shared=True),
    ("GET", "/api/ogc/map/tiles/{tile_matrix_set}"): Request(shared=True),
    ("GET", "/api/ogc/map/tiles/{tile_matrix_set}/{z}/{y}/{x}"): Request(shared=True),
    ("GET", "/api/ogc/collections/alerts/tiles/{tile_matrix_set}"): Request(shared=True),
    ("GET", "/api/ogc/collections/alerts/tiles/{tile_matrix_set}/{z}/{y}/{x}"): Request(shared=True),
    ("GET", "/api/exports/{export_uid}"): Request(),
    ("GET", "/api/exports/{export_uid}/file"): Request(),
    ("DELETE", "/api/exports/{export_uid}"): Request(),
    ("POST", "/exports/{export_uid}/delete"): Request(),
}
"""Method and path of every route with a path parameter → the request."""

NAMED: dict[tuple[str, str], Request] = {
    ("GET", "/map/areas"): Request(query=_WORLD),
    ("GET", "/map/scenes"): Request(query=_WORLD),
    ("GET", "/map/scans"): Request(query=_WORLD),
    ("PATCH", "/api/scenes"): Request(json={"ids": [3, 4], "source": "satellite"}),
    ("POST", "/api/scenes/withdraw"): Request(json={"ids": [3, 4], "batch": 2, "reason": "x"}),
    ("POST", "/api/scenes/restore"): Request(json={"ids": [3, 4]}),
    ("POST", "/api/scenes/purge"): Request(json={"ids": [3, 4]}),
    ("GET", "/map/alerts"): Request(query=_WORLD),
    ("GET", "/map/goto"): Request(query=f"text={NUMBERS['b']}"),
    ("GET", "/alerts"): Request(query=f"place={CODES['b']}"),
    ("POST", "/api/todo/steps"): Request(json={"numbers": [NUMBERS["b"]], "to": "published", "assignee": "strong_a"}),
    ("POST", "/settings"): Request(form={"key": "steps.judge_first", "value": "false"}),
    ("GET", "/api/alerts/export"): Request(query="format=geojson"),
    ("POST", "/api/field/checks"): Request(
        json={
            "uid": "6a3f0f8e-5d0e-4b43-9a57-0d7a3d1f6c11",
            "alert": NUMBERS["b"],
            "device_time": "2026-11-24T01:00:00Z",
            "steps": [{"uid": "6a3f0f8e-5d0e-4b43-9a57-0d7a3d1f6c12", "kind": "accept"}],
        }
    ),
    ("POST", "/alerts/reject"): Request(json={"numbers": [NUMBERS["b"]], "reason": "shadow"}),
    ("POST", "/api/batches"): Request(json={"area": CODES["b"], "name": "mine now"}),
    ("POST", "/cameras"): Request(form=_CAMERA | {"area_code": CODES["b"]}),
    ("GET", "/places/pair"): Request(query=PLACE_B),
    ("GET", "/places/picture"): Request(query=f"{PLACE_B}&which=before"),
    ("POST", "/places/scan"): Request(form=dict(parse_qsl(PLACE_B))),
    ("GET", "/tips/near"): Request(query=PLACE_B),
    ("POST", "/tips"): Request(form={"channel": "hotline", "summary": "mine now", "area": CODES["b"], "place": "x"}),
    ("POST", "/api/tips"): Request(json={"summary": "mine now", "alert": NUMBERS["b"]}),
    ("POST", "/reports"): Request(form={"kind": "village_week", "area": CODES["b"], "day": "2026-11-24"}),
    ("POST", "/meetings"): Request(
        form={"area": CODES["b"], "meeting_on": "2026-11-24", "who": "evil", "what": "evil", "due_on": ""}
    ),
    ("GET", "/dashboard"): Request(query=f"area={CODES['b']}&period=2026"),
    ("GET", "/dashboard/export"): Request(query=f"area={CODES['b']}&period=2026"),
    ("GET", "/ranking"): Request(query=f"area={CODES['b']}&period=2026"),
    ("GET", "/ranking/export"): Request(query=f"area={CODES['b']}&period=2026"),
    ("GET", "/dashboard/patrols"): Request(query=f"area={CODES['b']}&period=2026"),
    ("GET", "/api/figures/dashboard"): Request(query=f"area={CODES['b']}&period=2026"),
    ("GET", "/api/figures/ranking"): Request(query=f"area={CODES['b']}&period=2026"),
    ("GET", "/dashboard/alerts"): Request(query=f"area={CODES['b']}&period=2026&figure=totals.found"),
    ("GET", "/api/figures/alerts"): Request(query=f"area={CODES['b']}&period=2026&figure=totals.found"),
    ("POST", "/patrols"): Request(json={"area": CODES["b"], "day": "2026-11-24", "people": "me"}),
    ("POST", "/api/patrols"): Request(json={"area": CODES["b"], "day": "2026-11-24", "people": "me"}),
    ("POST", "/supervision"): Request(
        form={"alert": NUMBERS["b"], "duty_unit": "x", "requirements": "x", "due_on": "2026-12-24"}
    ),
    ("GET", "/supervision"): Request(query=f"alert={NUMBERS['a']}"),
    ("POST", "/retention/holds"): Request(form={"kind": "area", "code": CODES["b"], "reason": "x"}),
    ("POST", "/sharing"): Request(form={"key": "court-b", "name": "mine", "kind": "court", "code": CODES["a"]}),
    ("GET", "/sharing"): Request(query="body=court-b"),
    ("GET", "/sharing/reads"): Request(query="body=court-b"),
    ("POST", "/blacklist"): Request(
        form={
            "alert": NUMBERS["b"],
            "subject": "x",
            "identity_kind": "organisation",
            "identity": "91350100M000100Y43",
            "facts": "x",
            "document": "x",
            "listed_on": "2026-11-01",
            "removal_condition": "x",
            "authority": "x",
        }
    ),
    ("POST", "/documents"): Request(form={"alert": NUMBERS["b"], "kind": "stop_notice"}),
    ("GET", "/api/documents"): Request(query=f"alert={NUMBERS['b']}"),
    ("POST", "/documents/templates"): Request(form={"kind": "stop_notice"}, files={"file": ("a.docx", b"x")}),
    ("POST", "/calendar"): Request(form={"year": "2026", "holidays": "", "working_days": ""}),
    ("POST", "/inbox/read"): Request(form={"message": "1"}),
    ("POST", "/people"): Request(form={"login": "spy", "role": "village", "name": "x", "code": CODES["b"]}),
}
"""Routes without path parameters that accept a reference to village B in another way."""


def every_route(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield method and path of all routes, including those of included routers."""

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


def add_layer_version(session: Session, code: str) -> int:
    """Add a checked version of a layer of an area; return its id."""
    options = LayerOptions()
    version = add_version(
        session, name="flight b, approvals", area_code=code, kind="approval", dated=None, file_name="b.gpkg",
        options=options, who="village_b", now=NOW,
    )  # fmt: skip
    version.state, version.preview = "checked", impact_json([])
    return version.id


@dataclass
class World:
    """The service with both villages.

    Attributes:
        named: name of a path parameter → its value for village B.
        commits: a connection of its own, which SQLite tells when another one has committed.
        version: of the rows read last.
        last: these rows.
    """

    service: Context
    app: FastAPI
    strong_a: TestClient
    browser: TestClient
    named: dict[str, str]
    commits: sqlite3.Connection
    version: int = 0
    last: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)

    def path(self, path: str, query: str = "") -> str:
        """Return the path with the parameters of village B."""
        filled = re.sub(r"\{(\w+)(:\w+)?\}", lambda part: self.named[part[1]], path)
        return filled + (f"?{query}" if query else "")

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows of all tables; they are read again only after a commit."""
        [version] = self.commits.execute("PRAGMA data_version").fetchone()
        if version != self.version:
            self.version, self.last = version, self._read()
        return self.last

    def _read(self) -> dict[str, list[tuple[Any, ...]]]:
        rows = {}
        with self.service.database.read() as session:
            for table in Base.metadata.sorted_tables:
                if table.name not in NOT_COMPARED:
                    columns = [column for column in table.columns if column.name not in ("used_at", "signed_in_at")]
                    found = session.execute(select(*columns).order_by(*table.primary_key.columns))
                    rows[table.name] = [tuple(map(str, row)) for row in found]
        return rows

    def send(self, method: str, path: str, request: Request) -> Any:
        """Send a request as the user of village A."""
        sent = {"json": request.json, "data": request.form, "content": request.content, "files": request.files}
        arguments: dict[str, Any] = {name: value for name, value in sent.items() if value is not None}
        client = self.strong_a if scope_of(method, path) else self.browser  # of the same user
        return client.request(method, self.path(path, request.query), headers=request.headers, **arguments)


@pytest.fixture
def world(service: Context, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    # a county's role in a village, so that only the administrative code restricts them
    monkeypatch.setattr(users, "effective_role", lambda role, code: role)
    villages = create_villages(service)
    with service.database.write() as session:
        strong = add_user(
            session, login="strong_a", name="A", role="village", code=CODES["a"], administrator=True, now=NOW
        )
        strong.role = "county"
        other = user_by_login(session, "village_b")
        assert other is not None
        area_of_b = session.scalars(select(Area.id).where(Area.code == CODES["b"])).one()
        add_key(session, other, "theirs", NOW, days=None, scopes=allowed_scopes(False))
    of_b = sign_in("village_b")
    batch = of_b.post("/api/batches", json={"area": CODES["b"], "name": "flight b, receiving"}).json()["id"]
    announced = TUS | {"upload-length": "4"} | metadata(batch=batch, filename="b.tif")
    upload = of_b.post("/api/uploads", headers=announced).headers["location"].rpartition("/")[2]
    watch(service, CODES["b"], scene_id=villages.after["b"])
    add_messages(service)
    with service.database.write() as session:
        version = add_layer_version(session, CODES["b"])
    named = {
        "tile_matrix_set": "WebMercatorQuad",
        "export_uid": add_ready_export(service, "village_b"),
        "version_id": str(version),
        "supervision_id": "1",
        "document_id": add_document(service),
        "kind": "stop_notice",
        "sending_id": "1",
        "camera_id": "1",
        "preset_id": "1",
        "capture_id": "1",
        "number": NUMBERS["b"],
        "scene_id": str(villages.after["b"]),
        "batch_id": str(batch),
        "upload_id": upload,
        "person_id": str(other.id),
        "area_id": str(area_of_b),
        "key_id": "1",
        "layer_id": "1",
        **add_tip_and_patrol(service, CODES["b"], "village_b"),
        **add_report_and_decision(service, CODES["b"], "village_b"),
        **add_sharing(service, NUMBERS["b"], CODES["b"]),
        "uid": add_photo(service, NUMBERS["b"], "village_b"),
        "check_uid": "6a3f0f8e-5d0e-4b43-9a57-0d7a3d1f6c13",
        "sequence": "1",
        "day": "2026-11-23",
        "which": "before",
        "name": "before",
        "suffix": "png",
        "z": "0",
        "x": "0",
        "y": "0",
        "secret": "x",
        "language": "zh",
    }
    app = make_app(service)
    commits = sqlite3.connect(service.settings.home / "tuban.db")
    yield World(service, app, api_client(service, app, "strong_a"), sign_in("strong_a"), named, commits)
    commits.close()


def test_all_other_routes_need_authentication(world: World, anonymous: Browser) -> None:
    statuses = {}
    for method, path in every_route(world.app):
        if path in OPEN:
            continue
        request = TABLE.get((method, path)) or NAMED.get((method, path)) or Request(headers=TUS)
        for accept in ("text/html", "application/json"):
            headers = {"origin": ORIGIN, "accept": accept} | request.headers
            response = anonymous.request(method, world.path(path, request.query), headers=headers)
            redirected = response.headers.get("location", "").startswith("/sign-in?next=")
            if not (
                response.status_code == 401 or (response.status_code == 303 and redirected and accept == "text/html")
            ):
                statuses[f"{method} {path} {accept}"] = response.status_code
    assert statuses == {}


def test_a_commit_is_seen_in_the_rows(world: World) -> None:
    before = world.rows()
    assert world.rows() is before
    with world.service.database.write() as session:
        session.scalars(select(Area).where(Area.code == CODES["b"])).one().name = "another"
    assert [name for name, rows in world.rows().items() if rows != before[name]] == ["areas"]


def test_public_routes_exist(world: World) -> None:
    assert {path for _, path in every_route(world.app)} >= OPEN


def test_every_route_with_a_path_parameter_is_in_the_table(world: World) -> None:
    routes = {(method, path) for method, path in every_route(world.app) if "{" in path and path not in OPEN}
    assert routes - TABLE.keys() == set(), "add requests for village B by these routes to TABLE"
    assert TABLE.keys() - routes == set(), "these routes no longer exist"


def test_path_parameters_of_village_b_are_not_found_for_village_a(world: World) -> None:
    before, wrong = world.rows(), {}
    for (method, path), request in TABLE.items():
        response = world.send(method, path, request)
        if not (response.status_code == 404 or (request.shared and response.status_code in (200, 204))):
            wrong[f"{method} {path}"] = response.status_code
        if leaked := [secret for secret in (CODES["b"], "flight b") if secret in response.text]:
            wrong[f"{method} {path} leaks"] = leaked
        if (now := world.rows()) != before:
            wrong[f"{method} {path} changes"] = [name for name in now if now[name] != before[name]]
            before = now
    assert wrong == {}


def test_the_same_requests_succeed_for_village_b_itself(world: World) -> None:
    of_b = api_client(world.service, world.app, "village_b")
    others = ("/layers/", "/api/shared", "/documents/")  # of administrators, receiving bodies, and offices
    reads = [path for method, path in TABLE if method == "GET" and not any(part in path for part in others)]
    statuses = {path: of_b.get(world.path(path)).status_code for path in reads}
    assert {path: status for path, status in statuses.items() if status not in (200, 204)} == {}


def test_village_b_is_not_accessible_by_other_parameters(world: World) -> None:
    before, wrong = world.rows(), {}
    for (method, path), request in NAMED.items():
        response = world.send(method, path, request)
        if response.status_code not in (200, 400, 403, 404, 409, 422):
            wrong[f"{method} {path}"] = response.status_code
        if (now := world.rows()) != before:
            wrong[f"{method} {path} changes"] = [name for name in now if now[name] != before[name]]
            before = now
    assert wrong == {}


def test_no_list_reveals_village_b(world: World) -> None:
    wrong = {}
    for method, path in every_route(world.app):
        if method == "GET" and "{" not in path and path not in OPEN:
            repeats_the_query = path in ("/alerts", "/map/goto")  # the page contains the requested filter
            response = world.send(
                method, path, Request() if repeats_the_query else NAMED.get((method, path), Request())
            )
            secrets = (NUMBERS["b"], CODES["b"], "flight b", "village_b")
            if response.status_code >= 500 or any(secret in response.text for secret in secrets):
                wrong[path] = response.status_code, [secret for secret in secrets if secret in response.text]
    assert wrong == {}


def test_users_of_receiving_bodies_reach_no_other_route(world: World) -> None:
    partner, before, wrong = api_client(world.service, world.app, "judge"), world.rows(), {}
    for method, path in every_route(world.app):
        if path in OPEN or any(path == prefix or path.startswith(f"{prefix}/") for prefix in SHARED_ROUTES):
            continue
        request = TABLE.get((method, path)) or NAMED.get((method, path)) or Request(headers=TUS)
        sent = {"json": request.json, "data": request.form, "content": request.content, "files": request.files}
        arguments = {name: value for name, value in sent.items() if value is not None}
        address = world.path(path, request.query)
        status = partner.request(method, address, headers=request.headers, **arguments).status_code
        if status != 403:
            wrong[f"{method} {path}"] = status
    assert (wrong, world.rows()) == ({}, before)
