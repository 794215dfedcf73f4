"""What a person typed as the address of a camera, checked."""

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
_LONGEST = 2000


def checked_stream(
    kind: StreamKind, address: str, username: str = "", password: str = "", folders: Sequence[Path] | None = None
) -> Stream:
    """Make a stream of what a person typed. User name and password may also stand in the address.

    Args:
        kind: rtsp, mjpeg, still or folder.
        address: ``rtsp://`` for rtsp, ``http://`` or ``https://`` for mjpeg and still, an absolute path for folder.
        username, password: "" for none; they go before those in the address.
        folders: a folder must lie in one of these; None: anywhere on this machine.

    Raises:
        SettingsError: another scheme, no host, a port that is none, control characters. The words never repeat what may
            hold a password.
    """
    address = address.strip()
    if not address or len(address) > _LONGEST or not address.isprintable():
        raise SettingsError(
            f"The camera's address is empty, longer than {_LONGEST} characters or holds one that cannot be printed.",
            "camera.address",
            most=_LONGEST,
        )
    if kind == "folder":
        return Stream(kind, str(_checked_folder(address, folders)))
    if kind not in _SCHEMES:
        raise SettingsError("A camera is of the kind rtsp, mjpeg, still or folder. Choose one.", "camera.kind")
    parts = _split(address)
    expected = " or ".join(f"{scheme}://" for scheme in _SCHEMES[kind])
    if parts is None or parts.scheme not in _SCHEMES[kind] or not parts.hostname or " " in address:
        raise SettingsError(
            f"The address of a camera of the kind {kind} begins with {expected} and a host. Correct it.",
            "camera.scheme",
            expected=expected.replace(" or ", " / "),
        )
    username, password = username or unquote(parts.username or ""), password or unquote(parts.password or "")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = f":{parts.port}" if parts.port is not None else ""
    clean = urlunsplit((parts.scheme, host + port, parts.path or "/", parts.query, ""))
    return Stream(kind, clean, Credentials(username, password) if username or password else None)


def check_host(stream: Stream, loopback: bool) -> None:
    """Refuse a host that is no camera: this machine itself, or addresses of many machines.

    Private ranges are where cameras live.

    Raises:
        CameraError: the name is not known, or points to a refused address.
    """
    parts = urlsplit(stream.address)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or _PORTS[parts.scheme], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise CameraError(
            f"The name {stream.host} is not known here. Check it, or give the number.",
            "stream.unknown_host",
            host=stream.host,
        ) from None
    for *_, place in found:
        ip = ipaddress.ip_address(str(place[0]).partition("%")[0])
        if ip.is_multicast or ip.is_unspecified or (ip.is_loopback and not loopback):
            raise CameraError(
                f"{stream.host} is this machine itself or no single one. Give the camera's address.",
                "stream.not_one",
                host=stream.host,
            )


def with_credentials(stream: Stream) -> str:
    """The address with user name and password in it, for a library that wants them there. Never show it."""
    if stream.credentials is None:
        return stream.address
    parts = urlsplit(stream.address)
    who = f"{quote(stream.credentials.username, safe='')}:{quote(stream.credentials.password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{who}@{parts.netloc}"))


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  (raises ValueError when it is no number of a port)
    except ValueError:
        return None
    return parts


def _checked_folder(address: str, folders: Sequence[Path] | None) -> Path:
    path = Path(address)
    if "://" in address or not path.is_absolute():
        raise SettingsError(
            "A camera's folder is given by its whole path on this machine, like /data/cameras/valley.",
            "camera.folder_path",
        )
    path = path.resolve()
    if folders is not None and not any(path.is_relative_to(folder.resolve()) for folder in folders):
        raise SettingsError(
            "That folder lies outside of those that cameras may put images into (setting cameras.folders). Choose one "
            "in them.",
            "camera.folder_outside",
        )
    if not path.is_dir():
        raise SettingsError(
            f"There is no folder {path.name} there. Create it, or correct the path.",
            "camera.folder_missing",
            name=path.name,
        )
    return path
