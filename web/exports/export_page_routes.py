"""Page of exports: filter, format, and the exports of the user."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from enforcement.change_types import read_change_types
from enforcement.exports.vector_files import Encoding
from enforcement.states import read_states
from errors import SettingsError
from service.exports.jobs import MAX_ALERTS, delete_export, request_export
from service.exports.writing import FORMATS, ExportOptions, Format
from store.access.users import users_under
from store.areas.areas import list_areas
from store.exports.export_rows import exports_of
from store.search.alert_search import AlertPage, facets
from web.auth.authentication import CurrentUser, Service, client_address
from web.exports.export_api_routes import Uid, find
from web.exports.export_data import shown_export
from web.http_errors import InvalidInput
from web.page import chosen_language, page
from web.review.alert_list import AlertListPage, filter_form, form_filter, place_choices
from web.review.export_routes import check_options

router = APIRouter(prefix="/exports", include_in_schema=False)

AT_ONCE = 1000
"""Alerts that are written while the browser waits, in a few seconds; more are written by a job."""


@router.get("")
def exports_page(request: Request, context: Service, viewer: CurrentUser) -> Response:
    """Render the filter with the number of alerts, the formats, and the user's exports."""
    alert_filter = form_filter(request, context)
    with context.database.read() as session:
        counts = facets(session, viewer, alert_filter)
        areas = list_areas(session, under=viewer.code)
        users = list(users_under(session, viewer))
        exports = [
            shown_export(row, job, context.settings.web.export_days)
            for row, job in exports_of(session, viewer.person_id)
        ]
    states = alert_filter.states
    total = sum(count for state, count in counts.states.items() if not states or state in states)
    return page(
        request,
        "exports.html",
        listed=AlertListPage(alert_filter, AlertPage((), None), counts, areas, users),
        places=place_choices(areas),
        form=filter_form(alert_filter),
        states=list(read_states().states),
        types=list(read_change_types().types),
        query=urlencode(alert_filter.to_query()),
        total=total,
        at_once=AT_ONCE,
        most=MAX_ALERTS,
        formats=FORMATS,
        exports=exports,
        running=any(export.state in ("waiting", "running") for export in exports),
    )


@router.get("/mine")
def my_exports(request: Request, context: Service, viewer: CurrentUser) -> Response:
    """Render the user's exports with their progress."""
    with context.database.read() as session:
        found = exports_of(session, viewer.person_id)
        exports = [shown_export(row, job, context.settings.web.export_days) for row, job in found]
    running = any(export.state in ("waiting", "running") for export in exports)
    return page(request, "exports_mine.html", exports=exports, running=running)


@router.post("")
def write(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    format: Annotated[Format, Form()],  # noqa: A002  (the word of the field)
    crs: Annotated[Literal["4490", "zone"], Form()] = "4490",
    encoding: Annotated[Encoding, Form()] = "UTF-8",
) -> Response:
    """Let the browser download few alerts at once, and a job write many.

    The filter is in the query. Options of a Shapefile are ignored for other formats.
    """
    alert_filter = form_filter(request, context)
    shapefile = format == "shp"
    options = ExportOptions(
        format, crs if shapefile else "4490", encoding if shapefile else "UTF-8", chosen_language(request, "")
    )
    check_options(options)
    with context.database.read() as session:
        counts = facets(session, viewer, alert_filter)
    states = alert_filter.states
    total = sum(count for state, count in counts.states.items() if not states or state in states)
    if total <= AT_ONCE:
        query = {"format": format, "crs": options.crs, "encoding": options.encoding} | alert_filter.to_query()
        prefix = context.settings.path_prefix
        return Response(status_code=204, headers={"hx-redirect": f"{prefix}/api/alerts/export?{urlencode(query)}"})
    try:
        request_export(context, viewer, alert_filter, options, client_address(request))
    except SettingsError as error:
        raise InvalidInput(error.reason) from None
    return my_exports(request, context, viewer)


@router.post("/{export_uid}/delete")
def delete(request: Request, context: Service, viewer: CurrentUser, export_uid: Uid) -> Response:
    """Delete the file of an export of the user."""
    delete_export(context, viewer, find(context, viewer, export_uid).row, client_address(request))
    return my_exports(request, context, viewer)
