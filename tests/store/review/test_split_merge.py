from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from shapely import LineString, MultiPolygon, Polygon
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import select

from enforcement.overlap_ratio import area_m2
from enforcement.states import NotAllowed
from errors import SettingsError
from store.areas.layers import features_touching
from store.review.decisions import Conflict, merge, split, split_at_gaps, split_by_line, take_lock
from store.schema.database import Database
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Feature, Layer, Observation, Transition
from tests.store.review.review_setup import ReviewSetup, later
from tests.store.sample_alerts import NOW, PLACE, see

ONE, TWO, THREE = (f"330106U202611000{n}" for n in (1, 2, 3))
WEST, EAST = box(120.01, 30.01, 120.0105, 30.011), box(120.0105, 30.01, 120.011, 30.011)  # halves of PLACE
FIRST, SECOND = "330106U2026120001", "330106U2026120002"  # NOW is in December in Shanghai


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> ReviewSetup:
    return ReviewSetup.open(database, tmp_path, cap=2)


def divide(desk: ReviewSetup, parts: list[BaseGeometry], by: str = "li", number: str = ONE) -> list[AlertRow]:
    viewer = desk.viewer(by)
    return desk.change(
        lambda s: split(s, desk.alert(number), viewer, parts, "two owners", settings=desk.settings, now=later())
    )


def join(desk: ReviewSetup, numbers: list[str], into: str, by: str = "li") -> AlertRow:
    viewer, alerts = desk.viewer(by), desk.alerts()
    rows = [alerts[number] for number in numbers]
    return desk.change(lambda s: merge(s, rows, alerts[into], viewer, "one site", settings=desk.settings, now=later()))


def test_an_alert_becomes_one_for_each_part(desk: ReviewSetup) -> None:
    desk.add(ONE, assignee="wang", change_type="solar_panels")
    made = divide(desk, [WEST, EAST])
    assert [part.number for part in made] == [FIRST, SECOND]
    alerts = desk.alerts()
    assert alerts[ONE].state == "split"
    for number, outline in ((FIRST, WEST), (SECOND, EAST)):
        part = alerts[number]
        assert part.outline.equals(outline)
        assert part.area_m2 == pytest.approx(area_m2(outline), abs=0.01)
        assert (part.state, part.kind, part.change_type, part.assignee) == (
            "new",
            "construction",
            "solar_panels",
            "wang",
        )
        assert (part.grid_code, part.week, part.over_cap) == ("330106005201", "2026-W49", False)
        assert part.evidence == alerts[ONE].evidence
        assert part.detected["crs"] == "EPSG:4490"
    assert sum(alerts[n].area_m2 for n in (FIRST, SECOND)) == pytest.approx(area_m2(PLACE), abs=0.05)
    with desk.database.read() as session:
        given = [row.evidence for row in session.scalars(select(Transition).order_by(Transition.id))]
    assert given[0]["into"] == [FIRST, SECOND]
    assert [row["from"] for row in given[1:]] == [ONE, ONE]


def test_what_is_split_and_what_is_made_is_told(desk: ReviewSetup) -> None:
    desk.add(ONE)
    divide(desk, [WEST, EAST])
    assert desk.told() == [
        (ONE, "state_changed", "split"),
        (FIRST, "created", "new"),
        (SECOND, "created", "new"),
    ]


def test_parts_of_an_alert_that_was_given_out_are_not_hidden_by_the_cap(desk: ReviewSetup) -> None:
    desk.add(ONE, rank=1)
    desk.add(TWO, rank=2)
    desk.add(THREE, rank=3, over_cap=True)
    divide(desk, [WEST, EAST])
    assert {number for number, (_, over) in desk.week().items() if over} == {THREE}
    made = divide(desk, [WEST, EAST], number=THREE)
    assert all(part.over_cap for part in made)


def test_each_part_was_seen_by_the_scans_that_saw_it(desk: ReviewSetup) -> None:
    desk.add(ONE)

    def seen_twice_more(session: Any) -> None:
        alert = session.scalars(select(AlertRow)).one()
        first = session.scalars(select(Observation)).one()
        for name, value in bounds_of(WEST).items():  # at first only the western half was there
            setattr(first, name, value)
        see(session, alert, dt.date(2026, 11, 30), "satellite", 1.0)

    desk.change(seen_twice_more)
    first, second = divide(desk, [WEST, EAST])
    assert (first.seen, first.sources_seen, second.seen, second.sources_seen) == (2, 2, 1, 1)
    with desk.database.read() as session:
        sights = session.scalars(select(Observation).where(Observation.alert_id == second.id)).all()
        assert [(s.source, s.outline.equals(EAST)) for s in sights] == [("satellite", True)]


def test_land_is_looked_up_for_each_part(desk: ReviewSetup) -> None:
    desk.add(ONE)
    with desk.database.write() as session:
        layer = Layer(name="耕地", kind="cultivated", dated=None, loaded_at=NOW)
        session.add(layer)
        session.flush()
        session.add(Feature(layer_id=layer.id, valid_from=None, valid_to=None, **bounds_of(WEST)))
    with desk.database.read() as session:
        assert len(features_touching(session, PLACE)) == 1
    first, second = divide(desk, [WEST, EAST])
    assert first.legal_weight > second.legal_weight
    assert [overlap["share"] for overlap in first.overlaps] == [1.0]


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ([PLACE], "1 parts"),
        ([WEST, box(120.0105, 30.01, 120.0106, 30.011)], "cover 60%"),
        ([WEST, box(120.0105, 30.01, 120.0112, 30.011)], "Part 2 reaches out"),
        ([WEST, PLACE], "lie on each other"),
        ([WEST, LineString([(120.01, 30.01), (120.011, 30.011)])], "Part 2 is no sound polygon"),
        (
            [Polygon([(120.01, 30.01), (120.011, 30.011), (120.011, 30.01), (120.01, 30.011)]), EAST],
            "Part 1 is no sound",
        ),
        ([WEST, Polygon()], "Part 2 is no sound"),
    ],
)
def test_parts_are_those_of_the_alert(desk: ReviewSetup, parts: list[BaseGeometry], complaint: str) -> None:
    desk.add(ONE)
    with pytest.raises(SettingsError, match=complaint):
        divide(desk, parts)
    assert list(desk.alerts()) == [ONE]


def test_a_hands_breadth_does_not_matter(desk: ReviewSetup) -> None:
    desk.add(ONE)
    east = box(120.0105, 30.01, 120.011002, 30.011)  # 20 cm out of it
    assert len(divide(desk, [WEST, east])) == 2


def test_who_may_not_split_makes_no_alerts(desk: ReviewSetup) -> None:
    desk.add(ONE)
    for login in ("wang", "qian"):
        with pytest.raises(NotAllowed):
            divide(desk, [WEST, EAST], by=login)
    desk.change(lambda s: take_lock(s, desk.alert(), desk.viewer("zhao"), NOW, 600))
    with pytest.raises(Conflict):
        divide(desk, [WEST, EAST])
    assert list(desk.alerts()) == [ONE]


@pytest.mark.parametrize("on", [ONE, FIRST])
def test_a_split_is_taken_back_on_the_alert_or_on_a_part(desk: ReviewSetup, on: str) -> None:
    desk.add(ONE, rank=1, state="published")
    desk.add(TWO, rank=2)
    divide(desk, [WEST, EAST])
    desk.judge(FIRST, "true", minutes=2)
    with pytest.raises(NotAllowed, match=f"{FIRST} was worked on"):
        desk.undo(ONE)
    desk.undo(FIRST)  # the judgement
    with pytest.raises(NotAllowed, match="only they can take it back"):
        desk.undo(on, by="zhao")
    assert desk.undo(on).number == ONE
    alerts = desk.alerts()
    assert {number: alert.state for number, alert in alerts.items()} == {
        ONE: "published",
        TWO: "new",
        FIRST: "merged",
        SECOND: "merged",
    }
    assert (alerts[ONE].rank, alerts[TWO].rank, alerts[FIRST].rank) == (1, 2, None)
    assert desk.log(ONE) == [("split", "li"), ("published", "li")]
    assert desk.told()[-3:] == [
        (ONE, "state_changed", "published"),
        (FIRST, "state_changed", "merged"),
        (SECOND, "state_changed", "merged"),
    ]
    for number in (ONE, SECOND):
        with pytest.raises(NotAllowed, match="taken back already"):
            desk.undo(number)
    assert [part.number for part in divide(desk, [WEST, EAST])] == ["330106U2026120003", "330106U2026120004"]


def test_a_split_of_which_a_part_was_seen_again_stays(desk: ReviewSetup) -> None:
    desk.add(ONE)
    divide(desk, [WEST, EAST])

    def seen(session: Any) -> None:
        see(session, session.scalars(select(AlertRow).where(AlertRow.number == SECOND)).one(), NOW.date(), "drone", 9.0)
        session.scalars(select(Observation).order_by(Observation.id.desc())).first().created_at = later(2)

    desk.change(seen)
    with pytest.raises(NotAllowed, match=f"{SECOND} was worked on or seen again"):
        desk.undo(ONE)
    divide(desk, [WEST, EAST], number=desk.add(TWO))
    with pytest.raises(NotAllowed, match="older than 10 minutes"):
        desk.undo(TWO, minutes=12)


def test_an_outline_in_pieces_is_split_at_its_gaps() -> None:
    alert = AlertRow(outline=MultiPolygon([WEST, box(120.02, 30.01, 120.021, 30.011)]))
    assert split_at_gaps(alert) == [WEST, box(120.02, 30.01, 120.021, 30.011)]
    assert len(split_at_gaps(AlertRow(outline=PLACE))) == 1


def test_an_outline_is_cut_by_a_line_from_side_to_side() -> None:
    parts = split_by_line(PLACE, LineString([(120.0105, 30.0), (120.0105, 30.02)]))
    assert sorted(part.bounds for part in parts) == [WEST.bounds, EAST.bounds]
    pieces = MultiPolygon([PLACE, box(120.02, 30.01, 120.021, 30.011)])
    assert len(split_by_line(pieces, LineString([(120.0105, 30.0), (120.0105, 30.02)]))) == 3
    with pytest.raises(SettingsError, match="does not divide"):
        split_by_line(PLACE, LineString([(120.0105, 30.0), (120.0105, 30.0105)]))


def test_alerts_live_on_in_one_with_the_outline_of_all(desk: ReviewSetup) -> None:
    desk.add(ONE, score=0.6, **bounds_of(WEST))
    desk.add(TWO, score=0.9, state="published", last_date=dt.date(2026, 12, 1), **bounds_of(EAST))
    into = join(desk, [ONE, TWO], TWO)
    assert into.outline.symmetric_difference(PLACE).area == pytest.approx(0, abs=1e-15)
    assert into.area_m2 == pytest.approx(area_m2(PLACE), abs=0.05)
    assert (into.state, into.score, into.last_date) == ("published", 0.9, dt.date(2026, 12, 1))
    assert desk.alert(ONE).state == "merged"
    assert desk.told() == [(ONE, "state_changed", "merged"), (TWO, "state_changed", "published")]
    with desk.database.read() as session:
        assert session.scalars(select(Transition)).one().evidence["into"] == TWO


def test_the_place_in_the_week_goes_on_with_the_alert(desk: ReviewSetup) -> None:
    desk.add(ONE, rank=1)
    desk.add(TWO, rank=2)
    desk.add(THREE, rank=3, over_cap=True, score=0.1)
    join(desk, [ONE], THREE)
    assert desk.alert(ONE).rank is None
    assert not any(over for _, over in desk.week().values())
    assert desk.told()[-1] == (THREE, "created", "new")


@pytest.mark.parametrize("on", [ONE, THREE])
def test_merging_is_taken_back_on_the_alert_that_stayed_or_on_one_that_ended(desk: ReviewSetup, on: str) -> None:
    desk.add(ONE, rank=1, score=0.9, state="published", **bounds_of(WEST))
    desk.add(TWO, rank=2, last_date=dt.date(2026, 12, 1), **bounds_of(box(120.011, 30.01, 120.012, 30.011)))
    desk.add(THREE, rank=3, over_cap=True, score=0.1, first_date=dt.date(2026, 11, 30), **bounds_of(EAST))
    before = desk.alerts()
    join(desk, [ONE, TWO], THREE)
    desk.judge(THREE, "true", minutes=2)
    with pytest.raises(NotAllowed, match=f"{THREE} was worked on"):
        desk.undo(ONE)
    desk.undo(THREE)  # the judgement
    with pytest.raises(NotAllowed):
        desk.undo(on, by="zhao")
    assert desk.undo(on).number == on
    assert (THREE, "state_changed", "new") in desk.told()[-3:]
    same = ("state", "area_m2", "score", "rank", "over_cap", "first_date", "last_date", "overlaps", "legal_weight")
    for number, alert in desk.alerts().items():
        assert alert.outline.equals(before[number].outline)
        assert [getattr(alert, name) for name in same] == [getattr(before[number], name) for name in same], number
    with pytest.raises(NotAllowed):
        desk.undo(on)
    assert join(desk, [ONE], TWO).state == "new"


def test_alerts_are_merged_into_one_that_is_worked_on(desk: ReviewSetup) -> None:
    desk.add(ONE)
    desk.add(TWO, state="closed")
    with pytest.raises(NotAllowed, match="nobody works on it"):
        join(desk, [ONE], TWO)
    with pytest.raises(NotAllowed, match="closed cannot be made merged"):
        join(desk, [TWO], ONE)
    with pytest.raises(SettingsError, match="No alert was given"):
        join(desk, [ONE], ONE)
    assert desk.alert(ONE).state == "new"
