from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from shapely.geometry import box
from sqlalchemy import event, insert
from sqlalchemy.orm import Session

from errors import SettingsError
from store.access.rights import Viewer
from store.schema.database import Database
from store.schema.outlines import bounds_of
from store.schema.tables import AlertLock, AlertRow, Area
from store.schema.user_tables import User
from store.search.alert_search import (
    SORTS,
    AlertFilter,
    MapCluster,
    MapPoint,
    Sort,
    alert_by_number,
    alert_outlines,
    alerts_on_map,
    count_alerts,
    facets,
    neighbours,
    search_alerts,
)

NOW = dt.datetime(2026, 12, 1, 4, 0, tzinfo=dt.UTC)
TODAY = dt.date(2026, 12, 1)
EVERYWHERE = (73.0, 15.0, 136.0, 54.0)
ALL = Viewer(login="li", name="李", role="city", code="", administrator=False, person_id=1)


def viewer(code: str) -> Viewer:
    return replace(ALL, code=code)


def alert(number: str, **given: Any) -> dict[str, Any]:
    """Return the values of an alert row; ``at`` is its south-west corner in degrees."""
    lon, lat = given.pop("at", (120.0, 30.0))
    values: dict[str, Any] = {
        "number": number,
        "kind": "construction",
        "change_type": "",
        "state": "new",
        "state_reason": "",
        "score": 0.8,
        "area_m2": 400.0,
        "detected": {},
        "source": "drone",
        "county_code": "330106",
        "township_code": "330106005",
        "grid_code": "330106005201",
        "also_in": [],
        "overlaps": [],
        "legal_weight": 0,
        "rank": None,
        "week": "",
        "over_cap": False,
        "seen": 1,
        "sources_seen": 1,
        "due_on": None,
        "assignee": "",
        "site": "",
        "first_date": None,
        "last_date": None,
        "evidence": {},
        "created_at": NOW,
        "changed_at": NOW,
        "version": 1,
        **bounds_of(box(lon, lat, lon + 0.001, lat + 0.001)),
    }
    assert set(given) <= set(values)
    return values | given


def add(database: Database, *rows: dict[str, Any]) -> None:
    with database.write() as session:
        for row in rows:  # one by one, so that ids follow the given order
            session.execute(insert(AlertRow).values(**row))


def found(database: Database, filter_: AlertFilter, code: str = "") -> list[str]:
    with database.read() as session:
        return [row.number for row in search_alerts(session, viewer(code), filter_, now=NOW).rows]


MIXED = [
    alert("A1", legal_weight=2, score=0.6, area_m2=100.0, due_on=dt.date(2026, 11, 20), grid_code="330106005201"),
    alert("A2", legal_weight=2, score=0.9, area_m2=900.0, kind="ground", grid_code="330106005202"),
    alert("A3", legal_weight=0, score=0.95, area_m2=400.0, state="closed", due_on=dt.date(2026, 11, 10)),
    alert("A4", legal_weight=0, score=0.95, area_m2=400.0, due_on=dt.date(2026, 12, 1), grid_code="330106006"),
    alert(
        "A5", legal_weight=1, score=0.7, area_m2=50.0, due_on=dt.date(2026, 11, 20), created_at=NOW + dt.timedelta(1)
    ),
    alert("A6", legal_weight=0, score=0.5, area_m2=5000.0, grid_code="", state="false_change"),
]
IN_ORDER: dict[Sort, list[str]] = {
    "gravest": ["A2", "A1", "A5", "A3", "A4", "A6"],
    "newest": ["A5", "A6", "A4", "A3", "A2", "A1"],
    "largest": ["A6", "A2", "A3", "A4", "A1", "A5"],
    "overdue": ["A3", "A1", "A5", "A4", "A2", "A6"],
}


@pytest.fixture
def mixed(database: Database) -> Database:
    add(database, *MIXED)
    return database


@pytest.mark.parametrize("sort", SORTS)
def test_alerts_are_sorted_in_the_requested_order(mixed: Database, sort: Sort) -> None:
    assert found(mixed, AlertFilter(sort=sort)) == IN_ORDER[sort]


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("sort", SORTS)
def test_pages_together_make_the_complete_list(mixed: Database, sort: Sort, limit: int) -> None:
    numbers: list[str] = []
    after: str | None = None
    with mixed.read() as session:
        for _ in range(6):
            page = search_alerts(session, ALL, AlertFilter(sort=sort), limit=limit, after=after)
            numbers += [row.number for row in page.rows]
            after = page.after
            if after is None:
                break
    assert numbers == IN_ORDER[sort]
    assert after is None


def test_alerts_added_meanwhile_shift_no_page(mixed: Database) -> None:
    with mixed.read() as session:
        after = search_alerts(session, ALL, AlertFilter(), limit=2).after
    add(mixed, alert("A0", legal_weight=3))
    with mixed.read() as session:
        page = search_alerts(session, ALL, AlertFilter(), limit=2, after=after)
    assert [row.number for row in page.rows] == ["A5", "A3"]


@pytest.mark.parametrize("after", ["x", "äö", "W10", "WyJncmF2ZXN0Il0", "WyJncmF2ZXN0IiwgMSwgImEiLCAxXQ", "🙂" * 9])
def test_an_invalid_cursor_is_refused(mixed: Database, after: str) -> None:
    with mixed.read() as session, pytest.raises(SettingsError, match="after is"):
        search_alerts(session, ALL, AlertFilter(), after=after)


def test_a_cursor_of_another_order_is_refused(mixed: Database) -> None:
    with mixed.read() as session:
        after = search_alerts(session, ALL, AlertFilter(sort="newest"), limit=2).after
        with pytest.raises(SettingsError, match="sorted by gravest"):
            search_alerts(session, ALL, AlertFilter(), after=after)


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (AlertFilter(place="330106005"), {"A1", "A2", "A3", "A5"}),
        (AlertFilter(kinds=("ground", "demolition")), {"A2"}),
        (AlertFilter(states=("closed", "false_change")), {"A3", "A6"}),
        (AlertFilter(min_score=0.9), {"A2", "A3", "A4"}),
        (AlertFilter(min_area_m2=400, max_area_m2=900), {"A2", "A3", "A4"}),
        (AlertFilter(overdue_on=TODAY), {"A1", "A5"}),
        (AlertFilter(text="a4"), {"A4"}),
        (AlertFilter(text="%"), set()),
    ],
)
def test_a_filter_selects_matching_alerts(mixed: Database, filter_: AlertFilter, expected: set[str]) -> None:
    assert set(found(mixed, filter_)) == expected


def test_further_filters(database: Database) -> None:
    add(
        database,
        alert("B1", change_type="solar_panels", sources_seen=2, assignee="wang", last_date=dt.date(2026, 11, 5)),
        alert("B2", over_cap=True, last_date=dt.date(2026, 11, 6), at=(121.0, 30.0)),
    )
    for filter_ in (
        AlertFilter(types=("solar_panels",)),
        AlertFilter(sources_at_least=2),
        AlertFilter(assignee="wang"),
        AlertFilter(over_cap=False),
        AlertFilter(until=dt.date(2026, 11, 5)),
        AlertFilter(bbox=(119.9, 29.9, 120.0005, 30.1)),
        AlertFilter(bbox=(118.0, 29.0, 120.0005, 30.1)),
    ):
        assert found(database, filter_) == ["B1"], filter_
    assert found(database, AlertFilter(since=dt.date(2026, 11, 6))) == ["B2"]
    assert found(database, AlertFilter(over_cap=True)) == ["B2"]


def test_creation_days_are_local_days(database: Database) -> None:
    evening = dt.datetime(2026, 11, 30, 16, 30, tzinfo=dt.UTC)  # half past midnight of the first in Shanghai
    add(database, alert("C1", created_at=evening))
    assert found(database, AlertFilter(created_since=TODAY, created_until=TODAY)) == ["C1"]
    assert found(database, AlertFilter(created_until=dt.date(2026, 11, 30))) == []
    assert found(database, AlertFilter(created_since=TODAY, zone=ZoneInfo("UTC"))) == []


def test_a_viewer_finds_only_alerts_of_their_area(mixed: Database) -> None:
    assert found(mixed, AlertFilter(), "330106005202") == ["A2"]
    assert found(mixed, AlertFilter(), "330106006") == ["A4"]
    assert found(mixed, AlertFilter(place="330106005"), "330106006") == []
    everywhere = viewer("330106006")
    with mixed.read() as session:
        assert count_alerts(session, everywhere, AlertFilter()) == 1
        assert facets(session, everywhere, AlertFilter()).states == {"new": 1}
        assert [one.count for one in alerts_on_map(session, everywhere, AlertFilter(), EVERYWHERE, 4)] == [1]
        assert len(alert_outlines(session, everywhere, AlertFilter(), EVERYWHERE)) == 1


def test_an_alert_of_another_area_does_not_exist_for_the_viewer(mixed: Database) -> None:
    with mixed.read() as session:
        own = alert_by_number(session, viewer("330106005"), "A1")
        assert own is not None
        assert own.outline.bounds[0] == 120.0
        assert alert_by_number(session, viewer("330106006"), "A1") is None
        assert alert_by_number(session, ALL, "A9") is None
        assert neighbours(session, viewer("330106006"), AlertFilter(), "A1") == (None, None, None, 0)


def test_a_list_item_has_names_overlaps_and_locks(database: Database) -> None:
    under = (
        ("a", "cultivated", 0.5),
        ("b", "plan", 0.2),
        ("c", "plan", 0.1),
        ("d", "protected", 0.0),
    )  # d: checked, no overlap
    overlaps = [{"layer": name, "kind": kind, "share": share} for name, kind, share in under]
    add(database, alert("D1", overlaps=overlaps, evidence={"before": "e/before.jpg"}), alert("D2", grid_code="3301"))
    with database.write() as session:
        outline = bounds_of(box(119, 29, 121, 31))
        session.add(Area(code="330106005201", name="东穆坞村", level="village", loaded_at=NOW, **outline))
        session.add(User(login="wang", role="county", code="", created_at=NOW))
        session.flush()
        session.add(AlertLock(alert_id=1, person_id=1, until=NOW + dt.timedelta(seconds=1)))
        session.add(AlertLock(alert_id=2, person_id=1, until=NOW))
    with database.read() as session:
        first, second = search_alerts(session, ALL, AlertFilter(), now=NOW).rows
    assert (first.grid_name, first.overlaps, first.evidence) == (
        "东穆坞村",
        {"cultivated": 0.5, "plan": pytest.approx(0.3)},
        {"before": "e/before.jpg"},
    )
    assert first.centre == pytest.approx((120.0005, 30.0005))
    assert first.locked_by == "wang"
    assert (second.grid_name, second.locked_by) == ("", "")


@pytest.fixture
def statements(mixed: Database) -> Iterator[list[str]]:
    executed: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        executed.append(statement)

    event.listen(mixed.engine, "before_cursor_execute", note)
    yield executed
    event.remove(mixed.engine, "before_cursor_execute", note)


def test_a_list_reads_no_outlines(mixed: Database, statements: list[str]) -> None:
    found(mixed, AlertFilter())
    with mixed.read() as session:
        alerts_on_map(session, ALL, AlertFilter(), EVERYWHERE, 4)
    assert statements
    assert not [statement for statement in statements if "outline" in statement]


def test_counting_stops_at_the_limit(mixed: Database) -> None:
    with mixed.read() as session:
        assert count_alerts(session, ALL, AlertFilter()) == 6
        assert count_alerts(session, ALL, AlertFilter(), limit=4) == 4


def test_facets_ignore_the_filters_own_states_and_kinds(mixed: Database) -> None:
    with mixed.read() as session:
        assert facets(session, ALL, AlertFilter()).kinds == {"construction": 5, "ground": 1}
        counts = facets(session, ALL, AlertFilter(states=("closed",), kinds=("construction",)))
    assert counts.states == {"new": 3, "closed": 1, "false_change": 1}
    assert counts.kinds == {"construction": 1}


@pytest.mark.parametrize("sort", SORTS)
def test_neighbours_are_those_of_the_list(mixed: Database, sort: Sort) -> None:
    order = IN_ORDER[sort]
    with mixed.read() as session:
        for place, number in enumerate(order):
            expected = (order[place - 1] if place else None, order[place + 1] if place < 5 else None, place + 1, 6)
            assert neighbours(session, ALL, AlertFilter(sort=sort), number) == expected


def test_an_alert_that_was_just_judged_still_has_neighbours(mixed: Database) -> None:
    with mixed.read() as session:
        assert neighbours(session, ALL, AlertFilter(states=("new",)), "A3") == ("A5", "A4", None, 4)


def clustered(session: Session, zoom: float, filter_: AlertFilter | None = None) -> list[MapCluster | MapPoint]:
    bbox = EVERYWHERE if zoom < 9 else (120.0, 30.0, 120.2, 30.2)
    return alerts_on_map(session, ALL, filter_ or AlertFilter(), bbox, zoom)


def test_nearby_alerts_are_one_cluster_at_a_low_zoom(database: Database) -> None:
    add(
        database,
        alert("E1", at=(120.01, 30.01), score=1.0),
        alert("E2", at=(120.03, 30.01), legal_weight=1, kind="ground", score=0.5, state="published"),
        alert("E3", at=(125.0, 35.0), state="returned"),
    )
    with database.read() as session:
        cluster, point = clustered(session, 6)
        assert isinstance(cluster, MapCluster)
        assert (cluster.count, cluster.kind, cluster.state, cluster.legal_weight) == (2, "ground", "published", 1)
        assert (cluster.lon, cluster.lat) == pytest.approx((120.0205, 30.0105))
        assert (point.lon, point.lat) == pytest.approx((125.0005, 35.0005))
        assert isinstance(point, MapPoint)
        assert (point.number, point.kind, point.state, point.count) == ("E3", "construction", "returned", 1)
        near = clustered(session, 14)
        assert [one.number for one in near if isinstance(one, MapPoint)] == ["E2", "E1"]
        assert [one.count for one in clustered(session, 6, AlertFilter(kinds=("ground",)))] == [1]


def test_clusters_do_not_jump_when_the_map_is_moved(database: Database) -> None:
    add(database, *(alert(f"F{n}", at=(120 + n / 100, 30.0)) for n in range(20)))
    with database.read() as session:
        one, other = (
            {(c.lon, c.lat, c.count) for c in alerts_on_map(session, ALL, AlertFilter(), (west, 29, 121, 31), 9)}
            for west in (119.0, 119.03)
        )
    assert one == other
    assert len(one) > 1


def test_a_large_map_at_a_high_zoom_leaves_no_alert_out(database: Database) -> None:
    add(database, *(alert(f"G{n:02d}", at=(110 + n % 7, 25 + n // 7)) for n in range(49)))
    with database.read() as session:
        drawn = alerts_on_map(session, ALL, AlertFilter(), (109, 24, 118, 33), 18, max_cells=9)
    assert sum(one.count for one in drawn) == 49
    assert len(drawn) <= 16  # cells of a ninth of the map, and those on its border


def test_outlines_are_sorted_by_severity_and_limited(mixed: Database) -> None:
    with mixed.read() as session:
        drawn = alert_outlines(session, ALL, AlertFilter(), (120.0, 30.0, 120.1, 30.1), limit=2)
        assert [one.number for one in drawn] == ["A2", "A1"]
        assert drawn[0].outline.equals(box(120.0, 30.0, 120.001, 30.001))
        assert alert_outlines(session, ALL, AlertFilter(), (120.01, 30.0, 120.1, 30.1)) == []
