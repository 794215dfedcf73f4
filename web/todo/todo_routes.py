"""The to-do page, its count for the navigation, and the API of the list and its steps."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from configs.texts import translate
from enforcement.states import read_states
from enforcement.units import mu
from errors import TubanError
from service.context import Context
from store.access.rights import Viewer
from store.access.users import users_under
from store.deadlines.calendar import missing_holidays
from store.deadlines.supervised_alerts import supervised_alerts
from store.review.bulk_steps import step_many
from store.review.review_transaction import MAX_REASON_LENGTH
from store.review.todo import PAGE_SIZE, TodoFilter, TodoItem, TodoPage, todo_counts, todo_page
from store.schema.database import Session
from store.tips.waiting_tips import TipCounts, WaitingTip, waiting_tip_counts, waiting_tips
from store.views.alert_view import user_names
from store.views.first_steps import first_steps
from web.api.alert_routes import check_evidence
from web.api.schemas import COMMON_ERRORS, CONFLICT, FORBIDDEN
from web.auth.audit_log import log_action
from web.auth.authentication import CurrentUser, Service
from web.deadlines.calendar_routes import may_edit as may_edit_calendar
from web.http_errors import InvalidInput
from web.page import language_of, page
from web.review.rejection_reasons import reason_choices
from web.review.review_errors import review_error
from web.todo.todo_view import VERDICTS, assignable, bulk_buttons, cards_of, chips_of, step_evidence

router = APIRouter()

Only = Literal["", "overdue", "today", "mine", "escalated"]
StateName = Annotated[str, Query(max_length=20, pattern="^[a-z_]*$")]
PageNumber = Annotated[int, Query(ge=1, le=100_000)]


class TodoStep(BaseModel):
    """A step that the user may take on an alert."""

    to: Annotated[str, Field(description="State in which it ends; send it as `to`.")]
    states: Annotated[list[str], Field(description="All states that are entered, in order.")]
    words: Annotated[str, Field(description="Verb on its button, in the user's language.")]
    evidence: Annotated[list[str], Field(description="Names of the required evidence.")]
    balanced: Annotated[bool, Field(description="Whether the areas of the correction are required.")]
    bulk: Annotated[bool, Field(description="Whether it may be taken on several alerts at once.")]


class TodoAlert(BaseModel):
    """An alert that waits for the user."""

    number: str
    state: str
    kind: str
    type: str | None
    area_m2: float
    area_mu: float
    grid_code: str
    grid_name: str
    due_on: dt.date | None
    days_left: Annotated[int | None, Field(description="Calendar days until the deadline; negative: overdue.")]
    waits_for: Annotated[str, Field(description="Role that has to act.")]
    escalated: Annotated[bool, Field(description="It waits for a lower level and is overdue.")]
    assignee: str
    steps: list[TodoStep]


class TodoList(BaseModel):
    """A page of what waits for the user, the earliest deadline first."""

    alerts: list[TodoAlert]
    total: Annotated[int, Field(description="Number of alerts that match `state` and `only`.")]
    waiting: Annotated[int, Field(description="Number of all alerts that wait for the user.")]
    overdue: int
    states: Annotated[dict[str, int], Field(description="Number of waiting alerts by state.")]


class StepsInput(BaseModel):
    """One step of several alerts, an assignment, or both."""

    model_config = ConfigDict(extra="forbid")

    numbers: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=40)]], Field(min_length=1, max_length=1000)
    ]  # fmt: skip
    to: Annotated[str, Field(max_length=20, description="State in which the step ends; empty: only assign.")] = ""
    evidence: Annotated[
        dict[str, Any],
        BeforeValidator(check_evidence),
        Field(max_length=30, description="The same for all of the alerts."),
    ] = {}
    why: Annotated[str, Field(max_length=MAX_REASON_LENGTH)] = ""
    assignee: Annotated[
        str | None,
        Field(
            max_length=100,
            description="Login; empty: nobody; `*`: the only village officer of each alert's village; omit: unchanged.",
        ),
    ] = None


class SkippedAlert(BaseModel):
    """An alert that was not changed, and why."""

    number: str
    reason: str


class StepsResult(BaseModel):
    """What came of a step of several alerts: each was changed, or is listed with its reason."""

    done: list[str]
    skipped: list[SkippedAlert]
    token: Annotated[
        str, Field(description="Undoes the step of all of them within ten minutes; empty: nothing to undo.")
    ]


def _read(context: Context, viewer: Viewer, state: str, only: Only, number: int) -> TodoPage:
    if state and state not in read_states().states:
        raise InvalidInput(f"state is {state!r}; expected one of {', '.join(read_states().states)}.")
    with context.database.read() as session:
        return todo_page(session, viewer, context.today, context.clock(), TodoFilter(state, only), number)


def _tips(
    session: Session, viewer: Viewer, today: dt.date, chosen: TodoFilter, page_number: int
) -> tuple[list[WaitingTip], TipCounts, dict[str, str]]:
    """Return the tips of a part of the list, their numbers, and the names of their handlers."""
    if page_number > 1 or chosen.state or chosen.only == "escalated":
        return [], TipCounts(), {}
    tips = waiting_tips(session, viewer, today, chosen.only)
    return tips, waiting_tip_counts(session, viewer, today), user_names(session, {one.tip.handler for one in tips})


@router.get("/todo", include_in_schema=False)
def todo_list_page(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    state: StateName = "",
    only: Only = "",
    page_number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """Render what waits for the user, with its next steps."""
    found = _read(context, viewer, state, only, page_number)
    chosen, language = TodoFilter(state, only), language_of(request)
    with context.database.read() as session:
        people = assignable(users_under(session, viewer), viewer)
        steps = first_steps(session, viewer)
        tips, tip_counts, handlers = _tips(session, viewer, context.today, chosen, page_number)
        supervised = supervised_alerts(session, [item.row.id for item in found.items], context.today)
        missing = missing_holidays(session, context.today) if may_edit_calendar(viewer) else None
    cards = cards_of(found.items, viewer, language)
    pages = max(1, -(-found.matching // PAGE_SIZE))
    query = {name: value for name, value in (("state", state), ("only", only)) if value}
    return page(
        request,
        "todo.html",
        cards=cards,
        supervised=supervised,
        chips=chips_of(found.counts, chosen),
        bulk=bulk_buttons(cards),
        people=people,
        people_names={login: name for login, name, _ in people} | {viewer.login: viewer.name},
        bulk_any=not viewer.views_only,
        found=found,
        chosen=chosen,
        steps=steps,
        tips=tips,
        tip_counts=tip_counts,
        handlers=handlers,
        missing_year=missing,
        page_number=page_number,
        pages=pages,
        query=query,
        reasons={to: reason_choices(verdict, language) for to, verdict in VERDICTS.items()},
    )


@router.get("/todo/count", include_in_schema=False)
def count(context: Service, viewer: CurrentUser) -> Response:
    """Return the number of alerts and tips that wait for the user, for the navigation; empty: none."""
    with context.database.read() as session:
        counts = todo_counts(session, viewer, context.today)
        tips = waiting_tip_counts(session, viewer, context.today)
    total = counts.total + tips.total
    if not total:
        return PlainTextResponse("")
    late = ' class="late"' if counts.overdue or tips.overdue else ""
    number = f"{total}" if total < 1000 else "999+"
    return Response(f"<b{late}>{number}</b>", media_type="text/html")


@router.get("/api/todo", tags=["alerts"], responses=COMMON_ERRORS)
def todo_list(
    request: Request,
    context: Service,
    viewer: CurrentUser,
    state: Annotated[str, Query(max_length=20, description="Only alerts in this state.")] = "",
    only: Annotated[
        Only, Query(description="overdue, today, mine (assigned to the user) or escalated; empty: all.")
    ] = "",
    page: Annotated[int, Query(ge=1, le=100_000, description="Page of 50 alerts.")] = 1,
) -> TodoList:
    """List what waits for the user's roles and area, by deadline, with the steps that the user may take."""
    found = _read(context, viewer, state, only, page)
    language = language_of(request)
    return TodoList(
        alerts=[_todo_alert(item, language) for item in found.items],
        total=found.matching,
        waiting=found.counts.total,
        overdue=found.counts.overdue,
        states=found.counts.states,
    )


@router.post("/api/todo/steps", tags=["alerts"], responses=COMMON_ERRORS | FORBIDDEN | CONFLICT)
def take_steps(request: Request, context: Service, viewer: CurrentUser, body: StepsInput) -> StepsResult:
    """Take one step of several alerts, or assign them; each succeeds or is returned with the reason of its refusal.

    Only steps that `GET /api/todo` or the alert's page offers are accepted.
    """
    if not body.to and body.assignee is None:
        raise InvalidInput("todo.nothing_asked")
    evidence, why = step_evidence(body.to, body.evidence, body.why.strip())
    now, language = context.clock(), language_of(request)
    try:
        with context.database.write() as session:
            result = step_many(
                session,
                viewer,
                body.numbers,
                body.to,
                evidence=evidence,
                why=why,
                assignee=body.assignee,
                settings=context.settings,
                now=now,
            )
            detail = {"numbers": list(result.done), "to": body.to, "assignee": body.assignee, "token": result.token}
            if len(body.numbers) > 1 or body.assignee is not None:
                log_action(request, session, viewer, "took_steps", detail=detail)
    except TubanError as error:
        raise review_error(request, error) from error
    skipped = [
        SkippedAlert(number=number, reason=translate(reason, language)) for number, reason in result.skipped.items()
    ]
    return StepsResult(done=list(result.done), skipped=skipped, token=result.token)


def _todo_alert(item: TodoItem, language: str) -> TodoAlert:
    row, states = item.row, read_states()
    return TodoAlert(
        number=row.number,
        state=row.state,
        kind=row.kind,
        type=row.change_type or None,
        area_m2=round(row.area_m2, 2),
        area_mu=round(mu(row.area_m2), 4),
        grid_code=row.grid_code,
        grid_name=row.grid_name,
        due_on=row.due_on,
        days_left=item.days_left,
        waits_for=item.waits_for,
        escalated=item.escalated,
        assignee=row.assignee,
        steps=[
            TodoStep(
                to=step.to,
                states=list(step.states),
                words=states.verb(row.state, step.to, language),
                evidence=list(step.evidence),
                balanced=step.balanced,
                bulk=step.bulk,
            )
            for step in item.steps
        ],
    )
