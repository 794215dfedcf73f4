"""IPv6 addresses are judged by the IPv4 address they stand for, and internal hosts are never asked through a proxy."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from configs.network_addresses import embedded_ipv4, is_host, is_internal, is_public


@pytest.mark.parametrize(
    ("address", "inner"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::127.0.0.1", "127.0.0.1"),
        ("::ffff:0:10.0.0.1", "10.0.0.1"),
        ("64:ff9b::a00:1", "10.0.0.1"),
        ("64:ff9b:1:0:a00:1::", "0.0.0.0"),
        ("2002:a00:1::", "10.0.0.1"),
        ("2001:0:1:2:3:4:f5ff:fffe", "10.0.0.1"),
        ("2400::200:5efe:10.0.0.1", "10.0.0.1"),
    ],
)
def test_an_embedded_ipv4_address_is_found(address: str, inner: str) -> None:
    assert embedded_ipv4(ip_address(address)) == ip_address(inner)
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["::", "::1", "2400:3200::1", "fd00::5", "10.0.0.1"])
def test_other_addresses_stand_for_themselves(address: str) -> None:
    assert embedded_ipv4(ip_address(address)) is None


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.64", "100.64.0.9", "fd00::5", "2400:3200::1", "8.8.8.8"])
def test_private_and_public_addresses_are_hosts(address: str) -> None:
    assert is_host(ip_address(address), loopback=False)


@pytest.mark.parametrize(
    ("addresses", "internal"),
    [
        (["127.0.0.1"], True),
        (["::1"], True),
        (["10.1.2.3"], True),
        (["fd00::5", "10.1.2.3"], True),
        (["169.254.1.1"], True),
        (["8.8.8.8"], False),
        (["10.1.2.3", "8.8.8.8"], False),
        ([], False),
    ],
)
def test_a_host_is_internal_if_no_address_of_it_is_public(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], internal: bool
) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        if not addresses:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert is_internal("tuban.bureau.example") is internal
