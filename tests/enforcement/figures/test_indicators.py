"""Indicators are numerators over denominators; of nothing there is no value, and parts sum to the whole."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from enforcement.chain_settings import ChainValues
from enforcement.figures.conditions import Moment, condition_fault
from enforcement.figures.dashboard import PeriodFacts, make_dashboard
from enforcement.figures.indicators import (
    NOTHING,
    Figures,
    Indicator,
    Share,
    count,
    mask_of,
    points,
    read_figures,
    share,
    shares_by,
)
from enforcement.figures.patrol_weeks import share_of, village_weeks, weeks_due
from enforcement.figures.period import parse_period
from enforcement.figures.ranking import rank_areas
from enforcement.settings import read_settings
from errors import SettingsError
from tests.enforcement.figures.alert_logs import TO_CLOSED, TO_REPORT, TO_UNLAWFUL, facts
from tests.enforcement.figures.tables import fact_table

FIGURES = read_figures()
MARCH = Moment(parse_period("2026-03"), dt.date(2026, 4, 2))
APRIL = Moment(parse_period("2026-04"), dt.date(2026, 5, 2))
A, B = "330106005201", "330106006201"
TABLE = fact_table(
    [
        facts(*TO_CLOSED, number=1),
        facts(*TO_UNLAWFUL, number=2, source="satellite"),
        facts(*TO_UNLAWFUL, "correcting", number=3, grid_code=B),
        facts("new", "false_change", number=4, grid_code=B, kind="ground"),
        facts(*TO_REPORT[:4], number=5, grid_code=B),
        facts("new", "merged", number=6),
        facts("new", number=7, begun=dt.date(2026, 4, 1)),
    ]
)


def indicator(name: str) -> Indicator:
    return FIGURES.indicators[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("discovery", Share(2, 3)),
        ("reported", Share(3, 4)),
        ("reported_in_time", Share(3, 4)),
        ("stopped", Share(2, 3)),
        ("handled", Share(1, 3)),
        ("corrected", NOTHING),  # due on the tenth of April
        ("signed_off", Share(1, 4)),
        ("overdue", Share(2, 3)),
        ("farmland", Share(1.35, 1.35)),
        ("false_alerts", Share(1, 4)),
    ],
)
def test_an_indicator_counts_the_alerts_of_its_definition(name: str, expected: Share) -> None:
    march = TABLE.chosen(TABLE.found_on < dt.date(2026, 4, 1).toordinal())
    found = share(march, indicator(name), MARCH)
    assert found == expected
    counted, of = (set(march.id[mask_of(march, indicator(name), part, MARCH)]) for part in ("counted", "of"))
    assert counted <= of  # a numerator is a part of its denominator
    if indicator(name).measure == "alerts":
        assert (len(counted), len(of)) == (found.numerator, found.denominator)


def test_of_nothing_there_is_no_value() -> None:
    assert NOTHING.value is None
    assert points(indicator("corrected"), None) is None
    assert share(TABLE, indicator("corrected"), APRIL) == Share(1, 2)
    assert share(TABLE.chosen(np.zeros(len(TABLE), np.bool_)), indicator("discovery"), MARCH) == NOTHING


def test_what_is_due_today_is_not_counted_before_tomorrow() -> None:
    due = dt.date(2026, 4, 10)
    period = parse_period("2026-04")
    assert share(TABLE, indicator("corrected"), Moment(period, due)) == NOTHING
    assert share(TABLE, indicator("corrected"), Moment(period, due + dt.timedelta(days=1))) == Share(1, 2)


def test_areas_sum_to_the_whole() -> None:
    groups, codes = TABLE.area_numbers(9)
    for one in FIGURES.indicators.values():
        if one.measure != "patrols":
            parts = shares_by(TABLE, one, MARCH, groups, len(codes))
            whole = share(TABLE, one, MARCH)
            assert sum(part.numerator for part in parts) == pytest.approx(whole.numerator)
            assert sum(part.denominator for part in parts) == pytest.approx(whole.denominator)


def test_the_funnel_never_widens_and_totals_count_open_alerts() -> None:
    numbers = [count(TABLE, one, MARCH) for one in FIGURES.funnel.values()]
    assert numbers == sorted(numbers, reverse=True)
    assert count(TABLE, FIGURES.totals["open"], MARCH) == 4


def test_points_reach_the_weight_at_the_target_and_fall_beyond_a_limit() -> None:
    assert [points(indicator("discovery"), value) for value in (0.0, 0.475, 0.95, 1.0)] == [0.0, 0.5, 1.0, 1.0]
    found = [points(indicator("overdue"), value) for value in (0.0, 0.05, 0.525, 1.0)]
    assert found == pytest.approx([1.0, 1.0, 0.5, 0.0])


def test_weeks_of_villages_are_due_when_they_have_ended() -> None:
    moment = Moment(parse_period("2026-03"), dt.date(2026, 3, 18))
    assert [week.name for week in weeks_due(moment)] == ["2026-W09", "2026-W10", "2026-W11"]
    monday = dt.date(2026, 3, 2)
    weeks = village_weeks([A, B], [(A, monday), (A, monday), (B, monday + dt.timedelta(days=7))], moment, 2)
    assert share_of(weeks) == Share(1, 6)
    assert share_of(weeks, A) == Share(1, 3)


def test_areas_are_ranked_by_what_could_be_counted_and_equal_scores_share_a_rank() -> None:
    areas = [(A[:9], "甲镇"), (B[:9], "乙镇"), ("330106007", "丙镇"), ("330106008", "丁镇")]
    patrols = {"330106007": Share(1, 1)}
    ranking = rank_areas(
        TABLE,
        FIGURES,
        APRIL,
        areas,
        "township",
        lambda code: patrols.get(code, NOTHING),
        ChainValues({"figures.interview_least": 1}),
    )
    by_name = {row.name: row for row in ranking.areas}
    assert ranking.areas[0].name == "丙镇"
    assert (by_name["丙镇"].rank, by_name["丙镇"].score) == (1, 100.0)
    assert (by_name["丁镇"].rank, by_name["丁镇"].score) == (None, None)
    assert by_name["乙镇"].shares["corrected"] == Share(0, 1)
    assert by_name["乙镇"].points["corrected"] == 0.0
    march = rank_areas(
        TABLE, FIGURES, MARCH, areas, "township", lambda code: NOTHING, ChainValues({"figures.interview_least": 1})
    )
    reasons = {row.name: [reason.rule for reason in row.interview] for row in march.areas}
    assert reasons["甲镇"][:2] == ["most_confirmed", "most_area"]
    assert reasons["丙镇"] == []
    assert {row.name: (row.found, row.confirmed, row.confirmed_mu) for row in march.areas}["甲镇"] == (2, 2, 1.2)


def test_the_dashboard_compares_with_the_period_before() -> None:
    before = Moment(parse_period("2026-02"), MARCH.today)
    nothing = TABLE.chosen(np.zeros(len(TABLE), np.bool_))
    made = make_dashboard(
        PeriodFacts(MARCH, TABLE, NOTHING),
        PeriodFacts(before, nothing, NOTHING),
        PeriodFacts(before, nothing, NOTHING),
        FIGURES,
    )
    found = next(total for total in made.totals if total.name == "found")
    assert (found.value, found.before) == (5, 0)
    assert made.trend.kind == "week"
    assert sum(made.trend.series["found"]) == 6
    assert [(part.key, part.share) for part in made.false_by_kind] == [
        ("construction", Share(0, 3)),
        ("ground", Share(1, 1)),
    ]


def test_a_settings_file_with_an_unknown_condition_is_refused(tmp_path: Path) -> None:
    assert condition_fault("wrong") is not None
    assert condition_fault({"due": ["nowhere"]}) is not None
    assert condition_fault({"due": ["accepted"]}) is None
    path = tmp_path / "indicators.yaml"
    path.write_text("totals: {x: {zh: 一, en: X, of: [wrong]}}\n", "utf-8")
    with pytest.raises(SettingsError, match="wrong"):
        read_settings(path, Figures)
