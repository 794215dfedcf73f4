from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from enforcement.deadlines.working_days import Calendar, days_overdue, deadline, read_calendar, responsible_roles
from enforcement.states import read_states
from errors import SettingsError

WEEKENDS = read_calendar()
# Thursday 2026-10-01 to Wednesday 2026-10-07 and Monday 2026-10-12 are free, Saturday 2026-10-10 is worked
AUTUMN = Calendar.model_validate(
    {"holidays": [{"from": "2026-10-01", "to": "2026-10-07"}, "2026-10-12"], "working_days": ["2026-10-10"]}
)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-11-25", 1, "2026-11-26"),  # Wednesday
        ("2026-11-25", 3, "2026-11-30"),  # over a weekend
        ("2026-11-27", 1, "2026-11-30"),  # Friday
        ("2026-11-28", 1, "2026-11-30"),  # Saturday
        ("2026-11-25", 0, "2026-11-25"),
        ("2026-11-28", 0, "2026-11-30"),
        ("2026-11-25", 250, "2027-11-10"),  # 50 weeks
    ],
)
def test_weekends_do_not_count(start: str, days: int, due: str) -> None:
    assert deadline(day(start), days, WEEKENDS) == day(due)


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-09-30", 1, "2026-10-08"),
        ("2026-10-09", 1, "2026-10-10"),  # the worked Saturday
        ("2026-10-10", 1, "2026-10-13"),  # Monday is free
    ],
)
def test_holidays_do_not_count_and_make_up_working_days_do(start: str, days: int, due: str) -> None:
    assert deadline(day(start), days, AUTUMN) == day(due)


@pytest.mark.parametrize("calendar", [WEEKENDS, AUTUMN])
def test_deadline_is_a_working_day_after_the_given_number_of_working_days(calendar: Calendar) -> None:
    for shift in range(40):
        start = day("2026-09-20") + dt.timedelta(shift)
        for days in range(1, 12):
            due = deadline(start, days, calendar)
            between = [start + dt.timedelta(n) for n in range(1, (due - start).days + 1)]
            assert calendar.is_working(due)
            assert sum(map(calendar.is_working, between)) == days


@pytest.mark.parametrize(
    ("today", "late"),
    [("2026-11-26", 0), ("2026-11-27", 0), ("2026-11-28", 0), ("2026-11-29", 0), ("2026-11-30", 1), ("2026-12-01", 2)],
)
def test_alert_is_overdue_from_the_first_working_day_after_its_deadline(today: str, late: int) -> None:
    assert days_overdue(day("2026-11-27"), day(today), WEEKENDS) == late


def test_overdue_alert_is_also_seen_by_the_next_higher_level() -> None:
    table = read_states()
    assert responsible_roles("village", 0, table) == ("village",)
    assert responsible_roles("village", 1, table) == ("village", "township")
    assert responsible_roles("city", 5, table) == ("city",)


def test_negative_number_of_days_raises() -> None:
    with pytest.raises(ValueError, match="-1"):
        deadline(day("2026-11-25"), -1, WEEKENDS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("holidays: [2026-10-10]\nworking_days: [2026-10-10]", "both a holiday and a working day: 2026-10-10"),
        ("holidays: [{from: 2026-10-07, to: 2026-10-01}]", "expected 1 to 61 days"),
        ("weekend: [caturday]", "weekend"),
        ("weekend: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]", "weekend"),
        ("holydays: []", "holydays"),
    ],
)
def test_invalid_calendar_raises(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "calendar.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_calendar(path)


def test_example_in_the_comments_of_the_file_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "calendar.yaml"
    path.write_text(
        "weekend: [saturday, sunday]\n"
        "holidays:\n- {from: 2027-10-01, to: 2027-10-07, name: 国庆节}\n- 2027-01-01\n"
        "working_days:\n- 2027-10-09\n"
    )
    calendar = read_calendar(path)
    assert not calendar.is_working(day("2027-01-01"))
    assert not calendar.is_working(day("2027-10-04"))
    assert calendar.is_working(day("2027-10-09"))
