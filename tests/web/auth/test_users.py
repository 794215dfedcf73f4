"""User administration is limited by the administrative code; API keys act as their user until revoked."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from service.context import Context
from store.access.users import invite, user_by_login
from store.schema.user_tables import Action, Invitation, User
from tests.web.conftest import NOW, ORIGIN, Browser, SignIn
from web.auth.authentication import cookie_name
from web.auth.passwords import hash_password


def _id(service: Context, login: str) -> int:
    with service.database.read() as session:
        return session.scalars(select(User.id).where(User.login == login)).one()


def test_users_who_are_not_administrators_cannot_list_users(sign_in: SignIn) -> None:
    assert sign_in("village_a").get("/people").status_code == 403


def test_an_administrator_manages_only_users_under_their_own_code(sign_in: SignIn) -> None:
    browser = sign_in("county")
    listed = browser.get("/people").text
    assert "village_a" in listed
    assert ">admin<" not in listed
    inside = {"login": "new", "role": "village", "code": "330199101003", "name": "新人"}
    response = browser.post("/people", data=inside)
    assert response.status_code == 200
    assert "/welcome/" in response.text
    assert browser.post("/people", data=inside | {"login": "x", "code": "440199101003"}).status_code == 403
    assert browser.post("/people", data=inside | {"login": "x", "role": "city", "code": ""}).status_code == 403


def test_a_township_administrator_cannot_create_a_user_of_the_city(service: Context, sign_in: SignIn) -> None:
    with service.database.write() as session:
        session.scalars(select(User).where(User.login == "town")).one().administrator = True
    browser = sign_in("town")
    for role in ("city", "county"):
        form = {"login": f"own {role}", "role": role, "code": "330199101"}
        assert browser.post("/people", data=form).status_code == 403
    assert 'value="county"' not in browser.get("/people").text
    with service.database.read() as session:
        refused = session.scalars(select(Action).where(Action.what == "refused_grant")).all()
        assert [row.detail["role"] for row in refused] == ["city", "county"]
        assert session.scalar(select(User.id).where(User.login.startswith("own"))) is None


def test_a_user_of_a_higher_role_in_the_same_area_cannot_be_taken_over(service: Context, sign_in: SignIn) -> None:
    with service.database.write() as session:
        town = session.scalars(select(User).where(User.login == "town")).one()
        town.administrator, town.role = True, "village"
        session.scalars(select(User).where(User.login == "village_a")).one().role = "township"
    browser, village = sign_in("town"), _id(service, "village_a")
    for action in ("link", "unlock"):
        assert browser.post(f"/people/{village}/{action}").status_code == 403
    assert browser.post(f"/people/{village}/active", data={"active": "false"}).status_code == 403


def test_grants_are_audited_with_what_was_granted(service: Context, sign_in: SignIn) -> None:
    form = {"login": "new", "role": "village", "code": "330199101003", "administrator": "true"}
    sign_in("county").post("/people", data=form)
    with service.database.read() as session:
        added = session.scalars(select(Action).where(Action.what == "added_person")).one()
    assert added.detail == {"role": "village", "other_roles": [], "code": "330199101003", "administrator": True}


def test_an_invitation_link_never_names_the_host_of_the_request(service: Context, sign_in: SignIn) -> None:
    browser = sign_in("county")
    browser.base_url = "https://evil.test"
    browser.cookies = {cookie_name(service): browser.cookies[cookie_name(service)]}
    shown = browser.post(f"/people/{_id(service, 'town')}/link", headers={"origin": "https://evil.test"})
    assert shown.status_code == 421
    assert "welcome" not in shown.text
    assert "evil.test" not in shown.text


def test_changing_the_password_ends_the_other_sessions(service: Context, sign_in: SignIn) -> None:
    with service.database.write() as session:
        session.scalars(select(User).where(User.login == "town")).one().password_hash = hash_password("long enough")
    own, other = sign_in("town"), sign_in("town")
    form = {"old": "long enough", "password": "longer than before"}
    assert own.post("/account/password", data=form).status_code == 200
    assert own.get("/account").status_code == 200
    assert other.get("/account", headers={"accept": "application/json"}).status_code == 401


def test_wrong_old_passwords_are_limited(service: Context, sign_in: SignIn) -> None:
    with service.database.write() as session:
        session.scalars(select(User).where(User.login == "town")).one().password_hash = hash_password("long enough")
    browser = sign_in("town")
    form = {"old": "wrong", "password": "longer than before"}
    assert [browser.post("/account/password", data=form).status_code for _ in range(7)] == [422] * 5 + [429] * 2
    assert browser.post("/account/password", data=form | {"old": "long enough"}).status_code == 429


@pytest.mark.parametrize("value", [str(10**29), "-1", "0", str(2**63)])
@pytest.mark.parametrize(
    "path",
    [
        "/log?before={}",
        "/batches?before={}",
        "/api/batches?before={}",
        "/api/scenes?before={}",
        "/api/scans?before={}",
        "/api/scans?night={}",
        "/api/stac/collections/scenes/items?before={}",
        "/api/alerts?limit={}",
        "/nights?count={}",
        "/api/nights?limit={}",
        "/map/layers/{}?bbox=1,1,2,2&zoom=8",
        "/scenes/{}/preview",
        "/tiles/scenes/{}/1/1/1",
        "/tiles/scenes/1/{}/1/1",
        "/tiles/scenes/1/1/{}/1",
        "/api/batches/{}",
        "/batches/{}?page={}",
        "/cameras/{}",
        "/cameras/1/captures/{}/frame",
    ],
)
def test_numbers_beyond_every_range_are_refused_not_failed(sign_in: SignIn, path: str, value: str) -> None:
    assert sign_in("admin").get(path.replace("{}", value)).status_code in (200, 303, 400, 404)


def test_logins_are_unique_regardless_of_case(sign_in: SignIn) -> None:
    data = {"login": "VILLAGE_A", "role": "village", "code": "330199101001"}
    assert sign_in("county").post("/people", data=data).status_code == 422


def test_a_user_with_more_rights_cannot_be_managed(service: Context, sign_in: SignIn) -> None:
    admin = _id(service, "admin")
    browser = sign_in("county")
    assert browser.post(f"/people/{admin}/link").status_code == 404
    assert browser.post(f"/people/{admin}/active", data={"active": "false"}).status_code == 404
    with service.database.read() as session:
        assert session.scalars(select(Invitation)).all() == []


def test_deactivation_ends_the_users_sessions_at_once(service: Context, sign_in: SignIn) -> None:
    village, county = sign_in("village_a"), sign_in("county")
    assert village.get("/account").status_code == 200
    county.post(f"/people/{_id(service, 'village_a')}/active", data={"active": "false"})
    assert village.get("/account", headers={"accept": "text/html"}).headers["location"].startswith("/sign-in")


def test_a_new_invitation_invalidates_the_previous_one(service: Context, sign_in: SignIn, anonymous: Browser) -> None:
    with service.database.write() as session:
        person = user_by_login(session, "village_a")
        assert person is not None
        old = invite(session, person.id, NOW)
    sign_in("county").post(f"/people/{_id(service, 'village_a')}/link")
    data = {"password": "long enough", "again": "long enough"}
    assert anonymous.post(f"/welcome/{old}", data=data, headers={"origin": ORIGIN}).status_code == 404


def test_an_api_key_acts_as_its_user_until_it_is_revoked(sign_in: SignIn, anonymous: Browser) -> None:
    browser = sign_in("village_a")
    shown = browser.post("/account/keys", data={"name": "QGIS", "days": "10"}).text
    key = re.search(r"tuban_[\w-]+", shown)
    assert key is not None
    headers = {"authorization": f"Bearer {key.group()}"}
    assert "village_a" in anonymous.get("/account", headers=headers).text
    number = re.search(r"/account/keys/(\d+)/revoke", shown)
    assert number is not None
    assert sign_in("village_b").post(number.group()).status_code == 404
    assert browser.post(number.group()).status_code == 200
    assert anonymous.get("/account", headers=headers).status_code == 401


def test_the_audit_log_is_limited_to_the_users_area(service: Context, sign_in: SignIn) -> None:
    sign_in("village_b").post("/account/keys", data={"name": "secret purpose", "days": "1"})
    sign_in("county").get("/log")
    assert "secret purpose" not in sign_in("village_a").get("/log").text
    assert "secret purpose" in sign_in("county").get("/log").text
    with service.database.read() as session:
        assert session.scalars(select(Action.what)).all() == ["made_token"]
