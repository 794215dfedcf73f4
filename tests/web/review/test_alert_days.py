"""An alert as of a day, by the API and for its page: what the images up to that day show."""

from __future__ import annotations

import datetime as dt

import pytest
from shapely.affinity import scale
from shapely.geometry import shape
from sqlalchemy import select

from enforcement.overlap_ratio import area_m2
from service.context import Context
from store.alerts.sighting_chain import append_sighting
from store.schema.outlines import bounds_of
from store.schema.tables import AlertRow, Observation, Scan
from store.views.alert_as_of import read_alert_as_of
from tests.web.conftest import NOW, SignIn
from tests.web.review.review_alerts import add_alerts

FIRST, SECOND, GROWN = dt.date(2026, 8, 20), dt.date(2026, 11, 20), dt.date(2026, 11, 25)


@pytest.fixture
def number(service: Context) -> str:
    """An alert seen on two days, and grown to twice its width on a third one, by an image that arrived last."""
    [number] = add_alerts(service, 1)
    with service.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == number)).one()
        outline = scale(alert.outline, 2, 1)
        append_sighting(
            session,
            Observation(
                alert_id=alert.id,
                scan_id=session.scalars(select(Scan.id).order_by(Scan.id)).first(),
                change_number=2,
                source="satellite",
                before_date=dt.date(2026, 5, 1),
                after_date=GROWN,
                kind="construction",
                score=0.9,
                area_m2=area_m2(outline),
                gsd_m=0.5,
                created_at=NOW,
                **bounds_of(outline),
            ),
        )
    return number


def test_the_api_tells_an_alert_as_of_a_day(service: Context, sign_in: SignIn, number: str) -> None:
    county = sign_in("county")

    def ask(day: dt.date | str) -> tuple[int, dict]:  # type: ignore[type-arg]
        response = county.get(f"/api/alerts/{number}?as_of={day}")
        return response.status_code, response.json()

    assert ask(FIRST - dt.timedelta(days=1))[0] == 404
    assert ask("yesterday")[0] == 400
    _, then = ask(FIRST)
    _, later = ask(SECOND)
    _, now = ask(GROWN)
    seen = [one["properties"]["times_seen"] for one in (then, later, now)]
    assert seen == [1, 2, 3]
    assert (then["properties"]["not_yet_on"], then["properties"]["there_on"]) == ("2026-05-01", "2026-08-20")
    assert now["properties"]["area_m2"] == pytest.approx(2 * later["properties"]["area_m2"], rel=0.05)
    assert now["properties"]["area_m2"] == pytest.approx(area_m2(shape(now["geometry"])), rel=0.001)
    assert now["properties"]["confidence"] > later["properties"]["confidence"]  # a second source
    assert then["properties"]["state"] == now["properties"]["state"]  # decisions are the present ones


def test_the_page_gets_one_entry_per_day_of_an_image(sign_in: SignIn, number: str) -> None:
    days = sign_in("county").get(f"/alerts/{number}/days").json()["days"]
    assert [day["day"] for day in days] == [day.isoformat() for day in (FIRST, SECOND, GROWN)]
    assert days[0]["mu"] < days[-1]["mu"]
    assert days[0]["outline"]["type"] in ("Polygon", "MultiPolygon")


def test_a_withdrawn_image_does_not_count_on_any_day(service: Context, number: str) -> None:
    with service.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == number)).one()
        for scan in session.scalars(select(Scan)):
            scan.withdrawn_at = NOW
        session.flush()
        assert read_alert_as_of(session, alert, GROWN) is None
