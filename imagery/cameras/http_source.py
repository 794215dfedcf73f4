"""Images over HTTP: an MJPEG stream, or one image asked for several times."""

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
from imagery.cameras.camera_errors import refusal, silent, unreachable
from imagery.cameras.frames import decoded
from imagery.cameras.multipart import boundary_of, parts
from imagery.cameras.settings import CaptureSettings

_REDIRECTS = 3


def mjpeg(stream: Stream, settings: CaptureSettings) -> Iterator[Frame]:
    """Frames of an MJPEG stream as they arrive, until it ends or the time is over.

    Raises:
        CameraError: no answer, refused, or no stream of images.
    """
    deadline = time.monotonic() + settings.limit_s + settings.seconds
    with _client(settings) as client, _answer(client, stream, deadline) as response:
        boundary = boundary_of(response.headers.get("content-type", ""), stream.host)
        images = parts(_chunks(response, stream, deadline), boundary, settings.max_bytes, stream.host)
        for data in images:
            yield decoded(data, settings.max_pixels, stream.host)


def still(stream: Stream, settings: CaptureSettings) -> Iterator[tuple[Frame, bool]]:
    """One image after another from an address, with whether it says that it is stale, evenly over the time.

    Raises:
        CameraError: no answer, refused, or no image.
    """
    begun = time.monotonic()
    with _client(settings) as client:
        for number in range(settings.frames):
            time.sleep(max(0.0, begun + settings.seconds * number / max(settings.frames - 1, 1) - time.monotonic()))
            deadline = time.monotonic() + settings.limit_s
            with _answer(client, stream, deadline) as response:
                held = bytearray()
                for chunk in _chunks(response, stream, deadline):
                    held += chunk
                    if len(held) > settings.max_bytes:
                        raise CameraError(
                            f"{stream.host} sent an image longer than {settings.max_bytes:,} bytes.",
                            "stream.too_long",
                            host=stream.host,
                            most=settings.max_bytes,
                        )
                stale = _age(response) > dt.timedelta(hours=settings.stale_hours)
            kind = response.headers.get("content-type", "").partition(";")[0][:60]
            if kind.lower().startswith(("multipart/", "text/")):
                raise CameraError(
                    f"{stream.host} sent no image but {kind}. A stream is a camera of the kind mjpeg; a page is none.",
                    "stream.no_image",
                    host=stream.host,
                    kind=kind,
                )
            yield decoded(bytes(held), settings.max_pixels, stream.host), stale


def _client(settings: CaptureSettings) -> httpx.Client:
    return httpx.Client(
        trust_env=False,  # no proxies and no .netrc of this machine
        timeout=settings.limit_s,
        follow_redirects=False,
        verify=ssl.create_default_context(),  # the system's own list of certificates
        limits=httpx.Limits(max_keepalive_connections=0),  # some cameras close without saying so
    )


@contextmanager
def _answer(client: httpx.Client, stream: Stream, deadline: float) -> Iterator[httpx.Response]:
    """An answer with an image to come: challenges met, redirects followed on the same host only."""
    address, auth = stream.address, None
    try:
        for _ in range(_REDIRECTS + 2):
            with client.stream("GET", address, auth=auth) as response:
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("")
                if response.status_code == 401 and auth is None and stream.credentials is not None:
                    auth = _auth(stream, response.headers.get_list("www-authenticate"))
                    continue
                if response.is_redirect:
                    address = _followed(stream, address, response.headers.get("location", ""))
                    continue
                if response.status_code != 200:
                    raise refusal(stream, response.status_code)
                yield response
                return
        raise CameraError(
            f"{stream.host} redirects from one address to another without an end.", "stream.circles", host=stream.host
        )
    except httpx.TimeoutException:
        raise silent(stream) from None
    except httpx.ConnectError as error:
        if "CERTIFICATE" in str(error).upper():
            raise CameraError(
                f"{stream.host} cannot be reached; its certificate is not trusted here: add it to the system's.",
                "stream.certificate",
                host=stream.host,
            ) from None
        raise unreachable(stream) from None
    except (httpx.HTTPError, httpx.InvalidURL):
        raise CameraError(
            f"{stream.host} broke off or does not speak HTTP. Check its address and port.",
            "stream.no_http",
            host=stream.host,
        ) from None


def _auth(stream: Stream, challenges: list[str]) -> httpx.Auth:
    assert stream.credentials is not None
    username, password = stream.credentials.username, stream.credentials.password
    asked = " ".join(challenges).lower()
    if "digest" in asked:
        return httpx.DigestAuth(username, password)
    if "basic" in asked:
        return httpx.BasicAuth(username, password)
    raise CameraError(
        f"{stream.host} asks for a way to sign in other than basic and digest, which are known here.",
        "stream.sign_in",
        host=stream.host,
    )


def _followed(stream: Stream, address: str, location: str) -> str:
    there = urljoin(address, location)
    one, other = urlsplit(address), urlsplit(there)
    if (one.scheme, one.netloc) != (other.scheme, other.netloc):
        raise CameraError(
            f"{stream.host} redirects to another host or port, which is not followed. Give the address it redirects to.",
            "stream.elsewhere",
            host=stream.host,
        )
    return there


def _chunks(response: httpx.Response, stream: Stream, deadline: float) -> Iterator[bytes]:
    for chunk in response.iter_raw():
        yield chunk
        if time.monotonic() > deadline:
            raise CameraError(
                f"{stream.host} sends too slowly to be read in time. Check the line to it.",
                "stream.slow",
                host=stream.host,
            )


def _age(response: httpx.Response) -> dt.timedelta:
    """How old the image is by the camera's own clock; nought where it does not say."""
    try:
        made, now = (parsedate_to_datetime(response.headers[name]) for name in ("last-modified", "date"))
        return now - made
    except (KeyError, TypeError, ValueError):
        return dt.timedelta(0)
