from __future__ import annotations

import random

import pytest

from enforcement.weekly_quota import Ranked, rank_week


def test_the_graver_goes_before_the_surer_before_the_larger_before_the_older() -> None:
    alerts = [
        Ranked(5, 10, 0.9, 900),
        Ranked(4, 10, 0.9, 900),
        Ranked(3, 10, 0.9, 999),
        Ranked(2, 10, 0.95, 100),
        Ranked(1, 50, 0.5, 100),
    ]
    assert [alert_id for alert_id, _, _ in rank_week(alerts, 10)] == [1, 2, 3, 4, 5]


def test_what_exceeds_the_cap_is_kept_and_marked() -> None:
    assert rank_week([Ranked(n, 0, 1 - n / 10, 100) for n in (1, 2, 3)], 2) == [
        (1, 1, False),
        (2, 2, False),
        (3, 3, True),
    ]


def test_what_a_village_has_already_is_not_taken_back_and_takes_its_place() -> None:
    alerts = [Ranked(1, 50, 0.9, 100), Ranked(2, 40, 0.9, 100), Ranked(3, 10, 0.9, 100, given=True)]
    assert rank_week(alerts, 2) == [(1, 1, False), (2, 2, True), (3, 3, False)]


def test_no_alerts_no_ranks() -> None:
    assert rank_week([], 30) == []


@pytest.mark.parametrize("seed", range(20))
def test_every_alert_is_ranked_once_and_the_cap_holds(seed: int) -> None:
    rng = random.Random(seed)
    alerts = [
        Ranked(n, rng.choice([10, 20, 50]), rng.choice([0.5, 0.9]), rng.choice([100, 200]), rng.random() < 0.2)
        for n in range(rng.randrange(40))
    ]
    cap = rng.randrange(30)
    ranked = rank_week(alerts, cap)
    assert sorted(alert_id for alert_id, _, _ in ranked) == [alert.id for alert in alerts]
    assert [rank for _, rank, _ in ranked] == list(range(1, len(alerts) + 1))
    given = sum(alert.given for alert in alerts)
    assert sum(not over for _, _, over in ranked) == max(given, min(cap, len(alerts)))
    assert ranked == rank_week(rng.sample(alerts, len(alerts)), cap)
