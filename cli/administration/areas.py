"""``tuban areas`` and ``tuban layers``: load and list administrative areas and thematic layers."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.administration.service import open_service
from cli.language import and_more, headed, in_language, say, term
from store.areas.areas import list_areas, load_areas
from store.areas.layers import list_layers, load_layer
from store.areas.polygon_file import InvalidRow

MAX_LISTED = 20
"""Number of invalid features, and of remarks, that are printed; further ones are only counted."""

areas_app = typer.Typer(
    help="Load and list villages, townships and counties.", no_args_is_help=True, add_completion=False
)
layers_app = typer.Typer(
    help="Load and list approvals, farmland and plans.", no_args_is_help=True, add_completion=False
)


class Level(StrEnum):
    """Administrative level of an area."""

    county = "county"
    township = "township"
    village = "village"


class LayerKind(StrEnum):
    """Meaning of a layer's polygons."""

    approval = "approval"
    cultivated = "cultivated"
    basic_farmland = "basic_farmland"
    plan = "plan"
    farm_facility = "farm_facility"
    protected = "protected"


File = Annotated[Path, typer.Argument(help="GeoPackage, Shapefile or GeoJSON, in any coordinate system.")]
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
    _print_summary(say(summary, "cli.areas_loaded", **values), loaded.remarks, loaded.invalid)


@areas_app.command("list")
def list_areas_command(
    level: Annotated[Level | None, typer.Option(help="Only this level.")] = None,
    under: Annotated[str, typer.Option(help="Only codes with this prefix.")] = "",
) -> None:
    """List the loaded areas."""
    with open_service() as context, context.database.read() as session:
        found = list_areas(session, level.value if level else None, under)
        zone = context.settings.zone
    table = headed("code", "level", "name", "file", "loaded")
    for area in found:
        table.add_row(area.code, area.level, area.name, area.source, f"{area.loaded_at.astimezone(zone):%Y-%m-%d}")
    _print_table(table, say("No areas are loaded. Load them with `tuban areas load FILE`.", "cli.no_areas"))


@layers_app.command("load")
def load_layer_command(
    file: File,
    name: Annotated[str, typer.Option(help="Name of the layer; an existing layer of this name is replaced.")],
    kind: Annotated[LayerKind, typer.Option(help="Meaning of the polygons.")],
    dated: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Date of the layer's data: 2026-11-20.")
    ] = None,
    number_field: Annotated[str | None, typer.Option(help="Field with the approval number.")] = None,
    from_field: Annotated[
        str | None, typer.Option(help="Field with the first day of validity; default: no start.")
    ] = None,
    to_field: Annotated[str | None, typer.Option(help="Field with the last day of validity; default: no end.")] = None,
    table: TableName = None,
) -> None:
    """Load a layer of polygons that alerts are compared with: approvals, farmland, plans.

    Example: tuban layers load approvals.shp --name 批文 --kind approval --number-field PZWH --to-field YXQZ
    """
    with open_service() as context:
        loaded = load_layer(
            context.database,
            file,
            name=name,
            kind=kind.value,
            dated=dated.date() if dated else None,
            number_field=number_field,
            from_field=from_field,
            to_field=to_field,
            table=table,
            now=context.clock(),
        )
    replaced = f", replacing {loaded.replaced}" if loaded.replaced else ""
    summary = f"{name}: {loaded.features} polygons loaded{replaced}."
    values = {"name": name, "features": loaded.features, "replaced": loaded.replaced or 0}
    _print_summary(say(summary, "cli.layer_loaded", **values), loaded.remarks, loaded.invalid)


@layers_app.command("list")
def list_layers_command() -> None:
    """List the loaded layers."""
    with open_service() as context, context.database.read() as session:
        found = list_layers(session)
        zone = context.settings.zone
    table = headed("name", "kind", "dated", "polygons", "loaded")
    for layer, count in found:
        dated = layer.dated.isoformat() if layer.dated else ""
        table.add_row(
            layer.name, term("layer", layer.kind), dated, str(count), f"{layer.loaded_at.astimezone(zone):%Y-%m-%d}"
        )
    message = "No layers are loaded. Load one with `tuban layers load FILE --name NAME --kind KIND`."
    _print_table(table, say(message, "cli.no_layers"))


def _print_summary(summary: str, remarks: list[str], broken: list[InvalidRow]) -> None:
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


def _print_table(table: Table, if_empty: str) -> None:
    console = Console(highlight=False, markup=False)
    console.print(table if table.row_count else if_empty)
