"""Web hooks: an event as a signed POST.

A hook's name is resolved once, the address is checked and then connected to, so that a name cannot point elsewhere
between the two. Addresses that are not public are refused unless the settings list them. Redirects are not followed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import quote, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from configs.service import HookSettings
from enforcement.events import CONTENT_TYPE
from workers.delivery.delivery_errors import DeliveryRejected

LONGEST_WAIT_SECONDS = 24 * 3600
"""A target that asks to wait longer is asked again after this."""

READ_BYTES = 400
"""So much of a refusal is read, for the message."""

_TRANSLATED = ip_network("64:ff9b::/96")  # an IPv4 address behind a translator (RFC 6052)
_IN_PATH = "%/?:@!$&'()*+,;=~-._"

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Iterable[str]]


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of ``Tuban-Signature``: HMAC-SHA256 over timestamp, a dot and the body.

    A receiver computes it from its own copy of the secret, compares in constant time, and refuses old timestamps.
    """
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def sign_standard(key: bytes, event_id: str, timestamp: str, body: bytes) -> str:
    """The value of ``webhook-signature`` (Standard Webhooks, https://www.standardwebhooks.com).

    Args:
        key: as of :attr:`configs.service.HookSettings.key`.
        event_id: the value of ``webhook-id``, the same however often the event is sent.
        timestamp: the value of ``webhook-timestamp``: seconds since 1970 of this attempt.
        body: as it is sent.
    """
    signed = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + b64encode(signed.digest()).decode()


def resolve(host: str, port: int) -> list[str]:
    """Addresses of ``host`` as this machine knows them."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_allowed_address(address: Address, allowed_hosts: Sequence[str]) -> bool:
    """Whether a hook may go to that address: it is public, or one of the networks in ``allowed_hosts``."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return is_allowed_address(address.ipv4_mapped, allowed_hosts)
    if any(address in ip_network(network) for network in allowed_hosts):
        return True
    if isinstance(address, IPv6Address) and (address.sixtofour or address.teredo or address in _TRANSLATED):
        return False  # points to an IPv4 address that this machine does not see
    return address.is_global and not address.is_multicast


def post_to_hook(
    body: bytes,
    hook: HookSettings,
    *,
    event_id: str,
    allowed_hosts: Sequence[str],
    timeout_seconds: float,
    now: dt.datetime,
    resolve: Resolve = resolve,
) -> None:
    """Send one event to a hook; any answer of 200 to 299 means that it was taken.

    Args:
        body: the event as JSON.
        hook: where, and with which secret.
        event_id: of the event; goes into the signature.
        allowed_hosts: networks that are not public and yet allowed.
        timeout_seconds: for connecting, and again for the whole answer.
        now: goes into the signature.
        resolve: turns a name and a port into addresses.

    Raises:
        DeliveryRejected: not allowed, not reachable, too slow, or another answer.
    """
    parts = urlsplit(hook.url)
    host = _ascii(parts.hostname or "")
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    shown = f"The hook {parts.scheme}://{parts.netloc}{parts.path}"  # a query may hold a key
    timestamp = str(int(now.timestamp()))
    headers = {
        "Host": (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else ""),
        "Content-Type": f"{CONTENT_TYPE}; charset=utf-8",
        "User-Agent": "Tuban",
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": sign_standard(hook.key, event_id, timestamp, body),
        "Tuban-Timestamp": timestamp,
        "Tuban-Signature": sign(hook.secret.get_secret_value(), timestamp, body),
        "Connection": "close",
    }
    path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_IN_PATH)
    late = threading.Event()
    connection = _connect(shown, host, port, secure, allowed_hosts, timeout_seconds, resolve)
    timer = threading.Timer(timeout_seconds, _cut, (connection, late))  # also for an answer that drips
    timer.daemon = True
    timer.start()
    try:
        connection.request("POST", path, body, headers, preload_content=False, decode_content=False)
        response = connection.getresponse()
        if late.is_set():  # what was cut off looks like an answer that ended
            raise TimeoutError
        _judge(response, shown, now)
    except (OSError, HTTPException, HTTPError) as error:
        slow = late.is_set() or isinstance(error, TimeoutError)
        cause = f"it did not answer within {timeout_seconds:g} seconds" if slow else _cause(error)
        raise DeliveryRejected(f"{shown} did not take the event: {cause}.") from error
    finally:
        timer.cancel()
        connection.close()


def _connect(
    shown: str,
    host: str,
    port: int,
    secure: bool,
    allowed_hosts: Sequence[str],
    timeout_seconds: float,
    resolve: Resolve,
) -> HTTPConnection:
    """Connect to the first permitted address that answers."""
    try:
        addresses = [ip_address(address.partition("%")[0]) for address in resolve(host, port)]
    except (OSError, ValueError) as error:
        raise DeliveryRejected(f"{shown} cannot be found: {_cause(error)}.") from error
    permitted = [address for address in addresses if is_allowed_address(address, allowed_hosts)]
    if not permitted:
        found = ", ".join(map(str, addresses)) or "no address"
        raise DeliveryRejected(
            f"{shown} points to {found}, which is not public. If that is meant, list it in delivery.allowed_hosts."
        )
    failed: Exception | None = None
    for address in permitted:
        settings: dict[str, Any] = {"host": str(address), "port": port, "timeout": timeout_seconds}
        connection = (
            HTTPSConnection(**settings, server_hostname=host, ssl_context=ssl.create_default_context())
            if secure
            else HTTPConnection(**settings)
        )
        try:
            connection.connect()
        except (OSError, HTTPError) as error:
            connection.close()
            failed = error
        else:
            return connection
    assert failed is not None
    raise DeliveryRejected(f"{shown} cannot be reached: {_cause(failed)}.") from failed


def _cut(connection: HTTPConnection, late: threading.Event) -> None:
    late.set()
    held = connection.sock
    if held is not None:
        try:
            held.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it was closed just now


def _judge(response: BaseHTTPResponse, shown: str, now: dt.datetime) -> None:
    status = response.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryRejected(f"{shown} answered {status}: redirects are not followed; name the final address.")
    said = response.read(READ_BYTES, decode_content=False).decode("utf-8", "replace")
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in said).split())
    wait = _wait_seconds(response.headers.get("Retry-After", ""), now)
    raise DeliveryRejected(f"{shown} answered {status}{': ' + words[:200] if words else ''}.", wait)


def _wait_seconds(told: str, now: dt.datetime) -> float:
    """``Retry-After``: seconds, or a date."""
    if told.strip().isdecimal():
        return min(float(told), LONGEST_WAIT_SECONDS)
    try:
        until = parsedate_to_datetime(told)
    except ValueError:
        return 0
    until = until.replace(tzinfo=dt.UTC) if until.tzinfo is None else until
    return min(max((until - now).total_seconds(), 0), LONGEST_WAIT_SECONDS)


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        return host


def _cause(error: BaseException) -> str:
    return (f"{type(error).__name__}: {error}".strip().splitlines()[0])[:300].rstrip(".")
