"""Alerts for programs: listed by the grid's filter, told in full, and moved on by the table of states."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, BeforeValidator, Field

from enforcement.alert import alert_feature
from enforcement.states import read_states
from enforcement.units import mu
from store.alerts.alert_data import read_alert
from store.alerts.transitions import log_of
from store.review.decisions import move
from store.review.review_transaction import MAX_REASON_LENGTH
from store.review.split_merge import INTO_SNAPSHOT
from store.search.alert_search import AlertListItem, search_alerts
from web.addresses import next_page
from web.api.parameters import Filter, Limit, Number
from web.api.schemas import (
    CLASH,
    FORBIDDEN,
    NOT_THEIRS,
    REFUSED,
    AlertFeature,
    AlertList,
    AlertSummary,
    LonLat,
    TransitionAnswer,
    TransitionList,
)
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of

router = APIRouter(prefix="/api/alerts", tags=["alerts"], responses=REFUSED)

_MOST_EVIDENCE = 65_536  # bytes
_OURS = ("undoes", "place", INTO_SNAPSHOT)
"""Names in the evidence of a step by which the service knows what can be taken back."""


def _evidence(value: Any) -> Any:
    """Only what can be kept and told again: no lone surrogates, no null letters, no infinite numbers."""
    try:
        told = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError):
        raise ValueError("it holds something that cannot be kept as JSON") from None
    if len(told) > _MOST_EVIDENCE or b"\\u0000" in told:
        raise ValueError(f"expected at most {_MOST_EVIDENCE} bytes, and no null letters")
    if isinstance(value, dict) and (taken := sorted(set(_OURS) & set(value))):
        raise ValueError(f"the service itself writes {', '.join(taken)}")
    return value


class StepAsked(BaseModel):
    """A step of an alert."""

    to: Annotated[str, Field(description="State, as `ways_out` lists them.", max_length=20, examples=["triaged"])]
    why: Annotated[str, Field(max_length=MAX_REASON_LENGTH)] = ""
    evidence: Annotated[
        dict[str, Any], BeforeValidator(_evidence), Field(description="What the table asks for, by name.")
    ] = {}
    version: Annotated[
        int | None, Field(description="Of the alert, as it was seen; left out: whatever it is now.", ge=1, le=2**31 - 1)
    ] = None


@router.get("")
def list_alerts(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    filter: Filter,  # noqa: A002  (the word of the field)
    limit: Limit = 50,
    after: Annotated[str, Query(description="As the `next` of the page before gives it.", max_length=400)] = "",
) -> AlertList:
    """List alerts, in the order of the review unless `sort` says otherwise."""
    with context.database.read() as session:
        found = search_alerts(session, viewer, filter, limit=limit, after=after, now=context.clock())
    return AlertList(
        alerts=[_summary(row) for row in found.rows], next=next_page(request, context, "after", found.after)
    )


@router.get("/{number}", responses=NOT_THEIRS)
def one_alert(context: Service, viewer: CurrentUser, number: Number) -> AlertFeature:
    """Tell everything that is known of an alert, as the GeoJSON feature that the enforcement queue gets."""
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        return AlertFeature.model_validate(alert_feature(read_alert(session, alert, context.settings.public_url)))


@router.get("/{number}/transitions", responses=NOT_THEIRS)
def list_transitions(context: Service, viewer: CurrentUser, number: Number) -> TransitionList:
    """List the steps of an alert, each with the hash that holds it to the one before."""
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        steps = log_of(session, alert)
    return TransitionList(
        number=alert.number,
        state=alert.state,
        version=alert.version,
        ways_out=read_states().ways_out(alert.state, viewer.role),
        transitions=[
            TransitionAnswer.model_validate({**step.fields, "previous_hash": step.previous_hash, "hash": step.hash})
            for step in steps
        ],
    )


@router.post("/{number}/transitions", responses=NOT_THEIRS | CLASH | FORBIDDEN)
def take_step(context: Service, viewer: CurrentUser, number: Number, asked: StepAsked) -> AlertFeature:
    """Move an alert to another state, if `configs/states.yaml` lets the person's role do it with this evidence."""
    with context.database.write() as session:
        alert = alert_of(session, viewer, number)
        moved = move(
            session,
            alert,
            viewer,
            asked.to,
            asked.evidence,
            asked.why,
            settings=context.settings,
            now=context.clock(),
            version=asked.version,
        )
        return AlertFeature.model_validate(alert_feature(read_alert(session, moved, context.settings.public_url)))


def _summary(row: AlertListItem) -> AlertSummary:
    lon, lat = row.centre
    return AlertSummary(
        number=row.number,
        kind=row.kind,
        type=row.change_type or None,
        state=row.state,
        score=round(row.score, 4),
        area_m2=round(row.area_m2, 2),
        area_mu=round(mu(row.area_m2), 4),
        grid_code=row.grid_code,
        grid_name=row.grid_name,
        township_code=row.township_code,
        county_code=row.county_code,
        legal_weight=row.legal_weight,
        rank=row.rank,
        over_cap=row.over_cap,
        times_seen=row.seen,
        sources_seen=row.sources_seen,
        first_seen=row.first_date,
        last_seen=row.last_date,
        due_on=row.due_on,
        assignee=row.assignee,
        overlaps=list(row.overlaps),
        bbox=(row.west, row.south, row.east, row.north),
        centre=LonLat(lon=lon, lat=lat),
        created_at=row.created_at,
        locked_by=row.locked_by,
    )
