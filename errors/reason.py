"""Reasons: English messages with a code and values, so that they can be translated where they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

ALL = "all"
"""Code of a combination of several reasons."""


class Reason(str):
    """An English message; :func:`configs.texts.translate` returns the Chinese one if the message has a code.

    A reason is stored as two values, the message and :meth:`to_json`. Messages without a code are not translated.

    Attributes:
        code: key of the translated text; "": none.
        values: values of the text's placeholders, plain JSON: numbers, strings, or nested reasons as objects
            ``{"words": message, "code": …}``.
    """

    __slots__ = ("code", "values")
    code: str
    values: Mapping[str, Any]

    def __new__(cls, message: str, code: str = "", **values: Any) -> Self:
        """Create a reason; ``values`` are numbers, strings, reasons, or lists of them."""
        reason = super().__new__(cls, message)
        reason.code = code
        reason.values = {name: _to_json(value) for name, value in values.items()}
        return reason

    @classmethod
    def from_json(cls, message: str, data: Mapping[str, Any] | None) -> Self:
        """Restore a reason from its message and the result of :meth:`to_json`."""
        values = dict(data or {})
        return cls(message, values.pop("code", ""), **values)

    @classmethod
    def combine(cls, reasons: Sequence[str]) -> Self:
        """Join several reasons, all of which apply, into one."""
        return cls("; ".join(reasons), ALL if reasons else "", reasons=list(reasons))

    @staticmethod
    def json_of(message: str) -> dict[str, Any]:
        """Return :meth:`to_json` of a reason; an empty dictionary for a plain string."""
        return message.to_json() if isinstance(message, Reason) else {}

    def to_json(self) -> dict[str, Any]:
        """Return code and values as plain JSON; an empty dictionary without a code."""
        return {"code": self.code, **self.values} if self.code else {}


def _to_json(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    if isinstance(value, str):
        return {"words": str(value), **value.to_json()} if isinstance(value, Reason) else str(value)
    return value if isinstance(value, int | float | dict) else str(value)
