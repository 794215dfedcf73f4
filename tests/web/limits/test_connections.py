"""Half-sent requests end after a deadline, and one address cannot occupy the whole server."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from configs.service import WebSettings
from web.limits.connections import RESERVED_FILES, ConnectionTable

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
WAIT = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200"
HALF = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 200; the response to ``/wait`` is incomplete until the client disconnects."""
    wait = scope["path"] == "/wait"
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"o", "more_body": True})
    while wait and (await receive())["type"] != "http.disconnect":
        pass
    await send({"type": "http.response.body", "body": b"k"})


@contextmanager
def serving(table: ConnectionTable) -> Iterator[int]:
    """Serve :func:`hello` in a thread with the limits of a table; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(hello, http=table.protocol(), ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
        listener.close()


def connect(port: int, sent: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 10)
    connection.sendall(sent)
    return connection


def answer(connection: socket.socket) -> bytes:
    """Return the start of the response; b"" if the server closed the connection."""
    try:
        return connection.recv(12)
    except ConnectionResetError:
        return b""


def limits(
    per_address: int = 100, total: int = 1000, seconds: float = 30, proxies: tuple[str, ...] = ()
) -> ConnectionTable:
    return ConnectionTable(per_address, total, seconds, proxies)


@pytest.mark.parametrize("sent", [b"", b"G", HALF, HALF + b"X-A: " + b"a" * 1000])
def test_a_connection_without_a_complete_header_is_closed_at_its_deadline(sent: bytes) -> None:
    with serving(limits(seconds=0.05)) as port, connect(port, sent) as connection:
        assert answer(connection) == b""


def test_a_request_in_progress_has_no_header_deadline() -> None:
    table = limits(seconds=0.05)
    with serving(table) as port, connect(port, WAIT) as waiting:
        assert answer(waiting) == OK
        with connect(port, HALF) as half:
            assert answer(half) == b""  # its deadline has passed, and so would that of the first
        assert table.count == 1


def test_further_half_sent_requests_of_one_address_end_its_oldest_ones() -> None:
    with serving(limits(per_address=3)) as port:
        held = [connect(port, HALF) for _ in range(8)]
        with connect(port, REQUEST) as another:
            assert answer(another) == OK
        assert [answer(connection) for connection in held[:5]] == [b""] * 5
        for connection in held:
            connection.close()


def test_when_all_connections_of_an_address_are_in_use_the_next_one_is_refused() -> None:
    with serving(limits(per_address=2)) as port:
        used = [connect(port, WAIT) for _ in range(2)]
        assert [answer(connection) for connection in used] == [OK] * 2
        with connect(port, REQUEST) as refused:
            assert answer(refused) == b""
        for connection in used:
            connection.close()


def test_a_trusted_proxy_is_not_limited_but_the_process_is() -> None:
    with serving(limits(per_address=2, proxies=("127.0.0.0/8",))) as port:
        held = [connect(port, HALF) for _ in range(4)]
        for connection in held:
            connection.sendall(b"\r\n")
        assert [answer(connection) for connection in held] == [OK] * 4
    with serving(limits(total=2, proxies=("127.0.0.1",))) as port:
        held = [connect(port, HALF) for _ in range(4)]
        with connect(port, REQUEST) as another:
            assert answer(another) == OK
        for connection in held:
            connection.close()


def test_the_limit_of_a_process_leaves_files_for_other_uses() -> None:
    table = ConnectionTable.from_settings(WebSettings(connections_per_address=7, trusted_proxies=("10.0.0.1",)), 1024)
    assert (table.per_address, table.total, table.proxies) == (7, 1024 - RESERVED_FILES, ("10.0.0.1",))
