"""Pages of tips: register, list, and one tip with its steps."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from pydantic import Field, ValidationError

from enforcement.change_types import read_change_types
from enforcement.deadlines.state_deadlines import Deadline, count_days
from enforcement.deadlines.working_days import days_overdue
from enforcement.map_apps.links import navigation_links
from enforcement.tips.tip_settings import read_tip_settings
from enforcement.tips.tip_states import STEPS, next_deadline
from errors import Reason
from store.access.rights import Viewer, visible_areas
from store.chain_settings import read_chain_values
from store.deadlines.calendar import calendar_of
from store.evidence.evidence_files import files_of_owner
from store.schema.chain.tip_tables import TipRow
from store.schema.database import Session
from store.schema.tables import AlertRow
from store.tips.informant_key import informant_key
from store.tips.tip_search import TipFilter, alerts_near, count_tips, list_tips, tips_near, visible_tip
from store.tips.tip_steps import (
    StepInput,
    may_read_tips,
    may_register,
    may_see_informant,
    set_handler,
    steps_of_tip,
    take_step,
)
from store.views.alert_view import user_names
from store.views.map_layers import visible_bounds
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.http_errors import Forbidden, InvalidInput
from web.maps.map_routes import CHINA
from web.page import language_of, page
from web.plain_text import Plain, PlainModel
from web.row_ids import BeforeId, Id
from web.tips.tip_access import check_reader, tip_of
from web.tips.tip_registration import ASSIGNMENT, TipInput, register

router = APIRouter(include_in_schema=False)

_PER_PAGE = 50


class TipForm(TipInput):
    """The form of the page: position and dates may be empty, fields of the assignment are flat."""

    lon: Annotated[str, Field(max_length=30)] = ""  # type: ignore[assignment]
    lat: Annotated[str, Field(max_length=30)] = ""  # type: ignore[assignment]
    radius_m: Annotated[str, Field(max_length=10)] = ""  # type: ignore[assignment]
    received_on: Annotated[str, Field(max_length=10)] = ""  # type: ignore[assignment]
    duplicate_of: Annotated[str, Field(max_length=20)] = ""  # type: ignore[assignment]
    assignment_unit: Annotated[str, Field(max_length=200)] = ""
    assignment_at: Annotated[str, Field(max_length=30)] = ""
    assignment_phone: Annotated[str, Field(max_length=50)] = ""
    assignment_due: Annotated[str, Field(max_length=30)] = ""
    assignment_undertaker: Annotated[str, Field(max_length=200)] = ""
    assignment_person: Annotated[str, Field(max_length=100)] = ""

    def values(self) -> TipInput:
        """Return the fields as the API takes them: what is empty is left out.

        Raises:
            InvalidInput: a number or a date cannot be read; the message names the fields, never their values.
        """
        given: dict[str, Any] = {
            name: getattr(self, name) for name in TipInput.model_fields if getattr(self, name) not in ("", None)
        }
        given["assignment"] = {
            name: value for name in ASSIGNMENT if (value := getattr(self, f"assignment_{name}").strip())
        }
        try:
            return TipInput.model_validate(given)
        except ValidationError as error:
            names = ", ".join(str(fault["loc"][0]) for fault in error.errors(include_input=False))
            raise InvalidInput(Reason(f"Invalid values: {names}.", "form.values", names=names)) from None


class StepForm(PlainModel):
    """What a step needs; see :class:`store.tips.tip_steps.StepInput`."""

    step: Annotated[str, Field(max_length=20)]
    reason: Annotated[str, Field(max_length=20)] = ""
    words: Annotated[str, Field(max_length=2000)] = ""
    handling: Annotated[str, Field(max_length=20)] = ""
    finding: Annotated[str, Field(max_length=10)] = ""
    unit: Annotated[str, Field(max_length=200)] = ""
    case_filed: bool = False


@router.get("/tips")
def tips_page(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    state: Annotated[str, Query(max_length=20), Plain] = "",
    channel: Annotated[str, Query(max_length=20), Plain] = "",
    text: Annotated[str, Query(max_length=100), Plain] = "",
    mine: bool = False,
    before: BeforeId = None,
) -> HTMLResponse:
    """Render the register of tips with its filters."""
    today = context.clock().astimezone(context.settings.zone).date()
    wanted = TipFilter(state, channel, text, viewer.login if mine else "")
    with context.database.read() as session:
        values = check_reader(session, viewer)
        tips = list_tips(session, viewer, wanted, today, before_id=before, limit=_PER_PAGE + 1)
        counts = count_tips(session, viewer, today)
        names = user_names(session, {tip.handler for tip in tips})
        late = {tip.id: _overdue(session, tip, today) for tip in tips}
    return page(
        request,
        "tips.html",
        tips=tips[:_PER_PAGE],
        more=tips[_PER_PAGE - 1].id if len(tips) > _PER_PAGE else None,
        counts=counts,
        names=names,
        late=late,
        due={tip.id: _due(tip) for tip in tips},
        filters={"state": state, "channel": channel, "text": text, "mine": mine},
        table=read_tip_settings(),
        may_register=may_register(viewer, values),
        public_form=values.flag("public.form"),
    )


@router.get("/tips/new")
def new_tip_page(request: Request, context: Service, viewer: CurrentUser, alert: str = "") -> HTMLResponse:
    """Render the form of a new tip."""
    with context.database.read() as session:
        values = check_reader(session, viewer)
        areas = [(area.code, area.name) for area in visible_areas(session, viewer)]
        extent = _extent(session, viewer)
    if not may_register(viewer, values):
        raise Forbidden("tips.not_yours")
    return page(
        request,
        "tip_new.html",
        areas=areas,
        alert=alert[:40],
        table=read_tip_settings(),
        assignment=ASSIGNMENT,
        today=context.clock().astimezone(context.settings.zone).date(),
        radius=values.whole("tips.point_error_m"),
        map_settings=_map_settings(context, extent),
    )


@router.post("/tips")
def add(request: Request, context: Service, viewer: CurrentUser, form: Annotated[TipForm, Form()]) -> Response:
    """Register a tip, and redirect to its page."""
    tip = register(request, context, viewer, form.values(), "desk")
    return Response(headers={"hx-redirect": f"/tips/{tip.id}"})


@router.get("/tips/near")
def near_page(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    lon: Annotated[float, Query(ge=-180, le=180)],
    lat: Annotated[float, Query(ge=-90, le=90)],
    tip: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> HTMLResponse:
    """Render the tips and alerts near a place, while a tip is registered."""
    with context.database.read() as session:
        values = check_reader(session, viewer)
        metres = values.whole("tips.duplicate_m")
        tips = tips_near(session, viewer, lon, lat, metres, besides=tip)
        alerts = alerts_near(session, viewer, lon, lat, metres)
    return page(
        request, "tip_near.html", tips=tips, alerts=alerts, metres=metres, table=read_tip_settings(), choose=tip is None
    )


@router.get("/tips/count")
def count(context: Service, viewer: CurrentUser) -> Response:
    """Return the number of open tips, for the navigation; empty: none, or the user reads no tips."""
    with context.database.read() as session:
        if not may_read_tips(viewer, read_chain_values(session)):
            return PlainTextResponse("")
        counts = count_tips(session, viewer, context.clock().astimezone(context.settings.zone).date())
    late = ' class="late"' if counts["overdue"] else ""
    number = f"{counts['open']}" if counts["open"] < 1000 else "999+"
    return Response(f"<b{late}>{number}</b>" if counts["open"] else "", media_type="text/html")


@router.get("/tips/{tip_id}")
def tip_page(request: Request, context: Service, viewer: CurrentUser, tip_id: Id) -> HTMLResponse:
    """Render a tip."""
    with context.database.read() as session:
        tip = tip_of(session, viewer, tip_id)
        return _tip_page(request, context, session, viewer, tip)


@router.post("/tips/{tip_id}/steps")
def step(
    request: Request, context: Service, viewer: CurrentUser, tip_id: Id, form: Annotated[StepForm, Form()]
) -> Response:
    """Take a step of a tip, and reload its page."""
    given = StepInput(**form.model_dump(exclude={"step"}))
    with context.database.write() as session:
        tip = tip_of(session, viewer, tip_id, lock=True)
        take_step(session, tip, form.step, given, viewer, now=context.clock(), settings=context.settings)
        log_action(request, session, viewer, f"tip_{form.step}", about=tip.number, code=tip.area_code)
    return Response(headers={"hx-refresh": "true"})


@router.post("/tips/{tip_id}/handler")
def hand(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    tip_id: Id,
    login: Annotated[str, Form(max_length=100), Plain] = "",
) -> Response:
    """Hand a tip to a user, or take it over."""
    with context.database.write() as session:
        tip = tip_of(session, viewer, tip_id, lock=True)
        set_handler(session, tip, login.strip() or viewer.login, viewer, context.clock())
        log_action(
            request, session, viewer, "handed_tip", about=tip.number, code=tip.area_code, detail={"to": tip.handler}
        )
    return Response(headers={"hx-refresh": "true"})


@router.post("/tips/{tip_id}/informant")
def informant(request: Request, context: Service, viewer: CurrentUser, tip_id: Id) -> HTMLResponse:
    """Show the informant to whom it concerns; each view is in the audit log, also a refused one.

    Raises:
        Forbidden: the user is neither the registrar nor the handler, or below the level of the setting.
    """
    key = informant_key(context.settings)
    with context.database.write() as session:
        tip = tip_of(session, viewer, tip_id)
        values = check_reader(session, viewer)
        allowed = may_see_informant(viewer, tip, values)
        what = "viewed_informant" if allowed else "refused_informant"
        log_action(request, session, viewer, what, about=tip.number, code=tip.area_code)
        found = key.decrypt(tip.informant) if allowed else None
    if found is None:
        raise Forbidden("tips.informant_refused")
    response = page(request, "tip_informant.html", informant=found)
    response.headers["cache-control"] = "no-store"
    return response


def _tip_page(
    request: Request, context: Service, session: Session, viewer: Viewer, tip: TipRow, status: int = 200
) -> HTMLResponse:
    values = check_reader(session, viewer)
    today = context.clock().astimezone(context.settings.zone).date()
    steps = steps_of_tip(session, tip.id)
    alert = session.get(AlertRow, tip.alert_id) if tip.alert_id is not None else None
    placed = tip.lon is not None and tip.lat is not None
    due = _due(tip)
    return page(
        request,
        "tip.html",
        status,
        tip=tip,
        table=read_tip_settings(),
        steps=steps,
        names=user_names(session, {entry.who for entry in steps} | {tip.handler, tip.created_by}),
        possible=STEPS.get(tip.state, ()) if may_register(viewer, values) else (),
        may_change=may_register(viewer, values),
        sees_informant=may_see_informant(viewer, tip, values),
        due=due,
        late=_overdue(session, tip, today),
        deadline=Deadline(due, tip.received_on, "", "working") if due else None,
        days=count_days(Deadline(due, tip.received_on, "", "working"), calendar_of(session)) if due else [],
        alert=alert if alert is not None and alert.grid_code.startswith(viewer.code) else None,
        duplicate=visible_tip(session, viewer, tip.duplicate_of) if tip.duplicate_of else None,
        files=files_of_owner(session, "tip", tip.id),
        links=navigation_links(tip.lon, tip.lat, tip.number) if placed else [],  # type: ignore[arg-type]
        kinds={key: getattr(kind, language_of(request)) for key, kind in read_change_types().kinds.items()},
        assignment=ASSIGNMENT,
        map_settings=_map_settings(context, _extent(session, viewer), tip),
    )


def _map_settings(
    context: Service, extent: tuple[float, float, float, float], tip: TipRow | None = None
) -> dict[str, Any]:
    wmts = context.settings.web.map
    placed = tip is not None and tip.lon is not None
    return {
        "extent": extent,
        "wmts": wmts.model_dump() if wmts.wmts_url else None,
        "place": [tip.lon, tip.lat, tip.radius_m] if tip is not None and placed else None,
        "tip": tip.id if tip is not None else None,
    }


def _extent(session: Session, viewer: Viewer) -> tuple[float, float, float, float]:
    return visible_bounds(session, viewer) or CHINA


def _due(tip: TipRow) -> dt.date | None:
    return next_deadline(tip.state, (tip.judge_by, tip.check_by, tip.answer_by))


def _overdue(session: Session, tip: TipRow, today: dt.date) -> int:
    due = _due(tip)
    return days_overdue(due, today, calendar_of(session)) if due is not None and due < today else 0
