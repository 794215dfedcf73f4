"""HTTP cameras for tests, one address for each way in which they behave."""

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
    """A grey scene with a white square that is elsewhere in each frame; red at the left edge."""
    image = np.full((48, 64, 3), 90, np.uint8)
    image[:, :8] = (200, 30, 30)
    image[20:28, 10 + 9 * (number % 6) : 18 + 9 * (number % 6)] = 255
    return image


def jpeg(number: int) -> bytes:
    """The same as JPEG bytes."""
    return cv2.imencode(".jpg", picture(number)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


class _Camera(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: dict[str, int]

    def do_GET(self) -> None:
        self.close_connection = True
        path = self.path.partition("?")[0]
        answer: Callable[[], None] = getattr(self, "do_" + path.strip("/").replace("/", "_"), self._nothing)
        answer()

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def _send(self, body: bytes, kind: str = "image/jpeg", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _nothing(self) -> None:
        self._send(b"", "text/plain", 404)

    def _parts(self, images: list[bytes], lengths: bool, boundary: str = "frame") -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={boundary}")
        self.end_headers()
        for data in images:
            length = f"Content-Length: {len(data)}\r\n" if lengths else ""
            head = f"--{boundary.lstrip('-')}\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode()
            self.wfile.write(head + data + b"\r\n")

    def _number(self) -> int:
        served = self.served
        served[self.path] = served.get(self.path, -1) + 1
        return served[self.path]

    def do_stream(self) -> None:
        self._parts([jpeg(k) for k in range(40)], lengths=True)

    def do_lengthless(self) -> None:
        self._parts([jpeg(k) for k in range(40)], lengths=False, boundary="--my-boundary")

    def do_frozen(self) -> None:
        self._parts([jpeg(0)] * 40, lengths=True)

    def do_dropped(self) -> None:
        self._parts([jpeg(k) for k in range(4)], lengths=True)
        self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 9000\r\n\r\n" + jpeg(4)[:300])
        self.connection.close()

    def do_dropped_at_once(self) -> None:
        self._parts([jpeg(0)], lengths=True)

    def do_endless_head(self) -> None:
        self._parts([], lengths=True)
        self.wfile.write(b"x" * 100_000)

    def do_announces_much(self) -> None:
        self._parts([], lengths=True)
        self.wfile.write(b"--frame\r\nContent-Length: 99999999999\r\n\r\n")

    def do_still(self) -> None:
        self._send(jpeg(self._number()))

    def do_old(self) -> None:
        self._send(jpeg(0), Last_Modified="Mon, 03 Jun 2019 08:00:00 GMT")

    def do_basic(self) -> None:
        if self.headers.get("Authorization", "") == "Basic d2F0Y2g6cEBzczp3L3Jk":
            self._send(jpeg(0))
        else:
            self._send(b"", status=401, WWW_Authenticate='Basic realm="camera"')

    def do_digest(self) -> None:
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', self.headers.get("Authorization", "")))
        one = hashlib.md5(f"{USER}:camera:{PASSWORD}".encode()).hexdigest()
        two = hashlib.md5(f"GET:{given.get('uri')}".encode()).hexdigest()
        whole = f"{one}:{NONCE}:{given.get('nc')}:{given.get('cnonce')}:auth:{two}"
        if given.get("response") == hashlib.md5(whole.encode()).hexdigest():
            self._send(jpeg(0))
        else:
            self._send(b"", status=401, WWW_Authenticate=f'Digest realm="camera", qop="auth", nonce="{NONCE}"')

    def do_here(self) -> None:
        self._send(b"", status=302, Location="/still")

    def do_elsewhere(self) -> None:
        self._send(b"", status=302, Location="http://10.1.2.3/still")

    def do_to_a_file(self) -> None:
        self._send(b"", status=302, Location="file:///etc/passwd")

    def do_in_circles(self) -> None:
        self._send(b"", status=302, Location="/in_circles")

    def do_page(self) -> None:
        self._send(b"<html>log in</html>", "text/html")

    def do_cut(self) -> None:
        self._send(jpeg(0)[:-200])

    def do_bomb(self) -> None:
        body = bytearray(jpeg(0))
        at = body.index(b"\xff\xc0") + 5
        body[at : at + 4] = b"\xff\xff\xff\xff"
        self._send(bytes(body))

    def do_large(self) -> None:
        self._send(jpeg(0) + bytes(3_000_000))

    def do_silent(self) -> None:
        self.rfile.read(1)  # until the other side gives up


def cameras() -> ThreadingHTTPServer:
    """A server on a free port of loopback, not started yet."""
    handler = type("Camera", (_Camera,), {"served": {}})
    return ThreadingHTTPServer(("127.0.0.1", 0), handler)
