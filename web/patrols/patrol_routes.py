"""Pages of patrol records: list with statistics, new record, one record with its track and alerts."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from enforcement.change_types import read_change_types
from store.access.rights import Viewer, visible_areas
from store.areas.areas import area_names
from store.objects.object_store import ObjectNotFound
from store.patrols.patrol_records import (
    FINDING_FIELDS,
    MAX_FINDINGS,
    findings_of,
    list_patrols,
    patrol_statistics,
    visible_patrol,
    why_of,
)
from store.schema.chain.tip_tables import PatrolRow
from store.schema.database import Session
from store.views.alert_view import user_names
from store.views.map_layers import visible_bounds
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.http_errors import Conflict, NotFound
from web.maps.map_routes import CHINA
from web.maps.place_drawing import PlaceDrawing
from web.page import language_of, page
from web.patrols.patrol_input import PatrolInput, register_patrol
from web.plain_text import Plain
from web.row_ids import BeforeId, Id
from web.tips.tip_alert_routes import drawn_change, record

router = APIRouter(include_in_schema=False)

_PER_PAGE, _WEEKS = 50, 4


@router.get("/patrols")
def patrols_page(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    area: Annotated[str, Query(max_length=12), Plain] = "",
    before: BeforeId = None,
) -> HTMLResponse:
    """Render the patrol records, with the statistics of the last weeks."""
    today = context.clock().astimezone(context.settings.zone).date()
    first = today - dt.timedelta(days=today.weekday() + 7 * (_WEEKS - 1))
    with context.database.read() as session:
        patrols = list_patrols(session, viewer, area=area, before_id=before, limit=_PER_PAGE + 1)
        statistics = patrol_statistics(session, viewer, first, today)
        names = area_names(session, {patrol.area_code for patrol in patrols})
        people = user_names(session, {patrol.created_by for patrol in patrols})
    return page(
        request,
        "patrols.html",
        patrols=patrols[:_PER_PAGE],
        more=patrols[_PER_PAGE - 1].id if len(patrols) > _PER_PAGE else None,
        statistics=statistics[::-1],
        names=names,
        people=people,
        area=area,
    )


@router.get("/patrols/new")
def new_patrol_page(request: Request, context: Service, viewer: CurrentUser) -> HTMLResponse:
    """Render the form of a new record."""
    with context.database.read() as session:
        areas = [(area.code, area.name) for area in visible_areas(session, viewer)]
        extent = visible_bounds(session, viewer) or CHINA
    return page(
        request,
        "patrol_new.html",
        areas=areas,
        today=context.clock().astimezone(context.settings.zone).date(),
        fields=FINDING_FIELDS,
        most=MAX_FINDINGS,
        map_settings=_map_settings(context, extent, None),
    )


@router.post("/patrols")
def add(request: Request, context: Service, viewer: CurrentUser, body: PatrolInput) -> dict[str, Any]:
    """Add a record; return its id."""
    row = register_patrol(request, context, viewer, body)
    return {"id": row.id, "number": row.number}


@router.get("/patrols/{patrol_id}")
def patrol_page(request: Request, context: Service, viewer: CurrentUser, patrol_id: Id) -> HTMLResponse:
    """Render a record with its track."""
    with context.database.read() as session:
        patrol = _patrol(session, viewer, patrol_id)
        findings = findings_of(session, patrol.id)
        names = area_names(session, {patrol.area_code})
        people = user_names(session, {patrol.created_by})
        extent = visible_bounds(session, viewer) or CHINA
    return page(
        request,
        "patrol.html",
        patrol=patrol,
        findings=findings,
        names=names,
        people=people,
        fields=FINDING_FIELDS,
        kinds={key: getattr(kind, language_of(request)) for key, kind in read_change_types().kinds.items()},
        map_settings=_map_settings(context, extent, patrol),
    )


@router.get("/patrols/{patrol_id}/track.gpx")
def track_file(context: Service, viewer: CurrentUser, patrol_id: Id) -> Response:
    """Return the GPX file as it was received."""
    with context.database.read() as session:
        patrol = _patrol(session, viewer, patrol_id)
    if not patrol.track_key:
        raise NotFound
    try:
        content = context.objects.read(patrol.track_key)
    except ObjectNotFound:
        raise NotFound from None
    headers = {"content-disposition": f'attachment; filename="{patrol.number}.gpx"'}
    return Response(content, media_type="application/gpx+xml", headers=headers)


@router.post("/patrols/{patrol_id}/findings/{sequence}/alert")
def make_alert(
    request: Request, context: Service, viewer: CurrentUser, patrol_id: Id, sequence: Id, body: PlaceDrawing
) -> dict[str, Any]:
    """Make an alert of a place that a patrol found, or add it to the alert at the same place."""
    with context.database.write() as session:
        patrol = _patrol(session, viewer, patrol_id)
        finding = next((row for row, _ in findings_of(session, patrol.id) if row.sequence == sequence), None)
        if finding is None:
            raise NotFound
        if finding.alert_id is not None:
            raise Conflict("tips.has_alert")
        drawn = drawn_change(
            body,
            source="patrol",
            seen_on=patrol.day,
            why=why_of(patrol),
            evidence={"patrol": patrol.number},
            place=(None, None),
        )
        outcome = record(session, context, viewer, body, drawn, patrol.area_code)
        finding.alert_id = outcome.alert.id
        detail = {"alert": outcome.alert.number, "new": outcome.created}
        log_action(
            request,
            session,
            viewer,
            "patrol_to_alert",
            about=patrol.number,
            code=outcome.alert.grid_code,
            detail=detail,
        )
        return {"number": outcome.alert.number, "new": outcome.created}


def _patrol(session: Session, viewer: Viewer, patrol_id: int) -> PatrolRow:
    patrol = visible_patrol(session, viewer, patrol_id)
    if patrol is None:
        raise NotFound
    return patrol


def _map_settings(
    context: Service, extent: tuple[float, float, float, float], patrol: PatrolRow | None
) -> dict[str, Any]:
    wmts = context.settings.web.map
    return {
        "extent": extent,
        "wmts": wmts.model_dump() if wmts.wmts_url else None,
        "track": [[point[:2] for point in segment] for segment in patrol.track] if patrol is not None else None,
        "gaps": patrol.gaps if patrol is not None else [],
        "patrol": patrol.id if patrol is not None else None,
    }
