"""What the list of alerts and the review page offer and say: exports, sites, shares, own locks, places, verbs."""

from __future__ import annotations

import csv
import html
import io
import re
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from service.context import Context
from store.schema.tables import AlertRow
from tests.web.conftest import SignIn
from tests.web.review.review_alerts import B, add_site


@pytest.fixture
def numbers(service: Context) -> list[str]:
    return add_site(service)


def _shown(page: str) -> list[str]:
    return re.findall(r'data-number="(\w+)"', page)


def test_each_format_can_be_exported_by_the_filter_of_the_list(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    page = county.get("/alerts?kinds=construction&sort=newest").text
    links = [html.unescape(link) for link in re.findall(r'<a href="(/api/alerts/export\?[^"]+)" download>', page)]
    formats = {re.findall("format=([a-z]+)", link)[0] for link in links}
    assert formats == {"xlsx", "csv", "gpkg", "shp", "geojson", "kmz", "txt"}
    assert all("kinds=construction" in urlsplit(link).query for link in links)
    (link,) = [link for link in links if "csv" in link]
    rows = list(csv.reader(io.StringIO(county.get(link).content.decode("utf-8-sig"))))
    assert [row[0] for row in rows[1:]] == [B, numbers[0]] or [row[0] for row in rows[1:]] == [numbers[0], B]


def test_a_csv_never_contains_a_formula(service: Context, sign_in: SignIn, numbers: list[str]) -> None:
    overlaps = [{"layer": "=1+1", "kind": "plan", "dated": None, "number": "", "share": 0.5, "area_m2": 1.0}]
    with service.database.write() as session:
        session.scalars(select(AlertRow).where(AlertRow.number == numbers[0])).one().overlaps = overlaps
    content = sign_in("county").get("/api/alerts/export?format=csv").content.decode("utf-8-sig")
    assert any(cell.startswith("'=1+1") for row in csv.reader(io.StringIO(content)) for cell in row)


def test_the_list_has_a_badge_and_a_filter_for_sites(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    badges = re.findall(r'class="badge site" href="([^"]+)">([^<]+)<', county.get("/alerts?sort=gravest").text)
    assert badges == [(f"/alerts?site={numbers[0]}", "同一场地 2 个")] * 2
    assert set(_shown(county.get(badges[0][0]).text)) == set(numbers[:2])
    assert set(_shown(county.get("/alerts?site=any").text)) == set(numbers[:2])


def test_the_list_shows_the_share_of_farmland(service: Context, sign_in: SignIn, numbers: list[str]) -> None:
    with service.database.write() as session:
        alert = session.scalars(select(AlertRow).where(AlertRow.number == numbers[0])).one()
        alert.overlaps = [{"layer": "基本农田", "kind": "basic_farmland", "share": 0.012, "valid": True}]
    page = sign_in("county").get("/alerts?sort=gravest").text
    assert "耕地 80 %" in page
    assert "永久基本农田 1 %" in page


def test_the_own_lock_is_not_shown_as_somebody_elses(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    county.post(f"/alerts/{numbers[0]}/lock").raise_for_status()
    assert "正在查看" not in county.get("/alerts?sort=gravest").text
    assert "county 正在查看" in sign_in("admin").get("/alerts?sort=gravest").text


def test_the_place_in_the_list_has_a_total_and_ends_with_the_list(sign_in: SignIn, numbers: list[str]) -> None:
    county = sign_in("county")
    query = "?states=new"
    assert county.get(f"/alerts/{numbers[2]}/data{query}").json()["total"] == 4
    judged = county.post(f"/alerts/{numbers[0]}/judge{query}", json={"verdict": "true"}).json()
    assert (judged["position"], judged["total"]) == (None, 3)  # it left the list: not "1"
    last = county.get(f"/alerts/{B}/data{query}").json()
    assert (last["position"], last["total"], last["next"]) == (3, 3, None)


@pytest.mark.parametrize(
    ("state", "login", "language", "verbs"),
    [
        ("published", "town", "zh", ["下发"]),
        ("published", "town", "en", ["Dispatch"]),
        ("dispatched", "village_a", "zh", ["签收", "核查并上报", "提出异议"]),
        ("accepted", "village_a", "zh", ["核查并上报", "提出异议"]),
        ("field_checked", "village_a", "zh", ["上报"]),
        ("submitted", "town", "zh", ["审核通过", "退回"]),
        ("unlawful", "town", "zh", ["下达整改通知", "提出异议"]),
        ("lawful", "county", "zh", ["办结"]),
    ],
)
def test_buttons_of_steps_are_verbs(
    service: Context, sign_in: SignIn, numbers: list[str], state: str, login: str, language: str, verbs: list[str]
) -> None:
    with service.database.write() as session:
        session.scalars(select(AlertRow).where(AlertRow.number == numbers[0])).one().state = state
    browser = sign_in(login)
    browser.cookies.set("tuban_language", language)
    steps = browser.get(f"/alerts/{numbers[0]}/data").json()["steps"]
    assert [step["words"] for step in steps] == verbs
