"""Words of the review: reasons for what is rejected, and what a person is told when something is refused."""

from __future__ import annotations

from typing import Literal

from fastapi import Request

from configs.texts import text
from enforcement.states import NotAllowed
from errors import TubanError
from store.review.decisions import Conflict as ReviewConflict
from web.http_errors import Conflict, HttpError, InvalidInput
from web.page import language_of

Verdict = Literal["false", "bad_imagery"]

REASONS: dict[str, tuple[str, ...]] = {
    "false": ("season", "shadow", "lean", "vehicles", "water", "film", "other"),
    "bad_imagery": ("cloud", "blurred", "missing", "shifted", "old", "other"),
}
"""By verdict; in the order of the keys 1, 2, 3 … of the dialog. Named ``reason.VERDICT.NAME`` in the catalogue."""


def reasons(verdict: str, language: str) -> list[tuple[str, str]]:
    """Name and words of each reason."""
    return [(name, text(f"reason.{verdict}.{name}", language)) for name in REASONS[verdict]]


def reason_in_words(verdict: str, name: str, words: str) -> str:
    """What is kept of a reason: always in Chinese, so that the same reason is counted once, then the person's words.

    Raises:
        InvalidInput: no such reason, or "other" without words.
    """
    if name not in REASONS[verdict]:
        raise InvalidInput(f"reason is {name[:40]!r}; expected one of {', '.join(REASONS[verdict])}.")
    words = words.strip()
    if name == "other":
        if not words:
            raise InvalidInput("review.words_needed")
        return words
    told = text(f"reason.{verdict}.{name}", "zh")
    return f"{told}：{words}" if words else told


def in_language(why: str, language: str) -> str:
    """A reason that was kept, in the language of who reads it; a person's own words stay as they are."""
    if language == "zh":
        return why
    told, _, words = why.partition("：")
    for verdict, names in REASONS.items():
        for name in names:
            if told == text(f"reason.{verdict}.{name}", "zh"):
                return text(f"reason.{verdict}.{name}", language) + (f": {words}" if words else "")
    return why


def refusal(request: Request, error: TubanError, key: str = "review.not_allowed") -> HttpError:
    """The refusal for an error of ``store``, in the language of who asks; other errors are raised again.

    In Chinese the error's own words where they have a code, else what it means here.

    Args:
        request: whose.
        error: what was raised.
        key: what :class:`enforcement.states.NotAllowed` means here, in the catalogue.
    """
    if not isinstance(error, ReviewConflict | NotAllowed):
        raise error
    if error.reason.code or language_of(request) == "en":
        return Conflict(error.reason)
    return Conflict("review.conflict" if isinstance(error, ReviewConflict) else key)
