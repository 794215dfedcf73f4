"""Fixtures: a service with users of a county, and signed-in browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from configs.service import ServiceSettings, WebSettings
from service.context import Context
from service.home import prepare_home
from store.access.users import add_user, begin_session, user_by_login
from tests.databases import embedded_database
from tests.imagery.cameras.camera_servers import http_cameras, rtsp_cameras
from tests.web.people import NOW, ORIGIN, PEOPLE
from tests.web.two_villages import county, villages
from tests.web.uploads.upload_service import address, context, li
from web.app import make_app
from web.auth.authentication import cookie_name, csrf_token

__all__ = ["NOW", "ORIGIN", "PEOPLE", "address", "context", "county", "http_cameras", "li", "rtsp_cameras", "villages"]


class Browser(TestClient):
    """A browser of one user, which sends the CSRF token with every change."""


SignIn = Callable[[str], Browser]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Context]:
    """An embedded service with the users of :data:`PEOPLE`."""
    web = WebSettings(allowed_hosts=(ORIGIN.removeprefix("https://"), "testserver"))
    settings = ServiceSettings(home=tmp_path / "home", web=web)
    prepare_home(settings)
    context = Context(settings, embedded_database(settings.home / "tuban.db"), clock=lambda: NOW)
    with context.database.write() as session:
        for login, (role, code, administrator) in PEOPLE.items():
            add_user(session, login=login, name=login, role=role, code=code, administrator=administrator, now=NOW)
    yield context
    context.database.close()


@pytest.fixture
def sign_in(service: Context) -> Iterator[SignIn]:
    """Create a browser that is signed in as a user of :data:`PEOPLE`."""
    app = make_app(service)
    browsers: list[Browser] = []

    def signed_in(login: str) -> Browser:
        with service.database.write() as session:
            user = user_by_login(session, login)
            assert user is not None
            secret = begin_session(session, user, NOW, 12)
        headers = {"x-csrf-token": csrf_token(secret), "origin": ORIGIN, "accept-language": "en"}
        browser = Browser(app, base_url=ORIGIN, headers=headers, follow_redirects=False, raise_server_exceptions=True)
        browser.cookies.set(cookie_name(service), secret)
        browsers.append(browser)
        return browser

    yield signed_in
    for browser in browsers:
        browser.close()


@pytest.fixture
def anonymous(service: Context) -> Iterator[Browser]:
    """A browser that is not signed in."""
    headers = {"accept-language": "en"}
    with Browser(make_app(service), base_url=ORIGIN, headers=headers, follow_redirects=False) as browser:
        yield browser
