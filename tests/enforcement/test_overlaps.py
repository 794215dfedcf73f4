from __future__ import annotations

import datetime as dt

import pytest
from shapely.geometry import Polygon, box

from enforcement.overlap_ratio import area_m2
from enforcement.overlaps import LandFeature, LandLayer, find_overlaps, legal_weight, suppressing_approvals
from enforcement.settings import read_enforcement

ALERT = box(116, 40, 116.001, 40.001)
DAY = dt.date(2026, 11, 25)
WEIGHTS = read_enforcement().legal_weight


def strip(share: float, start: float = 0.0) -> Polygon:
    """A strip that covers this share of the alert, from west to east, and extends beyond it to the north and south."""
    return box(116 + start * 0.001, 39.99, 116 + (start + share) * 0.001, 40.01)


def feature(
    outline: Polygon,
    kind: str = "approval",
    number: str = "",
    valid_from: dt.date | None = None,
    valid_to: dt.date | None = None,
) -> LandFeature:
    return LandFeature(f"layer of {kind}", kind, dt.date(2025, 12, 31), number, valid_from, valid_to, outline)


def test_overlap_contains_layer_date_share_and_area() -> None:
    (entry,) = find_overlaps(ALERT, [feature(strip(0.25), "cultivated")], DAY)
    assert (entry["layer"], entry["kind"], entry["dated"]) == ("layer of cultivated", "cultivated", "2025-12-31")
    assert entry["share"] == 0.25
    assert entry["area_m2"] == pytest.approx(area_m2(ALERT) / 4, rel=1e-3)


def test_overlapping_parcels_of_one_layer_are_merged() -> None:
    (entry,) = find_overlaps(ALERT, [feature(strip(0.5), "plan"), feature(strip(0.5, 0.25), "plan")], DAY)
    assert entry["share"] == 0.75


def test_approvals_are_listed_separately_with_their_numbers() -> None:
    entries = find_overlaps(
        ALERT, [feature(strip(0.5), number="2026-2"), feature(strip(0.2, 0.7), number="2026-1")], DAY
    )
    assert [(e["number"], e["share"]) for e in entries] == [("2026-1", 0.2), ("2026-2", 0.5)]


def test_expired_approval_is_marked_as_not_valid() -> None:
    (entry,) = find_overlaps(ALERT, [feature(strip(1), valid_to=DAY - dt.timedelta(1))], DAY)
    assert entry["valid"] is False


def test_touching_polygons_do_not_overlap() -> None:
    assert find_overlaps(ALERT, [feature(strip(1, 1.0))], DAY) == []


def test_searched_layer_without_overlap_is_listed_with_share_0() -> None:
    plan = LandLayer("plan of 2035", "plan", None)
    (entry,) = find_overlaps(ALERT, [], DAY, layers=[plan])
    assert (entry["layer"], entry["share"], entry["dated"]) == ("plan of 2035", 0.0, None)


def test_approvals_that_together_cover_enough_suppress_and_are_named() -> None:
    approvals = [feature(strip(0.5), number="A"), feature(strip(0.4, 0.5), number="B")]
    reason = suppressing_approvals(ALERT, approvals, DAY, 0.8)
    assert reason is not None
    assert all(word in reason for word in ("90%", "A (layer of approval)", "B (", "2026-11-25"))


def test_approvals_that_cover_too_little_do_not_suppress() -> None:
    assert suppressing_approvals(ALERT, [feature(strip(0.79))], DAY, 0.8) is None


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "covers"),
    [
        (None, None, True),
        (DAY, DAY, True),
        (DAY + dt.timedelta(1), None, False),
        (None, DAY - dt.timedelta(1), False),
        (dt.date(2026, 1, 1), dt.date(2026, 12, 31), True),
    ],
)
def test_approval_counts_if_valid_on_the_day(
    valid_from: dt.date | None, valid_to: dt.date | None, covers: bool
) -> None:
    approval = feature(strip(1), valid_from=valid_from, valid_to=valid_to)
    assert (suppressing_approvals(ALERT, [approval], DAY, 0.8) is not None) == covers


def test_approvals_with_dates_do_not_count_on_an_unknown_day() -> None:
    assert suppressing_approvals(ALERT, [feature(strip(1))], None, 0.8) is not None
    assert suppressing_approvals(ALERT, [feature(strip(1), valid_from=dt.date(2000, 1, 1))], None, 0.8) is None


@pytest.mark.parametrize("kind", ["farm_facility", "plan", "cultivated"])
def test_only_approvals_suppress(kind: str) -> None:
    assert suppressing_approvals(ALERT, [feature(strip(1), kind)], DAY, 0.8) is None


def weight(*features: LandFeature, layers: tuple[LandLayer, ...] = ()) -> int:
    return legal_weight(find_overlaps(ALERT, features, DAY, layers), WEIGHTS)


def test_legal_weights_are_ordered_by_kind_of_land() -> None:
    plan = LandLayer("plan", "plan", None)
    weights = [
        weight(feature(strip(1), "basic_farmland"), feature(strip(1), "cultivated")),
        weight(feature(strip(1), "cultivated"), feature(strip(1), "protected")),
        weight(feature(strip(1), "protected"), layers=(plan,)),
        weight(layers=(plan,)),
        weight(),
    ]
    assert weights == [50, 40, 30, 20, 10]


def test_alert_covered_by_the_plan_is_not_off_plan() -> None:
    assert weight(feature(strip(0.6), "plan")) == 10
    assert weight(feature(strip(0.4), "plan")) == 20


def test_sliver_of_farmland_does_not_count() -> None:
    assert weight(feature(strip(0.005), "basic_farmland")) == 10


def test_little_farmland_does_not_outrank_much() -> None:
    # one or five per cent of about 9,500 m² on basic farmland, against most of it on cultivated land
    slight = [weight(feature(strip(share), "basic_farmland")) for share in (0.011, 0.05)]
    partly, mostly = (weight(feature(strip(share), "cultivated")) for share in (0.15, 0.8))
    assert 10 < slight[0] < slight[1] < partly < mostly
    assert partly > weight(layers=(LandLayer("plan", "plan", None),))  # off the plan, not on farmland


def test_farmland_of_five_mu_counts_in_full_whatever_its_share() -> None:
    assert weight(feature(strip(0.4), "basic_farmland")) == 50  # 3,800 m²


def test_no_alert_is_off_plan_without_a_plan() -> None:
    assert weight(feature(strip(1), "farm_facility")) == 10
