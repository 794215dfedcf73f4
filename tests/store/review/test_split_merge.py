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
from tests.store.sample_alerts import NOW, PLACE, add_observation

ONE, TWO, THREE = (f"330106U202611000{n}" for n in (1, 2, 3))
WEST, EAST = box(120.01, 30.01, 120.0105, 30.011), box(120.0105, 30.01, 120.011, 30.011)  # halves of PLACE
FIRST, SECOND = "330106U2026120001", "330106U2026120002"  # NOW is in December in Shanghai


@pytest.fixture
def review(database: Database, tmp_path: Path) -> ReviewSetup:
    return ReviewSetup.create(database, tmp_path, cap=2)


def split_alert(review: ReviewSetup, parts: list[BaseGeometry], by: str = "li", number: str = ONE) -> list[AlertRow]:
    viewer = review.viewer(by)
    return review.run(
        lambda s: split(s, review.alert(number), viewer, parts, "two owners", settings=review.settings, now=later())
    )


def merge_alerts(review: ReviewSetup, numbers: list[str], into: str, by: str = "li") -> AlertRow:
    viewer, alerts = review.viewer(by), review.alerts()
    rows = [alerts[number] for number in numbers]
    return review.run(lambda s: merge(s, rows, alerts[into], viewer, "one site", settings=review.settings, now=later()))


def test_split_creates_one_alert_per_part(review: ReviewSetup) -> None:
    review.add(ONE, assignee="wang", change_type="solar_panels")
    parts = split_alert(review, [WEST, EAST])
    assert [part.number for part in parts] == [FIRST, SECOND]
    alerts = review.alerts()
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
    with review.database.read() as session:
        given = [row.evidence for row in session.scalars(select(Transition).order_by(Transition.id))]
    assert given[0]["into"] == [FIRST, SECOND]
    assert [row["from"] for row in given[1:]] == [ONE, ONE]


def test_a_split_announces_the_original_and_the_parts(review: ReviewSetup) -> None:
    review.add(ONE)
    split_alert(review, [WEST, EAST])
    assert review.events() == [
        (ONE, "state_changed", "split"),
        (FIRST, "created", "new"),
        (SECOND, "created", "new"),
    ]


def test_parts_of_an_alert_within_the_quota_stay_within_it(review: ReviewSetup) -> None:
    review.add(ONE, rank=1)
    review.add(TWO, rank=2)
    review.add(THREE, rank=3, over_cap=True)
    split_alert(review, [WEST, EAST])
    assert {number for number, (_, over) in review.week().items() if over} == {THREE}
    parts = split_alert(review, [WEST, EAST], number=THREE)
    assert all(part.over_cap for part in parts)


def test_each_part_takes_over_its_share_of_the_observations(review: ReviewSetup) -> None:
    review.add(ONE)

    def observe_twice(session: Any) -> None:
        alert = session.scalars(select(AlertRow)).one()
        first = session.scalars(select(Observation)).one()
        for name, value in bounds_of(WEST).items():  # at first only the western half was there
            setattr(first, name, value)
        add_observation(session, alert, dt.date(2026, 11, 30), "satellite", 1.0)

    review.run(observe_twice)
    first, second = split_alert(review, [WEST, EAST])
    assert (first.seen, first.sources_seen, second.seen, second.sources_seen) == (2, 2, 1, 1)
    with review.database.read() as session:
        sights = session.scalars(select(Observation).where(Observation.alert_id == second.id)).all()
        assert [(s.source, s.outline.equals(EAST)) for s in sights] == [("satellite", True)]


def test_overlaps_are_computed_for_each_part(review: ReviewSetup) -> None:
    review.add(ONE)
    with review.database.write() as session:
        layer = Layer(name="耕地", kind="cultivated", dated=None, loaded_at=NOW)
        session.add(layer)
        session.flush()
        session.add(Feature(layer_id=layer.id, valid_from=None, valid_to=None, **bounds_of(WEST)))
    with review.database.read() as session:
        assert len(features_touching(session, PLACE)) == 1
    first, second = split_alert(review, [WEST, EAST])
    assert first.legal_weight > second.legal_weight
    assert [overlap["share"] for overlap in first.overlaps] == [1.0]


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ([PLACE], "1 parts"),
        ([WEST, box(120.0105, 30.01, 120.0106, 30.011)], "cover 60%"),
        ([WEST, box(120.0105, 30.01, 120.0112, 30.011)], "Part 2 extends beyond"),
        ([WEST, PLACE], "parts overlap"),
        ([WEST, LineString([(120.01, 30.01), (120.011, 30.011)])], "Part 2 is not a valid polygon"),
        (
            [Polygon([(120.01, 30.01), (120.011, 30.011), (120.011, 30.01), (120.01, 30.011)]), EAST],
            "Part 1 is not a valid",
        ),
        ([WEST, Polygon()], "Part 2 is not a valid"),
    ],
)
def test_invalid_parts_are_refused(review: ReviewSetup, parts: list[BaseGeometry], complaint: str) -> None:
    review.add(ONE)
    with pytest.raises(SettingsError, match=complaint):
        split_alert(review, parts)
    assert list(review.alerts()) == [ONE]


def test_parts_may_extend_half_a_metre_beyond_the_alert(review: ReviewSetup) -> None:
    review.add(ONE)
    east = box(120.0105, 30.01, 120.011002, 30.011)  # 20 cm out of it
    assert len(split_alert(review, [WEST, east])) == 2


def test_a_refused_split_creates_no_alerts(review: ReviewSetup) -> None:
    review.add(ONE)
    for login in ("wang", "qian"):
        with pytest.raises(NotAllowed):
            split_alert(review, [WEST, EAST], by=login)
    review.run(lambda s: take_lock(s, review.alert(), review.viewer("zhao"), NOW, 600))
    with pytest.raises(Conflict):
        split_alert(review, [WEST, EAST])
    assert list(review.alerts()) == [ONE]


@pytest.mark.parametrize("on", [ONE, FIRST])
def test_a_split_is_undone_on_the_original_or_on_a_part(review: ReviewSetup, on: str) -> None:
    review.add(ONE, rank=1, state="published")
    review.add(TWO, rank=2)
    split_alert(review, [WEST, EAST])
    review.judge(FIRST, "true", minutes=2)
    with pytest.raises(NotAllowed, match=f"{FIRST} was changed"):
        review.undo(ONE)
    review.undo(FIRST)  # the judgement
    with pytest.raises(NotAllowed, match="only that user can undo it"):
        review.undo(on, by="zhao")
    assert review.undo(on).number == ONE
    alerts = review.alerts()
    assert {number: alert.state for number, alert in alerts.items()} == {
        ONE: "published",
        TWO: "new",
        FIRST: "merged",
        SECOND: "merged",
    }
    assert (alerts[ONE].rank, alerts[TWO].rank, alerts[FIRST].rank) == (1, 2, None)
    assert review.log(ONE) == [("split", "li"), ("published", "li")]
    assert review.events()[-3:] == [
        (ONE, "state_changed", "published"),
        (FIRST, "state_changed", "merged"),
        (SECOND, "state_changed", "merged"),
    ]
    for number in (ONE, SECOND):
        with pytest.raises(NotAllowed, match="undone already"):
            review.undo(number)
    assert [part.number for part in split_alert(review, [WEST, EAST])] == ["330106U2026120003", "330106U2026120004"]


def test_a_split_with_a_part_observed_again_cannot_be_undone(review: ReviewSetup) -> None:
    review.add(ONE)
    split_alert(review, [WEST, EAST])

    def observe(session: Any) -> None:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == SECOND)).one()
        add_observation(session, alert, NOW.date(), "drone", 9.0, later(2))

    review.run(observe)
    with pytest.raises(NotAllowed, match=f"{SECOND} was changed or observed again"):
        review.undo(ONE)
    split_alert(review, [WEST, EAST], number=review.add(TWO))
    with pytest.raises(NotAllowed, match="older than 10 minutes"):
        review.undo(TWO, minutes=12)


def test_a_multipolygon_is_split_into_its_polygons() -> None:
    alert = AlertRow(outline=MultiPolygon([WEST, box(120.02, 30.01, 120.021, 30.011)]))
    assert split_at_gaps(alert) == [WEST, box(120.02, 30.01, 120.021, 30.011)]
    assert len(split_at_gaps(AlertRow(outline=PLACE))) == 1


def test_an_outline_is_split_by_a_line_across_it() -> None:
    parts = split_by_line(PLACE, LineString([(120.0105, 30.0), (120.0105, 30.02)]))
    assert sorted(part.bounds for part in parts) == [WEST.bounds, EAST.bounds]
    pieces = MultiPolygon([PLACE, box(120.02, 30.01, 120.021, 30.011)])
    assert len(split_by_line(pieces, LineString([(120.0105, 30.0), (120.0105, 30.02)]))) == 3
    with pytest.raises(SettingsError, match="does not divide"):
        split_by_line(PLACE, LineString([(120.0105, 30.0), (120.0105, 30.0105)]))


def test_merged_alerts_have_the_union_of_the_outlines(review: ReviewSetup) -> None:
    review.add(ONE, score=0.6, **bounds_of(WEST))
    review.add(TWO, score=0.9, state="published", last_date=dt.date(2026, 12, 1), **bounds_of(EAST))
    into = merge_alerts(review, [ONE, TWO], TWO)
    assert into.outline.symmetric_difference(PLACE).area == pytest.approx(0, abs=1e-15)
    assert into.area_m2 == pytest.approx(area_m2(PLACE), abs=0.05)
    assert (into.state, into.score, into.last_date) == ("published", 0.9, dt.date(2026, 12, 1))
    assert review.alert(ONE).state == "merged"
    assert review.events() == [(ONE, "state_changed", "merged"), (TWO, "state_changed", "published")]
    with review.database.read() as session:
        assert session.scalars(select(Transition)).one().evidence["into"] == TWO


def test_the_remaining_alert_takes_over_the_place_in_the_week(review: ReviewSetup) -> None:
    review.add(ONE, rank=1)
    review.add(TWO, rank=2)
    review.add(THREE, rank=3, over_cap=True, score=0.1)
    merge_alerts(review, [ONE], THREE)
    assert review.alert(ONE).rank is None
    assert not any(over for _, over in review.week().values())
    assert review.events()[-1] == (THREE, "created", "new")


@pytest.mark.parametrize("on", [ONE, THREE])
def test_a_merge_is_undone_on_the_remaining_or_on_a_merged_alert(review: ReviewSetup, on: str) -> None:
    review.add(ONE, rank=1, score=0.9, state="published", **bounds_of(WEST))
    review.add(TWO, rank=2, last_date=dt.date(2026, 12, 1), **bounds_of(box(120.011, 30.01, 120.012, 30.011)))
    review.add(THREE, rank=3, over_cap=True, score=0.1, first_date=dt.date(2026, 11, 30), **bounds_of(EAST))
    before = review.alerts()
    merge_alerts(review, [ONE, TWO], THREE)
    review.judge(THREE, "true", minutes=2)
    with pytest.raises(NotAllowed, match=f"{THREE} was changed"):
        review.undo(ONE)
    review.undo(THREE)  # the judgement
    with pytest.raises(NotAllowed):
        review.undo(on, by="zhao")
    assert review.undo(on).number == on
    assert (THREE, "state_changed", "new") in review.events()[-3:]
    same = ("state", "area_m2", "score", "rank", "over_cap", "first_date", "last_date", "overlaps", "legal_weight")
    for number, alert in review.alerts().items():
        assert alert.outline.equals(before[number].outline)
        assert [getattr(alert, name) for name in same] == [getattr(before[number], name) for name in same], number
    with pytest.raises(NotAllowed):
        review.undo(on)
    assert merge_alerts(review, [ONE], TWO).state == "new"


def test_alerts_are_merged_only_into_an_open_one(review: ReviewSetup) -> None:
    review.add(ONE)
    review.add(TWO, state="closed")
    with pytest.raises(NotAllowed, match="expected an open alert"):
        merge_alerts(review, [ONE], TWO)
    with pytest.raises(NotAllowed, match="from closed to merged"):
        merge_alerts(review, [TWO], ONE)
    with pytest.raises(SettingsError, match="No alert was given"):
        merge_alerts(review, [ONE], ONE)
    assert review.alert(ONE).state == "new"
