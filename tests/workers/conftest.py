"""What the tests of this room share: brokers, each session's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.workers.brokers import BROKERS, OwnRedis, own_virtual_host


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
    """The address of each sort of broker, as the settings want it."""
    if request.param == "redis":
        return str(request.getfixturevalue("redis_server").url)
    if request.param == "rabbitmq":
        return str(request.getfixturevalue("rabbitmq_url"))
    return ""
