"""Web hooks: send an event as a signed POST request.

The host name is resolved once, and the checked address is the one connected to, which prevents DNS rebinding.
Addresses that are not public are refused unless the settings list them. Redirects are not followed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import quote, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from configs.network_addresses import Address, is_public
from configs.service import HookSettings
from enforcement.events import CONTENT_TYPE
from workers.delivery.delivery_errors import DeliveryRejected

MAX_RETRY_AFTER_SECONDS = 24 * 3600
"""Upper limit of ``Retry-After``."""

ERROR_BODY_BYTES = 400
"""Bytes of an error response that are read for the message."""

ANSWER_BYTES = 4096
"""Bytes of an accepted response that are read."""

_IN_PATH = "%/?:@!$&'()*+,;=~-._"

Resolve = Callable[[str, int], Iterable[str]]


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the value of ``Tuban-Signature``: HMAC-SHA256 over timestamp, a dot and the body.

    A receiver computes it with its copy of the secret, compares in constant time, and refuses old timestamps.
    """
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def sign_standard(key: bytes, event_id: str, timestamp: str, body: bytes) -> str:
    """Return the value of ``webhook-signature`` (Standard Webhooks, https://www.standardwebhooks.com).

    Args:
        key: one of :attr:`configs.hook_settings.HookSettings.keys`.
        event_id: value of ``webhook-id``, the same on every attempt.
        timestamp: value of ``webhook-timestamp``: Unix time of this attempt in seconds.
        body: of the request.
    """
    signed = hmac.new(key, f"{event_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + b64encode(signed.digest()).decode()


def resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses of ``host``, from this machine's resolver."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_allowed_address(address: Address, allowed_hosts: Sequence[str]) -> bool:
    """Return whether hooks may connect to an address: it is public, or in one of the networks ``allowed_hosts``."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return is_allowed_address(address.ipv4_mapped, allowed_hosts)
    return is_public(address) or any(address in ip_network(network) for network in allowed_hosts)


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
    """Send one event to a hook; any status of 200 to 299 means that it was accepted.

    Args:
        body: the event as JSON.
        hook: URL and secret.
        event_id: of the event; part of the signature.
        allowed_hosts: permitted networks that are not public.
        timeout_seconds: for connecting, and again for the complete response.
        now: current time; part of the signature.
        resolve: resolves host and port to IP addresses.

    Raises:
        DeliveryRejected: the address is not permitted or unreachable, the response is too slow or another status.
    """
    timestamp = str(int(now.timestamp()))
    headers = {
        "Content-Type": f"{CONTENT_TYPE}; charset=utf-8",
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(sign_standard(key, event_id, timestamp, body) for key in hook.keys),
        "Tuban-Timestamp": timestamp,
        "Tuban-Signature": ",".join(sign(secret.get_secret_value(), timestamp, body) for secret in hook.secrets),
    }
    post(
        hook.url,
        body,
        headers,
        allowed_hosts=allowed_hosts,
        timeout_seconds=timeout_seconds,
        now=now,
        resolve=resolve,
    )


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed_hosts: Sequence[str],
    timeout_seconds: float,
    now: dt.datetime,
    resolve: Resolve = resolve,
    label: str = "",
) -> bytes:
    """Send a POST request to an address that is public or permitted, and return the begin of the response's body.

    Args:
        url: http or https; its query is in no message, because it may contain a key.
        body: of the request.
        headers: in addition to ``Host``, ``User-Agent`` and ``Connection``.
        allowed_hosts: permitted networks that are not public.
        timeout_seconds: for connecting, and again for the complete response.
        now: current time.
        resolve: resolves host and port to IP addresses.
        label: name of the receiver in messages; "": the hook with its address.

    Raises:
        DeliveryRejected: as :func:`post_to_hook`.
    """
    parts = urlsplit(url)
    host = _ascii(parts.hostname or "")
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    label = label or f"The hook {parts.scheme}://{parts.netloc}{parts.path}"
    all_headers = {
        "Host": (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else ""),
        "User-Agent": "Tuban",
        "Connection": "close",
        **headers,
    }
    path = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_IN_PATH)
    timed_out = threading.Event()
    connection = _connect(label, host, port, secure, allowed_hosts, timeout_seconds, resolve)
    timer = threading.Timer(timeout_seconds, _abort, (connection, timed_out))  # ends slow, trickling responses too
    timer.daemon = True
    timer.start()
    try:
        connection.request("POST", path, body, all_headers, preload_content=False, decode_content=False)
        response = connection.getresponse()
        if timed_out.is_set():  # an aborted response looks like one that ended
            raise TimeoutError
        _check_response(response, label, now)
        answer = response.read(ANSWER_BYTES, decode_content=False)
        if timed_out.is_set():
            raise TimeoutError
        return answer
    except (OSError, HTTPException, HTTPError) as error:
        slow = timed_out.is_set() or isinstance(error, TimeoutError)
        cause = f"it did not answer within {timeout_seconds:g} seconds" if slow else _cause(error)
        raise DeliveryRejected(f"{label} did not accept the event: {cause}.") from error
    finally:
        timer.cancel()
        connection.close()


def _connect(
    label: str,
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
        raise DeliveryRejected(f"{label} cannot be resolved: {_cause(error)}.") from error
    permitted = [address for address in addresses if is_allowed_address(address, allowed_hosts)]
    if not permitted:
        found = ", ".join(map(str, addresses)) or "no address"
        raise DeliveryRejected(
            f"{label} resolves to {found}, which is not public. If this is intended, add it to delivery.allowed_hosts."
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
    raise DeliveryRejected(f"{label} cannot be reached: {_cause(failed)}.") from failed


def _abort(connection: HTTPConnection, timed_out: threading.Event) -> None:
    timed_out.set()
    open_socket = connection.sock
    if open_socket is not None:
        try:
            open_socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it was closed concurrently


def _check_response(response: BaseHTTPResponse, label: str, now: dt.datetime) -> None:
    status = response.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryRejected(f"{label} answered {status}: redirects are not followed; use the final address.")
    body = response.read(ERROR_BODY_BYTES, decode_content=False).decode("utf-8", "replace")
    message = " ".join("".join(letter if letter.isprintable() else " " for letter in body).split())
    wait = _retry_after_seconds(response.headers.get("Retry-After", ""), now)
    raise DeliveryRejected(f"{label} answered {status}{': ' + message[:200] if message else ''}.", wait)


def _retry_after_seconds(value: str, now: dt.datetime) -> float:
    """Parse ``Retry-After``: seconds or a date; 0 if it is missing or invalid."""
    if value.strip().isdecimal():
        return min(float(value), MAX_RETRY_AFTER_SECONDS)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return 0
    until = until.replace(tzinfo=dt.UTC) if until.tzinfo is None else until
    return min(max((until - now).total_seconds(), 0), MAX_RETRY_AFTER_SECONDS)


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        return host


def _cause(error: BaseException) -> str:
    return (f"{type(error).__name__}: {error}".strip().splitlines()[0])[:300].rstrip(".")
