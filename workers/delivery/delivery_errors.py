"""Error raised when a target does not accept an event."""

from __future__ import annotations

from errors import TubanError


class DeliveryRejected(TubanError):  # noqa: N818  (an outcome: the event is sent again later)
    """A target did not accept an event; the message names the target and the cause.

    Attributes:
        wait_seconds: minimum delay before the next attempt, as requested by the target; 0: none.
    """

    exit_code = 8

    def __init__(self, message: str, wait_seconds: float = 0) -> None:
        """Set the message and the requested delay."""
        super().__init__(message)
        self.wait_seconds = wait_seconds
