from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from enforcement.deadlines import Calendar, answers, deadline, overdue, read_calendar
from enforcement.states import read_states
from errors import SettingsError

WEEKENDS = read_calendar()
# Friday 2026-10-02 to Wednesday 2026-10-07 free, the Saturday after it worked
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
def test_holidays_do_not_count_and_worked_weekends_do(start: str, days: int, due: str) -> None:
    assert deadline(day(start), days, AUTUMN) == day(due)


@pytest.mark.parametrize("calendar", [WEEKENDS, AUTUMN])
def test_a_deadline_is_a_working_day_with_just_as_many_before_it(calendar: Calendar) -> None:
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
def test_an_alert_is_late_from_the_first_working_day_after_its_deadline(today: str, late: int) -> None:
    assert overdue(day("2026-11-27"), day(today), WEEKENDS) == late


def test_what_is_late_is_seen_one_level_above() -> None:
    table = read_states()
    assert answers("village", 0, table) == ("village",)
    assert answers("village", 1, table) == ("village", "township")
    assert answers("city", 5, table) == ("city",)


def test_a_negative_number_of_days_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        deadline(day("2026-11-25"), -1, WEEKENDS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("holidays: [2026-10-10]\nworking_days: [2026-10-10]", "both a holiday and a working day: 2026-10-10"),
        ("holidays: [{from: 2026-10-07, to: 2026-10-01}]", "expected 1 to 61 days"),
        ("weekend: [caturday]", "weekend"),
        ("weekend: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]", "weekend"),
        ("holydays: []", "holydays"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "calendar.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=told):
        read_calendar(path)


def test_the_file_is_read_as_it_tells_in_its_own_example(tmp_path: Path) -> None:
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
