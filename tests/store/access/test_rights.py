from __future__ import annotations

import pytest
from sqlalchemy import select, text

from store.access.rights import (
    Viewer,
    may_see,
    starts_with,
    visible_areas,
    visible_features,
    visible_region,
    visible_to,
)
from store.schema.database import Database
from store.schema.outlines import bounds_intersect
from store.schema.tables import Area, Feature
from tests.store.sample_rows import add_approval, add_area, ground

COUNTY, TOWNSHIP, VILLAGE, NEIGHBOUR = "130131", "130131001", "130131001002", "130131001003"


def viewer(code: str) -> Viewer:
    return Viewer(login="li", name="李", role="county", code=code, administrator=False, person_id=1)


def add_areas(database: Database, *codes: str) -> None:
    with database.write() as session:
        for number, code in enumerate(codes):
            add_area(session, code, ground(1000 * number, 0, 1000 * (number + 1), 1000))


def codes_under(database: Database, code: str) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(Area.code).where(visible_to(Area.code, viewer(code))).order_by(Area.code)))


def test_access_covers_codes_that_begin_with_the_viewers() -> None:
    assert may_see(viewer(TOWNSHIP), VILLAGE)
    assert may_see(viewer(TOWNSHIP), TOWNSHIP)
    assert not may_see(viewer(TOWNSHIP), COUNTY)
    assert not may_see(viewer(VILLAGE), NEIGHBOUR)


def test_a_row_without_a_code_needs_access_to_all_areas() -> None:
    assert may_see(viewer(""), "")
    assert not may_see(viewer(COUNTY), "")


ALL = (
    "130130",
    "130131",
    "130131001",
    "130131001002",
    "130131002",
    "130139",
    "130140",
    "199999",
    "999999",
    "999999999",
)


@pytest.mark.parametrize("code", ["", "13", "1301", "130131", "130131001", "130139", "13013", "199", "99", "999999"])
def test_the_sql_condition_agrees_with_may_see(database: Database, code: str) -> None:
    add_areas(database, *ALL)
    assert codes_under(database, code) == [area for area in ALL if may_see(viewer(code), area)]


def test_a_code_with_wildcards_is_taken_literally(database: Database) -> None:
    add_areas(database, *ALL)
    assert codes_under(database, "13%") == []
    assert codes_under(database, "1301_1") == []


def test_the_condition_uses_the_index(database: Database) -> None:
    statement = select(Area.id).where(starts_with(Area.code, COUNTY))
    compiled = str(statement.compile(database.engine, compile_kwargs={"literal_binds": True}))
    with database.read() as session:
        if database.sqlite:
            plan = [row[-1] for row in session.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]
        else:
            session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = [row[0] for row in session.execute(text(f"EXPLAIN {compiled}"))]
    assert "code" in " ".join(plan)
    assert "Filter" not in " ".join(plan)


def test_visible_areas_include_ancestors_but_no_siblings(database: Database) -> None:
    add_areas(database, COUNTY, TOWNSHIP, VILLAGE, NEIGHBOUR, "130132")
    with database.read() as session:
        assert [area.code for area in visible_areas(session, viewer(VILLAGE))] == [COUNTY, TOWNSHIP, VILLAGE]
        assert len(visible_areas(session, viewer(""))) == 5


def test_polygons_of_layers_are_visible_where_they_touch_the_viewers_area(database: Database) -> None:
    add_areas(database, VILLAGE, NEIGHBOUR)  # the first from 0 to 1000 m, the second east of it
    with database.write() as session:
        for west in (100, 950, 1500):
            add_approval(session, ground(west, 100, west + 100, 200))
    with database.read() as session:
        assert [row.id for row in visible_features(session, viewer(VILLAGE))] == [1, 2]
        assert [row.id for row in visible_features(session, viewer(NEIGHBOUR))] == [2, 3]
        assert [row.id for row in visible_features(session, viewer(""))] == [1, 2, 3]
        assert [row.id for row in visible_features(session, viewer(""), Feature.layer_id == 2)] == [2]
        here = bounds_intersect(Feature, ground(0, 0, 500, 500))
        assert [row.id for row in visible_features(session, viewer(VILLAGE), here)] == [1]
        assert [row.id for row in visible_features(session, viewer(VILLAGE), limit=1)] == [1]


def test_a_viewer_without_a_loaded_area_sees_no_polygon(database: Database) -> None:
    with database.write() as session:
        add_approval(session, ground(0, 0, 100, 100))
    with database.read() as session:
        empty = visible_region(session, viewer(COUNTY))
        assert empty is not None
        assert empty.is_empty
        assert visible_features(session, viewer(COUNTY)) == []
        assert visible_region(session, viewer("")) is None
