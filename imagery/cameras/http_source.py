"""Read images over HTTP: an MJPEG stream, or one image requested several times."""

from __future__ import annotations

import datetime as dt
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import httpx

from errors import CameraError
from imagery.cameras.camera import Frame, Stream
from imagery.cameras.camera_errors import elsewhere_error, status_error, timeout_error, unreachable_error
from imagery.cameras.frames import decode_frame
from imagery.cameras.mjpeg import split_images
from imagery.cameras.settings import CaptureSettings

_MAX_REDIRECTS = 3


def mjpeg_frames(stream: Stream, settings: CaptureSettings) -> Iterator[Frame]:
    """Yield frames of an MJPEG stream as they arrive, until it ends or the time limit is reached.

    Raises:
        CameraError: no response, access denied, or not a stream of images.
    """
    deadline = time.monotonic() + settings.limit_s + settings.seconds
    with _client(stream, settings) as client, _open_response(client, stream, deadline) as response:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()[:60]
        if kind.startswith("text/html"):
            raise _no_stream(stream, kind)
        images = split_images(_chunks(response, stream, deadline), settings.max_bytes, stream.host)
        number = 0
        for data in images:
            number += 1
            yield decode_frame(data, settings.max_pixels, stream.host)
        if number == 0 or (number == 1 and kind.startswith("image/")):
            raise _no_stream(stream, kind or "–")


def still_frames(stream: Stream, settings: CaptureSettings) -> Iterator[tuple[Frame, bool]]:
    """Request ``settings.frames`` images evenly over ``settings.seconds``; yield each, and whether it is stale.

    Raises:
        CameraError: no response, access denied, or not an image.
    """
    started = time.monotonic()
    with _client(stream, settings) as client:
        for index in range(settings.frames):
            time.sleep(max(0.0, started + settings.seconds * index / max(settings.frames - 1, 1) - time.monotonic()))
            deadline = time.monotonic() + settings.limit_s
            with _open_response(client, stream, deadline) as response:
                buffer = bytearray()
                for chunk in _chunks(response, stream, deadline):
                    buffer += chunk
                    if len(buffer) > settings.max_bytes:
                        raise CameraError(
                            f"{stream.host} sent an image larger than {settings.max_bytes:,} bytes.",
                            "stream.too_long",
                            host=stream.host,
                            most=settings.max_bytes,
                        )
                stale = _age(response) > dt.timedelta(hours=settings.stale_hours)
            kind = response.headers.get("content-type", "").partition(";")[0][:60]
            if kind.lower().startswith(("multipart/", "text/")):
                raise CameraError(
                    f"{stream.host} sent no image but {kind}. For a stream use the kind mjpeg; a page cannot be used.",
                    "stream.no_image",
                    host=stream.host,
                    kind=kind,
                )
            yield decode_frame(bytes(buffer), settings.max_pixels, stream.host), stale


def _no_stream(stream: Stream, kind: str) -> CameraError:
    return CameraError(
        f"{stream.host} sent {kind}, and a stream of images (MJPEG) was expected. For a single image use a camera of "
        "the kind still.",
        "stream.no_stream",
        host=stream.host,
        kind=kind,
    )


class _PinnedTransport(httpx.HTTPTransport):
    """Connects to the address that was resolved and checked; the certificate must be that of the host's name."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(
            trust_env=False,  # ignores proxies and .netrc of this machine
            verify=ssl.create_default_context(),  # certificates of the operating system
            limits=httpx.Limits(max_keepalive_connections=0),  # some cameras close connections silently
        )
        self._ip = stream.ip
        self._name = urlsplit(stream.address).hostname or ""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the resolved address; its header ``Host`` keeps the name."""
        if self._ip:
            request.url = request.url.copy_with(host=self._ip)
            request.extensions = {**request.extensions, "sni_hostname": self._name}
        return super().handle_request(request)


def _client(stream: Stream, settings: CaptureSettings) -> httpx.Client:
    return httpx.Client(
        trust_env=False, timeout=settings.limit_s, follow_redirects=False, transport=_PinnedTransport(stream)
    )


@contextmanager
def _open_response(client: httpx.Client, stream: Stream, deadline: float) -> Iterator[httpx.Response]:
    """Open a response with status 200: authenticates if challenged, follows redirects on the same host only."""
    address, auth = stream.address, None
    try:
        for _ in range(_MAX_REDIRECTS + 2):
            with client.stream("GET", address, auth=auth) as response:
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("")
                if response.status_code == 401 and auth is None and stream.credentials is not None:
                    auth = _auth(stream, response.headers.get_list("www-authenticate"))
                    continue
                if response.is_redirect:
                    address = _redirect_target(stream, address, response.headers.get("location", ""))
                    continue
                if response.status_code != 200:
                    raise status_error(stream, response.status_code)
                yield response
                return
        raise CameraError(f"{stream.host} redirects endlessly.", "stream.circles", host=stream.host)
    except httpx.TimeoutException:
        raise timeout_error(stream) from None
    except httpx.ConnectError as error:
        if "CERTIFICATE" in str(error).upper():
            raise CameraError(
                f"{stream.host} cannot be reached: its certificate is not trusted. Add it to those of the system.",
                "stream.certificate",
                host=stream.host,
            ) from None
        raise unreachable_error(stream) from None
    except (httpx.HTTPError, httpx.InvalidURL):
        raise CameraError(
            f"{stream.host} closed the connection or does not speak HTTP. Check its address and port.",
            "stream.no_http",
            host=stream.host,
        ) from None


def _auth(stream: Stream, challenges: list[str]) -> httpx.Auth:
    assert stream.credentials is not None
    username, password = stream.credentials.username, stream.credentials.password
    offered = " ".join(challenges).lower()
    if "digest" in offered:
        return httpx.DigestAuth(username, password)
    if "basic" in offered:
        return httpx.BasicAuth(username, password)
    raise CameraError(
        f"{stream.host} requires an authentication scheme other than the supported ones, basic and digest.",
        "stream.sign_in",
        host=stream.host,
    )


def _redirect_target(stream: Stream, address: str, location: str) -> str:
    target = urljoin(address, location)
    current, redirected = urlsplit(address), urlsplit(target)
    if (current.scheme, current.netloc) != (redirected.scheme, redirected.netloc):
        raise elsewhere_error(stream)
    return target


def _chunks(response: httpx.Response, stream: Stream, deadline: float) -> Iterator[bytes]:
    for chunk in response.iter_raw():
        yield chunk
        if time.monotonic() > deadline:
            raise CameraError(
                f"{stream.host} sends too slowly to be read in time. Check the connection to it.",
                "stream.slow",
                host=stream.host,
            )


def _age(response: httpx.Response) -> dt.timedelta:
    """Age of the image by the camera's own clock; zero if the headers do not tell."""
    try:
        modified, now = (parsedate_to_datetime(response.headers[name]) for name in ("last-modified", "date"))
        return now - modified
    except (KeyError, TypeError, ValueError):
        return dt.timedelta(0)
