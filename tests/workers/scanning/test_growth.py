"""Several dates and sources of one place: one alert, one true area, from the images to the events."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio import Affine
from sqlalchemy import select

from store.alerts.transitions import append_transition
from store.schema.chain.deadline_tables import DeadlineLogRow
from store.schema.tables import AlertRow, Delivery, Scan
from store.views.alert_as_of import read_alert_as_of
from tests.inference.scenes import ORIGIN, Image
from tests.store.evidence.test_correction_news import STEPS as CORRECTION_STEPS
from tests.workers.scan_service import WHITE, ScanService, before_image

DAYS = [dt.date(2025, 3, 1), dt.date(2025, 9, 5), dt.date(2026, 3, 3), dt.date(2026, 9, 3)]
NIGHT = dt.date(2026, 11, 20)


def built(*columns: tuple[int, int]) -> Image:
    """The ground with halls 60 pixels deep between pairs of columns; a pixel is a quarter of a square metre."""
    image = before_image()
    for left, right in columns:
        image[200:260, left:right] = WHITE
    return image


class Play:
    """A service that gets one image per night."""

    def __init__(self, folder: Path) -> None:
        self.service = ScanService(folder)
        self.nights = 0

    def show(self, day: int, image: Image, **given: Any) -> None:
        """Add an image of one of :data:`DAYS` and run a night."""
        self.service.add_image(image, DAYS[day], f"{self.nights}.tif", **given)
        self.service.run_night(NIGHT + dt.timedelta(days=self.nights))
        self.nights += 1

    def alerts(self, *states: str) -> list[AlertRow]:
        return [alert for alert in self.service.rows(AlertRow) if alert.state in states or not states]

    def alert(self, *states: str) -> AlertRow:
        [alert] = self.alerts(*states)
        return alert

    def events(self) -> list[tuple[str, dict[str, Any] | None]]:
        return [
            (row.event["type"].removeprefix("tuban.alert."), row.event["data"]["properties"]["change"])
            for row in self.service.rows(Delivery)
        ]

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events()]

    def judge(self, state: str, **evidence: Any) -> None:
        with self.service.context.database.write() as session:
            alert = session.scalars(select(AlertRow)).one()
            append_transition(
                session,
                alert,
                state,
                who="li",
                role="county",
                why="a greenhouse",
                at=self.service.context.clock(),
                evidence=evidence,
            )


def order_correction(play: Play, day: dt.date) -> None:
    """Bring the only alert into the correction, as ordered on a day."""
    at = dt.datetime.combine(day, dt.time(2), dt.UTC)
    evidence = {"reason": "r", "basis": "b", "stop_notice": "n", "correct_by": f"{day + dt.timedelta(days=30)}"}
    with play.service.context.database.write() as session:
        alert = session.scalars(select(AlertRow)).one()
        for state, role in CORRECTION_STEPS:
            append_transition(session, alert, state, who=role, role=role, why="", at=at, evidence=evidence)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path)


def test_a_site_that_grows_over_three_dates_is_one_alert_with_its_whole_area(play: Play) -> None:
    play.show(0, before_image())
    play.show(1, built((300, 360)))
    order_correction(play, DAYS[1] + dt.timedelta(days=20))
    play.show(2, built((300, 480)))
    alert = play.alert()
    [news] = play.service.rows(DeadlineLogRow)
    assert (news.kind, news.to_day) == ("went_on", DAYS[2])  # after the stop notice
    assert alert.area_m2 == pytest.approx(180 * 60 / 4, rel=0.1)
    assert (alert.not_yet_on, alert.there_on, alert.last_date) == (DAYS[0], DAYS[1], DAYS[2])
    assert play.kinds() == ["created", "grown"]
    grown = play.events()[1][1]
    assert grown is not None
    assert grown["area_m2_before"] == pytest.approx(900, rel=0.1)
    assert grown["area_m2_after"] == pytest.approx(2700, rel=0.1)
    with play.service.context.database.read() as session:
        then = read_alert_as_of(session, session.get_one(AlertRow, alert.id), DAYS[1])
    assert then is not None
    assert then.area_m2 == pytest.approx(900, rel=0.1)


def test_only_the_ground_around_alerts_is_compared_again(play: Play) -> None:
    for day, image in enumerate((before_image(), built((300, 360)), built((300, 480)))):
        play.show(day, image)
    scans = play.service.rows(Scan)
    assert [scan.windows is None for scan in scans] == [True, True, False]
    west, _, east, _ = scans[2].windows[0]
    assert (east - west) * 95_000 < 350
    play.service.run_night(NIGHT + dt.timedelta(days=9))
    assert len(play.service.rows(Scan)) == 3


def test_a_later_image_that_arrives_first_gives_the_same_alert(play: Play) -> None:
    for day, image in ((0, before_image()), (2, built((300, 480))), (1, built((300, 360)))):
        play.show(day, image)
    alert = play.alert()
    assert alert.area_m2 == pytest.approx(2700, rel=0.1)
    assert (alert.not_yet_on, alert.there_on, alert.last_date) == (DAYS[0], DAYS[1], DAYS[2])


def test_an_image_that_ends_within_an_alert_does_not_shrink_it(play: Play) -> None:
    play.show(0, before_image())
    play.show(1, built((300, 480)))
    edge = built((300, 480))[:, 380:]
    play.show(2, np.ascontiguousarray(edge), transform=Affine(0.5, 0, ORIGIN[0] + 190, 0, -0.5, ORIGIN[1]))
    assert play.alert().area_m2 == pytest.approx(2700, rel=0.1)
    assert "grown" not in play.kinds()


def test_a_second_source_after_the_first_confirms_the_alert(play: Play) -> None:
    play.show(0, before_image(), source="satellite")
    play.show(1, built((300, 360)), source="satellite")
    first = play.alert()
    assert first.confidence is not None
    play.show(2, built((300, 360)) + np.uint8(1), source="drone")
    alert = play.alert()
    assert (alert.seen, alert.sources_seen) == (2, 2)
    assert alert.confidence is not None
    assert alert.confidence > first.confidence
    assert [(part["source"], part["seen"]) for part in alert.confidence_parts] == [("drone", True), ("satellite", True)]


def test_two_ends_that_join_are_merged_where_nobody_has_judged(play: Play) -> None:
    play.show(0, before_image())
    play.show(1, built((200, 260), (400, 460)))
    assert len(play.alerts("new")) == 2
    assert len({alert.site for alert in play.alerts()}) == 1 or play.alerts()[0].site == ""
    play.show(2, built((200, 460)))
    assert play.alert("new").area_m2 == pytest.approx(260 * 60 / 4, rel=0.1)
    merged = play.alert("merged")
    assert {"merged", "grown"} <= set(play.kinds())
    change = next(change for kind, change in play.events() if kind == "merged")
    assert change is not None
    assert change["into"] == play.alert("new").number != merged.number


def test_growth_of_a_rejected_alert_reopens_it_with_the_old_verdict(play: Play) -> None:
    play.show(0, before_image())
    play.show(1, built((300, 360)))
    play.judge("false_change", reason="a greenhouse")
    play.show(2, built((300, 480)))
    alert = play.alert("returned")
    assert alert.area_m2 == pytest.approx(2700, rel=0.1)
    kind, change = play.events()[-1]
    assert kind == "returned"
    assert change is not None
    assert (change["what"], change["verdict"], change["verdict_by"]) == ("reopened", "false_change", "li")
    assert change["area_m2_before"] == pytest.approx(900, rel=0.1)


def test_a_candidate_that_disappears_before_it_was_judged_is_closed_and_returns_with_the_works(play: Play) -> None:
    play.show(0, before_image())
    play.show(1, built((300, 360)))
    play.show(2, before_image() + np.uint8(1))
    alert = play.alert()
    assert (alert.state, alert.gone_on) == ("transient", DAYS[2])
    assert {"before", "after", "gone"} <= set(alert.evidence)
    assert play.kinds() == ["created", "vanished"]
    play.show(3, built((300, 420)))
    alert = play.alert()
    assert (alert.state, alert.not_yet_on, alert.there_on) == ("returned", DAYS[2], DAYS[3])
    assert alert.area_m2 == pytest.approx(1800, rel=0.1)


def test_a_judged_alert_whose_works_are_gone_stays_and_says_so(play: Play) -> None:
    play.show(0, before_image())
    play.show(1, built((300, 360)))
    play.judge("triaged")
    play.show(2, before_image() + np.uint8(1))
    alert = play.alert()
    assert (alert.state, alert.gone_on) == ("triaged", DAYS[2])
    assert play.kinds()[-1] == "vanished"
