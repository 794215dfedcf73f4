"""The one error tree. It lies below every room, so that each can raise what a caller can act on.

A message says what was found, what was expected and what to do. The command line prints it and leaves with
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
    """Base of everything that Tuban raises on purpose.

    Attributes:
        reason: the message, which can be said in Chinese too if it was given a code.
    """

    exit_code = 1

    def __init__(self, words: str = "", code: str = "", **facts: Any) -> None:
        """``code`` and ``facts``: as of :class:`errors.Reason`; what people meet often has them."""
        super().__init__(words)
        self.reason = words if isinstance(words, Reason) else Reason(words, code, **facts)


class SettingsError(TubanError):
    """A setting or an argument cannot be used as it is."""

    exit_code = 2


class ImageError(TubanError):
    """A file is no image that Tuban reads: broken, hostile, of a refused format, or without what is needed."""

    exit_code = 3


class NotComparable(TubanError):  # noqa: N818  (an outcome with a reason, not a malfunction)
    """Two good images cannot be compared: no overlap, too different in scale, not registrable, nothing valid."""

    exit_code = 4


class OutputError(TubanError):
    """The results cannot be written where they were asked for."""

    exit_code = 5


class WeightsError(TubanError):
    """The weights are missing, are not those of the published checksum, or do not fit the network."""

    exit_code = 6


class CameraError(TubanError):
    """A camera does not answer, refuses, hangs, or sends what is no image."""

    exit_code = 7


class ControlPointError(SettingsError):
    """Control points of a camera cannot be used.

    Attributes:
        point: number, from 0, of the one at fault; None: all together.
    """

    def __init__(self, words: str, point: int | None = None, code: str = "", **facts: Any) -> None:
        """Say what is wrong, and with which point."""
        super().__init__(words, code, **facts)
        self.point = point
