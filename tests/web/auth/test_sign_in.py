"""Signing in, setting a password once, waiting after wrong ones, and what a strange page cannot do."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from service.context import Context
from store.access.users import has_administrator, invite, user_by_login
from store.schema.user_tables import Action, User
from tests.web.conftest import NOW, ORIGIN, Browser, SignIn
from web.auth.passwords import hash_password

PASSWORD = "long enough 密码"


@pytest.fixture
def li(service: Context) -> None:
    """Somebody with a password."""
    with service.database.write() as session:
        person = user_by_login(session, "village_a")
        assert person is not None
        person.password_hash = hash_password(PASSWORD)


def _sign_in(browser: Browser, password: str, login: str = "village_a", **headers: str) -> int:
    answer = browser.post("/sign-in", data={"login": login, "password": password}, headers={"origin": ORIGIN} | headers)
    return int(answer.status_code)


@pytest.mark.usefixtures("li")
def test_the_right_password_signs_in_with_a_cookie_that_only_the_server_reads(stranger: Browser) -> None:
    answer = stranger.post(
        "/sign-in", data={"login": "Village_A", "password": PASSWORD, "next": "/map"}, headers={"origin": ORIGIN}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/map")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-tuban=")
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert word in cookie


@pytest.mark.usefixtures("li")
@pytest.mark.parametrize("to", ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)"])
def test_signing_in_never_points_to_another_site(stranger: Browser, to: str) -> None:
    data = {"login": "village_a", "password": PASSWORD, "next": to}
    assert stranger.post("/sign-in", data=data, headers={"origin": ORIGIN}).headers["location"] == "/alerts"


@pytest.mark.usefixtures("li")
def test_after_five_wrong_passwords_even_the_right_one_has_to_wait(stranger: Browser) -> None:
    assert [_sign_in(stranger, "wrong") for _ in range(5)] == [401] * 5
    assert _sign_in(stranger, PASSWORD) == 429


@pytest.mark.usefixtures("li")
def test_another_sites_form_cannot_sign_in(stranger: Browser) -> None:
    assert _sign_in(stranger, PASSWORD, origin="https://evil.test") == 403


def test_a_person_without_a_password_cannot_sign_in(stranger: Browser) -> None:
    assert _sign_in(stranger, "") in (401, 422)
    assert _sign_in(stranger, "nobody has this password") == 401


def test_a_link_sets_a_password_once(service: Context, stranger: Browser) -> None:
    with service.database.write() as session:
        person = user_by_login(session, "town")
        assert person is not None
        secret = invite(session, person.id, NOW)
    data = {"password": PASSWORD, "again": PASSWORD}
    assert "town" in stranger.get(f"/welcome/{secret}").text
    assert stranger.post(f"/welcome/{secret}", data=data, headers={"origin": ORIGIN}).status_code == 303
    assert stranger.post(f"/welcome/{secret}", data=data, headers={"origin": ORIGIN}).status_code == 404


def test_the_first_link_makes_the_administrator_of_everything(service: Context, stranger: Browser) -> None:
    with service.database.write() as session:
        session.delete(session.scalars(select(User).where(User.login == "admin")).one())
        assert not has_administrator(session)
        secret = invite(session, None, NOW)
    data = {"login": "王工", "name": "王工", "password": PASSWORD, "again": PASSWORD}
    assert stranger.post(f"/welcome/{secret}", data=data, headers={"origin": ORIGIN}).status_code == 303
    with service.database.read() as session:
        assert has_administrator(session)


def test_a_change_needs_the_pages_token_and_our_own_origin(sign_in: SignIn) -> None:
    browser = sign_in("town")
    assert browser.post("/sign-out", headers={"x-csrf-token": "wrong"}).status_code == 403
    assert browser.post("/sign-out", headers={"origin": "https://evil.test"}).status_code == 403
    assert browser.post("/sign-out").status_code == 200


def test_signing_in_and_out_is_in_the_log(service: Context, sign_in: SignIn) -> None:
    sign_in("town").post("/sign-out")
    with service.database.read() as session:
        assert "signed_out" in session.scalars(select(Action.what).where(Action.who == "town")).all()


def test_every_answer_carries_the_content_policy(stranger: Browser) -> None:
    answer = stranger.get("/sign-in")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", answer.text), "inline script or style in the page"


def test_the_language_is_chinese_unless_asked_otherwise(stranger: Browser) -> None:
    assert "登录" in stranger.get("/sign-in", headers={"accept-language": "zh-CN"}).text
    assert "Sign in" in stranger.get("/sign-in").text
    stranger.post("/language/zh", headers={"origin": ORIGIN})
    assert "登录" in stranger.get("/sign-in").text
