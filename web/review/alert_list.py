"""View models of the alert list: cards, state groups, and the filter as a form in mu and percent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from fastapi import Request

from enforcement.states import read_states
from enforcement.units import MU_M2
from errors import Reason
from service.context import Context
from store.access.rights import Viewer
from store.review.review_statistics import TO_BE_JUDGED
from store.schema.tables import Area
from store.schema.user_tables import User
from store.search.alert_search import AlertFilter, AlertListItem, AlertPage, Facets
from web.http_errors import InvalidInput
from web.review.review_data import picture_url, requested_filter

FORM_FIELDS = ("min_mu", "max_mu", "min_percent", "overdue")
"""Fields of the form that are converted to parameters of the filter with other names or units."""


@dataclass(frozen=True)
class AlertListPage:
    """The requested filter, the first page of its result, counts for it, and the areas and users to choose from."""

    filter: AlertFilter
    found: AlertPage
    counts: Facets
    areas: Sequence[Area]
    users: Sequence[User]


@dataclass(frozen=True)
class Card:
    """An alert in the list.

    Attributes:
        row: the alert.
        pictures: URLs by ``before`` and ``after``; None: not stored.
        rejectable: whether the user may reject it.
        overdue: whether its due date has passed.
        open_by: login of another user who has it open; "": none.
    """

    row: AlertListItem
    pictures: dict[str, str | None]
    rejectable: bool
    overdue: bool
    open_by: str


@dataclass(frozen=True)
class StateGroup:
    """A group of states to choose from: name in the catalogue, query, number of alerts, whether it is selected."""

    name: str
    query: str
    count: int
    chosen: bool


def list_cards(found: AlertPage, viewer: Viewer, today: dt.date) -> list[Card]:
    """Return the cards of a page of alerts for a user."""
    states = read_states()
    return [
        Card(
            row,
            {when: picture_url(row.number, row.evidence, when) for when in ("before", "after")},
            "false_change" in states.allowed_targets(row.state, viewer.roles),
            bool(row.due_on and row.due_on < today and row.state in states.open),
            "" if row.locked_by == viewer.login else row.locked_by,
        )
        for row in found.rows
    ]


def waiting_for(roles: Sequence[str]) -> tuple[str, ...]:
    """Return the states in which a user has to act: those to be judged, for users who may judge.

    For users who only view, all open states.
    """
    states = read_states()
    if "false_change" in states.allowed_targets(states.initial, roles):
        return TO_BE_JUDGED
    viewing = states.views_only(roles)
    return tuple(
        state for state in states.states if state in states.open and (viewing or states.allowed_targets(state, roles))
    )


def default_filter(roles: Sequence[str], zone: dt.tzinfo) -> AlertFilter:
    """Return the filter that lists what a user has to do, within the weekly quota."""
    return AlertFilter(states=waiting_for(roles), over_cap=False, zone=zone)


def state_groups(listed: AlertListPage, roles: Sequence[str]) -> list[StateGroup]:
    """Return the groups to do, in progress, correcting, rejected, closed and all, each with the rest of the filter."""
    table = read_states()
    todo = waiting_for(roles)

    def of_category(*categories: str) -> tuple[str, ...]:
        return tuple(state for state in table.states if table.category(state) in categories and state not in todo)

    states_by_group = [
        ("todo", todo),
        ("open", of_category("open")),
        ("correcting", of_category("correcting")),
        ("rejected", of_category("rejected", "suppressed")),
        ("ended", of_category("closed", "gone")),
        ("all", ()),
    ]
    groups = []
    for name, states in states_by_group:
        if name != "all" and not states:
            continue
        query = urlencode(replace(listed.filter, states=states).to_query()) or "sort=gravest"
        count = sum(number for state, number in listed.counts.states.items() if not states or state in states)
        groups.append(StateGroup(name, query, count, set(listed.filter.states) == set(states)))
    return groups


def place_choices(areas: Sequence[Area]) -> list[tuple[str, str]]:
    """Return code and name of each area, the name indented by the number of areas that contain it."""
    codes = {area.code for area in areas}

    def depth(code: str) -> int:
        return sum(code[:digits] in codes for digits in range(1, len(code)))

    return [(area.code, "　" * depth(area.code) + area.name) for area in areas]


def filter_form(alert_filter: AlertFilter) -> dict[str, Any]:
    """Return the values of the form's fields: areas in mu, scores in percent."""

    def mu(area_m2: float | None) -> str:
        return "" if area_m2 is None else f"{round(area_m2 / MU_M2, 2):g}"

    return {
        "min_mu": mu(alert_filter.min_area_m2),
        "max_mu": mu(alert_filter.max_area_m2),
        "min_percent": "" if alert_filter.min_score is None else f"{round(alert_filter.min_score * 100, 1):g}",
        "overdue": alert_filter.overdue_on is not None,
        "over_cap": "" if alert_filter.over_cap is None else "1" if alert_filter.over_cap else "0",
    }


def form_filter(request: Request, context: Context) -> AlertFilter:
    """Read the filter of a URL, or of the form: areas in mu, scores in percent, overdue as of today.

    Raises:
        InvalidInput: a field of the form is not a number.
        SettingsError: a parameter of the URL is invalid.
    """
    alert_filter = requested_filter(request, context)
    fields = {name: request.query_params.get(name, "").strip() for name in FORM_FIELDS}
    numbers: dict[str, float] = {}
    for name, value in fields.items():
        if value and name != "overdue":
            try:
                numbers[name] = float(value)
            except ValueError:
                message = f"{name} is {value[:40]!r}; expected a number."
                raise InvalidInput(Reason(message, "filter.number", value=value[:40])) from None
    query = {name: str(value) for name, value in alert_filter.to_query().items()}
    if "min_mu" in numbers:
        query["min_area_m2"] = f"{numbers['min_mu'] * MU_M2:.2f}"
    if "max_mu" in numbers:
        query["max_area_m2"] = f"{numbers['max_mu'] * MU_M2:.2f}"
    if "min_percent" in numbers:
        query["min_score"] = f"{numbers['min_percent'] / 100:.4f}"
    if fields["overdue"]:
        query["overdue_on"] = context.today.isoformat()
    return AlertFilter.from_query(query, context.settings.zone)
