"""API keys act within their scopes, and never create credentials that would outlive them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from service.context import Context
from store.access.api_keys import SCOPES, add_key
from store.access.users import user_by_login
from tests.web.conftest import NOW, ORIGIN, SignIn
from tests.web.test_every_route import OPEN, every_route
from tests.web.two_villages import CODES, NUMBERS, Villages
from web.app import make_app
from web.auth.scopes import SESSION_ONLY, scope_of

KeyClient = Callable[..., TestClient]


@pytest.fixture
def with_key(service: Context) -> KeyClient:
    """Create a client with an API key of some scopes."""
    app = make_app(service)

    def client(*scopes: str, login: str = "admin") -> TestClient:
        with service.database.write() as session:
            user = user_by_login(session, login)
            assert user is not None
            key = add_key(session, user, "test", NOW, days=10, scopes=scopes)
        headers = {"authorization": f"Bearer {key}", "accept-language": "en"}
        return TestClient(app, base_url=ORIGIN, headers=headers, follow_redirects=False)

    return client


@pytest.mark.parametrize(
    ("scope", "method", "path", "json"),
    [
        ("read", "GET", "/api/alerts", None),
        ("upload", "POST", "/api/batches", {"area": CODES["a"], "name": "flight"}),
        ("steps", "POST", f"/api/alerts/{NUMBERS['a']}/transitions", {"to": "triaged"}),
        ("review", "POST", "/alerts/reject", {"numbers": [NUMBERS["a"]], "reason": "shadow"}),
        ("administer", "GET", "/people", None),
    ],
)
@pytest.mark.usefixtures("villages")
def test_a_key_does_only_what_its_scopes_allow(
    with_key: KeyClient, scope: str, method: str, path: str, json: object
) -> None:
    others = with_key(*(other for other in SCOPES if other != scope)).request(method, path, json=json)
    assert (others.status_code, scope in others.json()["detail"]) == (403, True)
    assert with_key(scope).request(method, path, json=json).status_code not in (401, 403)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/account/keys", {"name": "another"}),
        ("/account/password", {"old": "long enough", "password": "longer than before"}),
        ("/people", {"login": "spy", "role": "city"}),
        ("/people/2/link", {}),
        ("/people/2/unlock", {}),
        ("/people/2/active", {"active": "true"}),
        ("/sign-out", {}),
    ],
)
def test_no_key_creates_credentials(with_key: KeyClient, path: str, form: dict[str, str]) -> None:
    answer = with_key(*SCOPES).post(path, data=form)
    assert (answer.status_code, answer.json()["code"]) == (403, "error.session_only")


def test_every_changing_route_has_a_scope_or_is_for_sessions_only(service: Context) -> None:
    for_sessions = ("/account", "/people", "/settings", "/inbox", "/messages", "/tips/{tip_id}/informant", "/sign-out")
    for_sessions += ("/alerts/{number}/sharing", "/sharing", "/service-stops", "/blacklist", "/retention")
    unlisted = {
        f"{method} {path}"
        for method, path in every_route(make_app(service))
        if method not in ("GET", "HEAD", "OPTIONS") and path not in OPEN and not path.startswith(for_sessions)
        if scope_of(method, path) == SESSION_ONLY
    }
    assert unlisted == set(), "add these routes to web/auth/scopes.py"


def test_deactivation_and_a_new_password_by_link_revoke_the_keys(
    service: Context, with_key: KeyClient, sign_in: SignIn, villages: Villages
) -> None:
    key = with_key("read", login="village_a")
    assert key.get("/api/alerts").status_code == 200
    with service.database.read() as session:
        user = user_by_login(session, "village_a")
        assert user is not None
    admin = sign_in("admin")
    for active in ("false", "true"):
        admin.post(f"/people/{user.id}/active", data={"active": active})
    assert key.get("/api/alerts").status_code == 401

    key = with_key("read", login="village_a")
    page = admin.post(f"/people/{user.id}/link").text
    link = page.partition("/welcome/")[2].partition('"')[0]
    form = {"password": "a new password", "again": "a new password"}
    assert admin.post(f"/welcome/{link}", data=form).status_code == 303
    assert key.get("/api/alerts").status_code == 401
