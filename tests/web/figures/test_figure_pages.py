"""The dashboard, the ranking, their files and the API show the same numbers, and each number opens its alerts."""

from __future__ import annotations

import io
import random
import re
from html import unescape
from typing import Any

import openpyxl
import pytest
from starlette.testclient import TestClient

from service.context import Context
from tests.store.figures.test_fact_tables import add_random_alerts
from tests.store.sample_rows import add_area, ground
from tests.web.conftest import Browser, SignIn
from tests.web.figures.counted_links import counted_links
from tests.web.two_villages import CODES, Villages, api_client
from web.app import make_app

GRIDS = ("330199101001", "330199101002", "330199102001")
YEAR = {"period": "2026"}


@pytest.fixture
def filled(service: Context, villages: Villages) -> Context:
    """The county of both villages with a second township and alerts in random states."""
    with service.database.write() as session:
        add_area(session, "330199102", ground(-3000, 2000, 3000, 3000))
        add_area(session, "330199102001", ground(-3000, 2000, 0, 3000))
        add_random_alerts(session, 60, random.Random(3), GRIDS)
    return service


def test_every_number_leads_to_as_many_alerts(filled: Context, sign_in: SignIn) -> None:
    browser, rng = sign_in("county"), random.Random(4)
    for path in (
        "/dashboard?period=2026&map=overdue",
        "/dashboard?period=2026-01",
        "/ranking?period=2026&level=village",
    ):
        page = browser.get(path)
        assert page.status_code == 200, page.text
        wrong = {}
        links = counted_links(page.text)
        assert len(links) > 20
        for address, shown in rng.sample(sorted(links.items()), 12):
            listed = browser.get(address)
            found = re.search(r'data-count="(\d+)"', listed.text)
            if listed.status_code != 200 or found is None or int(found[1]) != shown:
                wrong[address] = listed.status_code, shown, found and found[1]
        assert wrong == {}


def test_page_file_and_api_show_the_same(filled: Context, sign_in: SignIn) -> None:
    client = api_client(filled, make_app(filled), "county")
    dashboard = client.get("/api/figures/dashboard", params=YEAR).json()
    ranking = client.get("/api/figures/ranking", params=YEAR).json()
    browser = sign_in("county")
    page = unescape(browser.get("/dashboard?period=2026").text)
    book = openpyxl.load_workbook(io.BytesIO(browser.get("/dashboard/export?period=2026").content), data_only=True)
    indicators = {row[0]: row for row in book.worksheets[0].iter_rows(values_only=True)}
    for one in dashboard["indicators"]:
        row = indicators[one["zh"]]
        first = 4 if one["measure"] == "farmland" else 1  # columns of areas in mu, of numbers
        assert row[first : first + 2] == (one["numerator"], one["denominator"])
        assert row[6] == (None if one["value"] is None else pytest.approx(one["value"]))
        if one["value"] is not None:
            assert f"{100 * one['value']:.1f} %" in page
    assert any(one["value"] is None for one in dashboard["indicators"] if one["measure"] == "patrols") is False
    ranked = browser.get("/ranking/export?period=2026&format=csv")
    lines = ranked.text.removeprefix("\ufeff").splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == [area["name"] for area in ranking["areas"]]
    assert [line.split(",")[2] for line in lines[1:]] == [str(area["score"]) for area in ranking["areas"]]
    funnel = next(sheet for sheet in book.worksheets if sheet.title == "处置进展")
    shown = {row[0]: row[1] for row in funnel.iter_rows(values_only=True)}
    assert all(shown[one["zh"]] == one["value"] for one in dashboard["funnel"])


def test_a_village_sees_its_own_figures_only(filled: Context, sign_in: SignIn) -> None:
    browser = sign_in("village_a")
    page = browser.get("/dashboard?period=2026")
    assert page.status_code == 200
    assert CODES["a"] in page.text
    assert CODES["b"] not in page.text
    assert browser.get(f"/dashboard?area={CODES['b']}").status_code == 404
    assert browser.get(f"/dashboard/alerts?area={CODES['b']}&figure=totals.open").status_code == 404
    mine = api_client(filled, make_app(filled), "village_a")
    areas = mine.get("/api/figures/ranking", params=YEAR).json()["areas"]
    assert [area["code"] for area in areas] == [CODES["a"]]
    numbers = mine.get("/api/figures/alerts", params=YEAR | {"figure": "totals.found", "limit": 500}).json()
    assert numbers["count"] == len(numbers["alerts"])
    county = api_client(filled, make_app(filled), "county")
    everything = county.get("/api/figures/alerts", params=YEAR | {"figure": "totals.found"}).json()
    assert 0 < numbers["count"] < everything["count"]


def test_requests_that_mean_nothing_are_refused(filled: Context) -> None:
    client: TestClient = api_client(filled, make_app(filled), "county")
    requests: list[tuple[str, dict[str, Any], int]] = [
        ("/api/figures/dashboard", {"period": "2026-W60"}, 400),
        ("/api/figures/dashboard", {"area": "33x"}, 400),
        ("/api/figures/ranking", {"level": "county"}, 400),
        ("/api/figures/alerts", {"figure": "totals.none"}, 400),
        ("/api/figures/alerts", {"figure": "indicators.patrols"}, 400),
        ("/api/figures/dashboard", {"area": "440100"}, 404),
    ]
    for path, params, status in requests:
        assert client.get(path, params=params).status_code == status, (path, params)


def test_exports_are_logged_and_the_page_is_bilingual(filled: Context, sign_in: SignIn) -> None:
    browser: Browser = sign_in("county")
    assert browser.get("/ranking/export?period=2026-Q1").status_code == 200
    assert "exported" in browser.get("/log").text
    words = browser.get("/ranking?period=2026-Q1").text
    assert "2026 年第 1 季度" in words
    assert "整改率" in words
    browser.cookies.set("tuban_language", "en")
    words = browser.get("/ranking?period=2026-Q1").text
    assert "Quarter 1 of 2026" in words
    assert "整改率" not in words
