"""The grid of alerts: filtered by its address, page by page, and several at once only for rejecting."""

from __future__ import annotations

from typing import Annotated, Any, cast
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
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.page import language_of, page
from web.review.alert_rows import Bundle, asked_for, cards, default_filter, groups_of_states, place_choices, tell_filter
from web.review.alert_words import reason_in_words, reasons, refusal
from web.review.review_data import wanted

router = APIRouter(prefix="/alerts", include_in_schema=False)

PAGE = 48
"""Alerts of one page of the grid: divides by 2, 3 and 4 columns."""


class Rejection(BaseModel):
    """Alerts to be rejected with one reason, of :data:`web.review.alert_words.REASONS`."""

    model_config = ConfigDict(extra="forbid")

    numbers: Annotated[list[Annotated[str, Field(max_length=40)]], Field(min_length=1, max_length=MAX_BULK_ALERTS)]
    reason: Annotated[str, Field(max_length=20)]
    words: Annotated[str, Field(max_length=1800)] = ""


class TakenBack(BaseModel):
    """``token``: of :class:`Rejection`'s answer."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, Field(min_length=1, max_length=40)]


def _bundle(request: Request, context: Service, viewer: CurrentUser) -> Bundle:
    """What is asked for, and its first page."""
    asked = asked_for(request, context)
    with context.database.read() as session:
        found = search_alerts(session, viewer, asked, limit=PAGE, now=context.clock())
        counted = facets(session, viewer, asked)
        areas = list_areas(session, under=viewer.code)
        people = list(users_under(session, viewer))
    return Bundle(asked, found, counted, areas, people)


@router.get("")
def grid(request: Request, context: Service, viewer: CurrentUser) -> Response:
    """The page. An address without any filter becomes that of what is to be done, so that every address says it all."""
    if not request.query_params:
        return RedirectResponse(
            f"/alerts?{urlencode(default_filter(viewer.role, context.settings.zone).to_query())}", 303
        )
    bundle = _bundle(request, context, viewer)
    query = bundle.asked.to_query()
    today = context.today
    with context.database.read() as session:
        figures = day_statistics(session, viewer, viewer.login, today, context.settings.zone)
    answer = page(
        request,
        "alerts.html",
        bundle=bundle,
        cards=cards(bundle.found, viewer.role, today),
        query=urlencode(query),
        after=bundle.found.after,
        groups=groups_of_states(bundle, viewer.role),
        places=place_choices(bundle.areas),
        form=tell_filter(bundle.asked),
        figures=figures,
        total=sum(
            n for state, n in bundle.counted.states.items() if not bundle.asked.states or state in bundle.asked.states
        ),
        reasons=reasons("false", language_of(request)),
        states=list(read_states().states),
        types=list(read_change_types().types),
    )
    if request.headers.get("hx-request"):
        answer.headers["hx-push-url"] = f"/alerts?{urlencode(query) or 'sort=gravest'}"
    return answer


@router.get("/cards")
def more_cards(request: Request, context: Service, viewer: CurrentUser, after: str = "") -> Response:
    """The next page of the grid, as a part of it."""
    asked = wanted(request, context)
    with context.database.read() as session:
        found = search_alerts(session, viewer, asked, limit=PAGE, after=after, now=context.clock())
    today = context.today
    query = urlencode(asked.to_query())
    return page(request, "alert_cards.html", cards=cards(found, viewer.role, today), query=query, after=found.after)


@router.get("/figures")
def figures(context: Service, viewer: CurrentUser) -> dict[str, Any]:
    """Numbers of the day: judged by this person, left on their ground, judged per hour at work."""
    today = context.today
    with context.database.read() as session:
        return day_statistics(session, viewer, viewer.login, today, context.settings.zone)._asdict()


@router.post("/reject")
def reject(request: Request, context: Service, viewer: CurrentUser, said: Rejection) -> dict[str, Any]:
    """Reject several; answers which were, which were not, and by what all of it is taken back."""
    reason = reason_in_words("false", said.reason, said.words)
    now = context.clock()
    try:
        with context.database.write() as session:
            done = reject_many(session, viewer, said.numbers, reason, now, context.settings)
            log_action(
                request,
                session,
                viewer,
                "rejected_several",
                detail={"numbers": list(done.done), "reason": reason, "token": done.token},
            )
    except TubanError as error:
        raise refusal(request, error) from error
    return {"done": list(done.done), "skipped": done.skipped, "token": done.token}


@router.post("/undo")
def take_back(request: Request, context: Service, viewer: CurrentUser, said: TakenBack) -> dict[str, Any]:
    """Take back a rejection of several."""
    now = context.clock()
    try:
        with context.database.write() as session:
            done = undo_many(session, viewer, said.token, now, context.settings)
            log_action(
                request, session, viewer, "took_back_several", detail={"numbers": list(done.done), "token": said.token}
            )
    except TubanError as error:
        raise refusal(request, error, "review.not_undone") from error
    return {"done": list(done.done), "skipped": cast(Any, done.skipped)}
