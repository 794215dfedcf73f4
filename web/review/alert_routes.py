"""Review of one alert: view, judge, change state, assign, split and undo, locked to one user at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from shapely import LineString
from shapely.geometry import mapping

from enforcement.change_types import read_change_types
from enforcement.units import mu
from errors import TubanError
from store.access.rights import Viewer
from store.alerts.sites import site_alerts
from store.field.settlement import settle_after_release
from store.review.decisions import (
    assign,
    judge,
    lock_holder,
    may_judge,
    merge,
    move,
    release_lock,
    renew_lock,
    set_kind_and_type,
    split,
    split_at_gaps,
    split_by_line,
    take_lock,
    undo,
)
from store.schema.database import Session
from store.schema.database_errors import CONCURRENT_CHANGE
from store.schema.tables import AlertRow
from store.views.alert_as_of import AlertDay, alert_days
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.http_errors import Conflict, InvalidInput
from web.page import language_of, page
from web.review.rejection_reasons import REASONS, reason_choices, rejection_reason
from web.review.review_data import AlertDetail, requested_filter
from web.review.review_errors import review_error

router = APIRouter(prefix="/alerts/{number}", include_in_schema=False)

Degrees = Annotated[float, Field(ge=-180, le=180)]
Words = Annotated[str, Field(max_length=1800)]


class _Decision(BaseModel):
    """``as_of``: time of the alert's last change that the user saw, to detect concurrent changes; None: no check.

    The row's version is not used, because it also changes when another decision changes the ranks of the week.
    """

    model_config = ConfigDict(extra="forbid")

    as_of: AwareDatetime | None = None


class Judgement(_Decision):
    """A verdict on the images; ``reason`` is one of :data:`web.review.rejection_reasons.REASONS`.

    ``site``: judge the other open alerts of its site in the same way, where the user's role may.
    """

    verdict: Literal["true", "false", "bad_imagery"]
    reason: str = ""
    words: Words = ""
    site: bool = False


class MergeRequest(_Decision):
    """Numbers of the alerts to merge into this one."""

    alerts: Annotated[list[Annotated[str, Field(max_length=40)]], Field(min_length=1, max_length=20)]
    why: Words = ""


class StateChange(_Decision):
    """A transition of the state table with its evidence."""

    to: Annotated[str, Field(max_length=20)]
    evidence: Annotated[dict[str, Any], Field(max_length=20)] = {}
    why: Words = ""


class Assignment(_Decision):
    """``login`` of the assignee; "" for none."""

    login: Annotated[str, Field(max_length=100)]


class TypeChoice(_Decision):
    """Kind and official type; ``change_type`` is "" while it is not known."""

    kind: Annotated[str, Field(max_length=20)]
    change_type: Annotated[str, Field(max_length=40)] = ""


class SplitRequest(_Decision):
    """Where to split: along a line of longitudes and latitudes; None: at the gaps."""

    line: Annotated[list[tuple[Degrees, Degrees]], Field(max_length=200)] | None = None
    why: Words = ""


def _alert(session: Session, viewer: Viewer, number: str, as_of: dt.datetime | None = None) -> AlertRow:
    alert = alert_of(session, viewer, number)
    if as_of is not None and alert.changed_at != as_of:
        raise Conflict("review.conflict")
    return alert


@router.get("")
def alert_page(request: Request, context: Service, viewer: CurrentUser, number: str) -> Response:
    """Render the review page of an alert; its script loads further alerts without reloading the page."""
    list_filter = requested_filter(request, context)
    with context.database.read() as session:
        alert = AlertDetail(request, context, session, viewer).data(_alert(session, viewer, number), list_filter)
    language = language_of(request)
    return page(
        request,
        "alert.html",
        alert=alert,
        reasons={verdict: reason_choices(verdict, language) for verdict in REASONS},
        lock_seconds=context.settings.web.lock_seconds,
    )


@router.get("/data")
def alert_data(request: Request, context: Service, viewer: CurrentUser, number: str) -> JSONResponse:
    """Return the data of an alert for the page, with its neighbours in the list."""
    list_filter = requested_filter(request, context)
    with context.database.read() as session:
        detail = AlertDetail(request, context, session, viewer)
        return JSONResponse(detail.data(_alert(session, viewer, number), list_filter))


@router.get("/days")
def alert_days_data(request: Request, context: Service, viewer: CurrentUser, number: str) -> JSONResponse:
    """Return the alert as of each day of its images, oldest first."""
    with context.database.read() as session:
        days = alert_days(session, _alert(session, viewer, number))
    return JSONResponse({"days": [_day(day, language_of(request)) for day in days]})


def _day(day: AlertDay, language: str) -> dict[str, Any]:
    state, kinds = day.state, read_change_types().kinds
    return {
        "day": day.day.isoformat(),
        "kind_name": getattr(kinds[state.kind], language) if state.kind in kinds else state.kind,
        "area_m2": round(state.area_m2, 1),
        "mu": round(mu(state.area_m2), 2),
        "area_error_m2": state.area_error_m2,
        "oblique": state.oblique,
        "estimate": "reported" if all(one.drawn for one in state.used if one.error) else "oblique",
        "confidence": day.confidence.probability,
        **{
            name: found.isoformat() if found else None
            for name, found in (
                ("not_yet_on", state.not_yet_on),
                ("there_on", state.there_on),
                ("gone_on", state.gone_on),
            )
        },
        "outline": mapping(state.outline),
    }


@router.post("/lock")
def lock_alert(
    request: Request, context: Service, viewer: CurrentUser, number: str, renew: bool = False
) -> dict[str, Any]:
    """Lock an alert for the user, or renew the lock. Returns the alert, or with ``renew`` only the holder."""
    list_filter, now = requested_filter(request, context), context.clock()
    with context.database.write() as session:
        alert = _alert(session, viewer, number)
        detail, seconds = AlertDetail(request, context, session, viewer), context.settings.web.lock_seconds
        if not (renew and renew_lock(session, alert, viewer, now, seconds)):
            take_lock(session, alert, viewer, now, seconds)
        if renew:
            return {"lock": detail.lock(lock_holder(session, alert, now)), "as_of": alert.changed_at.isoformat()}
        return detail.data(alert, list_filter)


@router.delete("/lock")
def unlock_alert(context: Service, viewer: CurrentUser, number: str) -> Response:
    """Release the user's lock."""
    with context.database.write() as session:
        _release(session, _alert(session, viewer, number), viewer, context.clock())
    return Response(status_code=204)


def _release(session: Session, alert: AlertRow, viewer: Viewer, now: dt.datetime) -> None:
    """Release the user's lock, and apply the steps of phones that waited for it."""
    if release_lock(session, alert, viewer):
        settle_after_release(session, alert.id, now)


Action = Callable[[Session, AlertRow, dt.datetime], AlertRow]


def _apply(
    request: Request,
    context: Service,
    viewer: Viewer,
    number: str,
    action: Action,
    *,
    as_of: dt.datetime | None = None,
    key: str = "review.not_allowed",
) -> dict[str, Any]:
    """Apply an action to an alert in one transaction, and return the alert's new data."""
    list_filter, now = requested_filter(request, context), context.clock()
    try:
        with context.database.write() as session:
            alert = action(session, _alert(session, viewer, number, as_of), now)
            return AlertDetail(request, context, session, viewer).data(alert, list_filter)
    except TubanError as error:
        raise review_error(request, error, key) from error
    except CONCURRENT_CHANGE as error:
        raise Conflict("review.conflict") from error


@router.post("/judge")
def judge_alert(
    request: Request, context: Service, viewer: CurrentUser, number: str, body: Judgement
) -> dict[str, Any]:
    """Judge an alert, and release its lock because the page shows the next one."""
    reason = "" if body.verdict == "true" else rejection_reason(body.verdict, body.reason, body.words)

    def action(session: Session, alert: AlertRow, now: dt.datetime) -> AlertRow:
        settings = context.settings
        others = site_alerts(session, alert) if body.site else []
        alert = judge(session, alert, viewer, body.verdict, reason=reason, settings=settings, now=now)
        _release(session, alert, viewer, now)
        for other in others:
            if other.id != alert.id and may_judge(session, other, viewer, body.verdict):
                judge(session, other, viewer, body.verdict, reason=reason, settings=settings, now=now)
        return alert

    return _apply(request, context, viewer, number, action, as_of=body.as_of)


@router.post("/move")
def change_state(
    request: Request, context: Service, viewer: CurrentUser, number: str, body: StateChange
) -> dict[str, Any]:
    """Change the state of an alert as the state table permits."""

    def action(session: Session, alert: AlertRow, now: dt.datetime) -> AlertRow:
        settings = context.settings
        return move(session, alert, viewer, body.to, body.evidence, body.why, settings=settings, now=now)

    return _apply(request, context, viewer, number, action, as_of=body.as_of)


@router.post("/undo")
def undo_alert(request: Request, context: Service, viewer: CurrentUser, number: str) -> dict[str, Any]:
    """Undo the user's own last decision."""

    def action(session: Session, alert: AlertRow, now: dt.datetime) -> AlertRow:
        return undo(session, alert, viewer, now, context.settings)

    return _apply(request, context, viewer, number, action, key="review.not_undone")


@router.post("/assign")
def assign_alert(
    request: Request, context: Service, viewer: CurrentUser, number: str, body: Assignment
) -> dict[str, Any]:
    """Assign an alert to a user, or to none."""

    def action(session: Session, alert: AlertRow, now: dt.datetime) -> AlertRow:
        alert = assign(session, alert, viewer, body.login, now)
        log_action(
            request, session, viewer, "assigned", about=alert.number, code=alert.grid_code, detail={"to": body.login}
        )
        return alert

    return _apply(request, context, viewer, number, action, as_of=body.as_of, key="review.not_assigned")


@router.post("/type")
def set_type(request: Request, context: Service, viewer: CurrentUser, number: str, body: TypeChoice) -> dict[str, Any]:
    """Set the kind and official type of an alert."""

    def action(session: Session, alert: AlertRow, now: dt.datetime) -> AlertRow:
        before = {"kind": alert.kind, "type": alert.change_type}
        alert = set_kind_and_type(session, alert, viewer, body.kind, body.change_type, now)
        detail = {"from": before, "to": {"kind": alert.kind, "type": alert.change_type}}
        log_action(request, session, viewer, "set_type", about=alert.number, code=alert.grid_code, detail=detail)
        return alert

    return _apply(request, context, viewer, number, action, as_of=body.as_of)


@router.post("/merge")
def merge_alerts(
    request: Request, context: Service, viewer: CurrentUser, number: str, body: MergeRequest
) -> dict[str, Any]:
    """Merge other alerts into this one."""

    def action(session: Session, alert: AlertRow, now: dt.datetime) -> AlertRow:
        others = [_alert(session, viewer, other) for other in body.alerts]
        return merge(session, others, alert, viewer, body.why, settings=context.settings, now=now)

    return _apply(request, context, viewer, number, action, as_of=body.as_of)


@router.post("/split")
def split_alert(request: Request, context: Service, viewer: CurrentUser, number: str, body: SplitRequest) -> Response:
    """Split an alert into several, and return their numbers."""
    if body.line is not None and len(body.line) < 2:
        raise InvalidInput("review.line_needed")
    now = context.clock()
    try:
        with context.database.write() as session:
            alert = _alert(session, viewer, number, body.as_of)
            if body.line is not None:
                parts = split_by_line(alert.outline, LineString(body.line))
            else:
                parts = split_at_gaps(alert)
                if len(parts) < 2:
                    raise InvalidInput("review.no_gaps")
            created = split(session, alert, viewer, parts, body.why, settings=context.settings, now=now)
            _release(session, alert, viewer, now)
            return JSONResponse({"into": [part.number for part in created]})
    except TubanError as error:
        raise review_error(request, error) from error
    except CONCURRENT_CHANGE as error:
        raise Conflict("review.conflict") from error
