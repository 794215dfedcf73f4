"""Lists that leave the bureau: places without supply, and the credit blacklist with its CSV and XML."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from enforcement.sharing.blacklist_files import blacklist_csv, blacklist_xml
from enforcement.sharing.identity import IDENTITY_KINDS
from enforcement.units import MU_M2
from errors import SettingsError
from service.sharing.jobs import add_write_job
from store.access.rights import may_see
from store.sharing.blacklist import add_entry, exported, remove_entry, visible_entries, visible_entry
from store.sharing.service_stops import end_stop, visible_stop, visible_stops
from store.tips.informant_key import signing_key
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.http_errors import InvalidInput, NotFound
from web.page import chosen_language, page
from web.row_ids import Id
from web.sharing.alert_sharing_routes import check_may_share, may_share

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=400)]
Words = Annotated[str, Form(max_length=2000)]


@router.get("/service-stops")
def stops_page(request: Request, context: Service, viewer: CurrentUser) -> HTMLResponse:
    """Render the places without supply of the user's area."""
    with context.database.read() as session:
        stops = visible_stops(session, viewer)
    return page(request, "service_stops.html", stops=stops, today=context.today, may_share=may_share(viewer))


@router.post("/service-stops/{stop_id}/end")
def end(request: Request, context: Service, viewer: CurrentUser, stop_id: Id) -> Response:
    """Let a place be served again."""
    with context.database.write() as session:
        row = visible_stop(session, viewer, stop_id)
        if row is None:
            raise NotFound
        check_may_share(viewer)
        now = context.clock()
        end_stop(session, row, who=viewer.login, now=now)
        add_write_job(session, f"stop {row.id}", now)
        log_action(request, session, viewer, "ended_stop", about=row.number, code=row.code)
    return Response(status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}/service-stops"})


@router.get("/blacklist")
def blacklist_page(
    request: Request, context: Service, viewer: CurrentUser, alert: Annotated[str, Query(max_length=40)] = ""
) -> HTMLResponse:
    """Render the blacklist of the user's area, with the form of an entry (``alert``: number of its alert)."""
    with context.database.read() as session:
        entries = visible_entries(session, viewer)
    return page(
        request,
        "blacklist.html",
        entries=entries,
        alert=alert,
        kinds=IDENTITY_KINDS,
        may_share=may_share(viewer),
        today=context.today,
    )


@router.post("/blacklist")
def enter(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    alert: Annotated[str, Form(max_length=40)],
    subject: Text,
    identity_kind: Annotated[str, Form(max_length=20)],
    identity: Annotated[str, Form(max_length=40)],
    facts: Words,
    document: Annotated[str, Form(max_length=100)],
    listed_on: Annotated[dt.date, Form()],
    removal_condition: Words,
    authority: Text,
    representative: Text = "",
    place: Text = "",
    area_mu: Annotated[str, Form(max_length=20)] = "",
    until: Annotated[str, Form(max_length=10)] = "",
    measures: Words = "",
) -> Response:
    """Enter a subject. The identity number is checked, and then kept masked only."""
    with context.database.write() as session:
        found = alert_of(session, viewer, alert.strip())
        check_may_share(viewer)
        try:
            values: dict[str, Any] = {
                "area_m2": float(area_mu) * MU_M2 if area_mu.strip() else None,
                "until": dt.date.fromisoformat(until) if until.strip() else None,
            }
        except ValueError:
            raise InvalidInput("sharing.day") from None
        try:
            row = add_entry(
                session, code=found.grid_code, alert_id=found.id, subject=subject, identity_kind=identity_kind,
                identity=identity, key=signing_key(context.settings), representative=representative, facts=facts,
                place=place, document=document, listed_on=listed_on, measures=measures,
                removal_condition=removal_condition, authority=authority, who=viewer.login, now=context.clock(),
                **values,
            )  # fmt: skip
        except SettingsError as error:
            raise InvalidInput(error.reason) from None
        detail = {"entry": row.id, "document": row.document}
        log_action(request, session, viewer, "blacklisted", about=found.number, code=found.grid_code, detail=detail)
    return Response(status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}/blacklist"})


@router.post("/blacklist/{entry_id}/remove")
def remove(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    entry_id: Id,
    on: Annotated[dt.date, Form()],
    why: Words,
    document: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Remove a subject from the list."""
    with context.database.write() as session:
        row = visible_entry(session, viewer, entry_id)
        if row is None or not may_see(viewer, row.code):
            raise NotFound
        check_may_share(viewer)
        try:
            remove_entry(session, row, on=on, document=document, why=why, who=viewer.login)
        except SettingsError as error:
            raise InvalidInput(error.reason) from None
        detail = {"document": row.removed_document}
        log_action(request, session, viewer, "removed_from_blacklist", about=f"entry {row.id}", code=row.code,
                   detail=detail)  # fmt: skip
    return Response(status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}/blacklist"})


@router.get("/blacklist/export")
def export(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    format: Annotated[Literal["csv", "xml"], Query()] = "csv",  # noqa: A002  (the word of the address)
) -> Response:
    """Return the blacklist of the user's area with masked identity numbers; the export is in the audit log."""
    check_may_share(viewer)
    with context.database.write() as session:
        entries = exported(visible_entries(session, viewer, limit=100_000))
        detail = {"rows": len(entries), "format": format}
        log_action(request, session, viewer, "exported", about="blacklist", detail=detail)
    is_csv = format == "csv"
    text = blacklist_csv(entries, chosen_language(request, "")) if is_csv else blacklist_xml(entries)
    media_type = "text/csv; charset=utf-8" if is_csv else "application/xml"
    headers = {"content-disposition": f'attachment; filename="blacklist.{format}"'}
    return Response(text.encode(), media_type=media_type, headers=headers)
