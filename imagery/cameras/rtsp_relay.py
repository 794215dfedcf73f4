"""Relay between FFmpeg and a camera: FFmpeg follows redirects of RTSP to any host, and has no option against it.

FFmpeg connects to the relay on loopback, and the relay to the one address that was resolved and checked.
"""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, suppress
from types import TracebackType

_MAX_LINE, _MAX_HEADER_LINES, _MAX_BODY = 4000, 200, 1 << 20
_CHUNK = 1 << 16


class RedirectError(Exception):
    """The server redirects; ``location`` is its answer, or "" if it is malformed."""

    def __init__(self, location: str) -> None:
        """Without a message: it is not shown."""
        super().__init__()
        self.location = location


class ResponseScanner:
    """Find a redirect in the bytes of a server, with the rules by which FFmpeg divides them into messages.

    Those are: a line ends with LF, CR is ignored everywhere, ``$`` at the start of a line begins a binary frame with
    its length, a blank line ends the header, and the last ``Content-Length`` counts.
    """

    def __init__(self) -> None:
        """Begin at the start of a connection."""
        self._line = bytearray()
        self._lines = 0
        self._skip = 0
        self._frame_header: bytearray | None = None
        self._content_length = 0
        self._location: str | None = None  # of a response that redirects

    def feed(self, data: bytes) -> None:
        """Read the next bytes of the server, before they are forwarded.

        Raises:
            RedirectError: they complete a redirect, or something that FFmpeg might take for one.
        """
        position = 0
        while position < len(data):
            if self._skip:
                skipped = min(self._skip, len(data) - position)
                self._skip -= skipped
                position += skipped
            elif self._frame_header is not None:
                self._frame_header.append(data[position])
                position += 1
                if len(self._frame_header) == 3:  # channel, and length in two bytes
                    self._skip = int.from_bytes(self._frame_header[1:], "big")
                    self._frame_header = None
            elif not self._line and data[position : position + 1] == b"$":
                self._frame_header = bytearray()
                position += 1
            else:
                self._letter(data[position])
                position += 1

    def _letter(self, letter: int) -> None:
        if letter == ord("\r"):
            return
        if letter != ord("\n"):
            self._line.append(letter)
            if len(self._line) > _MAX_LINE or letter == 0:
                raise RedirectError("")
            return
        line = bytes(self._line).decode("latin-1")
        self._line.clear()
        if line:
            self._header_line(line)
            return
        if self._location is not None:
            raise RedirectError(self._location)
        self._skip = self._content_length
        self._lines = self._content_length = 0

    def _header_line(self, line: str) -> None:
        words = line.split()
        name, _, value = line.partition(":")
        if self._lines == 0 and words and words[0].startswith("RTSP/"):
            status = words[1] if len(words) > 1 else ""
            if len(status) != 3 or not status.isdecimal():
                raise RedirectError("")
            if status.startswith("3"):
                self._location = ""
        elif name.lower() == "location" and self._location is not None:
            self._location = value.strip()
        elif name.lower() == "content-length":
            if not value.strip().isdecimal() or int(value.strip()[:12]) > _MAX_BODY:
                raise RedirectError("")
            self._content_length = int(value)
        self._lines += 1
        if self._lines > _MAX_HEADER_LINES:
            raise RedirectError("")


class RtspRelay:
    """Listen on loopback, and forward every connection to one address.

    Attributes:
        port: on 127.0.0.1.
        redirect: ``Location`` of the redirect that the server sent; None: it sent none. FFmpeg never sees it.
    """

    def __init__(self, host: str, port: int, connect_seconds: float) -> None:
        """Listen, without connecting yet.

        Args:
            host: address of the server.
            port: of the server.
            connect_seconds: time limit for connecting.
        """
        self._server, self._connect_seconds = (host, port), connect_seconds
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.redirect: str | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> RtspRelay:
        """Return the relay."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening. Connections end when either side ends them."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, suppress(OSError), ExitStack() as stack:
            server = stack.enter_context(socket.create_connection(self._server, self._connect_seconds))
            server.settimeout(None)
            playing = threading.Event()
            threading.Thread(target=_forward_requests, args=(client, server, playing), daemon=True).start()
            scanner = ResponseScanner()
            try:
                while data := server.recv(_CHUNK):
                    if not playing.is_set():
                        scanner.feed(data)
                    client.sendall(data)
            except RedirectError as found:
                self.redirect = found.location
            finally:
                for side in (client, server):
                    with suppress(OSError):
                        side.shutdown(socket.SHUT_RDWR)


def _forward_requests(client: socket.socket, server: socket.socket, playing: threading.Event) -> None:
    """Forward what FFmpeg sends. It follows redirects only before it requests to play, and then frames begin."""
    with suppress(OSError):
        while data := client.recv(_CHUNK):
            if data.startswith(b"PLAY "):
                playing.set()
            server.sendall(data)
    with suppress(OSError):
        server.shutdown(socket.SHUT_RDWR)
