from __future__ import annotations

import datetime as dt

import pytest

from enforcement.alert_number import alert_number, iso_week
from enforcement.settings import read_enforcement
from errors import SettingsError

DAY = dt.date(2026, 11, 25)


def test_number_contains_county_source_month_and_running_number() -> None:
    assert alert_number("130131", "drone", DAY, 7) == "130131U2026110007"


def test_code_of_a_village_is_truncated_to_its_county() -> None:
    assert alert_number("130131100201", "satellite", DAY, 1) == "130131W2026110001"


def test_code_of_a_city_is_padded() -> None:
    assert alert_number("1301", "camera", DAY, 1).startswith("130100C")


def test_the_ten_thousandth_alert_has_five_digits() -> None:
    assert alert_number("130131", "drone", DAY, 10_000) == "130131U20261110000"


@pytest.mark.parametrize(
    ("code", "source", "running"),
    [("", "drone", 1), ("13０131", "drone", 1), ("130131", "balloon", 1), ("130131", "drone", 0)],
)
def test_invalid_arguments_raise(code: str, source: str, running: int) -> None:
    with pytest.raises(SettingsError):
        alert_number(code, source, DAY, running)


def test_every_source_has_a_different_letter() -> None:
    letters = {name: source.letter for name, source in read_enforcement().sources.items()}
    assert set(letters) == {"satellite", "drone", "camera", "patrol", "hotline", "report"}
    assert len(set(letters.values())) == 6


@pytest.mark.parametrize(
    ("day", "week"), [("2026-11-25", "2026-W48"), ("2027-01-01", "2026-W53"), ("2024-12-30", "2025-W01")]
)
def test_weeks_are_those_of_iso_8601(day: str, week: str) -> None:
    assert iso_week(dt.date.fromisoformat(day)) == week
