"""Sign-in through an OpenID Connect server on loopback: only existing users, and only valid tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from configs.service import OpenIdSettings
from service.context import Context
from tests.web.conftest import ORIGIN, Browser
from web.app import make_app


class Server(ThreadingHTTPServer):
    """An OpenID server; the test sets the claims of its tokens."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = ECKey.generate_key("P-256", {"kid": "1", "use": "sig", "alg": "ES256"})
        self.signs_with = self.key
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.claims: dict[str, Any] = {"sub": "42", "preferred_username": "village_a"}
        self.challenge = ""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self, content: Any, status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        issuer = self.server.issuer
        if self.path.endswith("openid-configuration"):
            ends = {name: f"{issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
            self._answer({"issuer": issuer} | ends)
        else:
            self._answer({"keys": [self.server.key.as_dict(private=False)]})

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.server.challenge:
            self._answer({"error": "invalid_grant"}, 400)
            return
        token = jwt.encode({"alg": "ES256", "kid": "1"}, self.server.claims, self.server.signs_with)
        self._answer({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    """A running OpenID server."""
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def browser(service: Context, server: Server) -> Iterator[Browser]:
    """A browser that is not signed in, of a service configured with the server."""
    openid = OpenIdSettings(issuer=server.issuer, client_id="tuban", client_secret="secret secret")  # type: ignore[arg-type]
    service.settings = service.settings.model_copy(
        update={"web": service.settings.web.model_copy(update={"openid": openid}), "public_url": ORIGIN}
    )
    headers = {"accept": "text/html", "accept-language": "en"}
    with Browser(make_app(service), base_url=ORIGIN, headers=headers, follow_redirects=False) as browser:
        yield browser


def _go(browser: Browser, server: Server, **claims: Any) -> Any:
    """Start the sign-in, let the server issue a token with ``claims``, and call back."""
    there = parse_qs(urlsplit(browser.get("/openid/begin?next=/map").headers["location"]).query)
    server.challenge = there["code_challenge"][0]
    now = int(time.time())
    server.claims |= {"iss": server.issuer, "aud": "tuban", "exp": now + 60, "iat": now, "nonce": there["nonce"][0]}
    server.claims |= claims
    return browser.get(f"/openid/back?state={there['state'][0]}&code=abc")


def test_a_confirmed_user_that_exists_is_signed_in(browser: Browser, server: Server) -> None:
    response = _go(browser, server)
    assert (response.status_code, response.headers["location"]) == (303, "/map")
    assert "village_a" in browser.get("/account").text


def test_a_reused_login_of_another_subject_is_rejected(browser: Browser, server: Server) -> None:
    assert _go(browser, server).status_code == 303
    browser.cookies.clear()
    assert _go(browser, server, sub="43").status_code == 403


def test_a_confirmed_user_that_does_not_exist_is_rejected(browser: Browser, server: Server) -> None:
    response = _go(browser, server, preferred_username="nobody")
    assert response.status_code == 403
    assert "administrator" in response.text


@pytest.mark.parametrize(
    "claims",
    [{"aud": "another"}, {"iss": "http://evil.test"}, {"exp": 1}, {"nonce": "of another sign-in"}],
    ids=["audience", "issuer", "expired", "nonce"],
)
def test_a_token_for_another_sign_in_is_rejected(browser: Browser, server: Server, claims: dict[str, Any]) -> None:
    assert _go(browser, server, **claims).status_code == 409
    assert browser.get("/account").status_code == 303


def test_a_token_with_a_wrong_signature_is_rejected(browser: Browser, server: Server) -> None:
    server.signs_with = ECKey.generate_key("P-256", {"kid": "1"})
    assert _go(browser, server).status_code == 409


def test_a_callback_without_a_pending_sign_in_is_rejected(browser: Browser) -> None:
    assert browser.get("/openid/back?state=x&code=y").status_code == 403
