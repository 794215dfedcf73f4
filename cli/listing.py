"""Lists that commands print: a table for people, or with ``--json`` a JSON array for programs, from the same rows.

The fields of each array are declared here as data (:class:`Field`), printed by ``--help`` and by the page *Commands*.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

from cli.language import headed

Kind = Literal["text", "integer", "number", "boolean", "day", "moment", "list", "object"]
Row = Mapping[str, Any]
"""A row: name of a field → text, number, truth value, day, moment with a time zone, list, mapping, or None."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print a JSON array instead of a table.")]


@dataclass(frozen=True)
class Field:
    """A field of each object of the JSON array.

    Attributes:
        name: in snake_case.
        kind: of its values; a ``day`` is written as ``2026-11-20``, a ``moment`` in ISO 8601 with its offset.
        meaning: with the unit.
        optional: whether it may be null.
    """

    name: str
    kind: Kind
    meaning: str
    optional: bool = False


@dataclass(frozen=True)
class Column:
    """A column of the table: its heading, and what it shows of a row."""

    heading: str
    show: Callable[[Row], Any]


@dataclass(frozen=True)
class Listing:
    """What a command lists.

    Attributes:
        command: name of the command, without ``tuban``.
        fields: of the JSON objects, in their order.
        columns: of the table.
    """

    command: str
    fields: tuple[Field, ...]
    columns: tuple[Column, ...]


def column(heading: str, name: str = "") -> Column:
    """Return a column that shows a field as it is; days and moments in short form, None as nothing.

    Args:
        heading: of the column.
        name: of the field; default: the heading with underscores.
    """
    key = name or heading.replace(" ", "_")
    return Column(heading, lambda row: row[key])


def print_listing(listing: Listing, rows: Sequence[Row], zone: dt.tzinfo, *, as_json: bool, if_empty: str = "") -> None:
    """Print rows as a table, or as a JSON array.

    Args:
        listing: fields and columns.
        rows: what is listed; each row has all fields.
        zone: time zone of moments.
        as_json: print a JSON array; an empty one if there are no rows.
        if_empty: printed instead of an empty table.
    """
    if as_json:
        typer.echo(listing_json(listing, rows, zone))
        return
    console = Console(highlight=False, markup=False)
    if not rows and if_empty:
        console.print(if_empty)
        return
    table = headed(*(each.heading for each in listing.columns))
    for each in table.columns:
        each.overflow = "fold"
    for row in rows:
        table.add_row(*(Text(_shown(each.show(row), zone)) for each in listing.columns))
    console.print(table)


def listing_json(listing: Listing, rows: Sequence[Row], zone: dt.tzinfo) -> str:
    """Return rows as a JSON array, one object per line."""
    names = [field.name for field in listing.fields]
    lines = (
        json.dumps({name: _plain(row[name], zone) for name in names}, ensure_ascii=False, allow_nan=False)
        for row in rows
    )
    return "[" + ",\n ".join(lines) + "]"


def listings_of(module: ModuleType) -> dict[str, Listing]:
    """Return the listings that a module declares, by command."""
    return {value.command: value for value in vars(module).values() if isinstance(value, Listing)}


def describe_fields(command: Any, path: str, listings: Mapping[str, Listing]) -> None:
    """Append the fields of the JSON array to the help of a command and its sub-commands.

    Args:
        command: a Click command.
        path: names of the command and those above it, like ``images list``.
        listings: by command.
    """
    if path in listings:
        fields = ", ".join(f"{field.name} ({field.kind})" for field in listings[path].fields)
        command.epilog = f"--json: {fields}"
    for name, inner in getattr(command, "commands", {}).items():
        describe_fields(inner, f"{path} {name}", listings)


def _plain(value: Any, zone: dt.tzinfo) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(zone).isoformat(timespec="seconds")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(one, zone) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, zone) for one in value]
    return value


def _shown(value: Any, zone: dt.tzinfo) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(zone):%Y-%m-%d}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
