"""What happens when a target does not take an event."""

from __future__ import annotations

from errors import TubanError


class DeliveryRejected(TubanError):  # noqa: N818  (what happened: the event is sent again later)
    """A target did not take an event; the message says which target and why.

    Attributes:
        wait_seconds: how long the target asked to wait before the next attempt; 0: it did not say.
    """

    exit_code = 8

    def __init__(self, message: str, wait_seconds: float = 0) -> None:
        """Say why."""
        super().__init__(message)
        self.wait_seconds = wait_seconds
