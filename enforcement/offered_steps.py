"""Steps that a person may take on an alert now: by role, state and the rule of four eyes, known before saving.

Pages offer these steps and no others; the API refuses any other step, so that both have the same rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from enforcement.states import StateTable, TransitionRule

SHARED_EVIDENCE = frozenset({"reason", "basis"})
"""Evidence that may be the same for many alerts; a step that requires any other is taken for one alert at a time."""

NOT_STEPS = ("merged", "split")
"""States that are entered by functions of their own, with the other alerts concerned."""


@dataclass(frozen=True)
class OfferedStep:
    """One step, or several in one, that a person may take.

    Attributes:
        to: the state in which it ends.
        states: all states that are entered, in order.
        evidence: names of the required evidence of all of them.
        balanced: whether the areas of a correction have to be given.
        bulk: whether it may be taken on many alerts at once.
        forward: whether it is part of the ordinary course, and not a return, rejection or dispute.
    """

    to: str
    states: tuple[str, ...]
    evidence: tuple[str, ...]
    balanced: bool
    bulk: bool
    forward: bool


def offered_steps(
    table: StateTable,
    state: str,
    roles: Sequence[str],
    who: str,
    history: Sequence[tuple[str, str]],
    *,
    judge_first: bool = True,
) -> list[OfferedStep]:
    """List the steps that a person may take on an alert, those of the ordinary course first.

    Args:
        table: states, transitions and paths.
        state: current state of the alert.
        roles: roles of the person.
        who: login of the person.
        history: (state entered, person) of its transitions, oldest first; those of states in ``not_by`` are sufficient.
        judge_first: whether new alerts are judged one by one before they are dispatched.
    """
    if table.views_only(roles):
        return []
    direct = [(to,) for to in table.allowed_targets(state, roles) if table.category(to) != "gone"]
    paths = [path for path in table.paths if path.from_state == state]
    possible = [path for path in paths if _may(table, state, path.states, roles, who, history)]
    replaced = {path.states[0] for path in possible if path.replaces}
    found = [
        _step(table, state, states, True)
        for states in direct
        if states[0] not in replaced and _may(table, state, states, roles, who, history)
    ]
    found += [_step(table, state, path.states, not (path.judges and judge_first)) for path in possible]
    return sorted(found, key=lambda step: (not step.forward, step.to in ("case",)))


def offered_step(
    table: StateTable,
    state: str,
    to: str,
    roles: Sequence[str],
    who: str,
    history: Sequence[tuple[str, str]],
) -> tuple[str, ...] | None:
    """Return the states that a step to ``to`` enters; None: this person may not take it.

    A single step that a path replaces on the pages is accepted too: it is part of what is offered.
    """
    if table.views_only(roles) or to not in table.states or table.category(to) == "gone":
        return None
    path = table.path(state, to)
    states = path.states if path is not None else (to,)
    return states if _may(table, state, states, roles, who, history) else None


def accepted_targets(
    table: StateTable, state: str, roles: Sequence[str], who: str, history: Sequence[tuple[str, str]]
) -> list[str]:
    """List the states to which a person may move an alert now, single steps first, then the ends of paths."""
    targets = dict.fromkeys(table.allowed_targets(state, roles))
    targets |= dict.fromkeys(path.to for path in table.paths if path.from_state == state)
    return [to for to in targets if offered_step(table, state, to, roles, who, history) is not None]


def share_evidence(
    table: StateTable, state: str, states: Sequence[str], evidence: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the evidence of each step: what its rule requires; the rest goes to the first one that requires any.

    Args:
        table: the transitions.
        state: state before the first step.
        states: states that are entered, in order.
        evidence: of all steps together.
    """
    rules = [table.rule(*pair) for pair in zip((state, *states), states, strict=False)]
    shares = [
        {name: evidence[name] for name in (*rule.evidence, *_areas(rule)) if name in evidence} if rule else {}
        for rule in rules
    ]
    requiring = [index for index, rule in enumerate(rules) if rule is not None and (rule.evidence or rule.balanced)]
    used = {name for share in shares for name in share}
    shares[requiring[0] if requiring else -1] |= {name: value for name, value in evidence.items() if name not in used}
    return shares


def _areas(rule: TransitionRule) -> tuple[str, ...]:
    return ("total_m2", "demolished_m2", "regularised_m2", "agreed") if rule.balanced else ()


def _may(
    table: StateTable,
    state: str,
    states: Sequence[str],
    roles: Sequence[str],
    who: str,
    history: Sequence[tuple[str, str]],
) -> bool:
    held, log = set(roles), list(history)
    for before, to in zip((state, *states), states, strict=False):
        rule = table.rule(before, to)
        if rule is None or not held.intersection(rule.by):
            return False
        excluded = next((person for entered, person in reversed(log) if entered == rule.not_by), None)
        if excluded == who:
            return False
        log.append((to, who))
    return True


def _step(table: StateTable, state: str, states: Sequence[str], bulk: bool) -> OfferedStep:
    rules = [table.rule(*pair) for pair in zip((state, *states), states, strict=False)]
    evidence = tuple(dict.fromkeys(name for rule in rules if rule for name in rule.evidence))
    balanced = any(rule.balanced for rule in rules if rule)
    shared = bulk and not balanced and SHARED_EVIDENCE.issuperset(evidence)
    return OfferedStep(states[-1], tuple(states), evidence, balanced, shared, _is_forward(table, states[-1], evidence))


def _is_forward(table: StateTable, to: str, evidence: Sequence[str]) -> bool:
    if to in ("returned", "disputed", "bad_imagery", "case"):
        return False
    return "reason" not in evidence and table.category(to) in ("open", "correcting", "closed")
