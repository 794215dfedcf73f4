"""A receiving body sees what was shared with it, with its fields, and nothing else; each read is logged."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from service.context import Context
from store.schema.chain.sharing_tables import BlacklistRow, BodyRow, ShareReadRow
from store.schema.user_tables import Action
from tests.web.conftest import SignIn
from tests.web.sharing.of_village_b import CREDIT_CODE, add_sharing
from tests.web.two_villages import CODES, NUMBERS, api_client, create_villages
from web.app import make_app

B = NUMBERS["b"]
ITEMS = "/api/shared/collections/alerts/items"


@pytest.fixture
def shared(service: Context) -> Context:
    create_villages(service)
    add_sharing(service, B, CODES["b"])
    return service


@pytest.fixture
def app(shared: Context) -> FastAPI:
    return make_app(shared)


def _reads(service: Context) -> list[tuple[str, str, int]]:
    with service.database.read() as session:
        rows = session.scalars(select(ShareReadRow).order_by(ShareReadRow.id))
        return [(row.who, row.channel, row.rows) for row in rows]


def test_page_api_and_file_show_the_shared_alert_and_are_logged(shared: Context, app: FastAPI, tmp_path: Path) -> None:
    judge = api_client(shared, app, "judge")
    assert B in judge.get("/shared").text
    found = judge.get(ITEMS).json()
    assert [feature["id"] for feature in found["features"]] == [B]
    package = tmp_path / "a.gpkg"
    package.write_bytes(judge.get("/shared/package.gpkg").content)
    with sqlite3.connect(package) as database:
        assert database.execute("SELECT number FROM shared").fetchall() == [(B,)]
    assert judge.get(f"{ITEMS}/{NUMBERS['a']}").status_code == 404
    assert _reads(shared) == [("judge", "page", 1), ("judge", "api", 1), ("judge", "file", 1), ("judge", "api", 0)]


def test_only_the_fields_of_the_body_leave(shared: Context, app: FastAPI) -> None:
    with shared.database.write() as session:
        session.scalars(select(BodyRow).where(BodyRow.key == "court-b")).one().fields = ["area_mu"]
    feature = api_client(shared, app, "judge").get(ITEMS).json()["features"][0]
    assert feature["geometry"] is None
    assert set(feature["properties"]) == {"number", "statement", "area_mu", "shared_on", "letter"}


@pytest.mark.parametrize("ended", ["withdrawn", "inactive", "other area"])
def test_the_view_ends_at_once(shared: Context, app: FastAPI, sign_in: SignIn, ended: str) -> None:
    judge = api_client(shared, app, "judge")
    if ended == "withdrawn":
        answer = sign_in("county").post(f"/alerts/{B}/sharing/1/withdraw", data={"why": "served"})
        assert answer.status_code == 200
    else:
        with shared.database.write() as session:
            body = session.scalars(select(BodyRow).where(BodyRow.key == "court-b")).one()
            body.active, body.code = ended != "inactive", CODES["a"]
    answer = judge.get(ITEMS)
    assert answer.status_code == 404 if ended == "inactive" else answer.json()["features"] == []


def test_suppliers_see_places_and_nothing_else(shared: Context, app: FastAPI) -> None:
    water = api_client(shared, app, "water")
    place = water.get("/api/shared/collections/places/items").json()["features"][0]["properties"]
    assert set(place) == {"number", "place", "address", "lon", "lat", "since", "until"}
    texts = [water.get(path).text for path in ("/shared", "/shared/places.csv")]
    assert all("shed" in text and B not in text and "must not see" not in text for text in texts)
    assert [water.get(path).status_code for path in (ITEMS, "/shared/package.gpkg")] == [404, 404]


def test_users_of_bodies_are_led_to_their_page(sign_in: SignIn, shared: Context) -> None:
    browser = sign_in("judge")
    answer = browser.get("/todo", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/shared")
    assert 'href="/alerts"' not in browser.get("/shared").text


def test_an_administrator_registers_a_body_whose_rule_applies_at_once(
    shared: Context, app: FastAPI, sign_in: SignIn
) -> None:
    body = {"key": "farm", "name": "农业农村局", "kind": "department", "code": "330199", "fields": ["area_mu"],
            "land": "cultivated", "by_rule": "true", "active": "true"}  # fmt: skip
    county = sign_in("county")
    assert county.post("/sharing", data=body).status_code == 204
    assert "农业农村局" in county.get("/sharing?body=farm").text
    assert "农业农村局" in county.get(f"/alerts/{B}/sharing").text
    assert sign_in("town").post("/sharing", data=body).status_code == 403


def test_identity_numbers_are_checked_masked_and_never_logged(shared: Context, sign_in: SignIn) -> None:
    county = sign_in("county")
    entry: dict[str, Any] = {
        "alert": B, "subject": "=cmd", "identity_kind": "organisation", "identity": CREDIT_CODE, "facts": "x",
        "document": "D 2", "listed_on": "2026-11-20", "removal_condition": "restored", "authority": "bureau",
    }  # fmt: skip
    wrong = county.post("/blacklist", data=entry | {"identity": "91350100M000100Y44"})
    assert wrong.status_code == 422
    assert "M000100Y44" not in wrong.text
    assert county.post("/blacklist", data=entry).status_code == 204
    assert county.post("/blacklist", data=entry).status_code == 422  # listed by this document already
    texts = [county.get(f"/blacklist/export?format={name}").text for name in ("csv", "xml")]
    with shared.database.read() as session:
        rows = [str(vars(row)) for table in (BlacklistRow, Action) for row in session.scalars(select(table))]
    assert not any(CREDIT_CODE in text for text in (*texts, *rows, county.get("/blacklist").text))
    assert "9135**********0Y43" in texts[0]
    assert "'=cmd" in io.StringIO(texts[0]).read()


def test_a_village_may_neither_share_nor_list(shared: Context, sign_in: SignIn) -> None:
    village = sign_in("village_b")
    for path, form in ((f"/alerts/{B}/sharing", {"body": "court-b", "reason": "x"}),
                       (f"/alerts/{B}/sharing/hold", {"reason": "x"})):  # fmt: skip
        assert village.post(path, data=form).status_code == 403
