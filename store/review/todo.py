"""The to-do list of a user: open alerts that wait for their roles and ground, by deadline, with their next steps.

Each open state has an owner (``configs/deadlines.yaml``). Where nobody has the owner's role for a village, its alerts
wait for the next higher level; overdue alerts are shown to the next higher level as well. New alerts are listed within
the weekly quota.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from enforcement.deadlines.state_deadlines import level_above, owner_of, read_deadline_rules
from enforcement.offered_steps import OfferedStep, offered_steps
from enforcement.states import StateTable, read_states
from store.access.rights import Viewer
from store.access.users import effective_role
from store.chain_settings import read_chain_values
from store.review.review_statistics import TO_BE_JUDGED
from store.schema.tables import Transition
from store.schema.user_tables import User
from store.search.alert_columns import NO_DAY, AlertColumns, Mask, all_alerts
from store.search.alert_counts import visible_mask
from store.search.alert_search import AlertListItem, list_items

PAGE_SIZE = 50

CODE_LENGTHS = (0, 2, 4, 6, 9, 12)


@dataclass(frozen=True)
class TodoItem:
    """An alert that waits.

    Attributes:
        row: the alert.
        steps: what the user may do, the ordinary course first.
        days_left: calendar days until the deadline, negative if overdue; None: no deadline.
        escalated: it waits for a lower level, and is listed because it is overdue.
        waits_for: role that has to act; of a higher level than the state's owner where that role is not filled.
        vacant: the owner's role is not filled for this village.
        owner: role that has to act in this state, whether or not it is filled; "" for alerts that are not open.
    """

    row: AlertListItem
    steps: tuple[OfferedStep, ...]
    days_left: int | None
    escalated: bool
    waits_for: str
    vacant: bool
    owner: str


@dataclass(frozen=True)
class TodoCounts:
    """Numbers of waiting alerts: in all, overdue, due today, assigned to the user, escalated, and of each state."""

    total: int
    overdue: int
    today: int
    mine: int
    escalated: int
    states: dict[str, int]


@dataclass(frozen=True)
class TodoFilter:
    """Part of the list to show.

    Attributes:
        state: only this state; "": all.
        only: "" for all, ``overdue``, ``today``, ``mine`` (assigned to the user) or ``escalated``.
    """

    state: str = ""
    only: str = ""


@dataclass(frozen=True)
class TodoPage:
    """One page of the list: its items, counts of the whole list, and the number of alerts that match the filter."""

    items: tuple[TodoItem, ...]
    counts: TodoCounts
    matching: int
    judge_first: bool
    bulk_most: int


@dataclass(frozen=True)
class _Waiting:
    """All waiting alerts: ``own`` wait for the user's roles, ``escalated`` are overdue ones of a lower level."""

    alerts: AlertColumns
    own: Mask
    escalated: Mask
    mine: Mask
    duty: _Duty

    @property
    def all(self) -> Mask:
        return self.own | self.escalated


class _Duty:
    """Roles that are filled, by administrative code."""

    def __init__(self, session: Session, table: StateTable) -> None:
        self.table = table
        self.filled: set[tuple[str, str]] = set()
        for code, role, others in session.execute(select(User.code, User.role, User.other_roles).where(User.active)):
            self.filled.update((effective_role(name, code), code) for name in (role, *others))

    def acting(self, owner: str, grid_code: str) -> str:
        """Return the role that acts for ``owner`` at a place: itself, or the lowest higher one that is filled."""
        role: str | None = owner
        while role is not None:
            if any((role, grid_code[:length]) in self.filled for length in CODE_LENGTHS):
                return role
            role = level_above(role, self.table)
        return owner


def todo_counts(session: Session, viewer: Viewer, today: dt.date) -> TodoCounts:
    """Count what waits for a user, for the navigation and the filters."""
    return _counts(_waiting(session, viewer, today), today)


def todo_page(
    session: Session, viewer: Viewer, today: dt.date, now: dt.datetime, chosen: TodoFilter, page: int = 1
) -> TodoPage:
    """Return a page of what waits for a user, the earliest deadline first, then the gravest.

    Args:
        session: a read transaction.
        viewer: the current user.
        today: local day.
        now: time at which locks are evaluated.
        chosen: part of the list.
        page: number of the page of :data:`PAGE_SIZE` alerts, from 1.
    """
    waiting = _waiting(session, viewer, today)
    alerts, mask = waiting.alerts, waiting.all
    if chosen.state:
        mask = mask & alerts.matching("state", lambda state: state == chosen.state)
    due, day = alerts.due_on, today.toordinal()
    if chosen.only == "overdue":
        mask = mask & (due != NO_DAY) & (due < day)
    elif chosen.only == "today":
        mask = mask & (due == day)
    elif chosen.only == "mine":
        mask = mask & waiting.mine
    elif chosen.only == "escalated":
        mask = mask & waiting.escalated
    found = np.flatnonzero(mask)
    late = np.where(due[found] == NO_DAY, np.iinfo(np.int64).max, due[found])
    found = found[np.lexsort((alerts.id[found], -alerts.legal_weight[found], late))]
    shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    values = read_chain_values(session)
    judge_first = values.flag("steps.judge_first")
    escalated = set(alerts.id[shown[waiting.escalated[shown]]].tolist())
    rows = list_items(session, viewer, alerts.id[shown].tolist(), now)
    items = _items(session, viewer, rows, today, escalated, waiting.duty, judge_first)
    return TodoPage(items, _counts(waiting, today), len(found), judge_first, values.whole("steps.bulk_most"))


def todo_items(
    session: Session, viewer: Viewer, alert_ids: Sequence[int], today: dt.date, now: dt.datetime
) -> tuple[TodoItem, ...]:
    """Return alerts with the steps that a user may take, whether or not they wait for that user."""
    judge_first = read_chain_values(session).flag("steps.judge_first")
    rows = list_items(session, viewer, alert_ids, now)
    return _items(session, viewer, rows, today, (), _Duty(session, read_states()), judge_first)


def _items(
    session: Session,
    viewer: Viewer,
    rows: Sequence[AlertListItem],
    today: dt.date,
    escalated: Collection[int],
    duty: _Duty,
    judge_first: bool,
) -> tuple[TodoItem, ...]:
    table, rules = read_states(), read_deadline_rules()
    histories = _histories(session, [row.id for row in rows])
    items = []
    for row in rows:
        history = histories.get(row.id, [])
        steps = offered_steps(table, row.state, viewer.roles, viewer.login, history, judge_first=judge_first)
        owner = owner_of(row.state, table, rules) if row.state in table.open else ""
        acting = duty.acting(owner, row.grid_code) if owner else ""
        left = (row.due_on - today).days if row.due_on and row.state in table.open else None
        items.append(TodoItem(row, tuple(steps), left, row.id in escalated, acting, acting != owner, owner))
    return tuple(items)


def _histories(session: Session, alert_ids: Sequence[int]) -> Mapping[int, list[tuple[str, str]]]:
    rows = session.execute(
        select(Transition.alert_id, Transition.to_state, Transition.who)
        .where(Transition.alert_id.in_(alert_ids))
        .order_by(Transition.alert_id, Transition.sequence)
    )
    found: dict[int, list[tuple[str, str]]] = {}
    for alert_id, state, who in rows:
        found.setdefault(alert_id, []).append((state, who))
    return found


def _waiting(session: Session, viewer: Viewer, today: dt.date) -> _Waiting:
    table, rules, alerts = read_states(), read_deadline_rules(), all_alerts(session)
    duty = _Duty(session, table)
    own, above = np.zeros(len(alerts.id), np.bool_), np.zeros(len(alerts.id), np.bool_)
    owners = {state: owner_of(state, table, rules) for state in table.states if state in table.open}
    by_owner: dict[str, set[str]] = {}
    for state, owner in owners.items():
        by_owner.setdefault(owner, set()).add(state)
    roles, viewing = set(viewer.roles), viewer.views_only
    visible = visible_mask(alerts, viewer)
    for owner, states in by_owner.items():
        in_state = alerts.matching("state", states.__contains__)
        acting = {code: duty.acting(owner, code) for code in _codes(alerts, in_state & visible)}
        waits = {code for code, role in acting.items() if viewing or role in roles}
        lower = {code for code, role in acting.items() if level_above(role, table) in roles}
        own |= in_state & alerts.matching("grid_code", waits.__contains__)
        above |= in_state & alerts.matching("grid_code", lower.__contains__)
    if "false_change" in table.allowed_targets(table.initial, viewer.roles):
        own |= alerts.matching("state", TO_BE_JUDGED.__contains__)
    with_steps = _states_with_steps(table, viewer)
    in_reach = alerts.matching("state", with_steps.__contains__)  # not what was reported and waits for another level
    mine = alerts.matching("assignee", lambda login: login == viewer.login) & in_reach
    beyond = alerts.over_cap & alerts.matching("state", TO_BE_JUDGED.__contains__)
    late = (alerts.due_on != NO_DAY) & (alerts.due_on < today.toordinal())
    own = (own | mine) & visible & ~beyond
    return _Waiting(alerts, own, above & late & visible & ~beyond & ~own, mine & visible, duty)


def _states_with_steps(table: StateTable, viewer: Viewer) -> set[str]:
    """Return the open states in which the viewer's roles may take a step of the ordinary course."""
    if viewer.views_only:
        return set(table.open)
    return {
        state
        for state in table.open
        if any(step.forward for step in offered_steps(table, state, viewer.roles, viewer.login, []))
    }


def _codes(alerts: AlertColumns, mask: Mask) -> list[str]:
    """Return the administrative codes of some alerts, each once."""
    names = alerts.categories["grid_code"].names
    return [names[code] for code in np.unique(alerts.grid_code[mask])]


def _counts(waiting: _Waiting, today: dt.date) -> TodoCounts:
    alerts, mask = waiting.alerts, waiting.all
    due = alerts.due_on[mask]
    names = alerts.categories["state"].names
    states = Counter({names[code]: int(n) for code, n in enumerate(np.bincount(alerts.state[mask])) if n})
    return TodoCounts(
        total=int(np.count_nonzero(mask)),
        overdue=int(np.count_nonzero((due != NO_DAY) & (due < today.toordinal()))),
        today=int(np.count_nonzero(due == today.toordinal())),
        mine=int(np.count_nonzero(mask & waiting.mine)),
        escalated=int(np.count_nonzero(waiting.escalated)),
        states=dict(states),
    )
