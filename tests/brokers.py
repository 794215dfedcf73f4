"""Broker fixtures, isolated per test run: a folder, a Redis server, and a RabbitMQ virtual host."""

from __future__ import annotations

import fcntl
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import pytest
import redis

from service.job_registry import QUEUES
from tests.services import RABBITMQ

BROKERS = ("files", "redis", "rabbitmq")


class OwnRedis:
    """A Redis server on a free port, without persistence."""

    def __init__(self) -> None:
        if shutil.which("redis-server") is None:
            pytest.skip("no redis-server on the path")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        arguments = [
            "redis-server",
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self._process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                redis.Redis(port=self.port).ping()
            except redis.ConnectionError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("redis-server did not start within 60 seconds")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def own_virtual_host() -> Iterator[str]:
    """Give the URL of a new virtual host, or of the existing one, locked and purged, if none can be created."""
    try:
        with kombu.Connection(RABBITMQ, connect_timeout=5) as connection:
            connection.ensure_connection(max_retries=1, timeout=10)
    except (OSError, kombu.exceptions.KombuError) as error:
        pytest.skip(f"no RabbitMQ at {RABBITMQ}: {error}")
    name = f"tuban_{secrets.token_hex(4)}"
    user = urlsplit(RABBITMQ).username or "guest"
    if rabbitmqctl("add_vhost", name) and rabbitmqctl("set_permissions", "-p", name, user, ".*", ".*", ".*"):
        try:
            yield RABBITMQ.split("//", 1)[0] + "//" + RABBITMQ.split("//", 1)[1].split("/", 1)[0] + f"/{name}"
        finally:
            rabbitmqctl("delete_vhost", name)
        return
    with (Path(tempfile.gettempdir()) / "tuban-tests-rabbitmq.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        purge(RABBITMQ)
        yield RABBITMQ
        purge(RABBITMQ)


def purge(address: str) -> None:
    """Delete the queues of the service."""
    with kombu.Connection(address) as connection:
        for queue in QUEUES:
            with connection.channel() as channel:
                channel.queue_delete(f"tuban.{queue}")


def rabbitmqctl(*arguments: str) -> bool:
    """Run rabbitmqctl; False if it is missing or fails."""
    if shutil.which("rabbitmqctl") is None:
        return False
    return subprocess.run(["rabbitmqctl", *arguments], capture_output=True, timeout=120, check=False).returncode == 0


@pytest.fixture(scope="session")
def redis_server() -> Iterator[OwnRedis]:
    server = OwnRedis()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    with own_virtual_host() as address:
        yield address


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> str:
    """The broker URL of each kind, as in the settings."""
    if request.param == "redis":
        return str(request.getfixturevalue("redis_server").url)
    if request.param == "rabbitmq":
        return str(request.getfixturevalue("rabbitmq_url"))
    return ""
