"""Layouts of reports: ``configs/reports/*.yaml``; a file of the same name in the working directory replaces ours."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal

from pydantic import Field, ValidationError

import configs
from configs import format_validation_errors, read_yaml
from enforcement.reports.expression import names_of
from enforcement.reports.fields import SOURCES
from enforcement.reports.sheet import Kind
from enforcement.settings import BilingualName, StrictModel
from errors import SettingsError

FOLDER = "reports"

HEADING_VALUES = (
    *("area", "above", "first", "last", "week", "month", "quarter", "day", "year", "until"),
    *("due", "submitted", "zero", "missing", "missing_names", "late"),
    *("patrols", "opening", "added", "removed", "closing", "area_mu", "farmland_mu", "basic_mu", "stopped", "count"),
    *("found", "found_last_quarter", "found_last_year", "change_quarter", "change_year", "confirmed", "false"),
    *("tips", "tips_answered", "overdue", "closed_area_mu", "corrected", "case", "listed"),
    *("prepared_by", "approved_by", "submitted_on"),
)
"""Names that texts of a layout may contain in braces."""

CHECKS = ("stock", "farmland", "lower", "complete")


class GroupedColumn(StrictModel):
    """A column of a layout; the fields are described in ``configs/reports/village_week.yaml``."""

    key: str = ""
    field: str = ""
    zh: str = ""
    en: str = ""
    group: BilingualName | None = None
    unit: BilingualName | None = None
    kind: Kind | None = None
    width: Annotated[float, Field(gt=0, le=100)] = 10
    decimals: Annotated[int | None, Field(ge=0, le=6)] = None
    formula: str = ""
    total: Literal["", "sum", "formula"] = ""

    @property
    def name(self) -> str:
        """Key of the column: its own, or that of its field."""
        return self.key or self.field


class Line(BilingualName):
    """A labelled line; ``value`` may contain names in braces."""

    value: str = ""


class Table(StrictModel):
    """A table of a layout."""

    rows: str
    columns: Annotated[list[GroupedColumn], Field(min_length=1, max_length=60)]
    total: BilingualName | None = None
    zero: BilingualName | None = None
    longest: Annotated[int, Field(ge=1, le=10000)] = 5000


class Part(BilingualName):
    """A section of a bulletin."""

    paragraphs: Annotated[list[BilingualName], Field(default_factory=list)]
    chart: Literal["", "months", "townships"] = ""
    map: Literal["", "townships"] = ""
    table: Table | None = None
    empty: BilingualName | None = None


class Layout(StrictModel):
    """All of one file."""

    title: BilingualName
    orientation: Literal["landscape", "portrait"] = "landscape"
    issuer: BilingualName | None = None
    number: BilingualName | None = None
    heading: Annotated[list[Line], Field(default_factory=list)]
    table: Table | None = None
    sections: Annotated[list[Part], Field(default_factory=list)]
    notes: Annotated[list[BilingualName], Field(default_factory=list)]
    signatures: Annotated[list[Line], Field(default_factory=list)]
    checks: Annotated[list[str], Field(default_factory=list)]

    @property
    def sha256(self) -> str:
        """Checksum of its content."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()

    def tables(self) -> list[Table]:
        """List the tables, of sections as well."""
        return [*([self.table] if self.table else []), *(part.table for part in self.sections if part.table)]


@cache
def read_layout(kind: str) -> Layout:
    """Read the layout of a kind of report, once per process.

    Raises:
        SettingsError: the file is missing or invalid; it names the file, the column and the fields that exist.
    """
    path = Path(FOLDER) / f"{kind}.yaml"
    try:
        layout = Layout.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(f"{file_of(path)} is invalid: {format_validation_errors(error)}") from error
    _check(layout, file_of(path))
    return layout


def file_of(path: Path) -> str:
    """Return the file that is in effect, as it is named in messages."""
    return str(path.resolve() if path.exists() else Path("configs") / path)


def _check(layout: Layout, file: str) -> None:
    if bool(layout.table) == bool(layout.sections):
        raise SettingsError(f"{file}: expected either a table or sections.")
    for table in layout.tables():
        _check_table(table, file)
    for name in layout.checks:
        if name not in CHECKS:
            raise SettingsError(f"{file}: unknown check {name!r}; expected {', '.join(CHECKS)}.")
    texts: list[tuple[str, str]] = [("title", layout.title.zh), ("title", layout.title.en)]
    texts += [(f"heading {line.zh}", line.value) for line in (*layout.heading, *layout.signatures)]
    texts += [(f"note {note.zh[:20]}", words) for note in layout.notes for words in (note.zh, note.en)]
    for part in layout.sections:
        texts += [(f"section {part.zh}", words) for one in part.paragraphs for words in (one.zh, one.en)]
    for where, words in texts:
        try:
            unknown = sorted({name for _, name, _, _ in Formatter().parse(words) if name} - set(HEADING_VALUES))
        except ValueError as error:
            raise SettingsError(f"{file}: {where}: {error}.") from None
        if unknown:
            raise SettingsError(
                f"{file}: {where} contains the unknown name {unknown[0]!r}; known names: {', '.join(HEADING_VALUES)}."
            )


def _check_table(table: Table, file: str) -> None:
    fields = SOURCES.get(table.rows)
    if fields is None:
        raise SettingsError(f"{file}: unknown rows {table.rows!r}; expected {', '.join(SOURCES)}.")
    names = [column.name for column in table.columns]
    for column in table.columns:
        if not column.field and not (column.key and column.formula):
            raise SettingsError(
                f"{file}: the column {column.name or column.zh!r} has neither a field nor a key with a formula."
            )
        if column.field and column.field not in fields:
            raise SettingsError(
                f"{file}: the column {column.name!r} shows the field {column.field!r}, which rows of {table.rows!r} do "
                f"not have; known fields: {', '.join(fields)}.",
                "reports.unknown_field",
                file=file,
                column=column.name,
                field=column.field,
                known="、".join(fields),
            )
        for name in names_of(column.formula) if column.formula else ():
            if name not in names:
                raise SettingsError(
                    f"{file}: the formula of the column {column.name!r} names {name!r}, which is no column; columns: "
                    f"{', '.join(names)}."
                )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise SettingsError(f"{file}: two columns have the key {twice!r}; give one of them another key.")


def layout_names() -> list[str]:
    """List the kinds that have a layout."""
    return sorted(path.stem for path in (configs.FOLDER / FOLDER).glob("*.yaml") if path.stem != "schedule")
