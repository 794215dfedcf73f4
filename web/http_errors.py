"""HTTP errors: exceptions that become a response with the status of their class.

A message is a key of the text catalogue, an :class:`errors.Reason`, or plain text.
"""

from __future__ import annotations

from errors import Reason


class HttpError(Exception):
    """Base of all HTTP errors; by itself 400 Bad Request."""

    status = 400
    retry_seconds: int | None = None
    """Value of the header ``Retry-After``."""

    def __init__(self, message: str = "") -> None:
        """``message``: a key of the text catalogue, a reason, or plain text."""
        super().__init__(message)
        self.message = message


class NotSignedIn(HttpError):  # noqa: N818  (like those of Starlette and Django, named after the response)
    """401 Unauthorized: the request carries no valid session or API key."""

    status = 401

    def __init__(self, *, ended: bool = False) -> None:
        """``ended``: the request carries a session that has expired."""
        super().__init__("sign_in.ended" if ended else "sign_in.title")
        self.ended = ended


class Forbidden(HttpError):  # noqa: N818
    """403 Forbidden: the user lacks the right, and may know that the resource exists."""

    status = 403

    def __init__(self, message: str = "error.403") -> None:
        """``message``: as of :class:`HttpError`."""
        super().__init__(message)


class SharedOnly(Forbidden):
    """403 Forbidden: the user belongs to a receiving body, which sees what was shared with it and nothing else."""

    def __init__(self) -> None:
        """The message names the page that they may see."""
        super().__init__("error.shared_only")


class NotFound(HttpError):  # noqa: N818
    """404 Not Found: the resource does not exist, or the user may not see it; the response is the same."""

    status = 404

    def __init__(self, message: str = "error.404") -> None:
        """``message``: as of :class:`HttpError`."""
        super().__init__(message)


class InvalidInput(HttpError):  # noqa: N818
    """422 Unprocessable Content: the message says what was found and what was expected."""

    status = 422


class Conflict(HttpError):  # noqa: N818
    """409 Conflict: another user holds the resource, or has changed it meanwhile."""

    status = 409


class TooManyAttempts(HttpError):  # noqa: N818
    """429 Too Many Requests: too many wrong passwords."""

    status = 429

    def __init__(self, seconds: int) -> None:
        """``seconds``: until the next attempt."""
        message = f"Too many failed attempts; try again in {seconds} seconds."
        super().__init__(Reason(message, "attempts.wait", seconds=seconds))
        self.retry_seconds = seconds


class DatabaseBusy(HttpError):  # noqa: N818
    """503 Service Unavailable: the database is busy or out of reach."""

    status = 503
    retry_seconds = 5

    def __init__(self) -> None:
        """The message asks to try again."""
        super().__init__("error.database_busy")
