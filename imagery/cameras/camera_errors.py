"""Errors of cameras that answer without an image, the same for HTTP and RTSP."""

from __future__ import annotations

from errors import CameraError, Reason
from imagery.cameras.camera import Stream

_STATUS_REASONS = {
    401: Reason("refuses the user name and password", "stream.password"),
    403: Reason("denies access to this user", "stream.forbidden"),
    404: Reason("has nothing at that address", "stream.nothing_there"),
}


def status_error(stream: Stream, status: int) -> CameraError:
    """Error for a response with this status code, which HTTP and RTSP share."""
    why = _STATUS_REASONS.get(status) or Reason(f"answers {status}", "stream.status", status=status)
    return CameraError(
        f"{stream.host} {why}. Check the camera's address, user name and password.",
        "stream.answer",
        host=stream.host,
        why=why,
    )


def timeout_error(stream: Stream) -> CameraError:
    """Error for no response within the time limit."""
    return CameraError(
        f"{stream.host} did not answer in time. Check that it is on and reachable.", "stream.silent", host=stream.host
    )


def unreachable_error(stream: Stream) -> CameraError:
    """Error for a refused or impossible connection."""
    return CameraError(f"{stream.host} cannot be reached; check that it is on.", "stream.unreachable", host=stream.host)


def elsewhere_error(stream: Stream) -> CameraError:
    """Error for a redirect to another host or port."""
    return CameraError(
        f"{stream.host} redirects to another host or port, which is not followed. Enter that address.",
        "stream.elsewhere",
        host=stream.host,
    )
