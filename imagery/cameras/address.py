"""Parse and validate camera addresses that people enter."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from configs.network_addresses import is_host
from errors import CameraError, SettingsError
from imagery.cameras.camera import Credentials, Stream, StreamKind

_SCHEMES: dict[str, tuple[str, ...]] = {"rtsp": ("rtsp",), "mjpeg": ("http", "https"), "still": ("http", "https")}
_PORTS = {"rtsp": 554, "http": 80, "https": 443}
_MAX_LENGTH = 2000
_CONNECT_SECONDS = 3.0


def parse_stream(
    kind: StreamKind, address: str, username: str = "", password: str = "", folders: Sequence[Path] | None = None
) -> Stream:
    """Create a stream from user input. User name and password may also be part of the address.

    Args:
        kind: rtsp, mjpeg, still or folder.
        address: ``rtsp://`` for rtsp, ``http://`` or ``https://`` for mjpeg and still, an absolute path for folder.
        username, password: "" for none; they override those in the address.
        folders: allowed parents of a folder; None: any folder on this machine.

    Raises:
        SettingsError: wrong scheme, no host, invalid port, or control characters. The message never repeats input that
            may contain a password.
    """
    address = address.strip()
    if not address or len(address) > _MAX_LENGTH or not address.isprintable():
        raise SettingsError(
            f"The camera's address is empty, longer than {_MAX_LENGTH} characters or contains unprintable characters.",
            "camera.address",
            most=_MAX_LENGTH,
        )
    if kind == "folder":
        return Stream(kind, str(_validate_folder(address, folders)))
    if kind not in _SCHEMES:
        raise SettingsError("A camera's kind must be rtsp, mjpeg, still or folder. Choose one.", "camera.kind")
    parts = _split(address)
    expected = " or ".join(f"{scheme}://" for scheme in _SCHEMES[kind])
    if parts is None or parts.scheme not in _SCHEMES[kind] or not parts.hostname or " " in address:
        raise SettingsError(
            f"The address of a camera of the kind {kind} must begin with {expected} and a host. Correct it.",
            "camera.scheme",
            expected=expected.replace(" or ", " / "),
        )
    username, password = username or unquote(parts.username or ""), password or unquote(parts.password or "")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = f":{parts.port}" if parts.port is not None else ""
    clean = urlunsplit((parts.scheme, host + port, parts.path or "/", parts.query, ""))
    return Stream(kind, clean, Credentials(username, password) if username or password else None)


def resolve_host(stream: Stream, loopback: bool) -> Stream:
    """Resolve a stream's host once; the returned stream connects to that address, whatever the name resolves to later.

    Private address ranges are allowed, since cameras are in them. This machine itself and addresses that are no single
    host (link-local, multicast, unspecified, reserved) are rejected, also in the forms of IPv6 that contain them.

    Args:
        stream: RTSP or HTTP.
        loopback: whether this machine itself is allowed.

    Raises:
        CameraError: the name cannot be resolved, or one of its addresses is rejected.
    """
    parts = urlsplit(stream.address)
    port = parts.port or _PORTS[parts.scheme]
    try:
        resolved = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise CameraError(
            f"The name {stream.host} cannot be resolved. Check it, or enter the IP address.",
            "stream.unknown_host",
            host=stream.host,
        ) from None
    addresses = [str(endpoint[0]) for *_, endpoint in resolved]
    for address in addresses:
        ip = ipaddress.ip_address(address.partition("%")[0])
        if not is_host(ip, loopback=loopback) or (not loopback and _is_own_address(ip)):
            raise CameraError(
                f"{stream.host} is this machine itself or not a single host. Enter the camera's address.",
                "stream.not_one",
                host=stream.host,
            )
    return replace(stream, ip=_first_reachable(addresses, port))


def pinned_address(stream: Stream) -> str:
    """Return the address with the resolved IP address instead of the host's name."""
    parts = urlsplit(stream.address)
    host = f"[{stream.ip}]" if ":" in stream.ip else stream.ip
    return urlunsplit(parts._replace(netloc=host + (f":{parts.port}" if parts.port is not None else "")))


def _first_reachable(addresses: Sequence[str], port: int) -> str:
    """Return the first address that accepts a connection; the last one if none does, whose failure is then reported."""
    for address in addresses[:-1]:
        try:
            with socket.create_connection((address, port), _CONNECT_SECONDS):
                return address
        except OSError:
            continue
    return addresses[-1]


def _is_own_address(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether an address belongs to a network interface of this machine: only then can a socket bind to it."""
    version = "ipv6" if ip.version == 6 else "ipv4"
    try:
        if Path(f"/proc/sys/net/{version}/ip_nonlocal_bind").read_text().strip() == "1":
            return False  # every address can be bound to
        with socket.socket(socket.AF_INET6 if ip.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((str(ip), 0))
    except OSError:
        return False
    return True


def address_with_credentials(stream: Stream) -> str:
    """Return the address to connect to with user name and password, for a library that needs it. Secret."""
    address = pinned_address(stream) if stream.ip else stream.address
    if stream.credentials is None:
        return address
    parts = urlsplit(address)
    userinfo = f"{quote(stream.credentials.username, safe='')}:{quote(stream.credentials.password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{userinfo}@{parts.netloc}"))


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  (raises ValueError for an invalid port)
    except ValueError:
        return None
    return parts


def _validate_folder(address: str, folders: Sequence[Path] | None) -> Path:
    path = Path(address)
    if "://" in address or not path.is_absolute():
        raise SettingsError(
            "A camera's folder must be an absolute path on this machine, like /data/cameras/valley.",
            "camera.folder_path",
        )
    path = path.resolve()
    if folders is not None and not any(path.is_relative_to(folder.resolve()) for folder in folders):
        raise SettingsError(
            "That folder is outside of the folders allowed for camera images (setting cameras.folders). Choose one "
            "inside them.",
            "camera.folder_outside",
        )
    if not path.is_dir():
        raise SettingsError(
            f"There is no folder {path.name}. Create it, or correct the path.",
            "camera.folder_missing",
            name=path.name,
        )
    return path
