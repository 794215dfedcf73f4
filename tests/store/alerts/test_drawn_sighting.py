"""What people report or draw is a sighting: it joins the alert of the place, and later images join its alert."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from configs.service import read_service
from errors import Reason, SettingsError
from store.alerts.audit import audit_alerts
from store.alerts.drawn_sighting import DrawnChange, DrawnOutcome, circle, record_drawn_change
from store.schema.database import Database
from store.schema.tables import AlertRow
from tests.store.alerts.test_recording import Place
from tests.store.sample_rows import NOW, VILLAGE, add_area, change, ground

SPRING, TOLD, WINTER = dt.date(2026, 3, 1), dt.date(2026, 11, 10), dt.date(2026, 12, 5)


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Place:
    with database.write() as session:
        add_area(session, VILLAGE[:6], ground(-5000, -5000, 5000, 5000))
        add_area(session, VILLAGE[:9], ground(-2000, -2000, 3000, 3000))
        add_area(session, VILLAGE, ground(-100, -100, 1100, 1100))
    return Place(database, read_service(home=tmp_path))


def draw(place: Place, outline: BaseGeometry, source: str = "hotline", **given: Any) -> DrawnOutcome:
    why = Reason("tip 1", "alert.from_tip", tip="1")
    values: dict[str, Any] = {"kind": "construction", "seen_on": TOLD, "why": why} | given
    options = {name: values.pop(name) for name in ("into", "always_new") if name in values}
    with place.database.write() as session:
        return record_drawn_change(
            session,
            DrawnChange(outline, source=source, **values),
            area_code=VILLAGE,
            who="li",
            role="county",
            settings=place.settings,
            now=NOW,
            **options,
        )


def reported_point(place: Place) -> DrawnOutcome:
    """Report a place 25 m beside a square of 40 m, accurate to some 30 m."""
    west, south, east, north = ground(145, 100, 185, 140).bounds
    return draw(place, circle((west + east) / 2, (south + north) / 2, 30), error_m=15)


def test_a_tip_becomes_an_alert_of_the_hotline(place: Place) -> None:
    outcome = draw(place, ground(100, 100, 140, 140))
    alert = place.alert()
    assert (outcome.created, alert.number, alert.source) == (True, "130131H2026110001", "hotline")
    assert (alert.grid_code, alert.first_date, alert.there_on, alert.rank) == (VILLAGE, TOLD, TOLD, 1)
    assert alert.area_m2 == pytest.approx(1600, rel=0.002)
    assert (alert.confidence, [part["source"] for part in alert.confidence_parts]) == (0.6, ["hotline"])
    assert place.events() == [(alert.number, "created")]
    assert audit_alerts(place.database).intact


@pytest.mark.parametrize("source", ["satellite", "drone", "camera"])
def test_an_image_that_sees_the_place_later_joins_the_alert_of_the_tip(place: Place, source: str) -> None:
    reported_point(place)
    assert place.alert().position_error is not None
    recorded = place.scan([change(1, 100, 100, 40, score=0.8)], before=SPRING, after=WINTER, source=source)
    alert = place.alert()
    assert recorded.counts() == {"again": 1}
    assert (alert.number, alert.seen, alert.sources_seen) == ("130131H2026110001", 2, 2)
    assert (alert.there_on, alert.not_yet_on, alert.last_date) == (TOLD, SPRING, WINTER)
    assert alert.area_m2 == pytest.approx(1600, rel=0.01)  # the image measures what the caller only pointed at
    assert alert.position_error is None
    assert alert.confidence > 0.85  # more than either of 0.6 and 0.8
    assert {part["source"] for part in alert.confidence_parts} == {"hotline", source}
    assert audit_alerts(place.database).intact


def test_a_tip_or_patrol_at_the_place_of_a_known_alert_joins_it(place: Place) -> None:
    place.scan([change(1, 100, 100, 40)])
    before = place.alert().confidence
    outcome = draw(place, ground(100, 100, 145, 140), source="patrol")
    alert = place.alert()
    assert (outcome.created, outcome.alert.id, alert.source) == (False, alert.id, "drone")
    assert (alert.seen, alert.sources_seen) == (2, 2)
    assert alert.confidence > before
    assert draw(place, ground(100, 100, 145, 140), always_new=True).created


def test_works_that_only_people_have_seen_do_not_end_by_images_without_a_detection(
    place: Place,
) -> None:
    draw(place, ground(100, 100, 140, 140), source="drone", seen_on=dt.date(2026, 10, 20), not_yet_on=SPRING)
    for after in (dt.date(2026, 10, 20), dt.date(2026, 11, 1), WINTER):
        place.scan([], before=SPRING, after=after)
    alert = place.alert()
    assert (alert.gone_on, alert.state, round(alert.area_m2, -1)) == (None, "new", 1600)
    demolished = change(1, 95, 95, 50, kind="demolition")
    place.scan([demolished], before=WINTER, after=dt.date(2027, 1, 5))
    assert place.alert().gone_on == dt.date(2027, 1, 5)


def test_something_reported_after_a_closing_is_new(place: Place) -> None:
    draw(place, ground(100, 100, 140, 140), seen_on=dt.date(2026, 5, 1))
    with place.database.write() as session:
        session.query(AlertRow).one().state = "closed"
    assert not draw(place, ground(100, 100, 140, 140)).created  # the closing has no date: taken for the same works


@pytest.mark.parametrize(
    ("outline", "code"),
    [
        (shapely.Point(113, 30), "drawn.polygon"),
        (shapely.Polygon([(113, 30), (113.01, 30.01), (113.01, 30), (113, 30.01)]), "drawn.crossing"),
        (ground(0, 0, 0.5, 0.5), "drawn.size"),
        (shapely.Polygon([(179, 30), (181, 30), (181, 31)]), "drawn.range"),
    ],
)
def test_what_cannot_be_an_outline_is_refused(place: Place, outline: BaseGeometry, code: str) -> None:
    with pytest.raises(SettingsError) as refused:
        draw(place, outline)
    assert refused.value.reason.code == code
    assert place.alerts() == []
