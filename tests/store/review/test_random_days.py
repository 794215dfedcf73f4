"""Random days: whatever people try, an open alert has a deadline and an owner, steps have evidence, areas balance."""

from __future__ import annotations

import datetime as dt
import random
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from enforcement.deadlines.state_deadlines import owner_of, read_deadline_rules
from enforcement.states import read_states
from errors import TubanError
from store.alerts.audit import audit_alerts
from store.alerts.transitions import append_transition
from store.evidence.evidence_files import Owner, ReceivedFile, add_file, new_uid, object_key
from store.review.decisions import judge, move
from store.schema.database import Database
from store.schema.tables import AlertRow, Transition
from tests.databases import embedded_database
from tests.store.review.review_setup import FINDINGS, USERS, ReviewSetup, later

STEPS = 70
AREAS = ("total_m2", "demolished_m2", "regularised_m2", "agreed")
ELSEWHERE = ("merged", "split", "withdrawn")
"""States that an alert enters by other actions."""

TABLE = read_states()


def evidence_of(rng: random.Random, state: str, target: str, uids: list[str], today: dt.date) -> dict[str, Any]:
    """Return evidence for a step: each entry is right, wrong or missing."""
    rule = TABLE.rule(state, target)
    needed = () if rule is None else (*rule.evidence, *(AREAS if rule.balanced else ()))
    total = rng.choice([1600.0, 900.0])
    demolished = rng.choice([total, total / 2, total + 1])
    right_and_wrong: dict[str, list[Any]] = {
        "photos": [uids, uids[:2], ["a.jpg"], []],
        "findings": [FINDINGS, {}, FINDINGS | {"cultivated_mu": 9.0}, FINDINGS | {"began_on": "2099-01-01"}],
        "works": ["built", "levelled", "don't know"],
        "reason": ["the roof is new", "x", ""],
        "basis": ["Article 74, survey of 1 December", "?", "不知道"],
        "stop_notice": ["自然资停〔2026〕12号", "none"],
        "correct_by": [str(today + dt.timedelta(days=20)), str(today - dt.timedelta(days=1)), "soon"],
        "later_image": [{"photos": uids[:1]}, {"image": "7"}],
        "case_number": ["立〔2026〕5号", "unknown"],
        "decision": ["demolish and restore", "-"],
        "approval": ["浙土字2026-1", ""],
        "total_m2": [total],
        "demolished_m2": [demolished],
        "regularised_m2": [total - demolished, 0.0],
        "agreed": [True, True, False],
    }
    return {
        name: values[0] if rng.random() < 0.85 else rng.choice(values)
        for name, values in right_and_wrong.items()
        if name in needed and rng.random() < 0.95
    }


def check(rows: list[Transition], alert: AlertRow) -> None:
    """Check the log and the row of an alert."""
    if alert.state in TABLE.open:
        assert alert.due_on is not None, f"{alert.state} has no deadline"
        assert owner_of(alert.state, TABLE, read_deadline_rules()) in ("village", "township", "county", "city")
    for former, row in pairwise(rows):
        rule = TABLE.rule(former.to_state, row.to_state)
        assert rule is not None
        assert row.role in rule.by
        missing = [name for name in rule.evidence if not row.evidence.get(name)]
        assert missing == [], f"{former.to_state} to {row.to_state} without {missing}"
        if rule.not_by:
            entered = [one.who for one in rows if one.sequence < row.sequence and one.to_state == rule.not_by]
            assert not entered or entered[-1] != row.who
        if rule.balanced:
            areas = row.evidence
            assert areas["total_m2"] == pytest.approx(areas["demolished_m2"] + areas["regularised_m2"])
            assert areas["agreed"] is True


@pytest.mark.parametrize("seed", range(6))
def test_random_days_of_six_people(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    database: Database = embedded_database(tmp_path / "tuban.db")
    review = ReviewSetup.create(database, tmp_path)
    number = review.add()
    uids = [[new_uid() for _ in range(3)] for _ in range(STEPS)]
    with database.write() as session:
        alert = session.scalars(select(AlertRow)).one()
        append_transition(session, alert, "new", who="system", role="system", why="scan", at=later())
        for uid in chain.from_iterable(uids):
            photo = ReceivedFile(uid, "photo", object_key(uid, "a" * 64, "jpg"), "a" * 64, 9, "image/jpeg", "a.jpg")
            add_file(session, photo, Owner(alert.id), who="wang", now=later())
    viewers = {login: review.viewer(login) for login in USERS}
    taken, minutes = 0, 1.0
    for photos in uids:
        minutes += rng.choice([5, 60, 1500])
        now, who = later(minutes), viewers[rng.choice(list(viewers))]
        state = review.alert().state
        likely = sorted(set(TABLE.allowed_targets(state, who.roles)) - set(ELSEWHERE))
        target = rng.choice(likely if likely and rng.random() < 0.9 else sorted(TABLE.states))
        given = evidence_of(rng, state, target, photos, now.date())
        try:
            with database.write() as session:
                alert = session.scalars(select(AlertRow).where(AlertRow.number == number)).one()
                if target == "false_change" and rng.random() < 0.5:
                    judge(
                        session, alert, who, "false", reason=given.get("reason", ""), settings=review.settings, now=now
                    )
                else:
                    move(session, alert, who, target, given, "random", settings=review.settings, now=now)
            taken += 1
        except TubanError:
            pass
        with database.read() as session:
            alert = session.scalars(select(AlertRow).where(AlertRow.number == number)).one()
            rows = list(
                session.scalars(select(Transition).where(Transition.alert_id == alert.id).order_by(Transition.sequence))
            )
        assert alert.state == rows[-1].to_state
        check(rows, alert)
    assert taken > 9
    assert [broken for broken in audit_alerts(database).listed if broken.sequence > 1] == []
    database.close()
