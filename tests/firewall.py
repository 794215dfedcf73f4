"""A firewall between the service and one of its servers."""

from __future__ import annotations

import socket
import threading


class Firewall:
    """A TCP proxy that can stop forwarding without closing a connection, as firewalls do.

    Attributes:
        port: on 127.0.0.1.
        accepted: number of connections so far.
        blocked: new connections are accepted, and nothing is forwarded.
    """

    def __init__(self, host: str, port: int) -> None:
        """Forward to one server."""
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._generation = 0
        self.accepted = 0
        self.blocked = False
        threading.Thread(target=self._accept, daemon=True).start()

    def drop_silently(self) -> None:
        """Forward nothing any more on the connections that are open now."""
        self._generation += 1

    def close(self) -> None:
        """Close everything."""
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            self.accepted += 1
            self._open.append(client)
            if self.blocked:
                continue
            server = socket.create_connection(self._target)
            self._open.append(server)
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(source, target, self._generation), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, generation: int) -> None:
        try:
            while (data := source.recv(65536)) and generation == self._generation:
                target.sendall(data)
            if generation == self._generation:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            return
