"""Exception hierarchy of the project, in the lowest layer so that every package can raise it.

A message says what was found, what was expected and what to do. The command line prints it and exits with
``exit_code``; a job stores it.
"""

from __future__ import annotations

from typing import Any

from errors.reason import Reason

__all__ = [
    "CameraError",
    "ControlPointError",
    "ImageError",
    "NotComparable",
    "OutputError",
    "Reason",
    "SettingsError",
    "TubanError",
    "WeightsError",
]


class TubanError(Exception):
    """Base class of all exceptions that Tuban raises deliberately.

    Attributes:
        reason: the message; translatable if it has a code.
    """

    exit_code = 1

    def __init__(self, message: str = "", code: str = "", **values: Any) -> None:
        """Create an error; ``code`` and ``values`` as in :class:`errors.Reason`. User-facing messages have a code."""
        super().__init__(message)
        self.reason = message if isinstance(message, Reason) else Reason(message, code, **values)


class SettingsError(TubanError):
    """A setting or an argument is invalid."""

    exit_code = 2


class ImageError(TubanError):
    """A file is not a readable image: damaged, malicious, in a rejected format, or without required metadata."""

    exit_code = 3


class NotComparable(TubanError):  # noqa: N818  (an outcome with a reason, not a malfunction)
    """Two valid images cannot be compared: no overlap, scales too different, registration failed, no valid pixels."""

    exit_code = 4


class OutputError(TubanError):
    """The results cannot be written to the requested location."""

    exit_code = 5


class WeightsError(TubanError):
    """The weights are missing, differ from the published checksum, or do not fit the network."""

    exit_code = 6


class CameraError(TubanError):
    """A camera does not respond, refuses the request, times out, or sends invalid image data."""

    exit_code = 7


class ControlPointError(SettingsError):
    """Control points of a camera are invalid.

    Attributes:
        point: index, from 0, of the invalid control point; None: the set as a whole.
    """

    def __init__(self, message: str, point: int | None = None, code: str = "", **values: Any) -> None:
        """Create an error about one control point or all of them."""
        super().__init__(message, code, **values)
        self.point = point
