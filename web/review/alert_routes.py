"""One alert large, and what a person does with it: judge, move on, assign, split, take back; open for one at a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from shapely import LineString

from errors import TubanError
from store.access.rights import Viewer
from store.review.decisions import (
    assign,
    judge,
    lock_holder,
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
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.http_errors import Conflict, InvalidInput
from web.page import language_of, page
from web.review.alert_words import REASONS, reason_in_words, reasons, refusal
from web.review.review_data import AlertDetail, wanted

router = APIRouter(prefix="/alerts/{number}", include_in_schema=False)

Degrees = Annotated[float, Field(ge=-180, le=180)]
Words = Annotated[str, Field(max_length=1800)]


class _Said(BaseModel):
    """``as_of``: the alert's last change that the person has seen; None: whatever it is now.

    Not the row's version: that changes as well when a colleague's decision moves the ranks of the week.
    """

    model_config = ConfigDict(extra="forbid")

    as_of: AwareDatetime | None = None


class Judgement(_Said):
    """What is seen on the images; ``reason`` is one of :data:`web.review.alert_words.REASONS`."""

    verdict: Literal["true", "false", "bad_imagery"]
    reason: str = ""
    words: Words = ""


class Move(_Said):
    """A step of the table and what it needs."""

    to: Annotated[str, Field(max_length=20)]
    evidence: Annotated[dict[str, Any], Field(max_length=20)] = {}
    why: Words = ""


class Assignment(_Said):
    """``login`` "": nobody."""

    login: Annotated[str, Field(max_length=100)]


class TypeChoice(_Said):
    """``change_type`` "": none yet."""

    kind: Annotated[str, Field(max_length=20)]
    change_type: Annotated[str, Field(max_length=40)] = ""


class Division(_Said):
    """Where to split: at its gaps, or along a line of longitudes and latitudes."""

    line: Annotated[list[tuple[Degrees, Degrees]], Field(max_length=200)] | None = None
    why: Words = ""


def _alert(session: Session, viewer: Viewer, number: str, as_of: dt.datetime | None = None) -> AlertRow:
    alert = alert_of(session, viewer, number)
    if as_of is not None and alert.changed_at != as_of:
        raise Conflict("review.conflict")
    return alert


@router.get("")
def alert_page(request: Request, context: Service, viewer: CurrentUser, number: str) -> Response:
    """The page of one alert; it moves from alert to alert without being loaded again."""
    asked = wanted(request, context)
    with context.database.read() as session:
        alert = AlertDetail(request, context, session, viewer).data(_alert(session, viewer, number), asked)
    language = language_of(request)
    return page(
        request,
        "alert.html",
        alert=alert,
        reasons={verdict: reasons(verdict, language) for verdict in REASONS},
        lock_seconds=context.settings.web.lock_seconds,
    )


@router.get("/data")
def alert_data(request: Request, context: Service, viewer: CurrentUser, number: str) -> JSONResponse:
    """All that the page shows of one alert, and which come before and after it."""
    asked = wanted(request, context)
    with context.database.read() as session:
        return JSONResponse(AlertDetail(request, context, session, viewer).data(_alert(session, viewer, number), asked))


@router.post("/lock")
def open_alert(request: Request, context: Service, viewer: CurrentUser, number: str, renew: bool = False) -> dict[str, Any]:
    """Have an alert open, or keep it so; answers the alert as it is now, or with ``renew`` only who has it."""
    asked, now = wanted(request, context), context.clock()
    with context.database.write() as session:
        alert = _alert(session, viewer, number)
        told, seconds = AlertDetail(request, context, session, viewer), context.settings.web.lock_seconds
        if not (renew and renew_lock(session, alert, viewer, now, seconds)):
            take_lock(session, alert, viewer, now, seconds)
        if renew:
            return {"lock": told.lock(lock_holder(session, alert, now)), "as_of": alert.changed_at.isoformat()}
        return told.data(alert, asked)


@router.delete("/lock")
def leave_alert(context: Service, viewer: CurrentUser, number: str) -> Response:
    """Let go of an alert."""
    with context.database.write() as session:
        release_lock(session, _alert(session, viewer, number), viewer)
    return Response(status_code=204)


Act = Callable[[Session, AlertRow, dt.datetime], AlertRow]


def _change(
    request: Request,
    context: Service,
    viewer: Viewer,
    number: str,
    act: Act,
    *,
    as_of: dt.datetime | None = None,
    key: str = "review.not_allowed",
) -> dict[str, Any]:
    """Do something in one transaction; answers the alert as it is then."""
    asked, now = wanted(request, context), context.clock()
    try:
        with context.database.write() as session:
            alert = act(session, _alert(session, viewer, number, as_of), now)
            return AlertDetail(request, context, session, viewer).data(alert, asked)
    except TubanError as error:
        raise refusal(request, error, key) from error
    except CONCURRENT_CHANGE as error:
        raise Conflict("review.conflict") from error


@router.post("/judge")
def judge_alert(request: Request, context: Service, viewer: CurrentUser, number: str, said: Judgement) -> dict[str, Any]:
    """Say what is seen; the alert is let go of, as the page moves on."""
    reason = "" if said.verdict == "true" else reason_in_words(said.verdict, said.reason, said.words)

    def act(session: Session, alert: AlertRow, now: dt.datetime) -> AlertRow:
        settings = context.settings
        alert = judge(session, alert, viewer, said.verdict, reason=reason, settings=settings, now=now)
        release_lock(session, alert, viewer)
        return alert

    return _change(request, context, viewer, number, act, as_of=said.as_of)


@router.post("/move")
def move_alert(request: Request, context: Service, viewer: CurrentUser, number: str, said: Move) -> dict[str, Any]:
    """Take a step of the table."""

    def act(session: Session, alert: AlertRow, now: dt.datetime) -> AlertRow:
        settings = context.settings
        return move(session, alert, viewer, said.to, said.evidence, said.why, settings=settings, now=now)

    return _change(request, context, viewer, number, act, as_of=said.as_of)


@router.post("/undo")
def undo_alert(request: Request, context: Service, viewer: CurrentUser, number: str) -> dict[str, Any]:
    """Take back one's own last decision."""

    def act(session: Session, alert: AlertRow, now: dt.datetime) -> AlertRow:
        return undo(session, alert, viewer, now, context.settings)

    return _change(request, context, viewer, number, act, key="review.not_undone")


@router.post("/assign")
def assign_alert(request: Request, context: Service, viewer: CurrentUser, number: str, said: Assignment) -> dict[str, Any]:
    """Give it to a person."""

    def act(session: Session, alert: AlertRow, now: dt.datetime) -> AlertRow:
        alert = assign(session, alert, viewer, said.login, now)
        log_action(request, session, viewer, "assigned", about=alert.number, code=alert.grid_code, detail={"to": said.login})
        return alert

    return _change(request, context, viewer, number, act, as_of=said.as_of, key="review.not_assigned")


@router.post("/type")
def type_alert(request: Request, context: Service, viewer: CurrentUser, number: str, said: TypeChoice) -> dict[str, Any]:
    """Set kind and official type."""

    def act(session: Session, alert: AlertRow, now: dt.datetime) -> AlertRow:
        before = {"kind": alert.kind, "type": alert.change_type}
        alert = set_kind_and_type(session, alert, viewer, said.kind, said.change_type, now)
        told = {"from": before, "to": {"kind": alert.kind, "type": alert.change_type}}
        log_action(request, session, viewer, "set_type", about=alert.number, code=alert.grid_code, detail=told)
        return alert

    return _change(request, context, viewer, number, act, as_of=said.as_of)


@router.post("/split")
def split_alert(request: Request, context: Service, viewer: CurrentUser, number: str, said: Division) -> Response:
    """Make several alerts of one; answers their numbers."""
    if said.line is not None and len(said.line) < 2:
        raise InvalidInput("review.line_needed")
    now = context.clock()
    try:
        with context.database.write() as session:
            alert = _alert(session, viewer, number, said.as_of)
            if said.line is not None:
                parts = split_by_line(alert.outline, LineString(said.line))
            else:
                parts = split_at_gaps(alert)
                if len(parts) < 2:
                    raise InvalidInput("review.no_gaps")
            made = split(session, alert, viewer, parts, said.why, settings=context.settings, now=now)
            release_lock(session, alert, viewer)
            return JSONResponse({"into": [part.number for part in made]})
    except TubanError as error:
        raise refusal(request, error) from error
    except CONCURRENT_CHANGE as error:
        raise Conflict("review.conflict") from error
