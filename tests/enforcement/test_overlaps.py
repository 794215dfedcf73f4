from __future__ import annotations

import datetime as dt

import pytest
from shapely.geometry import Polygon, box

from enforcement.overlap_ratio import area_m2
from enforcement.overlaps import KnownFeature, KnownLayer, approval_covers, legal_weight, overlaps_with
from enforcement.settings import read_enforcement

ALERT = box(116, 40, 116.001, 40.001)
DAY = dt.date(2026, 11, 25)
WEIGHTS = read_enforcement().legal_weight


def part(share: float, start: float = 0.0) -> Polygon:
    """That share of the alert, from west to east, and some ground north and south of it."""
    return box(116 + start * 0.001, 39.99, 116 + (start + share) * 0.001, 40.01)


def feature(
    outline: Polygon,
    kind: str = "approval",
    number: str = "",
    valid_from: dt.date | None = None,
    valid_to: dt.date | None = None,
) -> KnownFeature:
    return KnownFeature(f"layer of {kind}", kind, dt.date(2025, 12, 31), number, valid_from, valid_to, outline)


def test_an_overlap_tells_the_layer_its_date_and_how_much() -> None:
    (entry,) = overlaps_with(ALERT, [feature(part(0.25), "cultivated")], DAY)
    assert (entry["layer"], entry["kind"], entry["dated"]) == ("layer of cultivated", "cultivated", "2025-12-31")
    assert entry["share"] == 0.25
    assert entry["area_m2"] == pytest.approx(area_m2(ALERT) / 4, rel=1e-3)


def test_parcels_of_one_layer_are_told_together_and_doubles_once() -> None:
    (entry,) = overlaps_with(ALERT, [feature(part(0.5), "plan"), feature(part(0.5, 0.25), "plan")], DAY)
    assert entry["share"] == 0.75


def test_approvals_are_told_each_with_its_number() -> None:
    entries = overlaps_with(ALERT, [feature(part(0.5), number="2026-2"), feature(part(0.2, 0.7), number="2026-1")], DAY)
    assert [(e["number"], e["share"]) for e in entries] == [("2026-1", 0.2), ("2026-2", 0.5)]


def test_an_approval_that_has_run_out_is_told_as_not_valid() -> None:
    (entry,) = overlaps_with(ALERT, [feature(part(1), valid_to=DAY - dt.timedelta(1))], DAY)
    assert entry["valid"] is False


def test_what_only_touches_is_not_told() -> None:
    assert overlaps_with(ALERT, [feature(part(1, 1.0))], DAY) == []


def test_a_plan_that_was_asked_and_does_not_cover_is_told() -> None:
    plan = KnownLayer("plan of 2035", "plan", None)
    (entry,) = overlaps_with(ALERT, [], DAY, consulted=[plan])
    assert (entry["layer"], entry["share"], entry["dated"]) == ("plan of 2035", 0.0, None)


def test_approvals_that_cover_enough_together_suppress_and_are_named() -> None:
    approvals = [feature(part(0.5), number="A"), feature(part(0.4, 0.5), number="B")]
    reason = approval_covers(ALERT, approvals, DAY, 0.8)
    assert reason is not None
    assert all(word in reason for word in ("90%", "A (layer of approval)", "B (", "2026-11-25"))


def test_approvals_that_cover_too_little_do_not_suppress() -> None:
    assert approval_covers(ALERT, [feature(part(0.79))], DAY, 0.8) is None


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
def test_an_approval_counts_when_it_is_valid_on_the_day(
    valid_from: dt.date | None, valid_to: dt.date | None, covers: bool
) -> None:
    approval = feature(part(1), valid_from=valid_from, valid_to=valid_to)
    assert (approval_covers(ALERT, [approval], DAY, 0.8) is not None) == covers


def test_on_an_unknown_day_only_approvals_without_dates_count() -> None:
    assert approval_covers(ALERT, [feature(part(1))], None, 0.8) is not None
    assert approval_covers(ALERT, [feature(part(1), valid_from=dt.date(2000, 1, 1))], None, 0.8) is None


@pytest.mark.parametrize("kind", ["farm_facility", "plan", "cultivated"])
def test_only_approvals_suppress(kind: str) -> None:
    assert approval_covers(ALERT, [feature(part(1), kind)], DAY, 0.8) is None


def weight(*features: KnownFeature, consulted: tuple[KnownLayer, ...] = ()) -> int:
    return legal_weight(overlaps_with(ALERT, features, DAY, consulted), WEIGHTS)


def test_farmland_weighs_more_than_protected_areas_than_what_is_off_plan_than_the_rest() -> None:
    plan = KnownLayer("plan", "plan", None)
    weights = [
        weight(feature(part(1), "basic_farmland"), feature(part(1), "cultivated")),
        weight(feature(part(1), "cultivated"), feature(part(1), "protected")),
        weight(feature(part(1), "protected"), consulted=(plan,)),
        weight(consulted=(plan,)),
        weight(),
    ]
    assert weights == [50, 40, 30, 20, 10]


def test_an_alert_that_the_plan_covers_is_not_off_plan() -> None:
    assert weight(feature(part(0.6), "plan")) == 10
    assert weight(feature(part(0.4), "plan")) == 20


def test_a_sliver_of_farmland_does_not_weigh() -> None:
    assert weight(feature(part(0.005), "basic_farmland")) == 10


def test_a_small_share_of_a_large_alert_weighs_by_its_area() -> None:
    # 5 % of about 9,500 m² are more than 100 m²
    assert weight(feature(part(0.05), "basic_farmland")) == 50


def test_where_no_plan_is_loaded_nothing_is_off_plan() -> None:
    assert weight(feature(part(1), "farm_facility")) == 10
