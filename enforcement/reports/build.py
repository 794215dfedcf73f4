"""A layout with a content as a sheet or bulletin in one language."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from configs.texts import text
from enforcement.reports.bulletin import AreaMap, Bulletin, Chart, MapArea, Section, Series
from enforcement.reports.content import Content, ContentRow, cell_of, figures, in_language
from enforcement.reports.expression import compute
from enforcement.reports.fields import SOURCES, Field
from enforcement.reports.layout import HEADING_VALUES, GroupedColumn, Layout, Table
from enforcement.reports.sheet import Cell, Check, Column, Row, Sheet, Signature, Total, summed
from enforcement.settings import BilingualName


@dataclass(frozen=True)
class Issue:
    """What surrounds a content when it is shown.

    Attributes:
        name: of the file, without an ending.
        language: ``zh`` or ``en``.
        values: further values of the texts: area, days, who signed.
        status: of the report in words; "": final.
        checks: in words.
    """

    name: str
    language: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: str = ""
    checks: Sequence[Check] = ()


def build_sheet(layout: Layout, content: Content, issue: Issue) -> Sheet:
    """Return the sheet of a layout with one table.

    Raises:
        ValueError: the layout has sections.
    """
    if layout.table is None:
        raise ValueError("the layout has sections; use build_bulletin")
    words = _Words(content, issue)
    sheet = _table(layout.table, content, issue.language, words)
    return Sheet(
        title=words.fill(layout.title),
        name=issue.name,
        columns=sheet.columns,
        rows=sheet.rows,
        totals=sheet.totals,
        heading=tuple((_in(line, issue.language), words.format(line.value)) for line in layout.heading),
        notes=(*(words.fill(note) for note in layout.notes), *(_note(check, issue.language) for check in issue.checks)),
        signatures=tuple(Signature(_in(line, issue.language), words.format(line.value)) for line in layout.signatures),
        landscape=layout.orientation == "landscape",
        language=issue.language,
        status=issue.status,
    )


def build_bulletin(layout: Layout, content: Content, issue: Issue) -> Bulletin:
    """Return the bulletin of a layout with sections; sections without anything to show have their empty text."""
    words = _Words(content, issue)
    language = issue.language
    sections = []
    for part in layout.sections:
        sheet = _table(part.table, content, language, words, _in(part, language)) if part.table else None
        paragraphs = tuple(words.fill(paragraph) for paragraph in part.paragraphs)
        if sheet is not None and not sheet.rows:
            sheet = None
            paragraphs = (*paragraphs, *([_in(part.empty, language)] if part.empty else []))
        chart = _chart(content.charts.get(part.chart), language) if part.chart else None
        area_map = _map(content.charts.get(f"map_{part.map}"), language) if part.map else None
        sections.append(Section(_in(part, language), paragraphs, chart, area_map, sheet))
    if issue.checks or layout.notes:
        notes = (*(words.fill(note) for note in layout.notes), *(_note(check, language) for check in issue.checks))
        sections.append(Section(text("reports.notes", language), notes))
    return Bulletin(
        title=words.fill(layout.title),
        name=issue.name,
        sections=tuple(sections),
        issuer=words.fill(layout.issuer) if layout.issuer else "",
        number=words.fill(layout.number) if layout.number else "",
        day=words.format("{day}"),
        signatures=tuple(Signature(_in(line, language), words.format(line.value)) for line in layout.signatures),
        language=language,
        status=issue.status,
    )


def columns_of(table: Table, language: str) -> tuple[Column, ...]:
    """Return the columns of a table in a language; labels, kinds and units default to those of their fields."""
    return tuple(_column(column, SOURCES[table.rows], language) for column in table.columns)


class _Words:
    """Values of the texts of a layout in one language; unknown ones are empty."""

    def __init__(self, content: Content, issue: Issue) -> None:
        self._language = issue.language
        found = figures(content)
        values = {**found, **content.values, **issue.values}
        self._values: dict[str, str] = defaultdict(str)
        for name in HEADING_VALUES:
            self._values[name] = self._shown(values.get(name))

    def fill(self, words: BilingualName) -> str:
        return self.format(_in(words, self._language))

    def format(self, words: str) -> str:
        return words.format_map(self._values)

    def _shown(self, value: Any) -> str:
        value = in_language(value, self._language)
        if isinstance(value, float):
            return f"{value:.2f}"
        return "" if value is None else str(value)


def _table(table: Table, content: Content, language: str, words: _Words, title: str = "") -> Sheet:
    columns = columns_of(table, language)
    rows = [
        _row(row, table, columns, language, number)
        for number, row in enumerate(content.tables.get(table.rows, ())[: table.longest], 1)
    ]
    if table.zero is not None and figures(content)["zero"] and table.rows == "alerts":
        rows.insert(0, _zero_row(table, columns, words, content, language))
    totals = []
    if table.total is not None:
        keys = [column.name for column in table.columns if column.total == "sum"]
        values = summed(rows, columns, keys)
        how: dict[str, Any] = dict.fromkeys(keys, "sum")
        for column in table.columns:
            if column.total == "formula":
                values[column.name] = compute(column.formula, values)
                how[column.name] = "formula"
        totals.append(Total(_in(table.total, language), values, how))
    return Sheet(title or "-", columns, tuple(rows), totals=tuple(totals), landscape=False, language=language)


def _row(row: ContentRow, table: Table, columns: Sequence[Column], language: str, number: int) -> Row:
    values: dict[str, Cell] = {}
    for shown, column in zip(table.columns, columns, strict=True):
        if shown.field:
            stored = number if shown.field == "serial" else row.values.get(shown.field)
            values[column.key] = cell_of(stored, column.kind, language)
    for shown, column in zip(table.columns, columns, strict=True):
        if shown.formula:
            values[column.key] = compute(shown.formula, values)
    originals = {
        column.key: cell_of(row.originals[shown.field], column.kind, language)
        for shown, column in zip(table.columns, columns, strict=True)
        if shown.field in row.originals
    }
    cells = tuple(values[column.key] for column in columns)
    return Row(cells, f"{table.rows}/{row.key}", originals, row.link, row.emphasis)


def _zero_row(table: Table, columns: Sequence[Column], words: _Words, content: Content, language: str) -> Row:
    """Return the row that says that nothing was found, with the number of patrols."""
    known = {
        "village": content.values.get("area"),
        "patrols": content.values.get("patrols", 0),
        "place": words.fill(table.zero) if table.zero else "",
    }
    cells = tuple(
        cell_of(known.get(shown.field), column.kind, language)
        for shown, column in zip(table.columns, columns, strict=True)
    )
    return Row(cells, "zero", emphasis=True)


def _column(column: GroupedColumn, fields: Mapping[str, Field], language: str) -> Column:
    default = fields.get(column.field)
    usual = "" if default is None else default.zh if language == "zh" else default.en
    unit = "" if default is None else default.unit[0 if language == "zh" else 1]
    return Column(
        key=column.name,
        label=(column.zh if language == "zh" else column.en) or usual or column.name,
        group=_in(column.group, language) if column.group else "",
        unit=_in(column.unit, language) if column.unit else unit,
        kind=column.kind or (default.kind if default else "number"),
        width=column.width,
        decimals=column.decimals,
        formula=column.formula,
    )


def _chart(stored: Mapping[str, Any] | None, language: str) -> Chart | None:
    if not stored or not stored.get("labels"):
        return None
    return Chart(
        in_language(stored["title"], language),
        tuple(str(in_language(label, language)) for label in stored["labels"]),
        tuple(Series(in_language(one["name"], language), tuple(one["values"])) for one in stored["series"]),
        in_language(stored.get("unit", ""), language),
    )


def _map(stored: Mapping[str, Any] | None, language: str) -> AreaMap | None:
    if not stored or not stored.get("areas"):
        return None
    areas = tuple(
        MapArea(
            one["name"],
            float(one["value"]),
            tuple(tuple((float(x), float(y)) for x, y in ring) for ring in one["outline"]),
        )
        for one in stored["areas"]
    )
    return AreaMap(in_language(stored["title"], language), areas, in_language(stored.get("unit", ""), language))


def _note(check: Check, language: str) -> str:
    reason = f" {text('reports.reason', language, reason=check.reason)}" if check.reason else ""
    return f"{text('reports.check', language)}{check.words}{reason}"


def _in(words: BilingualName, language: str) -> str:
    return words.zh if language == "zh" else words.en
