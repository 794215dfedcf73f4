"""A slow line on loopback between a phone and the server, which can be off, or cut all connections again and again."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_PART = 4096


class CuttingLine:
    """A TCP proxy to a server on loopback.

    Attributes:
        server: URL of the server.
        address: URL of the line's own end.
        cuts: how often connections were cut while bytes were on their way.
    """

    def __init__(self, server: str, tls: ssl.SSLContext | None = None) -> None:
        """``server``: URL of the server; ``tls``: with which the line's own end is encrypted."""
        self._tls, self.server = tls, server
        self._server = "127.0.0.1", urlsplit(server).port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{self._listening.getsockname()[1]}"
        self._open, self._speed, self._every, self._ended = True, 0.0, 0.0, False
        self._sockets: set[socket.socket] = set()
        self.cuts = 0
        for target in (self._accept, self._cut_again):
            threading.Thread(target=target, daemon=True).start()

    def set(self, *, is_open: bool, bytes_per_second: float = 0, cut_every: float = 0) -> None:
        """Open or close the line; 0: no limit of the speed, no cuts."""
        self._open, self._speed, self._every = is_open, bytes_per_second, cut_every
        if not is_open:
            self.cut()

    def cut(self) -> None:
        """End all connections at once."""
        busy = list(self._sockets)
        self.cuts += bool(busy)
        for one in busy:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the line."""
        self._ended = True
        self._listening.close()
        self.cut()

    def _cut_again(self) -> None:
        last = time.monotonic()
        while not self._ended:
            time.sleep(0.05)
            if self._every and time.monotonic() - last >= self._every:
                last = time.monotonic()
                self.cut()

    def _accept(self) -> None:
        while not self._ended:
            try:
                phone, _ = self._listening.accept()
            except OSError:
                return
            if not self._open:
                phone.close()
                continue
            try:
                phone = self._tls.wrap_socket(phone, server_side=True) if self._tls else phone
            except (ssl.SSLError, OSError):  # the phone refuses the certificate
                continue
            server = socket.create_connection(self._server)
            self._sockets |= {phone, server}
            for source, target, slow in ((phone, server, True), (server, phone, False)):
                threading.Thread(target=self._copy, args=(source, target, slow), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, slow: bool) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(_PART):
                target.sendall(part)
                if slow and self._speed:
                    time.sleep(len(part) / self._speed)
        for one in (source, target):
            self._sockets.discard(one)
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting_line(server: str, tls: ssl.SSLContext | None = None) -> Iterator[CuttingLine]:
    """Give a line to a server while the context is open."""
    line = CuttingLine(server, tls)
    try:
        yield line
    finally:
        line.close()
