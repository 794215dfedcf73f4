"""What a camera answers instead of images, said alike for HTTP and RTSP."""

from __future__ import annotations

from errors import CameraError, Reason
from imagery.cameras.camera import Stream

_ANSWERS = {
    401: Reason("refuses the user name and password", "stream.password"),
    403: Reason("forbids it to this user", "stream.forbidden"),
    404: Reason("has nothing at that address", "stream.nothing_there"),
}


def refusal(stream: Stream, status: int) -> CameraError:
    """Said when it answers with this status of HTTP, which are those of RTSP too."""
    why = _ANSWERS.get(status) or Reason(f"answers {status}", "stream.status", status=status)
    return CameraError(
        f"{stream.host} {why}. Check the camera's address, user name and password.",
        "stream.answer",
        host=stream.host,
        why=why,
    )


def silent(stream: Stream) -> CameraError:
    """Said when nothing came within the limit."""
    return CameraError(
        f"{stream.host} did not answer in time. Check that it is on and reachable.", "stream.silent", host=stream.host
    )


def unreachable(stream: Stream) -> CameraError:
    """Said when nothing listens there."""
    return CameraError(f"{stream.host} cannot be reached; check that it is on.", "stream.unreachable", host=stream.host)
