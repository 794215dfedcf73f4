"""API routes of alerts: list with the filter of the review page, read one, and change its state."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from enforcement.alert import alert_feature
from enforcement.offered_steps import accepted_targets
from enforcement.states import read_states
from enforcement.units import mu
from store.alerts.alert_data import read_alert
from store.alerts.transitions import log_of
from store.review.decisions import move
from store.review.review_transaction import MAX_REASON_LENGTH
from store.review.split_merge import INTO_SNAPSHOT
from store.search.alert_search import AlertListItem, search_alerts
from store.views.alert_as_of import read_alert_as_of
from web.addresses import next_page
from web.api.parameters import Filter, Limit, Number
from web.api.schemas import (
    COMMON_ERRORS,
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    AlertFeature,
    AlertList,
    AlertSummary,
    AlertTransition,
    LonLat,
    TransitionList,
)
from web.auth.authentication import CurrentUser, Service
from web.auth.authorized_lookup import alert_of
from web.http_errors import NotFound

router = APIRouter(prefix="/api/alerts", tags=["alerts"], responses=COMMON_ERRORS)

_MAX_EVIDENCE_BYTES = 65_536
_RESERVED = ("undoes", "place", INTO_SNAPSHOT)
"""Keys that the service writes into the evidence of a transition, to know what can be undone."""


def check_evidence(value: Any) -> Any:
    """Accept only what can be stored as JSON: no lone surrogates, no null characters, no infinite numbers."""
    try:
        encoded = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError):
        raise ValueError("it contains a value that cannot be stored as JSON") from None
    if len(encoded) > _MAX_EVIDENCE_BYTES or b"\\u0000" in encoded:
        raise ValueError(f"expected at most {_MAX_EVIDENCE_BYTES} bytes, and no null characters")
    if isinstance(value, dict) and (reserved := sorted(set(_RESERVED) & set(value))):
        raise ValueError(f"reserved for the service: {', '.join(reserved)}")
    return value


class TransitionInput(BaseModel):
    """A requested state transition of an alert."""

    model_config = ConfigDict(extra="forbid")
    to: Annotated[str, Field(description="One of the states in `ways_out`.", max_length=20, examples=["triaged"])]
    why: Annotated[str, Field(max_length=MAX_REASON_LENGTH)] = ""
    evidence: Annotated[
        dict[str, Any], BeforeValidator(check_evidence), Field(description="Evidence that the state table requires.")
    ] = {}
    version: Annotated[
        int | None,
        Field(description="The alert's version on which the request is based; omit to skip.", ge=1, le=2**31 - 1),
    ] = None


@router.get("")
def list_alerts(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    filter: Filter,  # noqa: A002  (the word of the field)
    limit: Limit = 50,
    after: Annotated[str, Query(description="Cursor from `next` of the previous page.", max_length=400)] = "",
) -> AlertList:
    """List alerts, in review order unless `sort` is given."""
    with context.database.read() as session:
        found = search_alerts(session, viewer, filter, limit=limit, after=after, now=context.clock())
    return AlertList(
        alerts=[_summary(row) for row in found.rows], next=next_page(request, context, "after", found.after)
    )


@router.get("/{number}", responses=NOT_FOUND)
def one_alert(
    context: Service,
    viewer: CurrentUser,
    number: Number,
    as_of: Annotated[
        dt.date | None,
        Query(
            description="Outline, area, kind, dates, confidence and sightings as the images up to this day show them, "
            "however late they arrived. State and other decisions are the present ones."
        ),
    ] = None,
) -> AlertFeature:
    """Return an alert as the GeoJSON feature that the enforcement queue receives, on request as of a day.

    404 also if no image up to that day shows the alert.
    """
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        if as_of is None:
            found = read_alert(session, alert, context.settings.public_url)
        else:
            then = read_alert_as_of(session, alert, as_of, context.settings.public_url)
            if then is None:
                raise NotFound("alert.not_there_yet")
            found = then
        return AlertFeature.model_validate(alert_feature(found))


@router.get("/{number}/transitions", responses=NOT_FOUND)
def list_transitions(context: Service, viewer: CurrentUser, number: Number) -> TransitionList:
    """List the state transitions of an alert, each with its hash and that of the previous one."""
    with context.database.read() as session:
        alert = alert_of(session, viewer, number)
        steps = log_of(session, alert)
    return TransitionList(
        number=alert.number,
        state=alert.state,
        version=alert.version,
        ways_out=accepted_targets(
            read_states(),
            alert.state,
            viewer.roles,
            viewer.login,
            [(step.fields["to_state"], step.fields["who"]) for step in steps],
        ),
        transitions=[
            AlertTransition.model_validate({**step.fields, "previous_hash": step.previous_hash, "hash": step.hash})
            for step in steps
        ],
    )


@router.post("/{number}/transitions", responses=NOT_FOUND | CONFLICT | FORBIDDEN)
def add_transition(context: Service, viewer: CurrentUser, number: Number, requested: TransitionInput) -> AlertFeature:
    """Change the state of an alert, if `configs/states.yaml` permits it for the user's role with this evidence."""
    with context.database.write() as session:
        alert = alert_of(session, viewer, number)
        moved = move(
            session,
            alert,
            viewer,
            requested.to,
            requested.evidence,
            requested.why,
            settings=context.settings,
            now=context.clock(),
            version=requested.version,
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
