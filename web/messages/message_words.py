"""Messages as pages show them, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request

from enforcement.messages.message_kinds import read_message_kinds
from service.messages.texts import kind_name, message_line
from store.messages.inbox import SentMessage
from web.page import language_of


@dataclass(frozen=True)
class ShownMessage:
    """A message for a template.

    Attributes:
        sent: the message with its recipient and sendings.
        kind: name of its kind.
        words: the message.
        urgent: whether it cannot be muted.
        address: page where it is dealt with; "": none.
        alerts: numbers of alerts that the reader may see, with their addresses.
    """

    sent: SentMessage
    kind: str
    words: str
    urgent: bool
    address: str
    alerts: tuple[tuple[str, str], ...]


def shown_messages(request: Request, messages: Sequence[SentMessage]) -> list[ShownMessage]:
    """Return messages in the words of the reader's language."""
    language, kinds = language_of(request), read_message_kinds().kinds
    return [
        ShownMessage(
            each,
            kind_name(each.message.kind, language),
            message_line(each.message.kind, each.message.content, language),
            each.message.kind in kinds and kinds[each.message.kind].urgent,
            message_address(each),
            tuple((number, alert_address(number)) for number in each.alerts[:20]),
        )
        for each in messages
    ]


def alert_address(number: str) -> str:
    """Return the path of an alert's page."""
    return f"/alerts/{quote(number, safe='')}"


def message_address(sent: SentMessage) -> str:
    """Return the path of the page where a message is dealt with; "": there is none."""
    kind = sent.message.kind
    if kind == "calendar_missing":
        return f"/calendar?year={sent.message.content.get('year', '')}"
    if kind.startswith("tip_") and isinstance(sent.message.content.get("address"), str):
        return str(sent.message.content["address"])
    if kind.startswith("supervision"):
        listed = sent.message.content.get("supervision")
        return f"/supervision/{listed}" if isinstance(listed, int) else "/supervision"
    if kind.startswith("document"):
        return f"/documents/{sent.message.content.get('document', '')}".rstrip("/")
    if kind.startswith("report_"):
        report = sent.message.content.get("report")
        return f"/reports/{report}" if isinstance(report, int) else "/reports"
    if kind == "night_failed":
        return "/nights"
    if len(sent.alerts) == 1:
        return alert_address(sent.alerts[0])
    return "/todo" if sent.alerts else ""
