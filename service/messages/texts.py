"""Messages in words: one line in the reader's language, and the text that a channel carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

from configs.texts import catalogue, text, translate
from enforcement.messages.message_kinds import read_message_kinds
from errors import Reason

MOST_NUMBERS = 20
"""Alert numbers listed in one message."""

TRANSLATED = "what"
"""Value that is a key ``message.WHAT`` of the catalogue."""


def message_line(kind: str, content: Mapping[str, Any], language: str) -> str:
    """Return one message in a language; the kind's name if the text needs values that an earlier version left out."""
    key = f"message.{kind}"
    if key not in catalogue():
        return kind
    values = {name: _value(name, value, language) for name, value in content.items()}
    expected = {name.split("|")[0] for _, name, _, _ in Formatter().parse(catalogue()[key][language]) if name}
    words = text(key, language, **{name: values.get(name, "") for name in expected}).strip()
    return f"{words}{text('message.withdrawn', language)}" if content.get("withdrawn") else words


def kind_name(kind: str, language: str) -> str:
    """Return the name of a kind of message."""
    key = f"message.name_{kind}"
    return text(key, language) if key in catalogue() else kind


def compose(
    name: str, messages: Sequence[tuple[str, Mapping[str, Any]]], language: str, pages_url: str
) -> tuple[str, str]:
    """Return subject and text of several messages (kind, content) to one person, urgent ones first."""
    kinds = read_message_kinds()
    order = sorted(messages, key=lambda each: not (each[0] in kinds.kinds and kinds.kinds[each[0]].urgent))
    counts = Counter(kind for kind, _ in order)
    separator = text("message.separator", language)
    named = separator.join(f"{kind_name(kind, language)} {count}" for kind, count in counts.items())
    lines = [text("message.greeting", language, name=name, count=len(order))]
    lines += [
        text("message.line", language, kind=kind_name(kind, language), text=message_line(kind, content, language))
        for kind, content in order[: kinds.lines]
    ]
    if len(order) > kinds.lines:
        lines.append(text("message.more", language, count=len(order) - kinds.lines))
    lines.append(text("message.where", language, url=pages_url))
    return text("message.subject", language, count=len(order), kinds=named), "\n".join(lines)


def _value(name: str, value: Any, language: str) -> Any:
    if name == TRANSLATED and f"message.{value}" in catalogue():
        return text(f"message.{value}", language)
    if name == "alerts" and isinstance(value, list):
        numbers = text("message.separator", language).join(map(str, value[:MOST_NUMBERS]))
        return numbers if len(value) <= MOST_NUMBERS else text("message.and_more", language, numbers=numbers)
    if isinstance(value, dict) and language in value:
        return value[language]
    if isinstance(value, dict):
        return translate(Reason.from_json(str(value.get("words", "")), value), language)
    return value
