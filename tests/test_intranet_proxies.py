"""A proxy in the environment is for the internet: no request to this machine or the intranet passes it."""

from __future__ import annotations

import datetime as dt
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

import tuban
from configs.network_addresses import is_internal
from configs.service import HookSettings, OpenIdSettings, ServiceSettings
from errors import TubanError
from imagery.cameras.address import parse_stream
from imagery.cameras.http_source import still_frames
from imagery.cameras.settings import CaptureSettings
from service.broker import UNREACHABLE, queue_lengths
from store.objects.factory import open_object_store
from web.auth.openid import begin_sign_in
from workers.delivery.web_hooks import post_to_hook

NOW = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)


class Listener:
    """Counts connections, and closes each at once."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                connection.close()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Listener:
    """A proxy in the environment."""
    listener = Listener()
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
        monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{listener.port}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("MAX_ATTEMPTS", "1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    return listener


def _object_store(address: str, folder: Path) -> None:
    settings = ServiceSettings(home=folder, objects="s3://bucket", s3_endpoint=address)
    open_object_store(settings).exists("a/b")


def _openid(address: str, folder: Path) -> None:
    begin_sign_in(OpenIdSettings(issuer=address, client_id="tuban"), "https://tuban.test/openid/back")


def _hook(address: str, folder: Path) -> None:
    hook = HookSettings(url=f"{address}/hook", secret=SecretStr("a secret of some length"))
    post_to_hook(b"{}", hook, event_id="1", allowed_hosts=["127.0.0.0/8"], timeout_seconds=5, now=NOW)


def _camera(address: str, folder: Path) -> None:
    list(still_frames(parse_stream("still", f"{address}/still"), CaptureSettings(frames=1, limit_s=5, loopback=True)))


def _alerts(address: str, folder: Path) -> None:
    tuban.read_alerts(address, "key")


def _redis(address: str, folder: Path) -> None:
    queue_lengths(ServiceSettings(home=folder, broker=f"{address.replace('http', 'redis')}/0"))


REQUESTS: dict[str, Callable[[str, Path], None]] = {
    "object store": _object_store,
    "sign-in server": _openid,
    "hook": _hook,
    "camera": _camera,
    "tuban.read_alerts": _alerts,
    "Redis": _redis,
}


@pytest.mark.parametrize("name", REQUESTS)
def test_the_proxy_does_not_see_requests_to_internal_hosts(proxy: Listener, tmp_path: Path, name: str) -> None:
    target = Listener()
    with pytest.raises((TubanError, *UNREACHABLE)):
        REQUESTS[name](f"http://127.0.0.1:{target.port}", tmp_path)
    assert target.connections > 0
    assert proxy.connections == 0


def test_a_client_without_this_rule_would_ask_the_proxy(proxy: Listener) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get("http://127.0.0.1:9/")
    assert proxy.connections == 1


@pytest.mark.parametrize(
    ("host", "internal"),
    [
        *((host, True) for host in ("127.0.0.1", "localhost", "10.1.2.3", "172.20.0.5", "192.168.1.7", "100.64.0.1")),
        *((host, True) for host in ("::1", "fd00::1", "fe80::1", "169.254.1.1", "::ffff:10.0.0.1")),
        *((host, False) for host in ("8.8.8.8", "2400:3200::1", "no-such-name.invalid", "")),
    ],
)
def test_internal_hosts_are_those_that_no_proxy_of_the_internet_can_reach(host: str, internal: bool) -> None:
    assert is_internal(host) == internal
