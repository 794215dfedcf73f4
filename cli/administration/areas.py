"""``tuban areas`` and ``tuban layers``: who answers for which ground, and what is known about it."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.administration.service import service
from store.areas.areas import list_areas, load_areas
from store.areas.layers import list_layers, load_layer
from store.areas.polygon_file import InvalidRow

SHOWN = 20
"""InvalidRow features and remarks that are printed; the rest is counted."""

areas_app = typer.Typer(help="Villages, townships and counties.", no_args_is_help=True, add_completion=False)
layers_app = typer.Typer(help="Approvals, farmland, plans.", no_args_is_help=True, add_completion=False)


class Level(StrEnum):
    """Levels of areas."""

    county = "county"
    township = "township"
    village = "village"


class LayerKind(StrEnum):
    """What a layer tells."""

    approval = "approval"
    cultivated = "cultivated"
    basic_farmland = "basic_farmland"
    plan = "plan"
    farm_facility = "farm_facility"
    protected = "protected"


File = Annotated[Path, typer.Argument(help="GeoPackage, Shapefile or GeoJSON, in any coordinate system.")]
TableName = Annotated[str | None, typer.Option("--table", help="Which layer of a GeoPackage that has several.")]


@areas_app.command("load")
def load_areas_command(
    file: File,
    code_field: Annotated[str | None, typer.Option(help="Field of the code; default: XZQDM and its kin.")] = None,
    name_field: Annotated[str | None, typer.Option(help="Field of the name; default: XZQMC and its kin.")] = None,
    level: Annotated[
        Level | None, typer.Option(help="Refuse areas of another level; default: the digits of each code tell.")
    ] = None,
    table: TableName = None,
) -> None:
    """Load areas. One whose code is known gets the new name and outline; others stay as they are."""
    with service() as context:
        loaded = load_areas(
            context.database,
            file,
            code_field=code_field,
            name_field=name_field,
            level=level.value if level else None,
            table=table,
            now=context.clock(),
        )
    _tell(f"{loaded.added} areas added, {loaded.changed} changed.", loaded.remarks, loaded.broken)


@areas_app.command("list")
def list_areas_command(
    level: Annotated[Level | None, typer.Option(help="Only these.")] = None,
    under: Annotated[str, typer.Option(help="Only those whose code begins like this.")] = "",
) -> None:
    """List the areas."""
    with service() as context, context.database.read() as session:
        found = list_areas(session, level.value if level else None, under)
        zone = context.settings.zone
    table = Table("code", "level", "name", "file", "loaded")
    for area in found:
        table.add_row(area.code, area.level, area.name, area.source, f"{area.loaded_at.astimezone(zone):%Y-%m-%d}")
    _list(table, "No areas; `tuban areas load FILE` loads them.")


@layers_app.command("load")
def load_layer_command(
    file: File,
    name: Annotated[str, typer.Option(help="The layer's name; one of that name is replaced as a whole.")],
    kind: Annotated[LayerKind, typer.Option(help="What it tells.")],
    dated: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Of which date the layer is: 2026-11-20.")
    ] = None,
    number_field: Annotated[str | None, typer.Option(help="Field of the approval's number.")] = None,
    from_field: Annotated[str | None, typer.Option(help="Field of the first day of validity; default: always.")] = None,
    to_field: Annotated[str | None, typer.Option(help="Field of the last day of validity; default: always.")] = None,
    table: TableName = None,
) -> None:
    """Load a layer that alerts are compared with."""
    with service() as context:
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
    instead = f" in place of {loaded.replaced}" if loaded.replaced else ""
    _tell(f"{name}: {loaded.features} polygons{instead}.", loaded.remarks, loaded.broken)


@layers_app.command("list")
def list_layers_command() -> None:
    """List the layers."""
    with service() as context, context.database.read() as session:
        found = list_layers(session)
        zone = context.settings.zone
    table = Table("name", "kind", "dated", "polygons", "loaded")
    for layer, count in found:
        dated = layer.dated.isoformat() if layer.dated else ""
        table.add_row(layer.name, layer.kind, dated, str(count), f"{layer.loaded_at.astimezone(zone):%Y-%m-%d}")
    _list(table, "No layers; `tuban layers load FILE --name NAME --kind KIND` loads one.")


def _tell(done: str, remarks: list[str], broken: list[InvalidRow]) -> None:
    words = Console(highlight=False, soft_wrap=True, markup=False)
    words.print(done)
    for title, lines in (
        ("Remarks", remarks),
        ("Not loaded", [f"feature {fault.number}: {fault.why}" for fault in broken]),
    ):
        if lines:
            words.print(f"{title} ({len(lines)}):")
        for line in lines[:SHOWN]:
            words.print(f"  {line}")
        if len(lines) > SHOWN:
            words.print(f"  … and {len(lines) - SHOWN} more")


def _list(table: Table, nothing: str) -> None:
    words = Console(highlight=False, markup=False)
    words.print(table if table.row_count else nothing)
