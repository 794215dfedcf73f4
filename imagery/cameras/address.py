"""What a person typed as the address of a camera, checked."""

from __future__ import annotations

from imagery.cameras.camera import Stream, StreamKind


def checked_stream(kind: StreamKind, address: str, username: str = "", password: str = "") -> Stream:
    """Make a stream of what a person typed. User name and password may also stand in the address.

    Args:
        kind: rtsp, mjpeg, still or folder.
        address: ``rtsp://`` for rtsp, ``http://`` or ``https://`` for mjpeg and still, an absolute path for folder.
        username, password: "" for none; they go before those in the address.

    Raises:
        SettingsError: another scheme, no host, a port that is none, control characters. The words never repeat what may
            hold a password.
    """
    raise NotImplementedError
