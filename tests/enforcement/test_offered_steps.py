"""Steps are offered by role, state and four eyes; what is offered is allowed, and what is not offered is refused."""

from __future__ import annotations

from itertools import product

import pytest

from enforcement.offered_steps import accepted_targets, offered_step, offered_steps, share_evidence
from enforcement.states import NotAllowed, read_states

TABLE = read_states()
ROLES = [*((name,) for name in TABLE.roles if name != "system"), ("county", "village"), ("leader", "township")]
FULL = {name: "x" for rule in TABLE.transitions for name in rule.evidence} | {
    "total_m2": 10,
    "demolished_m2": 10,
    "regularised_m2": 0,
    "agreed": True,
}
CHECKED = [("new", "system"), ("field_checked", "li"), ("rechecked", "li")]


@pytest.mark.parametrize("roles", ROLES)
def test_exactly_what_is_offered_is_allowed(roles: tuple[str, ...]) -> None:
    """A step by API that no page offers is refused; every offered one passes the state machine step by step."""
    for state, to, who in product(TABLE.states, TABLE.states, ("li", "wang")):
        states = offered_step(TABLE, state, to, roles, who, CHECKED)
        targets = accepted_targets(TABLE, state, roles, who, CHECKED)
        assert (states is not None) is (to in targets)
        if states is not None:
            before, history = state, list(CHECKED)
            shares = share_evidence(TABLE, state, states, FULL)
            for entered, share in zip(states, shares, strict=True):
                role = TABLE.acting_role(before, entered, roles)
                TABLE.check_transition(before, entered, role, share, who=who, history=history)
                history.append((entered, who))
                before = entered
        elif TABLE.path(state, to) is None and TABLE.category(to) != "gone":
            role = TABLE.acting_role(state, to, roles)
            with pytest.raises(NotAllowed):
                TABLE.check_transition(state, to, role, FULL, who=who, history=CHECKED)
        buttons = {step.to for step in offered_steps(TABLE, state, roles, who, CHECKED)}
        assert buttons <= set(targets)


def test_four_eyes_are_known_before_anything_is_saved() -> None:
    def targets(who: str) -> set[str]:
        return {step.to for step in offered_steps(TABLE, "submitted", ("township",), who, CHECKED)}

    assert targets("wang") == {"reviewed", "returned"}
    assert targets("li") == {"returned"}


def test_a_path_takes_the_place_of_its_first_step_and_leaves_evidence_where_it_is_required() -> None:
    [step, *others] = offered_steps(TABLE, "accepted", ("village",), "li", [])
    assert (step.to, step.states, step.bulk) == ("submitted", ("field_checked", "submitted"), False)
    assert [other.to for other in others] == ["disputed"]
    evidence = {"photos": ["a"], "works": "built", "use": "barn"}
    assert share_evidence(TABLE, "accepted", step.states, evidence) == [evidence, {}]
    both = {"basis": "b", "stop_notice": "1", "correct_by": "2026-12-01", "note": "n"}
    assert share_evidence(TABLE, "reviewed", ("unlawful", "correcting"), both) == [
        {"basis": "b", "note": "n"},
        {"stop_notice": "1", "correct_by": "2026-12-01"},
    ]


def test_new_alerts_are_judged_one_by_one_before_they_are_dispatched() -> None:
    def bulk(judge_first: bool) -> set[str]:
        return {s.to for s in offered_steps(TABLE, "new", ("county",), "li", [], judge_first=judge_first) if s.bulk}

    assert "dispatched" not in bulk(True)
    assert "published" in bulk(True)
    assert "dispatched" in bulk(False)
    assert offered_steps(TABLE, "new", ("leader",), "li", []) == []
