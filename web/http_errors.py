"""What a request is refused for. Messages for people are keys of the catalogue, reasons, or words as they are."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818  (an answer, not a malfunction)
    """A request that gets an answer other than what it asked for."""

    status = 400

    def __init__(self, message: str = "") -> None:
        """``message``: a key of the catalogue, a reason, or words."""
        super().__init__(message)
        self.message = message


class NotSignedIn(Refusal):
    """Nobody that is known asks."""

    status = 401

    def __init__(self, *, ended: bool = False) -> None:
        """``ended``: they were known before."""
        super().__init__("sign_in.ended" if ended else "sign_in.title")
        self.ended = ended


class Forbidden(Refusal):
    """They may not do this, and may know that it exists."""

    status = 403

    def __init__(self, message: str = "error.403") -> None:
        """``message``: as of :class:`Refusal`."""
        super().__init__(message)


class NotFound(Refusal):
    """There is no such thing, or it is not theirs to see: the answer is the same."""

    status = 404

    def __init__(self, message: str = "error.404") -> None:
        """``message``: as of :class:`Refusal`."""
        super().__init__(message)


class Invalid(Refusal):
    """What was sent cannot be used; the message says what was found and expected."""

    status = 422


class Clash(Refusal):
    """Someone else has it, or was faster."""

    status = 409
