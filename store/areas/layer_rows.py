"""Polygons of a file as rows of a version: number, validity and kind, from the fields that hold them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from enforcement.layer_kinds import LAND_USE, LayerKind, add_months, end_of_term, found_fields, read_layer_kinds
from errors import Reason
from store.areas.layer_options import LayerOptions
from store.areas.polygon_file import InvalidRow, PolygonStream, Row, reason_of
from store.areas.values import text_of
from store.schema.outlines import bounds_of

_UNLIMITED = ("", "长期", "永久", "长期有效", "永久有效", "无", "/", "-")
_DATE = re.compile(r"(\d{4})(?:(\d\d)(\d\d)|([-/.年])(\d{1,2})[-/.月](\d{1,2})日?)(?:[T ].*)?$", re.ASCII)


@dataclass(frozen=True)
class LayerRows:
    """The polygons of a file, as columns of :class:`store.schema.tables.Feature`.

    Attributes:
        stream: the file.
        kind: name of the layer's kind.
        config: its settings.
        options: choices of the person who loads it.
        fields: role → field that is used.
        temporary_months: term of a limited kind without last day.
    """

    stream: PolygonStream
    kind: str
    config: LayerKind
    options: LayerOptions
    fields: dict[str, str]
    temporary_months: int

    @classmethod
    def of(cls, stream: PolygonStream, kind: str, options: LayerOptions, temporary_months: int) -> LayerRows:
        """Find the fields.

        Raises:
            PolygonFileError: the file lacks a chosen field.
        """
        config = read_layer_kinds().kinds[kind]
        chosen = {role: field if field == "-" else stream.field(field) for role, field in options.fields.items()}
        return cls(stream, kind, config, options, found_fields(config, stream.fields, chosen), temporary_months)

    @property
    def missing_class(self) -> bool:
        """Whether a layer of all classes of land has no field of the class."""
        return self.kind == LAND_USE and "land_class" not in self.fields

    def read(self) -> Iterator[list[dict[str, Any] | InvalidRow | Reason]]:
        """Yield the columns of each polygon, unusable features, and remarks on repaired ones, in parts.

        Raises:
            PolygonFileError: the file cannot be read to its end.
        """
        for part in self.stream.read():
            rows: list[dict[str, Any] | InvalidRow | Reason] = []
            for row in part:
                if isinstance(row, InvalidRow):
                    rows.append(row)
                    continue
                try:
                    rows.append(self._columns(row))
                except ValueError as error:
                    rows.append(InvalidRow(row.number, reason_of(error)))
                    continue
                if row.remark:
                    message = f"feature {row.number}: {row.remark}."
                    rows.append(Reason(message, "layer.row_remark", number=row.number, remark=row.remark))
            yield rows

    def _columns(self, row: Row) -> dict[str, Any]:
        first, last = self._validity(row)
        land_class = self._text(row, "land_class")
        number = self._text(row, "number") or self.options.number
        if land_class:
            number = f"{land_class} {self._text(row, 'class_name')}".strip()
        return {
            "number": number[:200],
            "kind": self.config.kind_of_class(land_class) if land_class else "",
            "valid_from": first,
            "valid_to": last,
            "attributes": {k: v.isoformat() if isinstance(v, dt.date) else v for k, v in row.values.items()},
            **bounds_of(row.outline),
        }

    def _validity(self, row: Row) -> tuple[dt.date | None, dt.date | None]:
        """Return the first and the last day.

        Raises:
            ValueError: a date or term cannot be read, or a limited approval has none.
        """
        first = self._date(row, "from") or self.options.valid_from
        last = self._date(row, "to") or self.options.valid_to
        if last is None and first is not None:
            term = self._text(row, "term")
            if term and term not in _UNLIMITED:
                last = end_of_term(first, f"{term}年" if term.isdigit() and int(term) <= 30 else term)
            elif self.config.limited:
                last = add_months(first, self.temporary_months) - dt.timedelta(days=1)
        if last is None and self.config.limited:
            message = (
                "it is limited in time and has neither the day of approval nor the last day; choose the field, or "
                "enter the days for all polygons"
            )
            raise ValueError(Reason(message, "layer.no_period"))
        if first and last and last < first:
            message = f"its validity ends on {last}, before it begins on {first}"
            raise ValueError(Reason(message, "layer.row_period", first=first.isoformat(), last=last.isoformat()))
        return first, last

    def _text(self, row: Row, role: str) -> str:
        return text_of(row.values[self.fields[role]]) if role in self.fields else ""

    def _date(self, row: Row, role: str) -> dt.date | None:
        return parse_date(row.values[self.fields[role]]) if role in self.fields else None


def parse_date(value: Any) -> dt.date | None:
    """Parse a date; None for an empty value or unlimited validity.

    Raises:
        ValueError: the value is not a date.
    """
    if isinstance(value, dt.date):
        return value
    text = text_of(value)
    if text in _UNLIMITED:
        return None
    parts = _DATE.match(text)
    try:
        if parts is None:
            raise ValueError
        year, month, day, _, other_month, other_day = parts.groups()
        return dt.date(int(year), int(month or other_month), int(day or other_day))
    except ValueError:
        message = f"{text!r} is not a date; expected the form 2026-11-20"
        raise ValueError(Reason(message, "layer.date", text=text)) from None
