"""A tip becomes an alert, drawn on the map as a polygon or as a point with a radius; or it joins an existing one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from errors import Reason
from service.context import Context
from store.access.rights import Viewer
from store.alerts.drawn_sighting import DrawnChange, DrawnOutcome, record_drawn_change
from store.evidence.evidence_files import link_to_alert
from store.schema.database import Session
from store.tips.tip_steps import add_step, evidence_of, may_register, tip_source, why_of
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.http_errors import Conflict, Forbidden, InvalidInput
from web.maps.place_drawing import PlaceDrawing
from web.row_ids import Id
from web.tips.tip_access import check_reader, tip_of
from web.tips.tip_registration import area_of

router = APIRouter(include_in_schema=False)


class TipAlert(PlaceDrawing):
    """Where the alert of a tip is; ``with_files``: its accepted attachments become evidence of the alert."""

    with_files: bool = False


@router.post("/tips/{tip_id}/alert")
def make_alert(request: Request, context: Service, viewer: CurrentUser, tip_id: Id, body: TipAlert) -> dict[str, Any]:
    """Make an alert of a tip, or add it to the alert at the same place.

    Raises:
        Conflict: it belongs to an alert already.
    """
    now = context.clock()
    with context.database.write() as session:
        tip = tip_of(session, viewer, tip_id, lock=True)
        if not may_register(viewer, check_reader(session, viewer)):
            raise Forbidden("tips.not_yours")
        if tip.alert_id is not None:
            raise Conflict("tips.has_alert")
        drawn = drawn_change(
            body,
            source=tip_source(tip),
            seen_on=tip.received_on,
            why=why_of(tip),
            evidence=evidence_of(tip),
            place=(tip.lon, tip.lat),
        )
        outcome = record(session, context, viewer, body, drawn, tip.area_code)
        tip.alert_id = outcome.alert.id
        if body.with_files:
            link_to_alert(session, "tip", tip.id, outcome.alert.id)
        add_step(session, tip, "alert", viewer.login, now, outcome.alert.number)
        log_action(
            request,
            session,
            viewer,
            "tip_to_alert",
            about=tip.number,
            code=outcome.alert.grid_code,
            detail={"alert": outcome.alert.number, "new": outcome.created},
        )
        return {"number": outcome.alert.number, "new": outcome.created}


def drawn_change(
    body: PlaceDrawing,
    *,
    source: str,
    seen_on: Any,
    why: Reason,
    evidence: dict[str, Any],
    place: tuple[float | None, float | None],
) -> DrawnChange:
    """Return what a page sent as a drawn change; a point without a position is that of ``place``."""
    if body.corners is None and (body.lon is None or body.lat is None):
        if place[0] is None or place[1] is None:
            raise InvalidInput("tips.no_position")
        body = body.model_copy(update={"lon": place[0], "lat": place[1]})
    outline, error_m = body.outline()
    return DrawnChange(outline, body.kind, source, seen_on, why, error_m=error_m, evidence=evidence)


def record(
    session: Session, context: Context, viewer: Viewer, body: PlaceDrawing, drawn: DrawnChange, area_code: str
) -> DrawnOutcome:
    """Record a drawn change by the rights of the user.

    Raises:
        InvalidInput: it lies outside of the user's area.
        NotFound: the chosen alert does not exist for this user.
    """
    into = alert_of(session, viewer, body.alert.strip()) if body.alert.strip() else None
    point = drawn.outline.representative_point()
    area = area_of(session, viewer, area_code, point.x, point.y, into)
    outcome = record_drawn_change(
        session,
        drawn,
        area_code=area,
        who=viewer.login,
        role=viewer.role,
        settings=context.settings,
        now=context.clock(),
        into=into,
        always_new=body.always_new,
    )
    if not outcome.alert.grid_code.startswith(viewer.code):
        raise InvalidInput(Reason("The place lies outside of your area; hand it over instead.", "tip.elsewhere"))
    return outcome
