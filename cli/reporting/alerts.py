"""``tuban alerts``: list and export alerts on the server, with the filter of the pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qs

import typer
from rich.console import Console

from cli.administration.service import open_service
from cli.language import say, state_name
from cli.listing import Column, Field, JsonOption, Listing, Row, column, print_listing
from enforcement.exports.vector_files import Encoding
from enforcement.units import mu
from errors import SettingsError
from service.exports.writing import FORMATS, ExportOptions, Format, write_export
from store.access.audit_log import record_action
from store.access.rights import COMMAND
from store.search.alert_search import PARAMETERS, AlertFilter, AlertListItem, search_alerts

alerts_app = typer.Typer(
    name="alerts",
    help="List and export alerts.\n\nThe options choose alerts as the page of alerts does; --where takes the part "
    "after ? of the address of that page.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_PAGE = 500

Place = Annotated[str, typer.Option(help="Administrative code, or its beginning.")]
States = Annotated[list[str] | None, typer.Option("--state", help="Only this state; repeat for several.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", help="Only this kind: construction, ground or demolition; repeat for several."),
]
Since = Annotated[str, typer.Option(help="First day of the latest image: 2026-11-20.")]
Until = Annotated[str, typer.Option(help="Last day of the latest image.")]
Where = Annotated[
    str, typer.Option(help="Further conditions, as in the address of the page: min_area_m2=400&over_cap=0.")
]


class FileFormat(StrEnum):
    """Format of an export."""

    gpkg = "gpkg"
    qgz = "qgz"
    shp = "shp"
    xlsx = "xlsx"
    csv = "csv"
    kmz = "kmz"
    kml = "kml"
    geojson = "geojson"
    parquet = "parquet"
    txt = "txt"


class Language(StrEnum):
    """Language of the values in a file."""

    zh = "zh"
    en = "en"


class Coordinates(StrEnum):
    """Coordinates of a Shapefile."""

    degrees = "4490"
    zone = "zone"


class TableEncoding(StrEnum):
    """Encoding of a Shapefile."""

    utf8 = "UTF-8"
    gbk = "GBK"


assert tuple(FileFormat) == FORMATS


def _state(row: Row) -> str:
    return state_name(row["state"])


ALERTS = Listing(
    "alerts list",
    (
        Field("number", "text", "Number of the alert."),
        Field("kind", "text", "construction, ground or demolition."),
        Field("change_type", "text", "Official type, set by a user; empty: none yet."),
        Field("state", "text", "State, of configs/states.yaml."),
        Field("score", "number", "Score of the latest scan, 0 to 1."),
        Field("area_m2", "number", "Area, m²."),
        Field("area_mu", "number", "Area, mu."),
        Field("area_code", "text", "Code of the smallest responsible area."),
        Field("area_name", "text", "Its name."),
        Field("lon", "number", "Centre, degrees, EPSG:4490."),
        Field("lat", "number", "Centre, degrees, EPSG:4490."),
        Field("times_seen", "integer", "Number of scans that showed it."),
        Field("first_seen", "day", "Day of the first image that shows it.", optional=True),
        Field("last_seen", "day", "Day of the latest image that shows it.", optional=True),
        Field("due_on", "day", "Day by which the next step is due.", optional=True),
        Field("assignee", "text", "Login of the user to whom it is assigned."),
        Field("over_cap", "boolean", "Whether it exceeds the weekly quota of its village."),
        Field("overlaps", "object", "Kind of layer → share of the alert, 0 to 1."),
        Field("created_at", "moment", "When it was created."),
    ),
    (
        column("alert", "number"),
        column("kind"),
        Column("state", _state),
        Column("mu", lambda row: f"{row['area_mu']:.2f}"),
        Column("score", lambda row: f"{row['score']:.2f}"),
        column("area", "area_name"),
        column("last seen"),
        column("due", "due_on"),
    ),
)


@alerts_app.command("list")
def list_alerts(
    place: Place = "",
    state: States = None,
    kind: Kinds = None,
    since: Since = "",
    until: Until = "",
    where: Where = "",
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of alerts.")] = 100,
    json: JsonOption = False,
) -> None:
    """List alerts, gravest first.

    Example: tuban alerts list --place 330106 --state new --json

    Exit codes: 0 listed, 2 a condition is invalid or there is no database.
    """
    with open_service() as context:
        alert_filter = _filter(context.settings.zone, place, state, kind, since, until, where)
        found: list[AlertListItem] = []
        after: str | None = ""
        with context.database.read() as session:
            while after is not None and len(found) < limit:
                size = min(limit - len(found), _PAGE)
                page = search_alerts(session, COMMAND, alert_filter, limit=size, after=after, now=context.clock())
                found += page.rows
                after = page.after
    none = say("There are no such alerts.", "cli.no_alerts")
    print_listing(ALERTS, [_row(row) for row in found], context.settings.zone, as_json=json, if_empty=none)


@alerts_app.command("export")
def export_alerts(
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write; an existing one is replaced.")],
    file_format: Annotated[FileFormat, typer.Option("--format", help="Format of the file.")],
    place: Place = "",
    state: States = None,
    kind: Kinds = None,
    since: Since = "",
    until: Until = "",
    where: Where = "",
    crs: Annotated[Coordinates, typer.Option(help="Of a Shapefile: degrees (4490) or metres of the 3° zone.")] = (
        Coordinates.degrees
    ),
    encoding: Annotated[TableEncoding, typer.Option(help="Of a Shapefile's values.")] = TableEncoding.utf8,
    language: Annotated[Language, typer.Option(help="Language of values and headings.")] = Language.zh,
) -> None:
    """Write alerts to a file, as the page of exports does. The export is in the audit log.

    qgz and shp are zip files: a QGIS project with its GeoPackage, and a Shapefile.

    Example: tuban alerts export --format gpkg --out alerts.gpkg --place 330106

    Exit codes: 0 written, 2 a condition is invalid or there is no database, 5 the file cannot be written.
    """
    kind_of_file: Format = file_format.value
    coordinates: Literal["4490", "zone"] = crs.value
    text_encoding: Encoding = encoding.value
    options = ExportOptions(kind_of_file, coordinates, text_encoding, language.value)
    options.check()
    with open_service() as context:
        alert_filter = _filter(context.settings.zone, place, state, kind, since, until, where)
        with context.database.read() as session:
            written = write_export(context, session, COMMAND, alert_filter, options, out)
        detail = {"alerts": written.alerts, "filter": alert_filter.to_query()}
        with context.database.write() as session:
            record_action(
                session, who="command", what="exported", about=kind_of_file, code=place, detail=detail,
                now=context.clock(),
            )  # fmt: skip
    console = Console(highlight=False, soft_wrap=True, markup=False)
    text = f"{out}: {written.alerts} alerts."
    console.print(say(text, "cli.alerts_exported", file=str(out), alerts=written.alerts))
    for remark in written.remarks:
        console.print(remark)


def _filter(
    zone: dt.tzinfo, place: str, state: list[str] | None, kind: list[str] | None, since: str, until: str, where: str
) -> AlertFilter:
    query: dict[str, str | Sequence[str]] = {**parse_qs(where.removeprefix("?"), keep_blank_values=False)}
    if unknown := [name for name in query if name not in PARAMETERS]:
        names, known = ", ".join(unknown), ", ".join(PARAMETERS)
        message = f"--where has the unknown condition {names}; expected {known}."
        raise SettingsError(message, "cli.where", names=names, known=known)
    given: dict[str, str | Sequence[str]] = {
        "place": place,
        "states": state or [],
        "kinds": kind or [],
        "since": since,
        "until": until,
    }
    query |= {name: value for name, value in given.items() if value}
    return AlertFilter.from_query(query, zone)


def _row(row: AlertListItem) -> Row:
    lon, lat = row.centre
    return {
        "number": row.number,
        "kind": row.kind,
        "change_type": row.change_type,
        "state": row.state,
        "score": round(row.score, 4),
        "area_m2": round(row.area_m2, 2),
        "area_mu": round(mu(row.area_m2), 4),
        "area_code": row.grid_code,
        "area_name": row.grid_name,
        "lon": round(lon, 8),
        "lat": round(lat, 8),
        "times_seen": row.seen,
        "first_seen": row.first_date,
        "last_seen": row.last_date,
        "due_on": row.due_on,
        "assignee": row.assignee,
        "over_cap": row.over_cap,
        "overlaps": dict(row.overlaps),
        "created_at": row.created_at,
    }
