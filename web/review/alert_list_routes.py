"""The list of alerts for review: filtered by the URL, paged, with bulk rejection and its undo."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from enforcement.change_types import read_change_types
from enforcement.states import read_states
from errors import TubanError
from store.access.users import users_under
from store.areas.areas import list_areas
from store.review.bulk_review import MAX_BULK_ALERTS
from store.review.decisions import day_statistics, reject_many, undo_many
from store.search.alert_search import facets, search_alerts
from store.views.first_steps import first_steps
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.page import language_of, page
from web.review.alert_list import (
    AlertListPage,
    default_filter,
    filter_form,
    form_filter,
    list_cards,
    place_choices,
    state_groups,
)
from web.review.export_routes import MAX_ALERTS as MAX_EXPORTED
from web.review.rejection_reasons import reason_choices, rejection_reason
from web.review.review_data import requested_filter
from web.review.review_errors import review_error

router = APIRouter(prefix="/alerts", include_in_schema=False)

EXPORT_FORMATS = ("xlsx", "csv", "gpkg", "shp", "shp_zone", "geojson", "kmz", "txt")
"""Formats to choose from, in the order of the menu; ``shp_zone``: a Shapefile in metres of the local zone."""

PAGE_SIZE = 48
"""Alerts per page: divisible by 2, 3 and 4 columns."""


class BulkRejectionRequest(BaseModel):
    """Alerts to be rejected with one reason of :data:`web.review.rejection_reasons.REASONS`."""

    model_config = ConfigDict(extra="forbid")

    numbers: Annotated[list[Annotated[str, Field(max_length=40)]], Field(min_length=1, max_length=MAX_BULK_ALERTS)]
    reason: Annotated[str, Field(max_length=20)]
    words: Annotated[str, Field(max_length=1800)] = ""


class BulkUndoRequest(BaseModel):
    """``token`` of the bulk rejection to be undone."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, Field(min_length=1, max_length=40)]


def _list_page(request: Request, context: Service, viewer: CurrentUser) -> AlertListPage:
    """Read the requested filter and the first page of its result."""
    alert_filter = form_filter(request, context)
    with context.database.read() as session:
        found = search_alerts(session, viewer, alert_filter, limit=PAGE_SIZE, now=context.clock())
        counts = facets(session, viewer, alert_filter)
        areas = list_areas(session, under=viewer.code)
        users = list(users_under(session, viewer))
    return AlertListPage(alert_filter, found, counts, areas, users)


@router.get("")
def alerts_page(request: Request, context: Service, viewer: CurrentUser) -> Response:
    """Render the list; a URL without a filter is redirected to the default one, so that each URL has its filter."""
    if not request.query_params:
        return RedirectResponse(
            f"/alerts?{urlencode(default_filter(viewer.roles, context.settings.zone).to_query())}", 303
        )
    listed = _list_page(request, context, viewer)
    states = listed.filter.states
    query = listed.filter.to_query()
    today = context.today
    total = sum(count for state, count in listed.counts.states.items() if not states or state in states)
    with context.database.read() as session:
        statistics = day_statistics(session, viewer, viewer.login, today, context.settings.zone)
        steps = first_steps(session, viewer)
    response = page(
        request,
        "alerts.html",
        listed=listed,
        cards=list_cards(listed.found, viewer, today),
        query=urlencode(query),
        after=listed.found.after,
        groups=state_groups(listed, viewer.roles),
        places=place_choices(listed.areas),
        form=filter_form(listed.filter),
        statistics=statistics,
        steps=steps,
        formats=EXPORT_FORMATS if total <= MAX_EXPORTED else (),
        total=total,
        reasons=reason_choices("false", language_of(request)),
        states=list(read_states().states),
        types=list(read_change_types().types),
    )
    if request.headers.get("hx-request"):
        response.headers["hx-push-url"] = f"/alerts?{urlencode(query) or 'sort=gravest'}"
    return response


@router.get("/cards")
def more_cards(request: Request, context: Service, viewer: CurrentUser, after: str = "") -> Response:
    """Render the cards of the next page."""
    alert_filter = requested_filter(request, context)
    with context.database.read() as session:
        found = search_alerts(session, viewer, alert_filter, limit=PAGE_SIZE, after=after, now=context.clock())
    cards = list_cards(found, viewer, context.today)
    query = urlencode(alert_filter.to_query())
    return page(request, "alert_cards.html", cards=cards, query=query, after=found.after)


@router.get("/figures")
def figures(context: Service, viewer: CurrentUser) -> dict[str, Any]:
    """Return the day's statistics: alerts judged by the user, left in their area, and judged per hour of work."""
    today = context.today
    with context.database.read() as session:
        return day_statistics(session, viewer, viewer.login, today, context.settings.zone)._asdict()


@router.post("/reject")
def bulk_reject(request: Request, context: Service, viewer: CurrentUser, body: BulkRejectionRequest) -> dict[str, Any]:
    """Reject several alerts; return which were rejected, which were skipped, and the token to undo the rejection."""
    reason = rejection_reason("false", body.reason, body.words)
    now = context.clock()
    try:
        with context.database.write() as session:
            result = reject_many(session, viewer, body.numbers, reason, now, context.settings)
            log_action(
                request,
                session,
                viewer,
                "rejected_several",
                detail={"numbers": list(result.done), "reason": str(reason), "token": result.token},
            )
    except TubanError as error:
        raise review_error(request, error) from error
    return {"done": list(result.done), "skipped": result.skipped, "token": result.token}


@router.post("/undo")
def bulk_undo(request: Request, context: Service, viewer: CurrentUser, body: BulkUndoRequest) -> dict[str, Any]:
    """Undo a bulk rejection."""
    now = context.clock()
    try:
        with context.database.write() as session:
            result = undo_many(session, viewer, body.token, now, context.settings)
            detail = {"numbers": list(result.done), "token": body.token}
            log_action(request, session, viewer, "took_back_several", detail=detail)
    except TubanError as error:
        raise review_error(request, error, "review.not_undone") from error
    return {"done": list(result.done), "skipped": result.skipped}
