"""Long texts are split by bytes without losing a character; quiet hours end at their local time."""

from __future__ import annotations

import datetime as dt
import random
from zoneinfo import ZoneInfo

import pytest

from configs.texts import catalogue
from enforcement.messages.message_kinds import read_message_kinds, split_by_bytes
from enforcement.messages.quiet_hours import quiet_until
from enforcement.states import read_states

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize("limit", [60, 200, 2048])
def test_parts_fit_and_together_are_the_text(limit: int) -> None:
    rng = random.Random(limit)
    letters = "图斑逾期，请办理𠮷é1 "
    for _ in range(60):
        lines = ["".join(rng.choices(letters, k=rng.randrange(90))) for _ in range(rng.randrange(1, 40))]
        text = "\n".join(lines)
        parts = split_by_bytes(text, limit)
        assert all(len(part.encode()) <= limit for part in parts)
        bodies = parts if len(parts) == 1 else [part.split("\n", 1)[1] for part in parts]
        assert "".join(bodies).replace("\n", "") == text.replace("\n", "")
        if len(parts) > 1:
            assert [part.split("\n", 1)[0] for part in parts] == [
                f"({number}/{len(parts)})" for number in range(1, len(parts) + 1)
            ]


def test_a_text_at_the_limit_is_one_part() -> None:
    assert split_by_bytes("图" * 20, 60) == ["图" * 20]
    assert len(split_by_bytes("图" * 20 + "a", 60)) == 2


@pytest.mark.parametrize(
    ("local", "until"),
    [
        ("21:59", None),
        ("22:00", "2026-11-25T07:00"),
        ("23:59", "2026-11-25T07:00"),
        ("00:00", "2026-11-24T07:00"),
        ("06:59", "2026-11-24T07:00"),
        ("07:00", None),
    ],
)
def test_quiet_hours_over_midnight(local: str, until: str | None) -> None:
    now = dt.datetime.combine(dt.date(2026, 11, 24), dt.time.fromisoformat(local), tzinfo=SHANGHAI)
    expected = dt.datetime.fromisoformat(until).replace(tzinfo=SHANGHAI) if until else None
    assert quiet_until(now, "22:00", "07:00", SHANGHAI) == expected


def test_no_quiet_hours() -> None:
    now = dt.datetime(2026, 11, 24, 3, tzinfo=dt.UTC)
    assert quiet_until(now, "", "", SHANGHAI) is None
    assert quiet_until(now, "08:00", "08:00", SHANGHAI) is None
    assert quiet_until(now, "10:00", "12:00", SHANGHAI) == dt.datetime(2026, 11, 24, 4, tzinfo=dt.UTC)


def test_every_kind_has_a_text_and_a_name_and_every_step_a_state() -> None:
    kinds = read_message_kinds()
    assert {f"message.{name}" for name in kinds.kinds} | {f"message.name_{name}" for name in kinds.kinds} <= set(
        catalogue()
    )
    assert kinds.steps.keys() <= read_states().states.keys()
    assert {"returned", "overdue"} & set(kinds.mutable) == set()
