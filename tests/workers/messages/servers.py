"""Real servers on loopback that receive messages: SMTP (aiosmtpd), and HTTP as DingTalk, WeCom and hooks answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller

LOOPBACK = ("127.0.0.1/32",)


@dataclass
class MailServer:
    """An SMTP server; ``refuse``: its answer to a message, like ``451 later``; ``accepted``: called for each one."""

    port: int = 0
    refuse: str = ""
    accepted: Callable[[], None] | None = None
    received: list[tuple[str, str, str, str]] = field(default_factory=list)
    """(recipient, Message-ID, subject, text)."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  (name of aiosmtpd)
        if self.refuse:
            return self.refuse
        message = message_from_bytes(envelope.content, policy=default)
        subject = str(make_header(decode_header(str(message["Subject"]))))
        text = message.get_content()
        self.received.append((envelope.rcpt_tos[0], str(message["Message-ID"]), subject, text))
        if self.accepted is not None:  # before the client is told
            self.accepted()
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run an SMTP server on a free port."""
    server = MailServer()

    class OnFreePort(Controller):
        def _trigger_server(self) -> None:
            self.port = server.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()

    controller = OnFreePort(server, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


@dataclass
class RobotServer:
    """An HTTP server that answers like the servers of robots and hooks; ``errcode`` of its next answers."""

    port: int = 0
    errcode: int = 0
    status: int = 200
    requests: list[tuple[str, dict[str, list[str]], dict[str, Any]]] = field(default_factory=list)
    """(path, query, body)."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def robot_server() -> Iterator[RobotServer]:
    """Run an HTTP server on a free port."""
    server = RobotServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            parts = urlsplit(self.path)
            server.requests.append((parts.path, parse_qs(parts.query), json.loads(body)))
            self.send_response(server.status)
            self.end_headers()
            self.wfile.write(json.dumps({"errcode": server.errcode, "errmsg": "ok"}).encode())

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    http = Server(("127.0.0.1", 0), Handler)
    server.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
