"""Alerts as QGIS asks for them: from the landing page by its links to the last page of items."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from shapely.geometry import shape
from starlette.testclient import TestClient

from service.context import Context
from tests.web.two_villages import CODES, NUMBERS, Villages, add_alert

ITEMS = "/api/ogc/collections/alerts/items"


def href(told: dict[str, Any], rel: str) -> str | None:
    return next((str(link["href"]) for link in told["links"] if link["rel"] == rel), None)


def follow(client: TestClient, told: dict[str, Any], rel: str) -> Any:
    address = href(told, rel)
    assert address is not None, f"no link {rel}"
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_links_go_from_the_landing_page_to_the_alerts(county: TestClient) -> None:
    landing = county.get("/api/ogc").json()
    assert (
        "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core"
        in follow(county, landing, "conformance")["conformsTo"]
    )
    assert "openapi" in follow(county, landing, "service-desc")
    [collection] = follow(county, landing, "data")["collections"]
    assert collection == follow(county, collection, "self")
    items = follow(county, collection, "items")
    assert {feature["id"] for feature in items["features"]} == set(NUMBERS.values())
    one = county.get(f"{ITEMS}/{NUMBERS['a']}")
    assert one.headers["content-type"].startswith("application/geo+json")
    assert shape(one.json()["geometry"]).is_valid
    assert follow(county, one.json(), "alternate")["id"] == NUMBERS["a"]
    assert county.get(f"{ITEMS}/330199U2026119999").status_code == 404


def test_pages_follow_each_other_until_all_alerts_were_told_once(
    service: Context, county: TestClient, villages: Villages
) -> None:
    with service.database.write() as session:
        for index in range(5):
            add_alert(session, f"330199U20261200{index:02d}", "b", villages.scan["b"], east=index * 20)
    page = county.get(ITEMS, params={"limit": 3}).json()
    assert (page["numberMatched"], page["numberReturned"]) == (7, 3)
    seen = [feature["id"] for feature in page["features"]]
    while href(page, "next"):
        page = follow(county, page, "next")
        seen += [feature["id"] for feature in page["features"]]
    assert len(seen) == len(set(seen)) == 7


def test_box_and_time_and_the_grids_filter_narrow_the_list(county: TestClient) -> None:
    west, south, east, north = county.get(f"{ITEMS}/{NUMBERS['b']}").json()["bbox"]

    def found(**asked: str) -> list[str]:
        answer = county.get(f"{ITEMS}?{urlencode(asked)}")
        assert answer.status_code == 200, answer.text
        return sorted(feature["id"] for feature in answer.json()["features"])

    both = sorted(NUMBERS.values())
    assert found(bbox=f"{west},{south},{east},{north}") == [NUMBERS["b"]]
    assert found(bbox=f"{west},{south},0,{east},{north},100") == [NUMBERS["b"]]
    assert found(bbox="-1000,-200,1000,200") == both
    assert found(bbox=f"{west},{south},{west},{south}") == [NUMBERS["b"]], "a point"
    assert found(bbox="100,20,101,21") == []
    assert found(datetime="2026-11-20") == both
    assert found(datetime="2026-11-19T16:00:00Z/..") == both, "the local day begins at 16:00 of the day before"
    assert found(datetime="../2026-11-19") == []
    assert found(place=CODES["a"], states="new") == [NUMBERS["a"]]


@pytest.mark.parametrize(
    "query",
    ["bbox=1,2,3", "bbox=a,b,c,d", "bbox=3,3,1,1", "bbox=nan,0,1,1", "datetime=yesterday", "datetime=..",
     "datetime=2026-12-01/2026-11-01", "datetime=2026-11-20T00:00:00", "states=lost", "after=nowhere",
     "datetime=0001-01-01T00:00:00%2B14:00"],
)  # fmt: skip
def test_what_cannot_be_used_is_a_bad_request(county: TestClient, query: str) -> None:
    answer = county.get(f"{ITEMS}?{query}")
    assert (answer.status_code, answer.json()["status"]) == (400, 400)
