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


def test_the_way_of_an_alert_that_is_corrected() -> None:
    way = [
        ("triaged", "system", {}),
        ("published", "system", {}),
        ("dispatched", "county", {}),
        ("accepted", "village", {}),
        ("field_checked", "village", {"photos": ["a.jpg"], "works": "partly built"}),
        ("submitted", "village", {}),
        ("reviewed", "county", {}),
        ("unlawful", "county", {"basis": "no approval"}),
        ("correcting", "township", {"stop_notice": "2026-17", "correct_by": "2026-12-31"}),
        ("rechecked", "township", {"later_image": "ab12"}),
        ("closed", "county", BALANCED),
    ]
    state, history = TABLE.initial, list[tuple[str, str]]()
    for to, role, evidence in way:
        TABLE.step(state, to, role, evidence, who=f"{role} {to}", history=history)
        history.append((to, f"{role} {to}"))
        state = to
    assert state in TABLE.closed


def test_a_step_that_is_not_listed_is_refused_with_those_that_are() -> None:
    with pytest.raises(NotAllowed, match=r"new cannot be made closed by county; county can make it triaged"):
        TABLE.step("new", "closed", "county")


def test_a_role_cannot_take_a_step_of_another_one() -> None:
    with pytest.raises(NotAllowed, match="by village"):
        TABLE.step("reviewed", "lawful", "village", {"basis": "x"})


def test_the_software_determines_nothing() -> None:
    determined = ("lawful", "unlawful", "farm_facility", "other_finding", "false_change", "closed", "case", "reviewed")
    assert [s.to for s in TABLE.transitions if "system" in s.by and s.to in determined] == []


@pytest.mark.parametrize("given", [{}, {"photos": [], "works": "built"}, {"photos": ["a"], "works": ""}])
def test_missing_evidence_is_told(given: dict[str, Any]) -> None:
    with pytest.raises(NotAllowed, match="needs evidence that was not given: "):
        TABLE.step("accepted", "field_checked", "village", given)


def test_the_reviewer_is_not_the_one_who_checked() -> None:
    history = [("field_checked", "wang"), ("submitted", "wang")]
    with pytest.raises(NotAllowed, match="another person"):
        TABLE.step("submitted", "reviewed", "township", who="wang", history=history)
    TABLE.step("submitted", "reviewed", "township", who="li", history=history)


def test_who_checked_last_counts() -> None:
    history = [("field_checked", "wang"), ("returned", "li"), ("field_checked", "zhao")]
    TABLE.step("submitted", "reviewed", "township", who="wang", history=history)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"demolished_m2": 100}, "200 m² of 500 m² are not corrected"),
        ({"agreed": False}, "did not agree"),
        ({"agreed": "yes"}, "did not agree"),
        ({"total_m2": None}, "total_m2"),
    ],
)
def test_a_correction_is_closed_only_when_nothing_is_left_and_the_reviewer_agrees(
    change: dict[str, Any], told: str
) -> None:
    with pytest.raises(NotAllowed, match=told):
        TABLE.step("rechecked", "closed", "county", BALANCED | change, who="li", history=[("rechecked", "wang")])


def test_a_correction_is_not_closed_by_who_checked_it() -> None:
    with pytest.raises(NotAllowed, match="another person"):
        TABLE.step("rechecked", "closed", "county", BALANCED, who="wang", history=[("rechecked", "wang")])


def test_every_role_may_find_an_alert() -> None:
    assert all(TABLE.step("", "new", role).to == "new" for role in TABLE.roles)


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(NotAllowed, match="king"):
        TABLE.step("new", "triaged", "king")


def test_every_open_alert_can_come_to_an_end() -> None:
    ends = set(TABLE.closed)
    for _ in TABLE.states:
        ends |= {s for step in TABLE.transitions if step.to in ends for s in step.come_from}
    assert ends == set(TABLE.states)


def test_a_state_is_open_or_closed() -> None:
    assert TABLE.open | TABLE.closed == set(TABLE.states)
    assert not TABLE.open & TABLE.closed


def test_only_what_a_person_rejected_is_rejected() -> None:
    assert [state for state in TABLE.states if TABLE.is_rejected(state)] == ["false_change"]


def test_names_fit_their_columns() -> None:
    columns = [AlertRow.__table__.c.state, Transition.__table__.c.from_state, Transition.__table__.c.to_state]
    assert max(map(len, TABLE.states)) <= min(column.type.length for column in columns)
    assert max(map(len, TABLE.roles)) <= Transition.__table__.c.role.type.length


def test_the_software_can_bring_back_and_suppress() -> None:
    for state in ("false_change", "suppressed", "bad_imagery"):
        TABLE.step(state, "returned", "system", {"reason": "grown"})
    for state in ("new", "triaged", "returned"):
        TABLE.step(state, "suppressed", "system", {"approval": "2026-3"})


def test_the_clocks_of_the_field_stand_in_the_table() -> None:
    assert TABLE.within("new") == 1
    assert TABLE.within("accepted") == 3
    assert TABLE.within("field_checked") == 0
    assert TABLE.within("unlawful") == 3
    assert TABLE.within("closed") is None


def test_ways_out_are_those_of_the_role() -> None:
    assert TABLE.ways_out("rechecked", "county") == ["correcting", "closed", "case"]
    assert TABLE.ways_out("rechecked", "village") == []


def test_no_word_calls_an_alert_illegal() -> None:
    words = " ".join(f"{s.zh} {s.en}" for s in TABLE.states.values())
    assert "违法" not in words
    assert "illegal" not in words.lower()


@pytest.mark.parametrize(
    ("transition", "told"),
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
def test_a_table_that_does_not_fit_together_is_refused(tmp_path: Path, transition: dict[str, Any], told: str) -> None:
    content = read_yaml(Path("states.yaml"))
    content["transitions"].append(transition)
    path = tmp_path / "states.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with pytest.raises(SettingsError, match=told):
        read_states(path)


def test_a_state_that_nothing_points_to_is_refused(tmp_path: Path) -> None:
    content = read_yaml(Path("states.yaml"))
    content["states"]["limbo"] = {"zh": "悬", "en": "Limbo", "means": "open"}
    path = tmp_path / "states.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with pytest.raises(SettingsError, match="limbo"):
        read_states(path)
