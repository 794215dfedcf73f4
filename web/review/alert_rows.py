"""The grid's cards, and its filter as a form: what the address says, in the units and words of people."""

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
from store.review.review_statistics import TO_BE_JUDGED
from store.schema.tables import Area
from store.schema.user_tables import User
from store.search.alert_search import AlertFilter, AlertListItem, AlertPage, Facets
from web.http_errors import InvalidInput
from web.review.review_data import picture_address, wanted

OWN_NAMES = ("min_mu", "max_mu", "min_percent", "overdue")
"""Fields of the form that are told in other words in the address."""


@dataclass(frozen=True)
class Bundle:
    """What is asked for; its first page; counts; areas and people to choose from."""

    asked: AlertFilter
    found: AlertPage
    counted: Facets
    areas: Sequence[Area]
    people: Sequence[User]


@dataclass(frozen=True)
class Card:
    """An alert of the grid.

    Attributes:
        row: the alert.
        pictures: addresses of before and after; None: not kept.
        rejectable: whether the person may reject it.
        overdue: whether it waits for too long.
    """

    row: AlertListItem
    pictures: dict[str, str | None]
    rejectable: bool
    overdue: bool


@dataclass(frozen=True)
class StateGroup:
    """A choice above the grid: name in the catalogue, its address, how many alerts, whether it is the one shown."""

    name: str
    query: str
    count: int
    chosen: bool


def cards(found: AlertPage, role: str, today: dt.date) -> list[Card]:
    """The alerts of a page."""
    states = read_states()
    return [
        Card(
            row,
            {when: picture_address(row.number, row.evidence, when) for when in ("before", "after")},
            "false_change" in states.ways_out(row.state, role),
            bool(row.due_on and row.due_on < today and row.state in states.open),
        )
        for row in found.rows
    ]


def waiting_for(role: str) -> tuple[str, ...]:
    """States of alerts in which somebody of that role has something to do: to judge, for those who may."""
    states = read_states()
    if "false_change" in states.ways_out(states.initial, role):
        return TO_BE_JUDGED
    return tuple(state for state in states.states if state in states.open and states.ways_out(state, role))


def default_filter(role: str, zone: dt.tzinfo) -> AlertFilter:
    """What a person of that role is to do, as far as it was given out."""
    return AlertFilter(states=waiting_for(role), over_cap=False, zone=zone)


def groups_of_states(bundle: Bundle, role: str) -> list[StateGroup]:
    """To be done, under way, correcting, rejected, ended, all; the rest of the filter stays."""
    table = read_states()
    todo = waiting_for(role)

    def meaning(*means: str) -> tuple[str, ...]:
        return tuple(s for s in table.states if table.means(s) in means and s not in todo)

    told = [
        ("todo", todo),
        ("open", meaning("open")),
        ("correcting", meaning("correcting")),
        ("rejected", meaning("rejected", "suppressed")),
        ("ended", meaning("closed", "gone")),
        ("all", ()),
    ]
    groups = []
    for name, states in told:
        if name != "all" and not states:
            continue
        told_states = replace(bundle.asked, states=states).to_query()
        counted = [n for state, n in bundle.counted.states.items() if not states or state in states]
        groups.append(
            StateGroup(
                name,
                urlencode(told_states) or "sort=gravest",
                sum(counted),
                set(bundle.asked.states) == set(states),
            )
        )
    return groups


def place_choices(areas: Sequence[Area]) -> list[tuple[str, str]]:
    """Code and name, those that lie in others set in."""
    known = {area.code for area in areas}

    def depth(code: str) -> int:
        return sum(code[:digits] in known for digits in range(1, len(code)))

    return [(area.code, "　" * depth(area.code) + area.name) for area in areas]


def tell_filter(asked: AlertFilter) -> dict[str, Any]:
    """The filter in the units of the form: mu, percent."""

    def mu(area_m2: float | None) -> str:
        return "" if area_m2 is None else f"{round(area_m2 / MU_M2, 2):g}"

    return {
        "min_mu": mu(asked.min_area_m2),
        "max_mu": mu(asked.max_area_m2),
        "min_percent": "" if asked.min_score is None else f"{round(asked.min_score * 100, 1):g}",
        "overdue": asked.overdue_on is not None,
        "over_cap": "" if asked.over_cap is None else "1" if asked.over_cap else "0",
    }


def asked_for(request: Request, context: Context) -> AlertFilter:
    """The filter of an address, or of the form: areas in mu, scores in percent, overdue as of today.

    Raises:
        InvalidInput: a number of the form is none.
        SettingsError: a value of the address cannot be used.
    """
    asked = wanted(request, context)
    given = {name: request.query_params.get(name, "").strip() for name in OWN_NAMES}
    read: dict[str, float] = {}
    for name, value in given.items():
        if value and name != "overdue":
            try:
                read[name] = float(value)
            except ValueError:
                words = f"{name} is {value[:40]!r}; expected a number."
                raise InvalidInput(Reason(words, "filter.number", value=value[:40])) from None
    text = {name: str(value) for name, value in asked.to_query().items()}
    if "min_mu" in read:
        text["min_area_m2"] = f"{read['min_mu'] * MU_M2:.2f}"
    if "max_mu" in read:
        text["max_area_m2"] = f"{read['max_mu'] * MU_M2:.2f}"
    if "min_percent" in read:
        text["min_score"] = f"{read['min_percent'] / 100:.4f}"
    if given["overdue"]:
        text["overdue_on"] = context.today.isoformat()
    return AlertFilter.from_query(text, context.settings.zone)
