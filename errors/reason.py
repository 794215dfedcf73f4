"""Reasons: English words with a code and values, so that they can be translated wherever they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

ALL = "all"
"""Code of several reasons, each of which holds."""


class Reason(str):
    """English words; where they have a code, :func:`configs.texts.translate` finds the Chinese ones.

    It is stored as two values, the words and :meth:`told`; words without a code are shown as they are.

    Attributes:
        code: names the text; "": there is none.
        facts: values in it, plain JSON: numbers, words, or reasons of their own as :meth:`told` gives them.
    """

    __slots__ = ("code", "facts")
    code: str
    facts: Mapping[str, Any]

    def __new__(cls, words: str, code: str = "", **facts: Any) -> Self:
        """``facts``: numbers, words, reasons, or lists of reasons."""
        made = super().__new__(cls, words)
        made.code = code
        made.facts = {name: _plain(value) for name, value in facts.items()}
        return made

    @classmethod
    def of(cls, words: str, told: Mapping[str, Any] | None) -> Self:
        """From what was stored."""
        kept = dict(told or {})
        return cls(words, kept.pop("code", ""), **kept)

    @classmethod
    def all(cls, reasons: Sequence[str]) -> Self:
        """Several, of which each holds."""
        return cls("; ".join(reasons), ALL if reasons else "", reasons=list(reasons))

    @staticmethod
    def told_of(words: str) -> dict[str, Any]:
        """What is stored beside any words."""
        return words.told() if isinstance(words, Reason) else {}

    def told(self) -> dict[str, Any]:
        """Code and facts as plain JSON; empty where there is no code."""
        return {"code": self.code, **self.facts} if self.code else {}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        return {"words": str(value), **value.told()} if isinstance(value, Reason) else str(value)
    return value if isinstance(value, int | float | dict) else str(value)
