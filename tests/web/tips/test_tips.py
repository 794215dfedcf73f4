"""Tips: registration by page and API, the informant, steps with the reply clock, the alert that a tip becomes."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from starlette.testclient import TestClient

from service.context import Context
from store.access.users import add_user
from store.schema.chain.tip_tables import TipRow
from store.schema.tables import AlertRow, Observation
from store.schema.user_tables import Action
from tests.store.sample_rows import ground
from tests.web.conftest import NOW, SignIn
from tests.web.two_villages import CODES, EAST, NUMBERS, Villages, api_client
from web.app import make_app

PHONE, NAME, ADDRESS = "13812345678", "举报人甲", "某村 5 组 7 号"
INFORMANT = {"name": NAME, "phone": PHONE, "address": ADDRESS}


def tip(**given: Any) -> dict[str, Any]:
    values = {"channel": "hotline", "summary": f"有人在耕地上建厂房，请回电 {PHONE}", "place": "东边路口"}
    return values | INFORMANT | given


def inside(village: str) -> dict[str, float]:
    """A place in a village, 30 m off the corner of its alert."""
    point = ground(EAST[village] + 100, 200, EAST[village] + 140, 240).centroid
    return {"lon": point.x, "lat": point.y}


@pytest.fixture
def app(service: Context) -> FastAPI:
    return make_app(service)


@pytest.fixture
def town(service: Context, villages: Villages, app: FastAPI) -> TestClient:
    return api_client(service, app, "town")


def test_a_tip_gets_the_next_receipt_number_its_village_and_its_reply_dates(service: Context, town: TestClient) -> None:
    first = town.post("/api/tips", json=tip(**inside("a"))).json()
    refused = town.post("/api/tips", json=tip(summary="x"))
    second = town.post("/api/tips", json=tip(coordinates="here?", lon=None))
    third = town.post("/api/tips", json=tip()).json()
    assert (first["number"], third["number"]) == ("330199XS202600001", "330199XS202600002")  # refused ones leave no gap
    assert (refused.status_code, second.status_code) == (422, 422)
    assert (first["area"], third["area"], first["state"]) == (CODES["a"], "330199101", "received")
    # 24 November 2026 is a Tuesday
    assert (first["judge_by"], first["check_by"], first["answer_by"]) == ("2026-12-01", "2026-12-08", "2026-12-15")


def test_nothing_of_the_informant_is_in_the_database_or_in_any_answer(
    service: Context, town: TestClient, sign_in: SignIn
) -> None:
    created = town.post("/api/tips", json=tip(**inside("a")))
    browser = sign_in("town")
    number = created.json()["id"]
    browser.post(f"/tips/{number}/alert", json={"radius_m": 30})
    answers = [created.text]
    answers += [town.get(path).text for path in ("/api/tips", f"/api/tips/{number}", "/api/alerts")]
    answers += [browser.get(path).text for path in ("/tips", f"/tips/{number}", f"/tips?text={PHONE[:7]}", "/log")]
    answers.append(town.post("/api/tips", json=tip(channel="?", name=NAME)).text)
    answers.append(town.post("/api/tips", json=tip(phone=PHONE * 40)).text)
    with service.database.read() as session:
        for table in ("tips", "tip_steps", "actions", "transitions", "observations", "deliveries"):
            answers.append(str(session.execute(text(f"SELECT * FROM {table}")).all()))
    for secret in (PHONE, NAME, ADDRESS):
        assert not [answer for answer in answers if secret in answer.replace(f"text={PHONE[:7]}", "")]


def test_registrar_and_handler_see_the_informant_and_each_view_is_logged(
    service: Context, villages: Villages, sign_in: SignIn
) -> None:
    town, county = sign_in("town"), sign_in("county")
    address = town.post("/tips", data=tip(**inside("a"))).headers["hx-redirect"]
    shown = town.post(f"{address}/informant")
    assert PHONE in shown.text
    assert NAME in shown.text
    assert f"请回电 {PHONE}" in shown.text  # the summary as received; the register shows it masked
    assert shown.headers["cache-control"] == "no-store"
    assert county.post(f"{address}/informant").status_code == 403
    with service.database.write() as session:
        add_user(session, login="town_2", name="t", role="township", code="330199101", now=NOW)
    assert sign_in("town_2").post(f"{address}/handler", data={"login": ""}).status_code == 409  # town handles it
    assert county.post(f"{address}/handler", data={"login": ""}).status_code == 200
    assert PHONE in county.post(f"{address}/informant").text
    assert town.post(f"{address}/informant").status_code == 200  # the registrar still
    with service.database.read() as session:
        logged = session.execute(select(Action.who, Action.what).where(Action.what.contains("informant")))
        assert [tuple(row) for row in logged] == [
            ("town", "viewed_informant"),
            ("county", "refused_informant"),
            ("county", "viewed_informant"),
            ("town", "viewed_informant"),
        ]


def test_a_village_sees_no_tips_because_they_may_concern_it(town: TestClient, sign_in: SignIn) -> None:
    number = town.post("/api/tips", json=tip(**inside("a"))).json()["id"]
    village = sign_in("village_a")
    assert village.get("/tips").status_code == 403
    assert village.get(f"/tips/{number}").status_code == 404
    assert village.post("/tips", data=tip()).status_code == 403


def test_the_steps_of_a_tip_with_one_extension(service: Context, town: TestClient) -> None:
    number = town.post("/api/tips", json=tip(**inside("a"))).json()["id"]

    def step(**values: Any) -> tuple[int, str]:
        response = town.post(f"/api/tips/{number}/steps", json=values)
        return response.status_code, response.json().get("state", "")

    assert step(step="check", finding="true", words="确有其事") == (409, "")  # not judged yet
    assert step(step="accept") == (422, "")  # how is it handled?
    assert step(step="accept", handling="direct") == (200, "accepted")
    assert step(step="extend", words="天气原因") == (200, "accepted")
    assert step(step="extend", words="再延期") == (409, "")
    extended = town.get(f"/api/tips/{number}").json()
    later = (extended["extended"], extended["check_by"], extended["answer_by"])
    assert later == (True, "2026-12-29", "2027-01-05")  # the holidays of 2027 are not known yet
    assert step(step="check", finding="perhaps", words="确有其事") == (422, "")
    assert step(step="check", finding="partly", words="面积小于反映，回电 13900001111") == (200, "checked")
    assert step(step="answer", words="已责令整改") == (200, "answered")
    assert step(step="answer", words="again") == (409, "")
    assert town.get(f"/api/tips/{number}").json()["feedback"] == "面积小于反映，回电 ***"
    assert town.get("/api/tips", params={"state": "open"}).json() == {"tips": [], "next": None}


def test_nearby_tips_and_alerts_are_shown_while_registering(town: TestClient, sign_in: SignIn) -> None:
    first = town.post("/api/tips", json=tip(**inside("a"))).json()["number"]
    place = inside("a")
    near = sign_in("town").get("/tips/near", params=place).text
    assert first in near
    assert PHONE not in near
    assert NUMBERS["a"] in near
    assert NUMBERS["b"] not in near


def test_a_tip_becomes_an_alert_with_its_own_letter_or_joins_the_one_at_its_place(
    service: Context, town: TestClient, sign_in: SignIn
) -> None:
    browser = sign_in("town")
    there = town.post("/api/tips", json=tip(alert=NUMBERS["a"])).json()
    assert there["alert"] == NUMBERS["a"]
    with service.database.read() as session:
        known = session.scalars(select(AlertRow).where(AlertRow.number == NUMBERS["a"])).one()
        assert (known.seen, known.sources_seen, round(known.area_m2, -1)) == (2, 2, 1600)
    elsewhere = ground(EAST["a"] + 20, 20, EAST["a"] + 50, 50)
    drawn = {"corners": list(elsewhere.exterior.coords)[:-1]}
    number = town.post("/api/tips", json=tip(**inside("a"))).json()["id"]
    made = browser.post(f"/tips/{number}/alert", json=drawn).json()
    assert made == {"number": "330199H2026110001", "new": True}
    assert browser.post(f"/tips/{number}/alert", json=drawn).status_code == 409
    again = town.post("/api/tips", json=tip(channel="wechat", **inside("a"))).json()["id"]
    assert browser.post(f"/tips/{again}/alert", json=drawn).json() == {"number": made["number"], "new": False}
    with service.database.read() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == made["number"])).one()
        assert (alert.source, alert.seen, alert.sources_seen) == ("hotline", 2, 2)
        assert {o.source for o in session.scalars(select(Observation).where(Observation.alert_id == alert.id))} == {
            "hotline",
            "report",
        }
    crossing = {"corners": [[113.0, 30.0], [113.01, 30.01], [113.01, 30.0], [113.0, 30.01]]}
    assert browser.post(f"/tips/{again}/alert", json=crossing).status_code in (409, 422)
    # pages of an alert that no image has shown yet
    for page in ("", "/data", "/days", "/sheet.pdf", "/bundle.zip"):
        assert browser.get(f"/alerts/{made['number']}{page}").status_code == 200, page
    assert town.get(f"/api/alerts/{made['number']}").status_code == 200


def test_a_place_of_another_area_is_refused(town: TestClient, service: Context, app: FastAPI, sign_in: SignIn) -> None:
    with service.database.write() as session:
        session.execute(
            text(
                "INSERT INTO chain_settings (key, value, who, at) VALUES "
                "('tips.registrar', '\"village\"', 'x', '2026-01-01')"
            )
        )
    of_a = api_client(service, app, "village_a")
    refused = of_a.post("/api/tips", json=tip(**inside("b")))
    assert refused.status_code == 422
    own = of_a.post("/api/tips", json=tip(**inside("a"))).json()
    assert api_client(service, app, "village_b").get(f"/api/tips/{own['id']}").status_code == 404


def test_the_key_is_no_part_of_the_database_and_another_key_reveals_nothing(
    service: Context, villages: Villages, sign_in: SignIn
) -> None:
    town = sign_in("town")
    address = town.post("/tips", data=tip(**inside("a"))).headers["hx-redirect"]
    key = service.settings.home / "tip_key"
    assert key.stat().st_mode & 0o077 == 0
    key.write_bytes(b"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    locked = town.post(f"{address}/informant")
    assert locked.status_code == 409
    assert "tip_key" in locked.text
    with service.database.read() as session:
        assert PHONE not in session.scalars(select(TipRow)).one().informant
