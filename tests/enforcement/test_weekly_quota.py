from __future__ import annotations

import random

import pytest

from enforcement.weekly_quota import RankedAlert, rank_week


def test_order_is_legal_weight_then_score_then_area_then_age() -> None:
    alerts = [
        RankedAlert(5, 10, 0.9, 900),
        RankedAlert(4, 10, 0.9, 900),
        RankedAlert(3, 10, 0.9, 999),
        RankedAlert(2, 10, 0.95, 100),
        RankedAlert(1, 50, 0.5, 100),
    ]
    assert [alert_id for alert_id, _, _ in rank_week(alerts, 10)] == [1, 2, 3, 4, 5]


def test_alerts_over_the_quota_are_kept_and_marked() -> None:
    assert rank_week([RankedAlert(n, 0, 1 - n / 10, 100) for n in (1, 2, 3)], 2) == [
        (1, 1, False),
        (2, 2, False),
        (3, 3, True),
    ]


def test_alerts_already_within_the_quota_keep_their_place() -> None:
    alerts = [
        RankedAlert(1, 50, 0.9, 100),
        RankedAlert(2, 40, 0.9, 100),
        RankedAlert(3, 10, 0.9, 100, within_quota=True),
    ]
    assert rank_week(alerts, 2) == [(1, 1, False), (2, 2, True), (3, 3, False)]


def test_no_alerts_give_no_ranks() -> None:
    assert rank_week([], 30) == []


@pytest.mark.parametrize("seed", range(20))
def test_every_alert_is_ranked_once_and_the_quota_holds(seed: int) -> None:
    rng = random.Random(seed)
    alerts = [
        RankedAlert(n, rng.choice([10, 20, 50]), rng.choice([0.5, 0.9]), rng.choice([100, 200]), rng.random() < 0.2)
        for n in range(rng.randrange(40))
    ]
    quota = rng.randrange(30)
    ranked = rank_week(alerts, quota)
    assert sorted(alert_id for alert_id, _, _ in ranked) == [alert.id for alert in alerts]
    assert [rank for _, rank, _ in ranked] == list(range(1, len(alerts) + 1))
    within_quota = sum(alert.within_quota for alert in alerts)
    assert sum(not over for _, _, over in ranked) == max(within_quota, min(quota, len(alerts)))
    assert ranked == rank_week(rng.sample(alerts, len(alerts)), quota)
