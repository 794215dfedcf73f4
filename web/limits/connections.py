"""Connections of the web server: deadlines for request headers, and a limit for each address.

Uvicorn has no deadline for a request's header, so that half-sent requests would keep their connections for ever.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from configs.service import WebSettings
from store.access.sign_in_limits import network_of

RESERVED_FILES = 200
"""Open files that a process needs besides its connections: database, images, libraries."""

SILENT_SECONDS = 60
"""A peer that acknowledges nothing for this long is gone."""


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard limit, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 2**20


@dataclass
class ConnectionTable:
    """All connections of one process.

    Attributes:
        per_address: most connections of one address, or of one /64 network of IPv6; not of trusted proxies.
        total: most connections of the process.
        header_seconds: time for the header of a request.
        proxies: addresses and networks of trusted proxies.
    """

    per_address: int
    total: int
    header_seconds: float
    proxies: tuple[str, ...] = ()
    _open: dict[str, list[LimitedProtocol]] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, settings: WebSettings, max_files: int) -> ConnectionTable:
        """Return the table of a process that may open ``max_files`` files."""
        total = max(max_files - RESERVED_FILES, 32)
        return cls(settings.connections_per_address, total, settings.header_seconds, settings.trusted_proxies)

    @property
    def count(self) -> int:
        """Number of open connections."""
        return sum(map(len, self._open.values()))

    def add(self, connection: LimitedProtocol) -> bool:
        """Register a connection. Where there are too many, the longest one without a complete request is closed.

        Returns:
            False: all others are in use, so this one must be closed.
        """
        peers = self._open.setdefault(network_of(connection.peer), [])
        admitted = True
        if len(peers) >= self.per_address and not self._is_proxy(connection.peer):
            admitted = _close_oldest(peers)
        if admitted and self.count >= self.total:
            admitted = _close_oldest([peer for group in self._open.values() for peer in group])
        if admitted:
            peers.append(connection)
        return admitted

    def remove(self, connection: LimitedProtocol) -> None:
        """Forget a closed connection."""
        address = network_of(connection.peer)
        peers = self._open.get(address, [])
        if connection in peers:
            peers.remove(connection)
        if not peers:
            self._open.pop(address, None)

    def _is_proxy(self, address: str) -> bool:
        try:
            peer = ip_address(address)
            return any(peer in ip_network(proxy, strict=False) for proxy in self.proxies)
        except ValueError:
            return "*" in self.proxies or address in self.proxies

    def protocol(self) -> type[LimitedProtocol]:
        """Return the protocol class for ``uvicorn.Config(http=…)``, whose connections this table limits."""
        return type("_LimitedProtocol", (LimitedProtocol,), {"table": self})


def _close_oldest(connections: list[LimitedProtocol]) -> bool:
    for connection in connections:
        if connection.is_waiting:
            connection.abort()
            return True
    return False


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 with a deadline for the header of each request and a limit of connections for each address."""

    table: ConnectionTable
    _deadline: asyncio.TimerHandle | None = None

    @property
    def peer(self) -> str:
        """IP address of the client or proxy; "" for a Unix socket."""
        return self.client[0] if self.client else ""

    @property
    def is_waiting(self) -> bool:
        """Whether no request is in progress: its header is incomplete, or the response was sent."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Register the connection and start its deadline."""
        super().connection_made(transport)
        _detect_lost_peer(transport.get_extra_info("socket"))
        if self.table.add(self):
            self._start_deadline()
        else:
            self.abort()

    def data_received(self, data: bytes) -> None:
        """Handle received bytes; a header that arrives slowly does not extend its deadline."""
        super().data_received(data)
        if self.is_waiting:
            self._start_deadline()
        else:
            self._stop_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_deadline()
        self.table.remove(self)
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close the connection at once."""
        self._stop_deadline()
        self.table.remove(self)
        self.transport.abort()

    def _start_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.table.header_seconds, self.abort)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _detect_lost_peer(connection: Any) -> None:
    """Close connections whose peer vanished without a word, such as a laptop that was shut."""
    if isinstance(getattr(connection, "family", None), int) and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENT_SECONDS // 2)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, SILENT_SECONDS // 6)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_SECONDS * 1000)
