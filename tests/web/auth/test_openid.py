"""Signing in through a real OpenID Connect server on loopback: only people who are known, and only honest answers."""

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
    """A sign-in server: what it vouches for is set by the test."""

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
        asked = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        digest = hashlib.sha256(asked["code_verifier"][0].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.server.challenge:
            self._answer({"error": "invalid_grant"}, 400)
            return
        token = jwt.encode({"alg": "ES256", "kid": "1"}, self.server.claims, self.server.signs_with)
        self._answer({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    """A sign-in server that runs."""
    made = Server()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def browser(service: Context, server: Server) -> Iterator[Browser]:
    """A browser before signing in, at a service that knows the server."""
    openid = OpenIdSettings(issuer=server.issuer, client_id="tuban", client_secret="secret secret")  # type: ignore[arg-type]
    service.settings = service.settings.model_copy(
        update={"web": service.settings.web.model_copy(update={"openid": openid}), "public_url": ORIGIN}
    )
    headers = {"accept": "text/html", "accept-language": "en"}
    with Browser(make_app(service), base_url=ORIGIN, headers=headers, follow_redirects=False) as made:
        yield made


def _go(browser: Browser, server: Server, **claims: Any) -> Any:
    """Begin, be vouched for by the server, and come back."""
    there = parse_qs(urlsplit(browser.get("/openid/begin?next=/map").headers["location"]).query)
    server.challenge = there["code_challenge"][0]
    now = int(time.time())
    server.claims |= {"iss": server.issuer, "aud": "tuban", "exp": now + 60, "iat": now, "nonce": there["nonce"][0]}
    server.claims |= claims
    return browser.get(f"/openid/back?state={there['state'][0]}&code=abc")


def test_who_is_known_and_vouched_for_is_signed_in(browser: Browser, server: Server) -> None:
    answer = _go(browser, server)
    assert (answer.status_code, answer.headers["location"]) == (303, "/map")
    assert "village_a" in browser.get("/account").text


def test_a_login_that_was_given_to_another_there_does_not_take_over(browser: Browser, server: Server) -> None:
    assert _go(browser, server).status_code == 303
    browser.cookies.clear()
    assert _go(browser, server, sub="43").status_code == 403


def test_who_is_not_known_here_is_told_so(browser: Browser, server: Server) -> None:
    answer = _go(browser, server, preferred_username="nobody")
    assert answer.status_code == 403
    assert "administrator" in answer.text


@pytest.mark.parametrize(
    "claims",
    [{"aud": "another"}, {"iss": "http://evil.test"}, {"exp": 1}, {"nonce": "of another sign-in"}],
    ids=["audience", "issuer", "expired", "nonce"],
)
def test_an_answer_that_is_not_for_this_sign_in_is_refused(
    browser: Browser, server: Server, claims: dict[str, Any]
) -> None:
    assert _go(browser, server, **claims).status_code == 409
    assert browser.get("/account").status_code == 303


def test_an_answer_that_another_signed_is_refused(browser: Browser, server: Server) -> None:
    server.signs_with = ECKey.generate_key("P-256", {"kid": "1"})
    assert _go(browser, server).status_code == 409


def test_coming_back_without_having_begun_is_refused(browser: Browser) -> None:
    assert browser.get("/openid/back?state=x&code=y").status_code == 403
