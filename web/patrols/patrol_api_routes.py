"""API of patrol records: add, list, read, and statistics per village and week."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from errors import SettingsError
from store.patrols.patrol_records import findings_of, list_patrols, patrol_statistics, visible_patrol
from store.schema.chain.tip_tables import PatrolRow
from store.schema.database import Session
from web.addresses import next_page
from web.api.parameters import Limit
from web.api.schemas import COMMON_ERRORS, NOT_FOUND
from web.auth.authentication import CurrentUser, Service
from web.http_errors import NotFound
from web.patrols.patrol_input import PatrolInput, register_patrol
from web.plain_text import Plain
from web.row_ids import BeforeId, Id

router = APIRouter(prefix="/api/patrols", tags=["patrols"], responses=COMMON_ERRORS)

_MOST_DAYS = 732


class Finding(BaseModel):
    """A place that a patrol found, with the number of its alert."""

    sequence: int
    fields: dict[str, Any]
    alert: str


class Patrol(BaseModel):
    """A patrol record, without its track."""

    id: int
    number: str
    area: str
    day: dt.date
    unit: str
    region: str
    people: str
    route: str
    found: bool
    approvals: str
    opinion: str
    remarks: str
    track_source: Annotated[str, Field(description="gpx or drawn; empty: no track")]
    length_m: Annotated[float, Field(description="without gaps")]
    gaps: list[dict[str, Any]]
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    created_by: str
    created_at: dt.datetime


class PatrolDetail(Patrol):
    """A patrol record with its track and findings."""

    track: Annotated[list[Any], Field(description="segments of [lon, lat] or [lon, lat, epoch seconds]")]
    findings: list[Finding]


class PatrolList(BaseModel):
    """A page of patrol records, newest first."""

    patrols: list[Patrol]
    next: str | None


class VillageWeekOut(BaseModel):
    """Patrols of an area in an ISO week; "nothing found" counts as a patrol."""

    area_code: str
    area_name: str
    week: str
    patrols: int
    nothing_found: int
    findings: int
    length_m: float
    days: int


class PatrolStatistics(BaseModel):
    """Statistics per area and week."""

    weeks: list[VillageWeekOut]


@router.get("")
def list_all(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    area: Annotated[str, Query(max_length=12), Plain] = "",
    limit: Limit = 50,
    before: BeforeId = None,
) -> PatrolList:
    """List patrol records, newest first."""
    with context.database.read() as session:
        found = list_patrols(session, viewer, area=area, before_id=before, limit=limit + 1)
    cursor = found[limit - 1].id if len(found) > limit else None
    return PatrolList(
        patrols=[Patrol(**_fields(row)) for row in found[:limit]], next=next_page(request, context, "before", cursor)
    )


@router.post("", status_code=201)
def add(request: Request, context: Service, viewer: CurrentUser, body: PatrolInput) -> PatrolDetail:
    """Add a patrol record with its track as GPX or as a line."""
    row = register_patrol(request, context, viewer, body)
    with context.database.read() as session:
        return _detail(session, row)


@router.get("/statistics")
def statistics(
    context: Service,
    viewer: CurrentUser,
    first: Annotated[dt.date, Query(description="first day")],
    last: Annotated[dt.date, Query(description="last day")],
) -> PatrolStatistics:
    """Count patrols per area and ISO week."""
    if not dt.timedelta(0) <= last - first <= dt.timedelta(days=_MOST_DAYS):
        raise SettingsError(f"Expected up to {_MOST_DAYS} days, the first before the last.", "patrol.range")
    with context.database.read() as session:
        found = patrol_statistics(session, viewer, first, last)
    return PatrolStatistics(weeks=[VillageWeekOut(**asdict(week)) for week in found])


@router.get("/{patrol_id}", responses=NOT_FOUND)
def one(context: Service, viewer: CurrentUser, patrol_id: Id) -> PatrolDetail:
    """Return a patrol record with its track."""
    with context.database.read() as session:
        patrol = visible_patrol(session, viewer, patrol_id)
        if patrol is None:
            raise NotFound
        return _detail(session, patrol)


def _detail(session: Session, patrol: PatrolRow) -> PatrolDetail:
    findings = [
        Finding(sequence=row.sequence, fields=row.fields, alert=number)
        for row, number in findings_of(session, patrol.id)
    ]
    return PatrolDetail(**_fields(patrol), track=patrol.track, findings=findings)


def _fields(row: PatrolRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Patrol.model_fields if name != "area"} | {"area": row.area_code}
