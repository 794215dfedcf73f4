from __future__ import annotations

import datetime as dt

import pytest

from errors import SettingsError
from store.search.alert_search import AlertFilter

FULL = AlertFilter(
    place="330106",
    kinds=("ground", "construction"),
    types=("solar_panels",),
    states=("new", "returned"),
    min_score=0.25,
    min_area_m2=200.0,
    max_area_m2=1000.5,
    since=dt.date(2026, 1, 2),
    until=dt.date(2026, 2, 3),
    created_since=dt.date(2026, 3, 4),
    created_until=dt.date(2026, 4, 5),
    overdue_on=dt.date(2026, 5, 6),
    sources_at_least=2,
    assignee="wang",
    over_cap=False,
    bbox=(119.5, 29.0, 120.25, 30.0),
    text="2026",
    sort="largest",
)


def test_a_filter_round_trips_through_a_url() -> None:
    assert AlertFilter.from_query(FULL.to_query()) == FULL
    assert AlertFilter.from_query({}) == AlertFilter()
    assert AlertFilter().to_query() == {}
    assert FULL.to_query()["bbox"] == "119.5,29,120.25,30"
    assert FULL.to_query()["over_cap"] == "0"


def test_repeated_parameters_make_a_list_and_empty_ones_are_ignored() -> None:
    parsed = AlertFilter.from_query({"kinds": ["ground", "construction"], "place": "", "states": "", "limit": "9"})
    assert parsed == AlertFilter(kinds=("ground", "construction"))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("place", "33010%", "administrative code"),
        ("kinds", "building", "construction, ground, demolition"),
        ("types", "barn", "solar_panels"),
        ("states", "new,old", "one or more of new"),
        ("min_score", "1.5", "from 0 to 1"),
        ("min_score", "nan", "from 0 to 1"),
        ("min_area_m2", "-1", "not below 0"),
        ("max_area_m2", "inf", "not below 0"),
        ("since", "2026-13-01", "a day like"),
        ("until", "0001-01-01", "between 1900 and 2200"),
        ("overdue_on", "yesterday", "a day like"),
        ("sources_at_least", "0", "from 1"),
        ("over_cap", "perhaps", "1 or 0"),
        ("bbox", "1,2,3", "west,south,east,north"),
        ("bbox", "120,30,119,31", "west before east"),
        ("bbox", "nan,30,119,31", "west before east"),
        ("text", "x" * 41, "at most 40"),
        ("sort", "best", "gravest, newest"),
    ],
)
def test_an_invalid_value_is_reported_with_its_name(name: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError) as refused:
        AlertFilter.from_query({name: value})
    assert str(refused.value).startswith(f"{name} is '{value}'; expected ")
    assert expected in str(refused.value)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(SettingsError, match="since is 2026-02-01; expected at most until"):
        AlertFilter.from_query({"since": "2026-02-01", "until": "2026-01-01"})
