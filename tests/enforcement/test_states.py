from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from configs import read_yaml
from enforcement.states import NotAllowed, read_states
from errors import SettingsError
from store.schema.tables import AlertRow, Transition

TABLE = read_states()
BALANCED = {"total_m2": 500, "demolished_m2": 300, "regularised_m2": 200, "agreed": True}


def test_corrected_alert_passes_through_all_states() -> None:
    transitions = [
        ("triaged", "system", {}),
        ("published", "system", {}),
        ("dispatched", "county", {}),
        ("accepted", "village", {}),
        ("field_checked", "village", {"photos": ["a.jpg"], "works": "partly built", "findings": {"use": "factory"}}),
        ("submitted", "village", {}),
        ("reviewed", "county", {}),
        ("unlawful", "county", {"basis": "no approval"}),
        ("correcting", "township", {"stop_notice": "2026-17", "correct_by": "2026-12-31"}),
        ("rechecked", "township", {"later_image": "ab12"}),
        ("closed", "county", BALANCED),
    ]
    state, history = TABLE.initial, list[tuple[str, str]]()
    for to, role, evidence in transitions:
        TABLE.check_transition(state, to, role, evidence, who=f"{role} {to}", history=history)
        history.append((to, f"{role} {to}"))
        state = to
    assert state in TABLE.closed


def test_unlisted_transition_raises_and_lists_the_allowed_ones() -> None:
    with pytest.raises(NotAllowed, match=r"county cannot move an alert from new to closed; allowed: triaged"):
        TABLE.check_transition("new", "closed", "county")


def test_role_cannot_make_a_transition_of_another_role() -> None:
    with pytest.raises(NotAllowed, match="The role village cannot"):
        TABLE.check_transition("reviewed", "lawful", "village", {"basis": "x"})


def test_software_makes_no_determination() -> None:
    determined = ("lawful", "unlawful", "farm_facility", "other_finding", "false_change", "closed", "case", "reviewed")
    assert [s.to for s in TABLE.transitions if "system" in s.by and s.to in determined] == []


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"photos": [], "works": "built"},
        {"photos": ["a"], "works": ""},
        {"photos": ["a"], "works": "built", "findings": {}},
    ],
)
def test_missing_evidence_raises(evidence: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed, match="requires missing evidence: "):
        TABLE.check_transition("accepted", "field_checked", "village", evidence)


def test_reviewer_differs_from_the_field_checker() -> None:
    history = [("field_checked", "wang"), ("submitted", "wang")]
    with pytest.raises(NotAllowed, match="another person"):
        TABLE.check_transition("submitted", "reviewed", "township", who="wang", history=history)
    TABLE.check_transition("submitted", "reviewed", "township", who="li", history=history)


def test_only_the_last_field_checker_is_excluded() -> None:
    history = [("field_checked", "wang"), ("returned", "li"), ("field_checked", "zhao")]
    TABLE.check_transition("submitted", "reviewed", "township", who="wang", history=history)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"demolished_m2": 100}, "200 m² of 500 m² are not corrected"),
        ({"agreed": False}, "did not agree"),
        ({"agreed": "yes"}, "did not agree"),
        ({"total_m2": None}, "total_m2"),
    ],
)
def test_correction_is_closed_only_if_balanced_and_agreed(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NotAllowed, match=message):
        TABLE.check_transition(
            "rechecked", "closed", "county", BALANCED | change, who="li", history=[("rechecked", "wang")]
        )


def test_correction_is_not_closed_by_its_checker() -> None:
    with pytest.raises(NotAllowed, match="another person"):
        TABLE.check_transition("rechecked", "closed", "county", BALANCED, who="wang", history=[("rechecked", "wang")])


def test_every_role_may_create_an_alert() -> None:
    assert all(TABLE.check_transition("", "new", role).to == "new" for role in TABLE.roles)


def test_unknown_role_raises() -> None:
    with pytest.raises(NotAllowed, match="king"):
        TABLE.check_transition("new", "triaged", "king")


def test_a_closed_state_is_reachable_from_every_state() -> None:
    ends = set(TABLE.closed)
    for _ in TABLE.states:
        ends |= {s for step in TABLE.transitions if step.to in ends for s in step.from_states}
    assert ends == set(TABLE.states)


def test_every_state_is_either_open_or_closed() -> None:
    assert TABLE.open | TABLE.closed == set(TABLE.states)
    assert not TABLE.open & TABLE.closed


def test_only_false_change_is_rejected() -> None:
    assert [state for state in TABLE.states if TABLE.is_rejected(state)] == ["false_change"]


def test_names_fit_their_columns() -> None:
    columns = [AlertRow.__table__.c.state, Transition.__table__.c.from_state, Transition.__table__.c.to_state]
    assert max(map(len, TABLE.states)) <= min(column.type.length for column in columns)
    assert max(map(len, TABLE.roles)) <= Transition.__table__.c.role.type.length


def test_software_can_return_and_suppress_alerts() -> None:
    for state in ("false_change", "suppressed", "bad_imagery"):
        TABLE.check_transition(state, "returned", "system", {"reason": "grown"})
    for state in ("new", "triaged", "returned"):
        TABLE.check_transition(state, "suppressed", "system", {"approval": "2026-3"})


def test_deadlines_of_the_shipped_table() -> None:
    assert TABLE.days_allowed("new") == 1
    assert TABLE.days_allowed("accepted") == 3
    assert TABLE.days_allowed("field_checked") == 0
    assert TABLE.days_allowed("unlawful") == 3
    assert TABLE.days_allowed("closed") is None


def test_allowed_targets_depend_on_the_role() -> None:
    assert TABLE.allowed_targets("rechecked", "county") == ["correcting", "closed", "case"]
    assert TABLE.allowed_targets("rechecked", "village") == []


def test_no_state_calls_an_alert_illegal() -> None:
    words = " ".join(f"{s.zh} {s.en}" for s in TABLE.states.values())
    assert "违法" not in words
    assert "illegal" not in words.lower()


@pytest.mark.parametrize(
    ("transition", "message"),
    [
        ({"from": "new", "to": "nowhere", "by": ["county"]}, "nowhere"),
        ({"from": "lost", "to": "new", "by": ["county"]}, "lost"),
        ({"from": "new", "to": "closed", "by": ["king"]}, "king"),
        ({"from": "new", "to": "triaged", "by": ["county"]}, "listed twice: new → triaged"),
        ({"from": "new", "to": "closed", "by": []}, "by"),
        ({"from": "new", "to": "closed", "by": ["county"], "within": -1}, "within"),
        ({"from": "new", "to": "closed", "by": ["county"], "wihtin": 1}, "wihtin"),
    ],
)
def test_inconsistent_table_raises(tmp_path: Path, transition: dict[str, Any], message: str) -> None:
    content = read_yaml(Path("states.yaml"))
    content["transitions"].append(transition)
    path = tmp_path / "states.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        read_states(path)


def test_table_with_the_former_key_means_is_read(tmp_path: Path) -> None:
    content = read_yaml(Path("states.yaml"))
    for state in content["states"].values():
        state["means"] = state.pop("category")
    path = tmp_path / "states.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    assert read_states(path) == TABLE


def test_unreachable_state_raises(tmp_path: Path) -> None:
    content = read_yaml(Path("states.yaml"))
    content["states"]["limbo"] = {"zh": "悬", "en": "Limbo", "category": "open"}
    path = tmp_path / "states.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with pytest.raises(SettingsError, match="limbo"):
        read_states(path)
