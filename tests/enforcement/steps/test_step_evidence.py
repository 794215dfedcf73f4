"""Values of evidence are plausible, later images speak about a correction, and corrected outlines stay."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from shapely.geometry import box

from enforcement.overlap_ratio import area_m2
from enforcement.steps.correction_watch import SeenArea, watch_correction
from enforcement.steps.evidence_form import EvidenceLimits, EvidenceRejected, check_values
from enforcement.steps.evidence_words import evidence_in_words, latest_evidence
from enforcement.steps.outline_correction import corrected_outline

TODAY = dt.date(2026, 11, 24)
LIMITS = EvidenceLimits(TODAY, area_m2=1600.0)


@pytest.mark.parametrize(
    "evidence",
    [
        {"basis": "不知道"},
        {"basis": "don't know"},
        {"basis": "......"},
        {"basis": "无 "},
        {"basis": "abc"},
        {"basis": 5},
        {"basis": "x" * 1600},
        {"stop_notice": "待补"},
        {"stop_notice": "责停〔〕号"},
        {"correct_by": "2026-11-23"},
        {"correct_by": "2026-02-30"},
        {"correct_by": "24.12.2026"},
        {"correct_by": "2027-12-24"},
        {"notice_on": "2026-11-25"},
        {"works": "perhaps"},
        {"total_m2": -1},
        {"total_m2": float("nan")},
        {"total_m2": "1600"},
        {"total_m2": 16_001},
        {"total_m2": 1600, "demolished_m2": 1000, "regularised_m2": 601},
        {"total_m2": 1600, "demolished_m2": 1601},
        {"photos": ["a"] * 21},
    ],
)
def test_implausible_values_are_refused_with_their_field(evidence: dict[str, Any]) -> None:
    with pytest.raises(EvidenceRejected) as caught:
        check_values(evidence, LIMITS)
    assert caught.value.reason.code


def test_all_faults_are_named_at_once_and_empty_values_left_out() -> None:
    with pytest.raises(EvidenceRejected, match=r"Number of the notice: .*; Correction by: "):
        check_values({"stop_notice": "无", "correct_by": "2020-01-01"}, LIMITS)
    kept = {
        "basis": " 未取得用地批准 ",
        "works": "partly built",
        "total_m2": 1600,
        "demolished_m2": 1600,
        "agreed": False,
    }
    assert check_values(kept | {"decision": "  ", "photos": []}, LIMITS) == {
        "basis": "未取得用地批准",
        "works": "partly_built",
        "total_m2": 1600,
        "demolished_m2": 1600,
        "agreed": False,
    }


def test_evidence_reads_as_labels_and_values() -> None:
    file = {"file": "u", "sha256": "0" * 64, "name": "a.jpg", "type": "image/jpeg", "size": 5}
    evidence = {"photos": [file], "works": "built", "total_m2": 2000, "verdict": "true", "place": {}, "remark": "x"}
    words = [(entry.label, entry.words, len(entry.files)) for entry in evidence_in_words(evidence, "zh")]
    assert words == [
        ("现场照片", "", 1),
        ("建设现状", "全部建成", 0),
        ("应整改面积（m²）", "2,000.00 m² (3.00 亩)", 0),
        ("remark", "x", 0),
    ]
    assert latest_evidence([evidence, {"works": "removed", "undoes": 1}])["works"] == "removed"


def test_later_images_say_restored_or_that_works_went_on() -> None:
    since = dt.date(2026, 12, 1)
    seen = [SeenArea(dt.date(2026, 11, 20), 1000, False), SeenArea(since, 1000, False)]
    for day, area, gone in ((5, 1050, False), (9, 1300, False), (15, 500, False), (20, 0, True)):
        seen.append(SeenArea(dt.date(2026, 12, day), area, gone))
    assert [found.finding for found in watch_correction(seen, since)] == ["stands", "went_on", "shrunk", "restored"]
    assert watch_correction(seen[2:], since) == []  # nothing is known of the time before the notice


def test_a_corrected_outline_takes_up_growth_but_nothing_that_was_rejected() -> None:
    def metres(west: float, south: float, east: float, north: float) -> Any:
        return box(120 + west / 96_000, 30 + south / 111_000, 120 + east / 96_000, 30 + north / 111_000)

    detected, corrected = metres(0, 0, 40, 40), metres(0, 0, 20, 40)
    assert corrected_outline(detected, detected, corrected) is corrected
    grown = corrected_outline(metres(0, 0, 60, 40), detected, corrected)
    assert area_m2(grown) == pytest.approx(2 * area_m2(corrected), rel=0.03)
