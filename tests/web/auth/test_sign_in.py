"""Sign-in, invitations, delays after failed attempts, and protection against cross-site requests."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from sqlalchemy import select

from service.context import Context
from store.access.users import has_administrator, invite, user_by_login
from store.schema.user_tables import Action, User
from tests.web.conftest import NOW, ORIGIN, Browser, SignIn
from web.app import make_app
from web.auth import sign_in_routes
from web.auth.passwords import hash_password

PASSWORD = "long enough 密码"


@pytest.fixture
def li(service: Context) -> None:
    """A user with a password."""
    with service.database.write() as session:
        person = user_by_login(session, "village_a")
        assert person is not None
        person.password_hash = hash_password(PASSWORD)


def _sign_in(browser: Browser, password: str, login: str = "village_a", **headers: str) -> int:
    response = browser.post(
        "/sign-in", data={"login": login, "password": password}, headers={"origin": ORIGIN} | headers
    )
    return int(response.status_code)


@pytest.mark.usefixtures("li")
def test_the_right_password_sets_an_http_only_session_cookie(anonymous: Browser) -> None:
    response = anonymous.post(
        "/sign-in", data={"login": "Village_A", "password": PASSWORD, "next": "/map"}, headers={"origin": ORIGIN}
    )
    assert (response.status_code, response.headers["location"]) == (303, "/map")
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-tuban=")
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert word in cookie


@pytest.mark.usefixtures("li")
@pytest.mark.parametrize("to", ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)"])
def test_sign_in_never_redirects_to_another_site(anonymous: Browser, to: str) -> None:
    data = {"login": "village_a", "password": PASSWORD, "next": to}
    assert anonymous.post("/sign-in", data=data, headers={"origin": ORIGIN}).headers["location"] == "/todo"


@pytest.mark.usefixtures("li")
def test_after_five_failed_attempts_the_right_password_is_delayed_by_seconds(
    service: Context, anonymous: Browser
) -> None:
    assert [_sign_in(anonymous, "wrong") for _ in range(5)] == [401] * 5
    assert _sign_in(anonymous, PASSWORD) == 429
    service.clock = lambda: NOW + dt.timedelta(seconds=1)
    assert _sign_in(anonymous, PASSWORD) == 303


@pytest.mark.usefixtures("li")
def test_wrong_passwords_of_an_invented_name_do_not_delay_others_of_the_same_office(anonymous: Browser) -> None:
    assert {_sign_in(anonymous, "wrong", login="intruder") for _ in range(40)} == {401, 429}
    assert _sign_in(anonymous, PASSWORD) == 303


@pytest.mark.usefixtures("li")
def test_a_browser_that_has_signed_in_before_is_not_delayed_by_others(service: Context, anonymous: Browser) -> None:
    headers = {"accept-language": "en"}
    with Browser(make_app(service), base_url=ORIGIN, headers=headers, follow_redirects=False) as own:
        assert _sign_in(own, PASSWORD) == 303
        assert {_sign_in(anonymous, "wrong") for _ in range(10)} == {401, 429}
        assert _sign_in(own, PASSWORD) == 303


def test_an_administrator_unlocks_a_delayed_name(service: Context, anonymous: Browser, sign_in: SignIn) -> None:
    assert _sign_in(anonymous, "wrong", login="town") == 401
    admin = sign_in("county")
    assert "Unlock sign-in" not in admin.get("/people").text
    assert [_sign_in(anonymous, "wrong", login="town") for _ in range(5)][-1] == 429
    page = admin.get("/people").text
    number = re.search(r"/people/\d+/unlock", page)
    assert number is not None
    assert "Unlock sign-in" not in admin.post(number.group()).text
    assert _sign_in(anonymous, "wrong", login="town") == 401
    with service.database.read() as session:
        assert "unlocked_person" in session.scalars(select(Action.what)).all()


def test_no_password_is_hashed_for_an_invitation_that_does_not_exist(
    anonymous: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> str:
        raise AssertionError("hashed")

    monkeypatch.setattr(sign_in_routes, "hash_password", refuse)
    form = {"password": PASSWORD, "again": PASSWORD}
    assert anonymous.post("/welcome/invented", data=form, headers={"origin": ORIGIN}).status_code == 404


@pytest.mark.usefixtures("li")
def test_a_form_of_another_site_cannot_sign_in(anonymous: Browser) -> None:
    assert _sign_in(anonymous, PASSWORD, origin="https://evil.test") == 403


def test_a_user_without_a_password_cannot_sign_in(anonymous: Browser) -> None:
    assert _sign_in(anonymous, "") in (401, 422)
    assert _sign_in(anonymous, "a password that no user has") == 401


def test_an_invitation_sets_a_password_once(service: Context, anonymous: Browser) -> None:
    with service.database.write() as session:
        person = user_by_login(session, "town")
        assert person is not None
        secret = invite(session, person.id, NOW)
    data = {"password": PASSWORD, "again": PASSWORD}
    assert "town" in anonymous.get(f"/welcome/{secret}").text
    assert anonymous.post(f"/welcome/{secret}", data=data, headers={"origin": ORIGIN}).status_code == 303
    assert anonymous.post(f"/welcome/{secret}", data=data, headers={"origin": ORIGIN}).status_code == 404


def test_the_first_invitation_creates_the_administrator_of_all_areas(service: Context, anonymous: Browser) -> None:
    with service.database.write() as session:
        session.delete(session.scalars(select(User).where(User.login == "admin")).one())
        assert not has_administrator(session)
        secret = invite(session, None, NOW)
    data = {"login": "王工", "name": "王工", "password": PASSWORD, "again": PASSWORD}
    assert anonymous.post(f"/welcome/{secret}", data=data, headers={"origin": ORIGIN}).status_code == 303
    with service.database.read() as session:
        assert has_administrator(session)


def test_a_change_needs_the_csrf_token_and_the_same_origin(sign_in: SignIn) -> None:
    browser = sign_in("town")
    assert browser.post("/sign-out", headers={"x-csrf-token": "wrong"}).status_code == 403
    assert browser.post("/sign-out", headers={"origin": "https://evil.test"}).status_code == 403
    assert browser.post("/sign-out").status_code == 200


def test_sign_in_and_sign_out_are_in_the_audit_log(service: Context, sign_in: SignIn) -> None:
    sign_in("town").post("/sign-out")
    with service.database.read() as session:
        assert "signed_out" in session.scalars(select(Action.what).where(Action.who == "town")).all()


def test_every_response_has_the_content_security_policy(anonymous: Browser) -> None:
    response = anonymous.get("/sign-in")
    policy = response.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", response.text), (
        "inline script or style in the page"
    )


def test_the_language_is_chinese_unless_another_is_requested(anonymous: Browser) -> None:
    assert "登录" in anonymous.get("/sign-in", headers={"accept-language": "zh-CN"}).text
    assert "Sign in" in anonymous.get("/sign-in").text
    anonymous.post("/language/zh", headers={"origin": ORIGIN})
    assert "登录" in anonymous.get("/sign-in").text
