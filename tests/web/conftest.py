"""A service with three villages' people, and browsers that are signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from configs.service import ServiceSettings
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
    """A browser of one person: sends the page's token with what it changes."""


SignIn = Callable[[str], Browser]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Context]:
    """Settings, database with people, and objects, as the embedded installation has them."""
    settings = ServiceSettings(home=tmp_path / "home")
    prepare_home(settings)
    context = Context(settings, embedded_database(settings.home / "tuban.db"), clock=lambda: NOW)
    with context.database.write() as session:
        for login, (role, code, administrator) in PEOPLE.items():
            add_user(session, login=login, name=login, role=role, code=code, administrator=administrator, now=NOW)
    yield context
    context.database.close()


@pytest.fixture
def sign_in(service: Context) -> Iterator[SignIn]:
    """A browser that is signed in as a person of :data:`PEOPLE`."""
    app = make_app(service)
    opened: list[Browser] = []

    def browser(login: str) -> Browser:
        with service.database.write() as session:
            person = user_by_login(session, login)
            assert person is not None
            secret = begin_session(session, person, NOW, 12)
        headers = {"x-csrf-token": csrf_token(secret), "origin": ORIGIN, "accept-language": "en"}
        made = Browser(app, base_url=ORIGIN, headers=headers, follow_redirects=False, raise_server_exceptions=True)
        made.cookies.set(cookie_name(service), secret)
        opened.append(made)
        return made

    yield browser
    for made in opened:
        made.close()


@pytest.fixture
def stranger(service: Context) -> Iterator[Browser]:
    """A browser that nobody has signed in with."""
    with Browser(make_app(service), base_url=ORIGIN, headers={"accept-language": "en"}, follow_redirects=False) as made:
        yield made
