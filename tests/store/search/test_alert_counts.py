"""Counts from in-memory columns agree with the database, and include every commit of any process."""

from __future__ import annotations

import datetime as dt
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from zoneinfo import ZoneInfo

import pytest
from shapely.geometry import box
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from store.access.rights import Viewer
from store.figures.fact_tables import facts_under
from store.schema.database import Database
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow
from store.search import alert_conditions, alert_counts
from store.search.alert_columns import all_alerts
from store.search.alert_search import (
    SORTS,
    AlertFilter,
    alerts_on_map,
    count_alerts,
    facets,
    neighbours,
    search_alerts,
)
from tests.store.search.test_alert_search import ALL, EVERYWHERE, NOW, TODAY, add, alert, viewer

CODES = ("", "330106", "330106005", "330106005201", "330106005202", "330106006001", "33010700", "330107")
MANY = 60
FILTERS = (
    AlertFilter(),
    AlertFilter(place="330106005"),
    AlertFilter(place="33010700"),
    AlertFilter(kinds=("ground", "demolition"), states=("new",)),
    AlertFilter(types=("solar_panels",)),
    AlertFilter(min_score=0.5, min_area_m2=300, max_area_m2=600),
    AlertFilter(since=TODAY - dt.timedelta(days=6), until=TODAY - dt.timedelta(days=2)),
    AlertFilter(until=TODAY),
    AlertFilter(created_since=TODAY, created_until=TODAY),
    AlertFilter(created_until=TODAY - dt.timedelta(days=1)),
    AlertFilter(overdue_on=TODAY),
    AlertFilter(sources_at_least=2, assignee="wang"),
    AlertFilter(over_cap=True),
    AlertFilter(over_cap=False, bbox=(120.0, 30.0, 120.2, 30.1)),
    AlertFilter(text="r1"),
    AlertFilter(text="_"),
    AlertFilter(site="any"),
    AlertFilter(site="R1"),
)


@pytest.fixture
def several(database: Database) -> Database:
    """Alerts of all kinds, many of them equal in their sort columns."""
    chance = random.Random(3)

    def day() -> dt.date | None:
        return chance.choice((None, TODAY - dt.timedelta(days=chance.randrange(9))))

    rows = [
        alert(
            f"R{number}",
            kind=chance.choice(("construction", "ground", "demolition")),
            change_type=chance.choice(("", "solar_panels")),
            state=chance.choice(("new", "new", "published", "closed")),
            score=chance.choice((0.4, 0.5, 0.9)),
            area_m2=chance.choice((200.0, 300.0, 650.5)),
            grid_code=chance.choice(CODES),
            legal_weight=chance.randrange(3),
            sources_seen=chance.randrange(1, 4),
            over_cap=chance.random() < 0.3,
            due_on=day(),
            last_date=day(),
            assignee=chance.choice(("", "wang")),
            site=("", "R1", "R2")[number % 3],
            created_at=NOW - dt.timedelta(hours=chance.randrange(60)),
            at=(120 + chance.random() / 2, 30 + chance.random() / 2),
        )
        for number in range(MANY)
    ]
    add(database, *rows)
    return database


def test_each_filter_selects_the_same_alerts_in_sql_and_in_memory(several: Database) -> None:
    given = {name: getattr(one, name) for one in FILTERS for name in one.comparisons()} | {"text": "r1"}
    assert set(given) == set(alert_conditions.FILTERS) == {f.name for f in fields(AlertFilter)} - {"sort", "zone"}
    with several.read() as session:
        for name, value in given.items():
            alone = AlertFilter(**{name: value})
            in_sql = set(session.scalars(select(AlertRow.id).where(*alone.conditions(session))))
            columns = all_alerts(session)
            assert set(columns.id[alert_counts.filter_mask(columns, alone)].tolist()) == in_sql, name
            assert 0 < len(in_sql) < MANY, name


def listed(session: Session, who: Viewer, filter_: AlertFilter) -> list[str]:
    """Return the numbers in the list's order, as sorted by the database."""
    return [row.number for row in search_alerts(session, who, filter_, limit=MANY).rows]


def test_counts_are_those_of_the_list(several: Database) -> None:
    sizes = set()
    with several.read() as session:
        for filter_ in FILTERS:
            for code in ("", "330106", "330106005201", "33010"):
                who = viewer(code)
                rows = search_alerts(session, who, filter_, limit=MANY).rows
                sizes.add(len(rows))
                assert count_alerts(session, who, filter_) == len(rows), (filter_, code)
                drawn = alerts_on_map(session, who, filter_, EVERYWHERE, 9)
                assert sum(mark.count for mark in drawn) == len(rows), (filter_, code)
                counts = facets(session, who, filter_)
                if not filter_.states and not filter_.kinds:
                    assert counts.states == Counter(row.state for row in rows)
                    assert counts.kinds == Counter(row.kind for row in rows)
    assert len(sizes) > 8  # the filters select different alerts


@pytest.mark.parametrize("sort", SORTS)
def test_neighbours_are_those_of_the_filtered_list(several: Database, sort: str) -> None:
    with several.read() as session:
        complete = listed(session, ALL, AlertFilter(sort=sort))  # type: ignore[arg-type]
        filter_ = AlertFilter(states=("new",), sort=sort)  # type: ignore[arg-type]
        shown = listed(session, ALL, filter_)
        assert 0 < len(shown) < len(complete)
        for number in complete:
            place = complete.index(number)
            before = [one for one in complete[:place] if one in shown]
            after = [one for one in complete[place + 1 :] if one in shown]
            position = len(before) + 1 if number in shown else None
            expected = (before[-1] if before else None, after[0] if after else None, position, len(shown))
            assert neighbours(session, ALL, filter_, number) == expected


@pytest.fixture
def other(several: Database) -> Iterator[Database]:
    """The same database in another process, whose columns are loaded already."""
    other = Database(several.url)
    assert new_ones(other) == new_ones(several)
    yield other
    other.close()


def new_ones(database: Database, code: str = "") -> int:
    with database.read() as session:
        return facets(session, viewer(code), AlertFilter()).states.get("new", 0)


def change(session: Session, number: str, **given: object) -> None:
    alert = session.scalars(select(AlertRow).where(AlertRow.number == number)).one()
    for name, value in given.items():
        setattr(alert, name, value)


def test_the_next_count_of_another_process_includes_a_commit(several: Database, other: Database) -> None:
    for state in ("new", "false_change", "new"):
        with several.write() as session:
            change(session, "R5", state=state)
        with several.read() as session:
            listed_new = len(listed(session, ALL, AlertFilter(states=("new",))))
        assert new_ones(other) == new_ones(several) == listed_new


def test_an_alert_that_changes_its_area_is_counted_once(several: Database, other: Database) -> None:
    for code in ("330199001", "330199002"):
        with other.write() as session:
            change(session, "R7", grid_code=code, state="new")
        assert new_ones(several, code) == 1
    assert new_ones(several, "330199001") == 0
    with several.read() as session:
        assert len(all_alerts(session).id) == MANY


def test_alerts_inserted_by_a_statement_are_counted(several: Database, other: Database) -> None:
    with several.write() as session:
        session.execute(insert(AlertRow).values(**alert("R900", grid_code="330108")))
    assert new_ones(other, "330108") == 1
    with other.write() as session:
        session.add(AlertRow(**alert("R901", grid_code="330108") | bounds_of(box(120, 30, 121, 31))))
    assert new_ones(several, "330108") == new_ones(other, "330108") == 2


def test_uncommitted_alerts_are_counted_only_by_their_own_transaction(several: Database, other: Database) -> None:
    before = new_ones(several)

    def fail() -> None:
        with several.write() as session:
            session.add(AlertRow(**alert("R902", grid_code="330108")))
            session.flush()
            assert facets(session, ALL, AlertFilter()).states["new"] == before + 1
            assert new_ones(several) == new_ones(other) == before
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert new_ones(several) == new_ones(other) == before
    with several.write() as session:  # reuses the revision that was rolled back
        session.add(AlertRow(**alert("R903", grid_code="330109")))
    assert (new_ones(several), new_ones(several, "330108")) == (before + 1, 0)


WORKER = """
import sys
from sqlalchemy import select
from store.figures.fact_tables import facts_under
from store.schema.database import Database
from store.schema.tables import AlertRow

with Database(sys.argv[1]).write() as session:
    for alert in session.scalars(select(AlertRow)):
        alert.state = "published"
"""


def test_writes_of_a_process_without_columns_are_counted(several: Database) -> None:
    assert new_ones(several) > 0
    subprocess.run([sys.executable, "-c", WORKER, several.url], check=True)
    assert new_ones(several) == 0


def test_a_receiving_body_counts_and_maps_nothing_of_its_area(several: Database) -> None:
    body = Viewer("court", "court", "partner", "330106", False, 1)
    with several.read() as session:
        assert count_alerts(session, viewer("330106"), AlertFilter()) > 0
        assert count_alerts(session, body, AlertFilter()) == 0
        assert not facets(session, body, AlertFilter()).states
        assert not search_alerts(session, body, AlertFilter(), now=NOW).rows
        everywhere = (-180.0, -90.0, 180.0, 90.0)
        assert facts_under(session, body, "", None, ZoneInfo("Asia/Shanghai")).id.size == 0
        assert alerts_on_map(session, body, AlertFilter(), everywhere, 12) == []
