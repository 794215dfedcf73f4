"""``tuban layers``: load layers of land and approvals as versions, show what they would change, and use them."""

from __future__ import annotations

import datetime as dt
import getpass
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.administration.areas import MAX_LISTED, File, TableName, print_summary
from cli.administration.service import open_service
from cli.language import and_more, in_language, say, term
from cli.listing import Column, Field, JsonOption, Listing, column, print_listing
from errors import Reason, SettingsError
from service.context import Context
from service.layers.administration import NewVersion, check_usable, discard, load, submit, use
from service.layers.files import files_beside, receive_layer_file
from store.access.rights import COMMAND
from store.areas.layer_options import LayerOptions
from store.areas.layer_versions import find_layer, managed_layers
from store.areas.layers import layer_kinds
from store.areas.polygon_file import InvalidRow
from store.schema.tables import Layer, LayerVersion

layers_app = typer.Typer(
    help="Load and list approvals, farmland and plans, in versions.", no_args_is_help=True, add_completion=False
)


Kind = Annotated[str, typer.Option(help="Meaning of the polygons; default: by the name of the file (DLTB, LSYD …).")]
Name = Annotated[str, typer.Argument(help="Name of the layer.")]
Number = Annotated[int | None, typer.Argument(help="Number of the version; default: the newest one.")]
Yes = Annotated[bool, typer.Option("--yes", help="Use it without asking, whatever alerts it suppresses or returns.")]
Area = Annotated[str, typer.Option("--area", help="Only alerts under this code are concerned; default: all.")]


_FIELDS = (
    Field("version", "integer", "Number of the version."),
    Field("dated", "day", "Date of the layer's data.", optional=True),
    Field("polygons", "integer", "Number of polygons."),
    Field("loaded_at", "moment", "When it was loaded."),
    Field("loaded_by", "text", "By whom."),
    Field("state", "text", "State of the version: used, former, checked, failed …"),
    Field("used_from", "day", "First day on which it was in use.", optional=True),
    Field("used_until", "day", "Last day on which it was in use.", optional=True),
    Field("file", "text", "Name of the file."),
    Field("sha256", "text", "Checksum of the file."),
)
_COLUMNS = (
    column("version"),
    column("dated"),
    Column("polygons", lambda row: f"{row['polygons']:,}"),
    column("loaded", "loaded_at"),
    column("who", "loaded_by"),
    Column("state", lambda row: term("layers.state_", row["state"])),
)
LAYERS = Listing(
    "layers list",
    (
        Field("name", "text", "Name of the layer."),
        Field("kind", "text", "Meaning of its polygons, of configs/layers.yaml."),
        Field("area_code", "text", "Only alerts under this code are concerned; empty: all."),
        *_FIELDS,
    ),
    (column("name"), Column("kind", lambda row: term("layer", row["kind"])), column("area", "area_code"), *_COLUMNS),
)
VERSIONS = Listing(
    "layers versions",
    _FIELDS,
    (
        *_COLUMNS,
        column("from", "used_from"),
        column("until", "used_until"),
        column("file"),
        Column("sha256", lambda row: row["sha256"][:12]),
    ),
)


@layers_app.command("load")
def load_layer_command(
    file: File,
    name: Annotated[str, typer.Option(help="Name of the layer; of an existing one it becomes a new version.")],
    kind: Kind = "",
    dated: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Date of the layer's data: 2026-11-20.")
    ] = None,
    number_field: Annotated[
        str | None, typer.Option(help="Field with the approval number; default: by setting.")
    ] = None,
    from_field: Annotated[
        str | None, typer.Option(help="Field with the first day of validity; default: by setting.")
    ] = None,
    to_field: Annotated[
        str | None, typer.Option(help="Field with the last day of validity; default: by setting.")
    ] = None,
    term_field: Annotated[str | None, typer.Option(help="Field with the term, like 2年; default: by setting.")] = None,
    class_field: Annotated[
        str | None, typer.Option(help="Field with the class of land (DLBM); default: by setting.")
    ] = None,
    number: Annotated[str, typer.Option(help="Approval number of polygons without one.")] = "",
    valid_from: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day of polygons without one.")
    ] = None,
    valid_to: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day of polygons without one.")
    ] = None,
    table: TableName = None,
    crs: Annotated[str, typer.Option(help="Coordinate system of a file that declares none: EPSG:4527.")] = "",
    area: Area = "",
    add: Annotated[bool, typer.Option("--add", help="Keep the polygons of the version in use, and add these.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what it would change.")] = False,
    yes: Yes = False,
) -> None:
    """Load a file as a new version of a layer, compare open alerts with it, and use it.

    If it suppresses alerts or returns suppressed ones, you are asked first.

    Example: tuban layers load LSYD.shp --name 临时用地
    """
    chosen = {"number": number_field, "from": from_field, "to": to_field, "term": term_field, "land_class": class_field}
    options = LayerOptions(
        {role: field for role, field in chosen.items() if field},
        table or "",
        crs,
        add,
        number,
        valid_from.date() if valid_from else None,
        valid_to.date() if valid_to else None,
    )
    if kind and kind not in layer_kinds():
        kinds = ", ".join(layer_kinds())
        message = f"{kind!r} is not a kind of layer; expected {kinds}."
        raise SettingsError(message, "layer.kind", kind=kind, kinds=kinds)
    new = NewVersion(name, area, kind, dated.date() if dated else None, options, _login())
    if not file.is_file():
        raise SettingsError(f"{file} is not a file.", "cli.no_file", file=str(file))
    with open_service() as context:
        received = receive_layer_file(context, files_beside(file))
        version_id = submit(context, new, received, in_background=False)
        with _progress(say("Loading", "cli.layer_loading")) as progress:
            write = load(context, version_id, progress)
        with context.database.write() as session:
            write(session)
        layer, version = _version(context, version_id)
        if version.state == "failed":
            raise SettingsError(Reason.from_json(version.error, version.why))
        _print_loaded(layer, version)
        _print_impact(version.preview)
        if not preview:
            _use(context, layer, version, yes)


@layers_app.command("list")
def list_layers_command(json: JsonOption = False) -> None:
    """List the layers with the version in use."""
    with open_service() as context, context.database.read() as session:
        found = managed_layers(session, COMMAND)
    rows = []
    for layer, versions in found:
        used = next((v for v in versions if v.state == "used"), None) or (versions[0] if versions else None)
        if used is not None:
            rows.append({"name": layer.name, "kind": used.kind, "area_code": layer.area_code, **_row(used)})
    message = "No layers are loaded. Load one with `tuban layers load FILE --name NAME`."
    print_listing(LAYERS, rows, context.settings.zone, as_json=json, if_empty=say(message, "cli.no_layers"))


@layers_app.command("versions")
def versions_command(name: Name, area: Area = "", json: JsonOption = False) -> None:
    """List the versions of a layer: when each was in use, from which file, loaded by whom."""
    with open_service() as context:
        layer, versions = _versions(context, name, area)
    rows = [_row(version) for version in versions]
    print_listing(VERSIONS, rows, context.settings.zone, as_json=json, if_empty=layer.name)


@layers_app.command("show")
def show_command(name: Name, number: Number = None, area: Area = "") -> None:
    """Show what a version would change, or changed when it was taken into use."""
    with open_service() as context:
        layer, version = _chosen(context, name, number, area)
    if version.state == "failed":
        raise SettingsError(Reason.from_json(version.error, version.why))
    _print_loaded(layer, version)
    _print_impact(version.applied or version.preview)


@layers_app.command("use")
def use_command(name: Name, number: Number = None, area: Area = "", yes: Yes = False) -> None:
    """Take a version into use: a new one, or a former one again."""
    with open_service() as context:
        layer, version = _chosen(context, name, number, area)
        check_usable(version)
        _print_impact(version.preview)
        _use(context, layer, version, yes)


@layers_app.command("discard")
def discard_command(name: Name, number: Number = None, area: Area = "") -> None:
    """Discard a version that was never used; its file stays in the object store."""
    with open_service() as context:
        layer, version = _chosen(context, name, number, area)
        discard(context, version.id, _login())
        text = f"Version {version.number} of {layer.name} was discarded."
        typer.echo(say(text, "cli.layer_discarded", number=version.number, name=layer.name))


def _use(context: Context, layer: Layer, version: LayerVersion, yes: bool) -> None:
    counts = version.preview.get("counts", {})
    suppressed, uncovered = counts.get("suppressed", 0), counts.get("uncovered", 0)
    if (suppressed or uncovered) and not yes:
        question = f"Suppress {suppressed} alerts, and return {uncovered} to the queue?"
        if not sys.stdin.isatty():
            message = (
                f"{suppressed} alerts would be suppressed, and {uncovered} would return to the queue. Version "
                f"{version.number} is loaded and not used; repeat with --yes, or run `tuban layers use`."
            )
            values = {"suppressed": suppressed, "uncovered": uncovered, "number": version.number}
            raise SettingsError(message, "layer.unconfirmed", **values)
        text = say(question, "cli.layer_confirm", suppressed=suppressed, uncovered=uncovered)
        if not typer.confirm(text, default=False, err=True):
            return
    with _progress(say("Checking alerts", "cli.layer_checking")) as progress:
        write = use(context, version.id, _login(), progress)
    with context.database.write() as session:
        write(session)
    text = f"Version {version.number} of {layer.name} is in use."
    typer.echo(say(text, "cli.layer_used", number=version.number, name=layer.name))


def _print_loaded(layer: Layer, version: LayerVersion) -> None:
    text = f"{layer.name}: {version.features} polygons of version {version.number}, {version.kind}."
    values = {"name": layer.name, "features": version.features, "number": version.number}
    summary = say(text, "cli.layer_loaded", kind=term("layer", version.kind), **values)
    remarks = [in_language(remark["text"], remark["why"]) for remark in version.remarks]
    invalid = [InvalidRow(row["number"], Reason.from_json(row["text"], row["why"])) for row in version.invalid]
    print_summary(summary, remarks, invalid)


def _print_impact(impact: Mapping[str, Any]) -> None:
    if not impact:
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    counts = impact["counts"]
    text = (
        f"Open alerts: {impact['checked']}; suppressed by approvals: {counts['suppressed']}; no longer covered: "
        f"{counts['uncovered']}; covered, but a person has acted: {counts['decided']}; other overlaps: "
        f"{counts['changed']}."
    )
    values = {
        "checked": impact["checked"],
        "suppressed": counts["suppressed"],
        "uncovered": counts["uncovered"],
        "decided": counts["decided"],
        "changed": counts["changed"],
    }
    console.print(say(text, "cli.layer_impact", **values))
    for outcome in ("suppressed", "uncovered", "decided"):
        alerts = impact["alerts"][outcome]
        for alert in alerts[:MAX_LISTED]:
            why = alert["why"]
            console.print(f"  {alert['number']}  {in_language(why['words'], why) if why else ''}".rstrip())
        if counts[outcome] > MAX_LISTED:
            console.print("  " + and_more(counts[outcome] - MAX_LISTED))


def _row(version: LayerVersion) -> dict[str, Any]:
    return {
        "version": version.number,
        "dated": version.dated,
        "polygons": version.features,
        "loaded_at": version.loaded_at,
        "loaded_by": version.loaded_by,
        "state": version.state,
        "used_from": version.valid_from,
        "used_until": version.valid_to,
        "file": version.file_name,
        "sha256": version.sha256,
    }


def _versions(context: Context, name: str, area: str) -> tuple[Layer, list[LayerVersion]]:
    with context.database.read() as session:
        layer = find_layer(session, name, area)
        found = [each for each in managed_layers(session, COMMAND) if layer and each[0].id == layer.id]
    if not found:
        raise SettingsError(f"There is no layer {name!r}; see `tuban layers list`.", "layer.none", name=name)
    return found[0]


def _chosen(context: Context, name: str, number: int | None, area: str) -> tuple[Layer, LayerVersion]:
    layer, versions = _versions(context, name, area)
    version = next((each for each in versions if number in (None, each.number)), None)
    if version is None:
        raise SettingsError(f"{name} has no version {number}.", "layer.no_version", name=name, number=number)
    return layer, version


def _version(context: Context, version_id: int) -> tuple[Layer, LayerVersion]:
    with context.database.read() as session:
        version = session.get_one(LayerVersion, version_id)
        return session.get_one(Layer, version.layer_id), version


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "command"


@contextmanager
def _progress(label: str) -> Iterator[Any]:
    """Show a bar on standard error; yields the function that is told the completed share."""
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task(label, total=1.0)
        yield lambda share: bars.update(task, completed=share)
