"""View models of the to-do list: cards with buttons, chips of the filter, and people to assign to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from enforcement.offered_steps import SHARED_EVIDENCE, OfferedStep
from enforcement.states import read_states
from errors import Reason
from store.access.rights import Viewer
from store.review.bulk_steps import OWN_OFFICER
from store.review.todo import TodoCounts, TodoFilter, TodoItem
from store.schema.user_tables import User
from web.review.rejection_reasons import REASONS, rejection_reason
from web.review.review_data import picture_url

VERDICTS = {"false_change": "false", "bad_imagery": "bad_imagery"}
"""State → verdict whose list of reasons the user chooses from."""

MOST_BUTTONS = 5
"""Steps of the ordinary course on a card; further ones are in its menu."""

ONLY = ("overdue", "today", "mine", "escalated")


@dataclass(frozen=True)
class StepButton:
    """A step as a button.

    Attributes:
        to: state in which it ends.
        words: its verb.
        ask: what the list asks for: "" for nothing, ``reason`` or ``basis`` for words, ``choice`` for one of the
            reasons of a rejection; ``form`` for evidence of its own, which the alert's form asks for.
        bulk: whether it may be taken on several alerts.
        forward: whether it belongs to the ordinary course.
    """

    to: str
    words: str
    ask: str
    bulk: bool
    forward: bool


@dataclass(frozen=True)
class TodoCard:
    """A waiting alert: the item, pictures by ``before`` and ``after``, the main buttons, and those of the menu."""

    item: TodoItem
    pictures: dict[str, str | None]
    buttons: tuple[StepButton, ...]
    more: tuple[StepButton, ...]
    open_by: str

    @property
    def all_buttons(self) -> tuple[StepButton, ...]:
        """All buttons, those of the menu last."""
        return (*self.buttons, *self.more)


@dataclass(frozen=True)
class Chip:
    """Part of the list: key of its text or name of its state, number of alerts, query, whether it is chosen."""

    text: str
    state: str
    count: int
    query: str
    chosen: bool
    late: bool = False


def cards_of(items: Sequence[TodoItem], viewer: Viewer, language: str) -> list[TodoCard]:
    """Return the cards of a page of the list."""
    cards = []
    for item in items:
        buttons = [_button(item.row.state, step, language) for step in item.steps]
        forward = [button for button, step in zip(buttons, item.steps, strict=True) if step.forward]
        main = forward[:MOST_BUTTONS]
        more = [button for button in buttons if button not in main]
        pictures = {when: picture_url(item.row.number, item.row.evidence, when) for when in ("before", "after")}
        open_by = "" if item.row.locked_by == viewer.login else item.row.locked_by
        cards.append(TodoCard(item, pictures, tuple(main), tuple(more), open_by))
    return cards


def ask_of(step: OfferedStep) -> str:
    """Return what has to be asked for before a step is sent, as of :class:`StepButton`."""
    if step.to in VERDICTS and "reason" in step.evidence:
        return "choice"
    if step.balanced or not SHARED_EVIDENCE.issuperset(step.evidence):
        return "form"
    return step.evidence[0] if step.evidence else ""


def bulk_buttons(cards: Sequence[TodoCard]) -> list[StepButton]:
    """Return the steps that several alerts of a page can take together: of the ordinary course, frequent ones first."""
    numbers: dict[StepButton, int] = {}
    for card in cards:
        for button in card.all_buttons:
            if button.bulk:
                numbers[button] = numbers.get(button, 0) + 1
    by_target: dict[str, StepButton] = {}
    for button in sorted(numbers, key=lambda one: (not one.forward, -numbers[one])):
        by_target.setdefault(button.to, button)
    return list(by_target.values())


def chips_of(counts: TodoCounts, chosen: TodoFilter) -> list[Chip]:
    """Return the parts of the list: all, overdue, due today, assigned, escalated, then each state."""
    chips = [Chip("todo.all", "", counts.total, "", chosen == TodoFilter())]
    for only in ONLY:
        count = int(getattr(counts, only))
        if count or chosen.only == only:
            query = urlencode({"only": only})
            chips.append(Chip(f"todo.only.{only}", "", count, query, chosen.only == only, only == "overdue"))
    for state in read_states().states:
        count = counts.states.get(state, 0)
        if count or chosen.state == state:
            chips.append(Chip("", state, count, urlencode({"state": state}), chosen.state == state))
    return chips


def assignable(users: Sequence[User], viewer: Viewer) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return login, name and roles of the people to whom alerts can be assigned: those who take steps, lowest first."""
    states = read_states()
    order = list(states.roles)
    people = [
        (user.login, user.name or user.login, (user.role, *user.other_roles))
        for user in users
        if user.active and not states.views_only((user.role, *user.other_roles))
    ]
    return sorted(people, key=lambda one: (order.index(one[2][0]) if one[2][0] in order else 0, one[1]))


def step_evidence(to: str, evidence: dict[str, Any], why: str) -> tuple[dict[str, Any], str]:
    """Return the evidence and the remark of a step; a reason of the lists of rejections is stored with its code.

    Raises:
        InvalidInput: the reason needs words of its own.
    """
    verdict, reason = VERDICTS.get(to), evidence.get("reason")
    if verdict is None or reason not in REASONS[verdict]:
        return evidence, why
    chosen: Reason = rejection_reason(verdict, str(reason), why)
    return {**evidence, "verdict": verdict, "reason": str(chosen)}, chosen


def _button(state: str, step: OfferedStep, language: str) -> StepButton:
    return StepButton(step.to, read_states().verb(state, step.to, language), ask_of(step), step.bulk, step.forward)


OWN = OWN_OFFICER
"""Assignee of the form that stands for the village's own officer."""
