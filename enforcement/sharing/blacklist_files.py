"""The credit blacklist as CSV and XML; identity numbers are masked before they come here."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from enforcement.sharing.identity import mask_numbers

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class BlacklistEntry:
    """An entry as it leaves the bureau; field → heading in :data:`HEADINGS`."""

    number: str
    subject: str
    identity_kind: str
    identity: str
    representative: str
    facts: str
    place: str
    area_m2: float | None
    document: str
    listed_on: dt.date
    until: dt.date | None
    measures: str
    removal_condition: str
    authority: str
    removed_on: dt.date | None
    removed_document: str


HEADINGS: dict[str, tuple[str, str]] = {
    "number": ("序号", "No."),
    "subject": ("主体名称", "Subject"),
    "identity_kind": ("证件类型", "Kind of identity number"),
    "identity": ("统一社会信用代码/证件号（脱敏）", "Identity number (masked)"),
    "representative": ("法定代表人", "Legal representative"),
    "facts": ("违法事实（以认定文书为准）", "Facts (as determined)"),
    "place": ("位置", "Place"),
    "area_m2": ("面积/m²", "Area, m²"),
    "document": ("认定文书文号", "Determining document"),
    "listed_on": ("列入日期", "Listed on"),
    "until": ("期限", "Until"),
    "measures": ("惩戒措施", "Measures"),
    "removal_condition": ("移出条件", "Condition of removal"),
    "authority": ("列入机关", "Authority"),
    "removed_on": ("移出日期", "Removed on"),
    "removed_document": ("移出文书文号", "Document of removal"),
}
KIND_NAMES = {"person": ("居民身份证", "Identity card"), "organisation": ("统一社会信用代码", "Credit code")}


def cell_text(value: object) -> str:
    """Return a value as the text of a cell that no spreadsheet takes for a formula, long numbers masked."""
    text = "" if value is None else value.isoformat() if isinstance(value, dt.date) else str(value)
    text = mask_numbers(text)
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, int | float) else text


def csv_text(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a CSV file with a byte order mark, as Excel and WPS expect for Chinese."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(headings)
    writer.writerows([cell_text(value) for value in row] for row in rows)
    return "\ufeff" + file.getvalue()


def blacklist_csv(entries: Iterable[BlacklistEntry], language: str) -> str:
    """Return the entries as CSV with headings in a language."""
    column = 0 if language == "zh" else 1
    headings = [names[column] for names in HEADINGS.values()]
    return csv_text(headings, ([_value(entry, name, column) for name in HEADINGS] for entry in entries))


def blacklist_xml(entries: Iterable[BlacklistEntry]) -> str:
    """Return the entries as XML: element names in English, with the Chinese heading as the attribute ``name``."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<blacklist>"]
    for entry in entries:
        lines.append("  <entry>")
        for name, (chinese, _) in HEADINGS.items():
            value = _value(entry, name, 0)
            text = "" if value is None else value.isoformat() if isinstance(value, dt.date) else str(value)
            content = escape(_NOT_XML.sub("", mask_numbers(text)))
            lines.append(f"    <{name} name={quoteattr(chinese)}>{content}</{name}>")
        lines.append("  </entry>")
    return "\n".join([*lines, "</blacklist>", ""])


def _value(entry: BlacklistEntry, name: str, column: int) -> object:
    value: object = getattr(entry, name)
    return KIND_NAMES[str(value)][column] if name == "identity_kind" else value
