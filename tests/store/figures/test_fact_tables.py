"""Fact tables from steps in columns equal those from the facts of each alert, now and on any past day."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import insert

from enforcement.figures.fact_table import NAMED, FactTable
from enforcement.hash_chain import GENESIS_HASH
from enforcement.states import read_states
from store.access.rights import Viewer
from store.alerts.transitions import append_transition
from store.figures.fact_tables import facts_under
from store.figures.read_facts import read_facts
from store.schema.chain.deadline_tables import DeadlineLogRow, SupervisionRow
from store.schema.database import Database, Session
from store.schema.tables import AlertRow, Transition
from tests.enforcement.figures.tables import fact_table
from tests.store.alerts.test_transitions import add_alert

ZONE = ZoneInfo("Asia/Shanghai")
BEGUN = dt.datetime(2026, 1, 5, 15, 30, tzinfo=dt.UTC)
VIEWER = Viewer("li", "李", "county", "", administrator=False, person_id=1)
GRIDS = ("130131001001", "130131001002", "130131002001", "130132001001")


def add_random_alerts(session: Session, count: int, rng: random.Random, grids: Sequence[str] = GRIDS) -> None:
    """Add alerts that went through random allowed states, some of them back by an undo."""
    table = read_states()
    for number in range(count):
        alert = add_alert(session, f"130131U202601{number:04d}")
        grid = rng.choice(grids)
        alert.grid_code, alert.township_code, alert.county_code = grid, grid[:9], grid[:6]
        alert.kind, alert.source = rng.choice(["construction", "ground"]), rng.choice(["drone", "satellite", "patrol"])
        alert.overlaps = [{"layer": "L", "kind": "cultivated", "share": rng.random(), "valid": True}]
        session.flush()
        at = BEGUN + dt.timedelta(hours=rng.random() * 1500)
        alert.created_at = at
        log: list[dict[str, object]] = []
        path = ["new"]
        for sequence in range(1, rng.randrange(2, 18)):
            evidence: dict[str, object] = {}
            if sequence > 1 and len(path) > 1 and rng.random() < 0.15:
                steps = rng.randrange(1, min(3, len(path)))
                evidence, path = {"undoes": sequence - steps}, path[:-steps]
                if any("undoes" in row["evidence"] for row in log[-steps:]):  # type: ignore[operator]
                    break
            elif sequence > 1:
                ways = [rule.to for rule in table.transitions if path[-1] in rule.from_states]
                likely = [way for way in ways if way not in ("merged", "split", "withdrawn", "suppressed", "transient")]
                path.append(rng.choice(likely or ways))
            day = at.astimezone(ZONE).date()
            if path[-1] == "correcting" and not evidence:
                evidence = {
                    "stop_notice": "停1",
                    "correct_by": (day + dt.timedelta(days=rng.randrange(-3, 30))).isoformat(),
                }
                evidence |= {"notice_on": day.isoformat()} if rng.random() < 0.5 else {}
            if path[-1] == "field_checked" and not evidence:
                notice = {"notice": True, "notice_on": day.isoformat(), "stopped": rng.choice(["stopped", "ignored"])}
                evidence = {"works": "built", "findings": notice if rng.random() < 0.5 else {"notice": False}}
            if sequence == 1:
                evidence = rng.choice([{"scan": 1}, {"tip": "X"}, {"patrol": "P"}, {"drawn": 1}])
            log.append(
                {
                    "alert_id": alert.id, "sequence": sequence, "at": at, "who": "li", "role": "county",
                    "from_state": "", "to_state": path[-1], "why": "", "evidence": evidence,
                    "previous_hash": GENESIS_HASH, "hash": GENESIS_HASH,
                }
            )  # fmt: skip
            at += dt.timedelta(hours=rng.expovariate(1 / 60))
        session.execute(insert(Transition), log)
        if rng.random() < 0.2:
            session.add(DeadlineLogRow(alert_id=alert.id, at=at, who="system", kind="went_on", detail={}))


def as_rows(table: FactTable) -> list[tuple[object, ...]]:
    """Return a table as comparable rows, by alert."""
    columns = [[table.names[name].names[number] for number in getattr(table, name)] for name in (*NAMED, "grid")] + [
        getattr(table, name).tolist()
        for name in vars(table)
        if name not in ("names", "states", "grid", "supervised", *NAMED)
    ]
    stays = [
        {name: (s.entered[i], s.left[i], s.due[i]) for name, s in sorted(table.states.items()) if s.entered[i]}
        for i in range(len(table))
    ]
    return sorted(zip(table.id.tolist(), *columns, stays, strict=True), key=lambda row: row[0])


def test_tables_of_any_day_equal_the_facts_of_each_alert(database: Database) -> None:
    with database.write() as session:
        add_random_alerts(session, 80, random.Random(5))
    with database.read() as session:
        assert as_rows(facts_under(session, VIEWER, "", None, ZONE)) == as_rows(
            fact_table(read_facts(session, "", zone=ZONE))
        )
        for days in (1, 20, 41, 80):
            day = BEGUN.date() + dt.timedelta(days=days)
            until = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), ZONE) - dt.timedelta(microseconds=1)
            expected = as_rows(fact_table(read_facts(session, "", until, zone=ZONE)))
            assert as_rows(facts_under(session, VIEWER, "", day, ZONE)) == expected
            assert expected


def test_a_step_changes_the_table_at_once_and_only_of_those_who_may_see_it(sqlite: Database) -> None:
    with sqlite.write() as session:
        add_random_alerts(session, 12, random.Random(1))
        alert = add_alert(session, "130199U2026010001")
        alert.grid_code = "130199001001"
        append_transition(session, alert, "new", who="system", role="system", why="", at=BEGUN)
        number = alert.id
    viewer = Viewer("wang", "王", "village", "130199001001", administrator=False, person_id=2)
    with sqlite.read() as session:
        before = facts_under(session, viewer, "", None, ZONE)
        assert before.id.tolist() == [number]
        assert len(facts_under(session, viewer, "130131", None, ZONE)) == 0
        assert not before.one_of("category", ["rejected"]).any()
    with sqlite.write() as session:
        row = session.get_one(AlertRow, number)
        append_transition(
            session, row, "false_change", who="li", role="county", why="", at=BEGUN, evidence={"reason": "塑料大棚"}
        )
        session.add(
            SupervisionRow(
                alert_id=number, listed_by="li", level="county", listed_at=BEGUN, listed_on=BEGUN.date(), duty_unit="u",
                requirements="r", due_on=BEGUN.date(), progress_due=BEGUN.date(), state="open",
            )
        )  # fmt: skip
    with sqlite.read() as session:
        everything = facts_under(session, VIEWER, "", None, ZONE)
        after = facts_under(session, viewer, "", None, ZONE)
        assert after.one_of("category", ["rejected"]).tolist() == [True]
        assert after.supervised.tolist() == [True]
        assert np.isin(after.id, everything.id).all()
