"""Administrators manage whom their code covers; keys act for a person until they are revoked."""

from __future__ import annotations

import re

from sqlalchemy import select

from service.context import Context
from store.access.users import invite, user_by_login
from store.schema.user_tables import Action, Invitation, User
from tests.web.conftest import NOW, ORIGIN, Browser, SignIn


def _id(service: Context, login: str) -> int:
    with service.database.read() as session:
        return session.scalars(select(User.id).where(User.login == login)).one()


def test_who_is_no_administrator_sees_no_people(sign_in: SignIn) -> None:
    assert sign_in("village_a").get("/people").status_code == 403


def test_an_administrator_sees_and_adds_only_people_under_the_own_code(sign_in: SignIn) -> None:
    browser = sign_in("county")
    listed = browser.get("/people").text
    assert "village_a" in listed
    assert ">admin<" not in listed
    inside = {"login": "new", "role": "village", "code": "330199101003", "name": "新人"}
    answer = browser.post("/people", data=inside)
    assert answer.status_code == 200
    assert "/welcome/" in answer.text
    assert browser.post("/people", data=inside | {"login": "x", "code": "440199101003"}).status_code == 403
    assert browser.post("/people", data=inside | {"login": "x", "role": "city", "code": ""}).status_code == 403


def test_a_login_is_there_once_whatever_its_case(sign_in: SignIn) -> None:
    data = {"login": "VILLAGE_A", "role": "village", "code": "330199101001"}
    assert sign_in("county").post("/people", data=data).status_code == 422


def test_a_person_of_higher_rights_cannot_be_taken_over(service: Context, sign_in: SignIn) -> None:
    admin = _id(service, "admin")
    browser = sign_in("county")
    assert browser.post(f"/people/{admin}/link").status_code == 404
    assert browser.post(f"/people/{admin}/active", data={"active": "false"}).status_code == 404
    with service.database.read() as session:
        assert session.scalars(select(Invitation)).all() == []


def test_who_is_stopped_is_signed_out_at_once(service: Context, sign_in: SignIn) -> None:
    village, county = sign_in("village_a"), sign_in("county")
    assert village.get("/account").status_code == 200
    county.post(f"/people/{_id(service, 'village_a')}/active", data={"active": "false"})
    assert village.get("/account", headers={"accept": "text/html"}).headers["location"].startswith("/sign-in")


def test_a_new_link_makes_the_old_one_useless(service: Context, sign_in: SignIn, stranger: Browser) -> None:
    with service.database.write() as session:
        person = user_by_login(session, "village_a")
        assert person is not None
        old = invite(session, person.id, NOW)
    sign_in("county").post(f"/people/{_id(service, 'village_a')}/link")
    data = {"password": "long enough", "again": "long enough"}
    assert stranger.post(f"/welcome/{old}", data=data, headers={"origin": ORIGIN}).status_code == 404


def test_a_key_acts_for_its_person_until_it_is_revoked(sign_in: SignIn, stranger: Browser) -> None:
    browser = sign_in("village_a")
    shown = browser.post("/account/keys", data={"name": "QGIS", "days": "10"}).text
    key = re.search(r"tuban_[\w-]+", shown)
    assert key is not None
    headers = {"authorization": f"Bearer {key.group()}"}
    assert "village_a" in stranger.get("/account", headers=headers).text
    number = re.search(r"/account/keys/(\d+)/revoke", shown)
    assert number is not None
    assert sign_in("village_b").post(number.group()).status_code == 404
    assert browser.post(number.group()).status_code == 200
    assert stranger.get("/account", headers=headers).status_code == 401


def test_the_log_shows_only_what_was_done_on_the_own_ground(service: Context, sign_in: SignIn) -> None:
    sign_in("village_b").post("/account/keys", data={"name": "secret purpose", "days": "1"})
    sign_in("county").get("/log")
    assert "secret purpose" not in sign_in("village_a").get("/log").text
    assert "secret purpose" in sign_in("county").get("/log").text
    with service.database.read() as session:
        assert session.scalars(select(Action.what)).all() == ["made_token"]
