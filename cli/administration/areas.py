"""``tuban areas``: load and list administrative areas."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.administration.service import open_service
from cli.language import and_more, in_language, say
from cli.listing import Field, JsonOption, Listing, column, print_listing
from store.areas.areas import list_areas, load_areas
from store.areas.polygon_file import InvalidRow

MAX_LISTED = 20
"""Number of invalid features, and of remarks, that are printed; further ones are only counted."""

areas_app = typer.Typer(
    help="Load and list villages, townships and counties.", no_args_is_help=True, add_completion=False
)


class Level(StrEnum):
    """Administrative level of an area."""

    county = "county"
    township = "township"
    village = "village"


File = Annotated[Path, typer.Argument(help="GeoPackage, Shapefile, GeoJSON or parcel TXT, in any coordinate system.")]
TableName = Annotated[str | None, typer.Option("--table", help="Layer to read from a GeoPackage with several layers.")]


@areas_app.command("load")
def load_areas_command(
    file: File,
    code_field: Annotated[
        str | None, typer.Option(help="Field with the code; default: XZQDM and similar names.")
    ] = None,
    name_field: Annotated[
        str | None, typer.Option(help="Field with the name; default: XZQMC and similar names.")
    ] = None,
    level: Annotated[
        Level | None, typer.Option(help="Reject areas of another level; default: each level follows from its code.")
    ] = None,
    table: TableName = None,
) -> None:
    """Load areas from a file. An area with a known code is updated; areas that are not in the file stay unchanged.

    Codes have 6 digits (county), 9 (township) or 12 (village).

    Example: tuban areas load villages.gpkg
    """
    with open_service() as context:
        loaded = load_areas(
            context.database,
            file,
            code_field=code_field,
            name_field=name_field,
            level=level.value if level else None,
            table=table,
            now=context.clock(),
        )
    summary = f"{loaded.added} areas added, {loaded.changed} changed."
    values = {"added": loaded.added, "changed": loaded.changed}
    print_summary(say(summary, "cli.areas_loaded", **values), loaded.remarks, loaded.invalid)


AREAS = Listing(
    "areas list",
    (
        Field("code", "text", "Administrative code: 6 digits (county), 9 (township) or 12 (village)."),
        Field("level", "text", "county, township or village."),
        Field("name", "text", "Name."),
        Field("file", "text", "File that it was loaded from."),
        Field("loaded_at", "moment", "When it was loaded."),
    ),
    (column("code"), column("level"), column("name"), column("file"), column("loaded", "loaded_at")),
)


@areas_app.command("list")
def list_areas_command(
    level: Annotated[Level | None, typer.Option(help="Only this level.")] = None,
    under: Annotated[str, typer.Option(help="Only codes with this prefix.")] = "",
    json: JsonOption = False,
) -> None:
    """List the loaded areas."""
    with open_service() as context, context.database.read() as session:
        found = list_areas(session, level.value if level else None, under)
    rows = [
        {
            "code": area.code,
            "level": area.level,
            "name": area.name,
            "file": area.source,
            "loaded_at": area.loaded_at,
        }
        for area in found
    ]
    no_areas = say("No areas are loaded. Load them with `tuban areas load FILE`.", "cli.no_areas")
    print_listing(AREAS, rows, context.settings.zone, as_json=json, if_empty=no_areas)


def print_summary(summary: str, remarks: list[str], broken: list[InvalidRow]) -> None:
    """Print what was loaded, remarks, and what was not loaded."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(summary)
    for title, lines in (
        (say("Remarks", "cli.remarks"), [in_language(remark) for remark in remarks]),
        (say("Not loaded", "cli.not_loaded"), [_invalid_row(row) for row in broken]),
    ):
        if lines:
            console.print(f"{title} ({len(lines)}):")
        for line in lines[:MAX_LISTED]:
            console.print(f"  {line}")
        if len(lines) > MAX_LISTED:
            console.print("  " + and_more(len(lines) - MAX_LISTED))


def _invalid_row(row: InvalidRow) -> str:
    reason = in_language(row.reason)
    return say(f"feature {row.number}: {reason}", "cli.invalid_row", number=row.number, reason=reason)
