"""HTTP errors for decisions that the store refuses."""

from __future__ import annotations

from fastapi import Request

from enforcement.states import NotAllowed
from errors import TubanError
from store.review.decisions import Conflict as ReviewConflict
from web.http_errors import Conflict, HttpError
from web.page import language_of


def review_error(request: Request, error: TubanError, key: str = "review.not_allowed") -> HttpError:
    """Return the HTTP error for a refused decision; any other error is raised again.

    The message is the error's own in English, or in Chinese if it has a code; otherwise a text of the catalogue.

    Args:
        request: determines the language.
        error: the error of :mod:`store.review`.
        key: text of the catalogue for :class:`enforcement.states.NotAllowed`.
    """
    if not isinstance(error, ReviewConflict | NotAllowed):
        raise error
    if error.reason.code or language_of(request) == "en":
        return Conflict(error.reason)
    return Conflict("review.conflict" if isinstance(error, ReviewConflict) else key)
