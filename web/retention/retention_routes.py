"""Page of retention for administrators: what would be deleted, the holds, and the log of deletions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response

from errors import SettingsError
from service.disk_stages import disk_stage
from service.retention.categories import list_expired
from store.access.rights import may_see
from store.jobs.queue import add_job
from store.retention.holds import place_hold, release_hold, visible_hold, visible_holds
from store.retention.purge_log import list_purges
from store.schema.tables import AlertRow
from web.auth.audit_log import log_action
from web.auth.authentication import Administrator, Service
from web.http_errors import Forbidden, InvalidInput, NotFound
from web.page import page
from web.row_ids import Id

router = APIRouter(include_in_schema=False, prefix="/retention")

Words = Annotated[str, Form(max_length=1000)]


@router.get("")
def retention_page(request: Request, context: Service, viewer: Administrator) -> HTMLResponse:
    """Render the holds of the administrator's area; to those of all areas also what would be deleted."""
    everything = not viewer.code
    expired = list_expired(context) if everything else []
    with context.database.read() as session:
        holds = visible_holds(session, viewer)
        ids = {row.alert_id for row in holds if row.alert_id is not None}
        numbers = {alert_id: number for alert_id in ids if (number := _number(session.get(AlertRow, alert_id)))}
        purges = list_purges(session) if everything else []
    return page(
        request,
        "retention.html",
        expired=expired,
        holds=holds,
        numbers=numbers,
        purges=purges,
        everything=everything,
        stage=disk_stage(context.settings) if everything else None,
    )


@router.post("/holds")
def place(
    request: Request,
    context: Service,
    viewer: Administrator,
    kind: Annotated[str, Form(max_length=10)],
    reason: Words,
    code: Annotated[str, Form(max_length=12, pattern="^[0-9]*$")] = "",
    case_number: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Place a hold on an area or a case; one on an alert is placed on the alert's page."""
    with context.database.write() as session:
        if not may_see(viewer, code):
            raise NotFound
        if kind not in ("area", "case"):
            raise InvalidInput("error.403")
        try:
            row = place_hold(
                session, kind=kind, code=code, case_number=case_number, reason=reason, who=viewer.login,
                now=context.clock(),
            )  # fmt: skip
        except SettingsError as error:
            raise InvalidInput(error.reason) from None
        detail = {"kind": kind, "case": case_number}
        log_action(request, session, viewer, "placed_hold", about=f"hold {row.id}", code=code, detail=detail)
    return Response(status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}/retention"})


@router.post("/holds/{hold_id}/release")
def release(request: Request, context: Service, viewer: Administrator, hold_id: Id, why: Words) -> Response:
    """Release a hold."""
    with context.database.write() as session:
        row = visible_hold(session, viewer, hold_id)
        if row is None:
            raise NotFound
        try:
            release_hold(session, row, who=viewer.login, why=why, now=context.clock())
        except SettingsError as error:
            raise InvalidInput(error.reason) from None
        log_action(request, session, viewer, "released_hold", about=f"hold {row.id}", code=row.code)
    return Response(status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}/retention"})


@router.post("/apply")
def apply(request: Request, context: Service, viewer: Administrator) -> Response:
    """Add the job that deletes what is listed; administrators of all areas only."""
    if viewer.code:
        raise Forbidden("error.403")
    now = context.clock()
    with context.database.write() as session:
        key = f"images:retention:{now.isoformat()}"
        add_job(session, kind="images.retention", queue="ingest", payload={}, unique_key=key, now=now)
        log_action(request, session, viewer, "purged", about="retention")
    return Response(status_code=204, headers={"HX-Redirect": f"{context.settings.path_prefix}/retention"})


def _number(alert: AlertRow | None) -> str:
    return "" if alert is None else alert.number
