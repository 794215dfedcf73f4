"""HTTP cameras for tests, one path for each behaviour."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

USER, PASSWORD = "watch", "p@ss:w/rd"
NONCE = "b7c9d2"


def picture(number: int) -> NDArray[np.uint8]:
    """A grey scene with a white square that moves from frame to frame, and a red left edge."""
    image = np.full((48, 64, 3), 90, np.uint8)
    image[:, :8] = (200, 30, 30)
    image[20:28, 10 + 9 * (number % 6) : 18 + 9 * (number % 6)] = 255
    return image


def jpeg(number: int) -> bytes:
    """The picture as JPEG."""
    return cv2.imencode(".jpg", picture(number)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


class _Camera(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: dict[str, int]

    def do_GET(self) -> None:
        self.close_connection = True
        path = self.path.partition("?")[0]
        handler: Callable[[], None] = getattr(self, "do_" + path.strip("/").replace("/", "_"), self._not_found)
        handler()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def _send(self, body: bytes, kind: str = "image/jpeg", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _not_found(self) -> None:
        self._send(b"", "text/plain", 404)

    def _parts(self, images: list[bytes], lengths: bool, boundary: str = "frame") -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={boundary}")
        self.end_headers()
        for data in images:
            length = f"Content-Length: {len(data)}\r\n" if lengths else ""
            head = f"--{boundary.lstrip('-')}\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode()
            self.wfile.write(head + data + b"\r\n")

    def _request_number(self) -> int:
        served = self.served
        served[self.path] = served.get(self.path, -1) + 1
        return served[self.path]

    def do_stream(self) -> None:
        self._parts([jpeg(k) for k in range(40)], lengths=True)

    def do_without_lengths(self) -> None:
        self._parts([jpeg(k) for k in range(40)], lengths=False, boundary="--my-boundary")

    def do_frozen(self) -> None:
        self._parts([jpeg(0)] * 40, lengths=True)

    def do_dropped(self) -> None:
        self._parts([jpeg(k) for k in range(4)], lengths=True)
        self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 9000\r\n\r\n" + jpeg(4)[:300])
        self.connection.close()

    def do_dropped_at_once(self) -> None:
        self._parts([jpeg(0)], lengths=True)

    def do_endless_header(self) -> None:
        self._parts([], lengths=True)
        self.wfile.write(b"x" * 100_000)

    def do_huge_length(self) -> None:
        self._parts([], lengths=True)
        self.wfile.write(b"--frame\r\nContent-Length: 99999999999\r\n\r\n")

    def do_endless_image(self) -> None:
        self._parts([], lengths=True)
        self.wfile.write(b"--frame\r\n\r\n" + jpeg(0)[:-2] + b"x" * 1_100_000)

    def _untyped(self, kind: str) -> None:
        self.send_response(200)
        if kind:
            self.send_header("Content-Type", kind)
        self.end_headers()
        for k in range(8):
            self.wfile.write(b"--frame\nContent-Length: %d\n\n" % len(jpeg(k)) + jpeg(k) + b"\n")

    def do_without_type(self) -> None:
        self._untyped("")

    def do_declared_as_jpeg(self) -> None:
        self._untyped("image/jpeg")

    def do_declared_as_bytes(self) -> None:
        self._untyped("application/octet-stream")

    def do_without_boundary_name(self) -> None:
        self._untyped("multipart/x-mixed-replace")

    def do_still(self) -> None:
        self._send(jpeg(self._request_number()))

    def do_old(self) -> None:
        self._send(jpeg(0), Last_Modified="Mon, 03 Jun 2019 08:00:00 GMT")

    def do_basic(self) -> None:
        if self.headers.get("Authorization", "") == "Basic d2F0Y2g6cEBzczp3L3Jk":
            self._send(jpeg(0))
        else:
            self._send(b"", status=401, WWW_Authenticate='Basic realm="camera"')

    def do_digest(self) -> None:
        sent = dict(re.findall(r'(\w+)="?([^",]+)"?', self.headers.get("Authorization", "")))
        user_hash = hashlib.md5(f"{USER}:camera:{PASSWORD}".encode()).hexdigest()
        request_hash = hashlib.md5(f"GET:{sent.get('uri')}".encode()).hexdigest()
        expected = f"{user_hash}:{NONCE}:{sent.get('nc')}:{sent.get('cnonce')}:auth:{request_hash}"
        if sent.get("response") == hashlib.md5(expected.encode()).hexdigest():
            self._send(jpeg(0))
        else:
            self._send(b"", status=401, WWW_Authenticate=f'Digest realm="camera", qop="auth", nonce="{NONCE}"')

    def do_redirect(self) -> None:
        self._send(b"", status=302, Location="/still")

    def do_redirect_to_other_host(self) -> None:
        self._send(b"", status=302, Location="http://10.1.2.3/still")

    def do_redirect_to_file(self) -> None:
        self._send(b"", status=302, Location="file:///etc/passwd")

    def do_redirect_loop(self) -> None:
        self._send(b"", status=302, Location="/redirect_loop")

    def do_page(self) -> None:
        self._send(b"<html>log in</html>", "text/html")

    def do_truncated(self) -> None:
        self._send(jpeg(0)[:-200])

    def do_bomb(self) -> None:
        body = bytearray(jpeg(0))
        size_offset = body.index(b"\xff\xc0") + 5
        body[size_offset : size_offset + 4] = b"\xff\xff\xff\xff"
        self._send(bytes(body))

    def do_large(self) -> None:
        self._send(jpeg(0) + bytes(3_000_000))

    def do_silent(self) -> None:
        self.rfile.read(1)  # until the client closes the connection


def cameras() -> ThreadingHTTPServer:
    """Create a server on a free loopback port, not started yet."""
    handler = type("Camera", (_Camera,), {"served": {}})
    return ThreadingHTTPServer(("127.0.0.1", 0), handler)
