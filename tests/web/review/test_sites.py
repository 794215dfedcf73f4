"""Sites and merging on the review page, and what the page says of area, dates and confidence."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from service.context import Context
from store.schema.tables import AlertRow
from tests.web.conftest import SignIn
from tests.web.review.review_alerts import B, add_site


@pytest.fixture
def numbers(service: Context) -> list[str]:
    return add_site(service)


def _states(service: Context) -> dict[str, str]:
    with service.database.read() as session:
        return {alert.number: alert.state for alert in session.scalars(select(AlertRow))}


def test_a_site_is_judged_together(service: Context, sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    data = county.get(f"/alerts/{numbers[0]}/data").json()
    assert [other["number"] for other in data["site"]] == [numbers[1]]
    county.post(f"/alerts/{numbers[0]}/judge", json={"verdict": "true", "site": True}).raise_for_status()
    assert _states(service) == {numbers[0]: "published", numbers[1]: "published", numbers[2]: "new", B: "new"}


def test_one_alert_of_a_site_may_be_judged_alone(service: Context, sign_in: SignIn, numbers: list[str]) -> None:
    sign_in("county").post(f"/alerts/{numbers[0]}/judge", json={"verdict": "true"}).raise_for_status()
    assert _states(service)[numbers[1]] == "new"


def test_alerts_are_merged_on_the_page(service: Context, sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    merged = county.post(f"/alerts/{numbers[0]}/merge", json={"alerts": [numbers[1]]})
    merged.raise_for_status()
    assert merged.json()["mu"] > 0
    assert _states(service)[numbers[1]] == "merged"


def test_the_page_says_dates_confidence_and_the_error_of_an_oblique_area(
    service: Context, sign_in: SignIn, numbers: list[str]
) -> None:
    part = {"source": "camera", "seen": True, "date": "2026-11-20", "score": 0.7, "detection": None, "factor": 9.3}
    with service.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == numbers[2])).one()
        alert.not_yet_on, alert.there_on = dt.date(2026, 5, 1), dt.date(2026, 11, 20)
        alert.confidence, alert.confidence_parts = 0.7, [part]
        alert.position_error, alert.area_error_m2 = {"major_m": 9.0, "minor_m": 3.0, "direction_deg": 40.0}, 310.0
    data = sign_in("county").get(f"/alerts/{numbers[2]}/data").json()
    assert (data["not_yet_on"], data["there_on"], data["gone_on"]) == ("2026-05-01", "2026-11-20", None)
    assert (data["oblique"], data["area_error_m2"], data["confidence"]) == (True, 310.0, 0.7)
    assert data["confidence_parts"][0]["score"] == 0.7
    assert data["ellipse"]["type"] == "Polygon"
