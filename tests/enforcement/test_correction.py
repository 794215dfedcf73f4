from __future__ import annotations

import pytest

from enforcement.correction import Correction, closing_obstacle, parse_correction


def test_corrected_area_is_demolished_plus_regularised() -> None:
    correction = Correction(1000, 600, 150)
    assert (correction.corrected_m2, correction.remaining_m2) == (750, 250)


def test_remaining_area_is_rounded_to_hundredths() -> None:
    assert Correction(0.3, 0.1, 0.2).remaining_m2 == 0


def test_balanced_correction_with_agreement_of_another_person_can_be_closed() -> None:
    assert closing_obstacle(Correction(1000, 1000, 0), agreed=True, reviewer="li", checker="wang") is None


@pytest.mark.parametrize(
    ("correction", "agreed", "checker", "message"),
    [
        (Correction(1000, 600, 0), True, "wang", "400 m² of 1000 m² are not corrected"),
        (Correction(1000, 600, 500), True, "wang", "exceed the total of 1000 m² by 100 m²"),
        (Correction(1000, 600, 400), False, "wang", "did not agree"),
        (Correction(1000, 600, 400), True, "li", "another person"),
    ],
)
def test_closing_obstacle_is_named(correction: Correction, agreed: bool, checker: str, message: str) -> None:
    reason = closing_obstacle(correction, agreed=agreed, reviewer="li", checker=checker)
    assert reason is not None
    assert message in reason


def test_cleared_means_everything_was_demolished() -> None:
    assert Correction(10, 10, 0).cleared
    assert not Correction(10, 5, 5).cleared
    assert not Correction(10, 5, 0).cleared


@pytest.mark.parametrize("bad", [None, "12", True, -1, float("nan"), float("inf")])
def test_invalid_area_gives_no_correction(bad: object) -> None:
    assert parse_correction({"total_m2": 10, "demolished_m2": 10, "regularised_m2": bad}) is None


def test_areas_in_evidence_are_parsed() -> None:
    evidence = {"total_m2": 10, "demolished_m2": 7.5, "regularised_m2": 2.5, "agreed": True}
    assert parse_correction(evidence) == Correction(10, 7.5, 2.5)
