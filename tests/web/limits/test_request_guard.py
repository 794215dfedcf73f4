"""A body is read only from a known user, up to its route's size, and within a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.types import Message

from configs.service import WebSettings
from service.context import Context
from store.access.api_keys import add_key
from store.access.users import user_by_login
from tests.web.conftest import NOW
from web.app import make_app
from web.limits.request_guard import PUBLIC_BODY_BYTES

MIB = 2**20


class Client:
    """Sends requests to the application and counts the bytes of their bodies that are read."""

    def __init__(self, app: FastAPI, key: str) -> None:
        self.app, self.key = app, key
        self.read = 0

    def post(self, path: str, parts: Iterator[bytes], length: int | None = None, signed_in: bool = True) -> int:
        """Return the status; an exhausted ``parts`` never completes the body."""
        headers = [(b"host", b"tuban.test"), (b"content-type", b"application/json"), (b"accept", b"application/json")]
        headers += [(b"authorization", f"Bearer {self.key}".encode())] if signed_in else []
        headers += [(b"content-length", str(length).encode())] if length is not None else []
        return asyncio.run(self._send(path, parts, headers))

    async def _send(self, path: str, parts: Iterator[bytes], headers: list[tuple[bytes, bytes]]) -> int:
        statuses: list[int] = []
        self.read = 0

        async def receive() -> Message:
            part = next(parts, None)
            if part is None:
                await asyncio.Event().wait()
            self.read += len(part or b"")
            return {"type": "http.request", "body": part, "more_body": True}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "https",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers,
            "client": ("10.1.2.3", 1), "server": ("tuban.test", 443), "state": {},
        }  # fmt: skip
        await self.app(scope, receive, send)
        return statuses[0]


@pytest.fixture
def client(service: Context) -> Client:
    """A client with a key of a user, of a service that accepts 1 MiB within 50 ms."""
    web = WebSettings(max_body_kib=1024, body_seconds=0.05, allowed_hosts=("tuban.test",))
    service.settings = service.settings.model_copy(update={"web": web})
    with service.database.write() as session:
        user = user_by_login(session, "town")
        assert user is not None
        key = add_key(session, user, "test", NOW, days=1, scopes=["upload", "review", "steps"])
    return Client(make_app(service), key)


def endless() -> Iterator[bytes]:
    while True:
        yield b"[" * 65536


@pytest.mark.parametrize(
    "path", ["/api/batches", "/alerts/reject", "/cameras/test", "/api/alerts/1/transitions", "/account/keys"]
)
def test_nothing_of_a_body_is_read_before_the_user_is_known(client: Client, path: str) -> None:
    assert client.post(path, endless(), 1000 * MIB, signed_in=False) == 401
    assert client.read == 0


@pytest.mark.parametrize("path", ["/api/batches", "/alerts/reject", "/api/alerts/1/transitions"])
def test_an_announced_body_beyond_the_limit_is_refused_unread(client: Client, path: str) -> None:
    assert client.post(path, endless(), MIB + 1) == 413
    assert client.read == 0


def test_a_body_of_unknown_length_is_read_up_to_the_limit(client: Client) -> None:
    assert client.post("/api/batches", endless()) == 413
    assert MIB < client.read <= MIB + 65536


@pytest.mark.parametrize("path", ["/sign-in", "/welcome/invented", "/sign-in?next=/"])
def test_forms_before_sign_in_are_small(client: Client, path: str) -> None:
    assert client.post(path, endless(), 1000 * MIB, signed_in=False) == 413
    assert client.read == 0
    assert client.post("/sign-in", endless(), signed_in=False) in (413, 422)
    assert client.read <= PUBLIC_BODY_BYTES + 65536


@pytest.mark.parametrize("length", ["1e9", "-1", "9" * 30, ""])
def test_a_length_that_is_no_number_is_refused(client: Client, length: str) -> None:
    headers = [(b"content-length", length.encode()), (b"authorization", f"Bearer {client.key}".encode())]
    assert asyncio.run(client._send("/api/batches", endless(), headers)) == 413


def test_a_body_that_stops_arriving_ends_at_its_deadline(client: Client) -> None:
    assert client.post("/api/batches", iter([b"{", b'"area"']), 100) == 408


def test_uploads_are_not_limited_by_the_size_of_other_bodies(client: Client) -> None:
    assert client.post("/api/uploads", endless(), 1000 * MIB) in (412, 422)  # headers are missing
