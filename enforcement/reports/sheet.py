"""A table on paper as plain data: what a report is before it becomes a page, an xlsx, a docx or a PDF.

A sheet is in one language and complete: every text is the one that is printed, every total has its value. Writers add
nothing but layout, so that all forms of one report show the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

Cell = str | int | float | dt.date | None
"""A value of a cell; None: empty. Shares (``percent``) are fractions: 0.85 is 85 %."""

Kind = Literal["text", "whole", "number", "percent", "date"]

DECIMALS = 2
"""Decimals of ``number`` where a column states none; areas in mu have two."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        key: name in the layout file, unique in its sheet.
        label: heading.
        group: heading above this and its neighbours of the same group, merged; "": none.
        unit: printed under the heading in brackets, as 亩.
        kind: of its values.
        width: in half-width characters; a writer scales all widths to the page.
        decimals: of ``number`` and ``percent``; None: :data:`DECIMALS`, and 1 for ``percent``.
        formula: how the value of a row follows from other columns, as ``opening + added - closed``; "": it does not.
    """

    key: str
    label: str
    group: str = ""
    unit: str = ""
    kind: Kind = "text"
    width: float = 10.0
    decimals: int | None = None
    formula: str = ""

    @property
    def heading(self) -> str:
        """The label with the unit."""
        return f"{self.label}({self.unit})" if self.unit else self.label

    @property
    def places(self) -> int:
        """Decimals that are shown."""
        if self.decimals is not None:
            return self.decimals
        return {"number": DECIMALS, "percent": 1}.get(self.kind, 0)

    @property
    def is_numeric(self) -> bool:
        """Whether values are numbers, which are aligned right."""
        return self.kind in ("whole", "number", "percent")


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        cells: one value per column of the sheet.
        key: identity of the row between fillings (number of an alert, code of a village), for corrections.
        originals: values before a person corrected them, by column.
        link: path of the page behind the row, as ``/alerts/7``; "": none. Only pages show it.
        emphasis: a subtotal or a warning.
    """

    cells: tuple[Cell, ...]
    key: str = ""
    originals: Mapping[str, Cell] = field(default_factory=dict)
    link: str = ""
    emphasis: bool = False


@dataclass(frozen=True)
class Total:
    """A row of totals below the rows.

    Attributes:
        label: in the first column, as 合计.
        values: computed value by column.
        how: by column: ``sum`` of the rows; ``formula``: the column's own formula over this row; ``value``: fixed.
    """

    label: str
    values: Mapping[str, Cell]
    how: Mapping[str, Literal["sum", "formula", "value"]] = field(default_factory=dict)

    def how_of(self, key: str) -> Literal["sum", "formula", "value"]:
        """Return how a value comes about."""
        return self.how.get(key, "sum")


@dataclass(frozen=True)
class Signature:
    """A field of the foot: 填报人, 审核人, 日期, 公章; an empty value is a line to write on."""

    label: str
    value: str = ""


@dataclass(frozen=True)
class Check:
    """A check that a report carries.

    Attributes:
        key: of ``configs/reports/checks.yaml``.
        passed: whether it holds.
        words: what was compared, with the numbers.
        reason: why a person submits it all the same; "": nobody gave one.
    """

    key: str
    passed: bool
    words: str
    reason: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table with everything that is printed around it, on A4.

    Attributes:
        title: large, centred.
        name: of the worksheet and the file, without an ending; at most 31 characters, no ``[]:*?/\\``.
        heading: pairs (label, value) under the title: unit, period, number of villages due.
        columns: at least one.
        rows: each with one cell per column.
        totals: rows of totals.
        notes: lines under the table: basis of the figures, checks that failed, how it is to be read.
        signatures: fields of the foot.
        landscape: orientation of the page.
        language: ``zh`` or ``en``.
        status: printed at the top right, as 草稿; "": none.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    name: str = ""
    heading: tuple[tuple[str, str], ...] = ()
    totals: tuple[Total, ...] = ()
    notes: tuple[str, ...] = ()
    signatures: tuple[Signature, ...] = ()
    landscape: bool = True
    language: str = "zh"
    status: str = ""

    def __post_init__(self) -> None:
        """Verify that every row has one cell per column."""
        keys = [column.key for column in self.columns]
        if not keys or len(set(keys)) != len(keys):
            raise ValueError(f"the sheet {self.title!r} has no columns, or two of the same key: {keys}")
        if any(len(row.cells) != len(keys) for row in self.rows):
            raise ValueError(f"a row of the sheet {self.title!r} has not one cell for each of its {len(keys)} columns")

    @property
    def worksheet(self) -> str:
        """Name of the worksheet: at most 31 characters, none of those that spreadsheets refuse."""
        words = "".join(c for c in (self.name or self.title) if c not in "[]:*?/\\'" and c.isprintable())
        return words[:31] or "Sheet1"

    def index(self, key: str) -> int:
        """Return the position of a column, from 0.

        Raises:
            KeyError: there is no such column.
        """
        for number, column in enumerate(self.columns):
            if column.key == key:
                return number
        raise KeyError(key)

    def value(self, row: Row, key: str) -> Cell:
        """Return a row's value in a column."""
        return row.cells[self.index(key)]

    def groups(self) -> Iterator[tuple[str, Sequence[Column]]]:
        """Yield the runs of neighbouring columns of one group; "" is a column of its own."""
        for group, run in groupby(self.columns, lambda column: column.group):
            found = list(run)
            if group:
                yield group, found
            else:
                yield from (("", [column]) for column in found)

    @property
    def has_groups(self) -> bool:
        """Whether the heading has two rows."""
        return any(column.group for column in self.columns)


def shown(value: Cell, column: Column) -> str:
    """Return a value as it is printed: 1234.50, 85.0%, 2026-03-06; "": empty."""
    if value is None:
        return ""
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    if column.kind == "percent":
        return f"{value * 100:.{column.places}f}%"
    if column.kind == "whole":
        return f"{value:.0f}"
    return f"{value:.{column.places}f}" if column.kind == "number" else f"{value:g}"


def summed(rows: Sequence[Row], columns: Sequence[Column], keys: Sequence[str]) -> dict[str, Cell]:
    """Return the sums of columns over rows; areas are rounded to the decimals that are shown, as the page shows them.

    Args:
        rows: of a sheet.
        columns: all columns of the sheet, in order.
        keys: columns to be summed.
    """
    found: dict[str, Cell] = {}
    for number, column in enumerate(columns):
        if column.key in keys:
            values = [row.cells[number] for row in rows]
            total = sum(value for value in values if isinstance(value, int | float))
            found[column.key] = round(total, max(column.places, 6)) if isinstance(total, float) else total
    return found
