"""A reason that can be said in another language too: its words in English, a code, and the values in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self

_ALL = "all"
_FORMER = {"lead": "alert"}
"""Names in codes and facts that earlier versions stored, some of them in rows whose hash forbids to rewrite them."""


class Reason(str):
    """Words in English; where they have a code, :meth:`said` finds the Chinese ones in ``reasons.yaml``.

    It is stored as two things beside each other, the words and :meth:`told`; words without a code are said as they are.

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
        return cls("; ".join(reasons), _ALL if reasons else "", reasons=list(reasons))

    @staticmethod
    def told_of(words: str) -> dict[str, Any]:
        """What is stored beside any words."""
        return words.told() if isinstance(words, Reason) else {}

    def told(self) -> dict[str, Any]:
        """Code and facts as plain JSON; empty where there is no code."""
        return {"code": self.code, **self.facts} if self.code else {}

    def said(self, language: str) -> str:
        """In ``zh``, where the text is known; else the words as they are."""
        return _chinese(str(self), self.told()) if language == "zh" else str(self)


@cache
def chinese_reasons() -> dict[str, str]:
    """The Chinese texts by code; in each, ``{names}`` of facts."""
    import yaml

    texts: dict[str, str] = yaml.safe_load((Path(__file__).parent / "reasons.yaml").read_text("utf-8"))
    return texts


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, str):
        return {"words": str(value), **value.told()} if isinstance(value, Reason) else str(value)
    return value if isinstance(value, int | float | dict) else str(value)


def _chinese(words: str, told: Mapping[str, Any]) -> str:
    given = {_FORMER.get(name, name): _inner(value) for name, value in told.items() if name not in ("code", "words")}
    code = str(told.get("code", ""))
    if code == _ALL:
        return str(given["reasons"])
    group, dot, rest = code.partition(".")
    text = chinese_reasons().get(_FORMER.get(group, group) + dot + rest)
    try:
        return words if text is None else text.format(**given)
    except (KeyError, ValueError):  # stored by another version
        return words


def _inner(value: Any) -> Any:
    if isinstance(value, list):
        return "；".join(str(_inner(one)) for one in value)
    return _chinese(str(value.get("words", "")), value) if isinstance(value, dict) else value
