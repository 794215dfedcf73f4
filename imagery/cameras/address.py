"""Parse and validate camera addresses that people enter."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from errors import CameraError, SettingsError
from imagery.cameras.camera import Credentials, Stream, StreamKind

_SCHEMES: dict[str, tuple[str, ...]] = {"rtsp": ("rtsp",), "mjpeg": ("http", "https"), "still": ("http", "https")}
_PORTS = {"rtsp": 554, "http": 80, "https": 443}
_MAX_LENGTH = 2000


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


def check_host(stream: Stream, loopback: bool) -> None:
    """Reject a host that cannot be a camera: this machine itself, or a multicast or unspecified address.

    Private address ranges are allowed, since cameras are in them.

    Args:
        stream: RTSP or HTTP.
        loopback: whether this machine itself is allowed.

    Raises:
        CameraError: the name cannot be resolved, or resolves to a rejected address.
    """
    parts = urlsplit(stream.address)
    try:
        resolved = socket.getaddrinfo(parts.hostname, parts.port or _PORTS[parts.scheme], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise CameraError(
            f"The name {stream.host} cannot be resolved. Check it, or enter the IP address.",
            "stream.unknown_host",
            host=stream.host,
        ) from None
    for *_, endpoint in resolved:
        ip = ipaddress.ip_address(str(endpoint[0]).partition("%")[0])
        if ip.is_multicast or ip.is_unspecified or (ip.is_loopback and not loopback):
            raise CameraError(
                f"{stream.host} is this machine itself or not a single host. Enter the camera's address.",
                "stream.not_one",
                host=stream.host,
            )


def address_with_credentials(stream: Stream) -> str:
    """Return the address with user name and password, for a library that needs them there. Must never be shown."""
    if stream.credentials is None:
        return stream.address
    parts = urlsplit(stream.address)
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
