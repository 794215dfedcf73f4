"""Web hooks: signed requests to a permitted address, without redirects, with a timeout."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import ipaddress
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from configs.service import HookSettings, read_service
from errors import SettingsError
from workers.delivery.delivery_errors import DeliveryRejected
from workers.delivery.web_hooks import is_allowed_address, post_to_hook, sign

NOW = dt.datetime(2026, 12, 1, 18, 30, tzinfo=dt.UTC)
SECRET = "a secret of some length"
BODY = '{"subject":"330106W2026110001","village":"东穆坞村"}'.encode()
EVENT_ID = "6d4f8a52-1f0e-4f0c-9a5e-2c6a5f1f7b11"
LOOPBACK = ("127.0.0.1/32",)


@dataclass
class Receiver:
    """A small HTTP server on loopback with a configurable response; it records requests."""

    port: int = 0
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def hook(self, path: str = "/hook?key=1", host: str = "127.0.0.1", scheme: str = "http") -> HookSettings:
        return HookSettings(url=f"{scheme}://{host}:{self.port}{path}", secret=SECRET)


@contextmanager
def _receiving(certificate: Path | None = None) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.requests.append((self.path, dict(self.headers), body))
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(receiver.answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with _receiving() as receiver:
        yield receiver


def _post(hook: HookSettings, *, allowed: tuple[str, ...] = LOOPBACK, timeout: float = 5, to: str = "") -> None:
    resolve = {"resolve": lambda _host, _port: [to]} if to else {}
    post_to_hook(BODY, hook, event_id=EVENT_ID, allowed_hosts=allowed, timeout_seconds=timeout, now=NOW, **resolve)


def test_a_hook_receives_the_signed_event(receiver: Receiver) -> None:
    _post(receiver.hook())
    (path, headers, body) = receiver.requests[0]
    timestamp = str(int(NOW.timestamp()))
    expected = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + BODY, hashlib.sha256).hexdigest()
    assert (path, body) == ("/hook?key=1", BODY)
    assert headers["Tuban-Timestamp"] == timestamp
    assert headers["Tuban-Signature"] == f"v1={expected}"
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["Host"] == f"127.0.0.1:{receiver.port}"


def test_a_signature_depends_on_the_secret_the_time_and_every_byte() -> None:
    signed = {sign("a", "1", b"x"), sign("b", "1", b"x"), sign("a", "2", b"x"), sign("a", "1", b"y")}
    assert len(signed) == 4


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_status_means_accepted(receiver: Receiver, status: int) -> None:
    receiver.status = status
    _post(receiver.hook())


@pytest.mark.parametrize("status", [400, 401, 404, 408, 410, 425, 429, 500, 503])
def test_any_other_status_is_a_rejection_with_the_response(receiver: Receiver, status: int) -> None:
    receiver.status, receiver.answer = status, "no\x1b[31m such 线索".encode() * 1000
    with pytest.raises(DeliveryRejected, match=f"answered {status}: no") as caught:
        _post(receiver.hook())
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_the_error_does_not_contain_the_query_which_may_hold_a_key(receiver: Receiver) -> None:
    receiver.status = 500
    with pytest.raises(DeliveryRejected) as caught:
        _post(receiver.hook("/hook?key=hidden"))
    assert "/hook" in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        ("90", 90),
        ("Tue, 01 Dec 2026 18:35:00 GMT", 300),
        ("Tue, 01 Dec 2026 18:00:00 GMT", 0),
        ("999999999", 24 * 3600),
        ("soon", 0),
    ],
)
def test_retry_after_is_honoured_up_to_a_day(receiver: Receiver, retry_after: str, expected: float) -> None:
    receiver.status, receiver.headers = 503, {"Retry-After": retry_after}
    with pytest.raises(DeliveryRejected) as caught:
        _post(receiver.hook())
    assert caught.value.wait_seconds == expected


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    with _receiving() as other:
        receiver.status = 307
        receiver.headers = {"Location": f"http://127.0.0.1:{other.port}/inner"}
        with pytest.raises(DeliveryRejected, match="redirects are not followed"):
            _post(receiver.hook())
        assert other.requests == []


def test_an_address_that_is_not_public_is_refused_before_anything_is_sent(receiver: Receiver) -> None:
    with pytest.raises(DeliveryRejected, match="not public"):
        _post(receiver.hook(), allowed=())
    assert receiver.requests == []


def test_a_name_that_resolves_to_a_private_address_is_refused(receiver: Receiver) -> None:
    with pytest.raises(DeliveryRejected, match=r"10\.1\.2\.3, which is not public"):
        _post(receiver.hook(host="hook.example"), to="10.1.2.3")


def test_the_checked_address_is_the_one_connected_to(receiver: Receiver) -> None:
    lookups = []

    def resolve(host: str, port: int) -> list[str]:
        lookups.append((host, port))
        return ["127.0.0.1"] if len(lookups) == 1 else ["10.1.2.3"]

    hook = receiver.hook(host="hook.example")
    post_to_hook(BODY, hook, event_id=EVENT_ID, allowed_hosts=LOOPBACK, timeout_seconds=5, now=NOW, resolve=resolve)
    assert lookups == [("hook.example", receiver.port)]
    assert receiver.requests[0][1]["Host"] == f"hook.example:{receiver.port}"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "::127.0.0.1",
        "::10.0.0.1",
        "::ffff:0:10.0.0.1",
        "fec0::1",
        "64:ff9b:1::a00:1",
        "64:ff9b:1:2::1",
        "2001:0:a00:1::",
        "2400:3200::5efe:10.0.0.1",
        "3ffe::1:0:5efe:10.0.0.1",
        "100::1",
        "4000::1",
        "240.0.0.1",
        "0.1.2.3",
    ],
)
def test_addresses_that_are_not_public_are_refused_unless_listed(address: str) -> None:
    found = ipaddress.ip_address(address)
    assert not is_allowed_address(found, ())
    assert not is_allowed_address(found, ("10.9.0.0/16", "fd00::/32"))


@pytest.mark.parametrize(
    ("address", "listed"),
    [
        ("10.1.2.3", "10.1.0.0/16"),
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.0.0/16"),
        ("fd00::5", "fd00::/32"),
    ],
)
def test_addresses_that_are_listed_are_permitted(address: str, listed: str) -> None:
    assert is_allowed_address(ipaddress.ip_address(address), (listed,))


@pytest.mark.parametrize("address", ["8.8.8.8", "2400:3200::1"])
def test_public_addresses_are_permitted(address: str) -> None:
    assert is_allowed_address(ipaddress.ip_address(address), ())


@contextmanager
def _behaving(act: Callable[[socket.socket], None]) -> Iterator[HookSettings]:
    """A server that accepts one connection, calls ``act`` with it and keeps it open until the test ends."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                act(connection)
                ended.wait()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield HookSettings(url=f"http://127.0.0.1:{server.getsockname()[1]}/", secret=SECRET)
        finally:
            ended.set()
            thread.join()


def test_a_server_that_never_answers_times_out() -> None:
    with _behaving(lambda _: None) as hook, pytest.raises(DeliveryRejected, match=r"within 0\.2 seconds"):
        _post(hook, timeout=0.2)


def test_a_response_that_never_ends_times_out() -> None:
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not stop.wait(0.02):  # each header line arrives well within the timeout
                connection.sendall(b"X-Drop: 1\r\n")
        except OSError:
            return

    with _behaving(drip) as hook:
        try:
            with pytest.raises(DeliveryRejected, match=r"within 0\.3 seconds"):
                _post(hook, timeout=0.3)
        finally:
            stop.set()


def test_a_server_that_does_not_speak_http_is_a_rejection() -> None:
    with (
        _behaving(lambda connection: connection.sendall(b"SSH-2.0-x\r\n\r\n")) as hook,
        pytest.raises(DeliveryRejected),
    ):
        _post(hook)


def test_an_unreachable_server_is_a_rejection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DeliveryRejected, match="cannot be reached"):
        _post(HookSettings(url=f"http://127.0.0.1:{port}/", secret=SECRET))


def test_an_unknown_host_name_is_a_rejection() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    hook = HookSettings(url="https://nowhere.example/", secret=SECRET)
    with pytest.raises(DeliveryRejected, match="cannot be resolved"):
        post_to_hook(BODY, hook, event_id=EVENT_ID, allowed_hosts=(), timeout_seconds=5, now=NOW, resolve=resolve)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for hook.example."""
    path = tmp_path_factory.mktemp("tls") / "hook.pem"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=hook.example"
    names = ["-addext", "subjectAltName=DNS:hook.example", "-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run(["openssl", *request.split(), *names], check=True, capture_output=True)
    return path


def test_the_tls_certificate_must_match_the_host_name(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with _receiving(certificate) as receiver:
        _post(receiver.hook(host="hook.example", scheme="https"), to="127.0.0.1")
        assert receiver.requests[0][1]["Host"] == f"hook.example:{receiver.port}"
        with pytest.raises(DeliveryRejected, match="certificate"):
            _post(receiver.hook(host="other.example", scheme="https"), to="127.0.0.1")
        assert len(receiver.requests) == 1


def test_an_untrusted_tls_certificate_is_refused(certificate: Path) -> None:
    with _receiving(certificate) as receiver:
        with pytest.raises(DeliveryRejected, match="certificate"):
            _post(receiver.hook(host="hook.example", scheme="https"), to="127.0.0.1")
        assert receiver.requests == []


@pytest.mark.parametrize(
    "delivery",
    [
        {"hooks": [{"url": "ftp://hook.example/", "secret": SECRET}]},
        {"hooks": [{"url": "https://user:password@hook.example/", "secret": SECRET}]},
        {"hooks": [{"url": "https://hook.example/", "secret": "short"}]},
        {"hooks": [{"url": "https://hook.example/", "secret": SECRET}] * 2},
        {"allowed_hosts": ["inner.example"]},
        {"allowed_hosts": ["10.1.2.3/16"]},
        {"queue": "scan"},
    ],
)
def test_invalid_delivery_settings_are_refused(delivery: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="delivery"):
        read_service(delivery=delivery)
