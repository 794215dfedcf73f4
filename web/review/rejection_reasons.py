"""Reasons that users choose when they reject an alert or call its imagery unusable.

A reason is stored as its Chinese text, followed by the user's note, so that exports, the API and statistics count the
same reason once. Its code is stored too, so that pages can translate it.
"""

from __future__ import annotations

from configs.texts import text, translate
from errors import Reason
from store.alerts.transitions import REASON_KEY
from store.schema.tables import Transition
from web.http_errors import InvalidInput

REASONS: dict[str, tuple[str, ...]] = {
    "false": ("season", "shadow", "lean", "vehicles", "water", "film", "other"),
    "bad_imagery": ("cloud", "blurred", "missing", "shifted", "old", "other"),
}
"""Names by verdict, in the order of the dialog's keys 1, 2, 3 …; the catalogue's key is ``reason.VERDICT.NAME``."""

_NOTE_SEPARATOR = "："


def reason_choices(verdict: str, language: str) -> list[tuple[str, str]]:
    """Return name and text of each reason of a verdict."""
    return [(name, text(f"reason.{verdict}.{name}", language)) for name in REASONS[verdict]]


def rejection_reason(verdict: str, name: str, note: str) -> Reason:
    """Return a chosen reason, as it is to be stored.

    Args:
        verdict: a key of :data:`REASONS`.
        name: one of its reasons.
        note: the user's own words; required for ``other``, which is stored as the note alone.

    Raises:
        InvalidInput: unknown reason, or ``other`` without a note.
    """
    if name not in REASONS[verdict]:
        raise InvalidInput(f"reason is {name[:40]!r}; expected one of {', '.join(REASONS[verdict])}.")
    note = note.strip()
    if name == "other" and not note:
        raise InvalidInput("review.words_needed")
    code = f"reason.{verdict}.{name}"
    values = {"note": note} if note else {}
    return Reason(translate(Reason("", code, **values), "zh"), code, **values)


def transition_reason(step: Transition) -> Reason:
    """Return the reason of a transition, with its code if it has one."""
    stored = step.evidence.get(REASON_KEY)
    return Reason.from_json(step.why, stored) if isinstance(stored, dict) else legacy_rejection_reason(step.why)


def legacy_rejection_reason(words: str) -> Reason:
    """Recognize a rejection reason that an earlier version stored without a code, by its Chinese text."""
    chosen, _, note = words.partition(_NOTE_SEPARATOR)
    for verdict, names in REASONS.items():
        for name in names:
            code = f"reason.{verdict}.{name}"
            if name != "other" and chosen == text(code, "zh"):
                return Reason(words, code, **({"note": note} if note else {}))
    return Reason(words)
