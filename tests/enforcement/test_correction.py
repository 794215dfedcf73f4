from __future__ import annotations

import pytest

from enforcement.correction import Correction, correction_of, why_not_closed


def test_what_is_demolished_and_regularised_is_corrected() -> None:
    correction = Correction(1000, 600, 150)
    assert (correction.corrected_m2, correction.left_m2) == (750, 250)


def test_hundredths_of_a_square_metre_balance() -> None:
    assert Correction(0.3, 0.1, 0.2).left_m2 == 0


def test_a_balanced_correction_that_another_person_agrees_to_can_be_closed() -> None:
    assert why_not_closed(Correction(1000, 1000, 0), agreed=True, reviewer="li", checker="wang") is None


@pytest.mark.parametrize(
    ("correction", "agreed", "checker", "why"),
    [
        (Correction(1000, 600, 0), True, "wang", "400 m² of 1000 m² are not corrected"),
        (Correction(1000, 600, 500), True, "wang", "100 m² more"),
        (Correction(1000, 600, 400), False, "wang", "did not agree"),
        (Correction(1000, 600, 400), True, "li", "another person"),
    ],
)
def test_why_an_alert_is_not_closed(correction: Correction, agreed: bool, checker: str, why: str) -> None:
    reason = why_not_closed(correction, agreed=agreed, reviewer="li", checker=checker)
    assert reason is not None
    assert why in reason


def test_the_ground_is_cleared_when_all_was_demolished() -> None:
    assert Correction(10, 10, 0).cleared
    assert not Correction(10, 5, 5).cleared
    assert not Correction(10, 5, 0).cleared


@pytest.mark.parametrize("bad", [None, "12", True, -1, float("nan"), float("inf")])
def test_what_is_no_area_makes_no_balance(bad: object) -> None:
    assert correction_of({"total_m2": 10, "demolished_m2": 10, "regularised_m2": bad}) is None


def test_areas_in_evidence_make_a_balance() -> None:
    evidence = {"total_m2": 10, "demolished_m2": 7.5, "regularised_m2": 2.5, "agreed": True}
    assert correction_of(evidence) == Correction(10, 7.5, 2.5)
