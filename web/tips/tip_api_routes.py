"""API of tips: register, list, read, and take steps. Informants are write-only: no response contains them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from store.schema.chain.tip_tables import TipRow
from store.schema.database import Session
from store.schema.tables import AlertRow
from store.tips.tip_search import TipFilter, list_tips
from store.tips.tip_steps import StepInput, take_step
from web.addresses import next_page
from web.api.parameters import Limit
from web.api.schemas import COMMON_ERRORS, CONFLICT, FORBIDDEN, NOT_FOUND
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.plain_text import Plain, PlainModel
from web.row_ids import BeforeId, Id
from web.tips.tip_access import check_reader, tip_of
from web.tips.tip_registration import TipInput, register

router = APIRouter(prefix="/api/tips", tags=["tips"], responses=COMMON_ERRORS)


class Tip(BaseModel):
    """A registered tip, without anything of its informant."""

    id: int
    number: Annotated[str, Field(description="receipt number")]
    channel: str
    origin: Annotated[str, Field(description="desk, api or public")]
    seriousness: str
    handling: str
    state: Annotated[str, Field(description="received, accepted, declined, checked or answered")]
    area: str
    place: str
    lon: float | None
    lat: float | None
    radius_m: float
    happened: str
    reported_party: str
    summary: Annotated[str, Field(description="phone numbers and the like are masked")]
    anonymous: bool
    received_on: dt.date
    judge_by: dt.date | None
    check_by: dt.date | None
    answer_by: dt.date | None
    extended: bool
    finding: Annotated[str, Field(description="true, partly, untrue; empty: not known yet")]
    case_filed: bool | None
    feedback: str
    alert: Annotated[str, Field(description="number of its alert; empty: none")]
    handler: str
    created_at: dt.datetime


class TipList(BaseModel):
    """A page of tips, newest first."""

    tips: list[Tip]
    next: Annotated[str | None, Field(description="address of the next page")]


class TipStepInput(PlainModel):
    """A step of a tip with what it needs."""

    step: Literal["accept", "decline", "check", "answer", "extend"]
    reason: Annotated[str, Field(max_length=20, description="of `declined` in configs/tips.yaml")] = ""
    words: Annotated[str, Field(max_length=2000)] = ""
    handling: Annotated[str, Field(max_length=20)] = ""
    finding: Annotated[str, Field(max_length=10)] = ""
    unit: Annotated[str, Field(max_length=200)] = ""
    case_filed: bool = False


@router.get("", responses=FORBIDDEN)
def list_all(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    state: Annotated[str, Query(max_length=20, description="a state, `open` or `overdue`"), Plain] = "",
    channel: Annotated[str, Query(max_length=20), Plain] = "",
    limit: Limit = 50,
    before: BeforeId = None,
) -> TipList:
    """List tips, newest first."""
    today = context.clock().astimezone(context.settings.zone).date()
    with context.database.read() as session:
        check_reader(session, viewer)
        found = list_tips(session, viewer, TipFilter(state, channel), today, before_id=before, limit=limit + 1)
        tips = [as_tip(session, tip) for tip in found[:limit]]
    cursor = found[limit - 1].id if len(found) > limit else None
    return TipList(tips=tips, next=next_page(request, context, "before", cursor))


@router.post("", status_code=201, responses=FORBIDDEN | NOT_FOUND)
def add(request: Request, context: Service, viewer: CurrentUser, body: TipInput) -> Tip:
    """Register a tip; the informant's data are stored encrypted and never returned."""
    row = register(request, context, viewer, body, "api")
    with context.database.read() as session:
        return as_tip(session, tip_of(session, viewer, row.id))


@router.get("/{tip_id}", responses=NOT_FOUND)
def one(context: Service, viewer: CurrentUser, tip_id: Id) -> Tip:
    """Return a tip."""
    with context.database.read() as session:
        return as_tip(session, tip_of(session, viewer, tip_id))


@router.post("/{tip_id}/steps", responses=NOT_FOUND | CONFLICT | FORBIDDEN)
def step(request: Request, context: Service, viewer: CurrentUser, tip_id: Id, body: TipStepInput) -> Tip:
    """Take a step of a tip."""
    given = StepInput(**body.model_dump(exclude={"step"}))
    with context.database.write() as session:
        tip = tip_of(session, viewer, tip_id, lock=True)
        take_step(session, tip, body.step, given, viewer, now=context.clock(), settings=context.settings)
        log_action(request, session, viewer, f"tip_{body.step}", about=tip.number, code=tip.area_code)
        return as_tip(session, tip)


def as_tip(session: Session, tip: TipRow) -> Tip:
    """Return a row as the API shows it."""
    alert = session.get(AlertRow, tip.alert_id) if tip.alert_id is not None else None
    own = {name: getattr(tip, name) for name in Tip.model_fields if name not in ("area", "extended", "alert")}
    return Tip(**own, area=tip.area_code, extended=tip.extended_at is not None, alert=alert.number if alert else "")
