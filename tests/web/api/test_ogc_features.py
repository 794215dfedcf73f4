"""OGC API - Features, requested as by QGIS: from the landing page by links to the last page of items."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from pyproj import Transformer
from shapely.geometry import shape
from starlette.testclient import TestClient

from service.context import Context
from tests.web.two_villages import CODES, NUMBERS, Villages, add_alert

ITEMS = "/api/ogc/collections/alerts/items"


def href(document: dict[str, Any], rel: str) -> str | None:
    return next((str(link["href"]) for link in document["links"] if link["rel"] == rel), None)


def follow(client: TestClient, document: dict[str, Any], rel: str) -> Any:
    address = href(document, rel)
    assert address is not None, f"no link {rel}"
    response = client.get(address)
    assert response.status_code == 200, response.text
    return response.json()


def test_links_lead_from_the_landing_page_to_the_alerts(county: TestClient) -> None:
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


def test_next_links_return_each_alert_once(service: Context, county: TestClient, villages: Villages) -> None:
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


def test_bbox_datetime_and_filter_parameters_limit_the_items(county: TestClient) -> None:
    west, south, east, north = county.get(f"{ITEMS}/{NUMBERS['b']}").json()["bbox"]

    def found(**query: str) -> list[str]:
        response = county.get(f"{ITEMS}?{urlencode(query)}")
        assert response.status_code == 200, response.text
        return sorted(feature["id"] for feature in response.json()["features"])

    both = sorted(NUMBERS.values())
    assert found(bbox=f"{west},{south},{east},{north}") == [NUMBERS["b"]]
    assert found(bbox=f"{west},{south},0,{east},{north},100") == [NUMBERS["b"]]
    assert found(bbox="-1000,-200,1000,200") == both
    assert found(bbox=f"{west},{south},{west},{south}") == [NUMBERS["b"]], "a point"
    assert found(bbox="100,20,101,21") == []
    assert found(bbox="170,-90,-170,90") == []
    assert found(bbox=f"{west},-90,-170,90") == [NUMBERS["b"]], "across the antimeridian"
    assert found(bbox=f"170,-90,{east},90") == both
    assert found(datetime="2026-11-20") == both
    assert found(datetime="2026-11-19T16:00:00Z/..") == both, "the local day begins at 16:00 of the day before"
    assert found(datetime="../2026-11-19") == []
    assert found(place=CODES["a"], states="new") == [NUMBERS["a"]]


def test_geometries_and_boxes_in_the_systems_of_the_collection(county: TestClient) -> None:
    systems = county.get("/api/ogc/collections/alerts").json()["crs"]
    assert systems[0] == "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
    plain = county.get(f"{ITEMS}/{NUMBERS['b']}")
    assert plain.headers["content-crs"] == f"<{systems[0]}>"
    lonlat = shape(plain.json()["geometry"])
    assert lonlat.exterior.is_ccw
    for code in (4490, 4326, 3857, 4526):  # zone 38: 114 degrees east
        uri = f"http://www.opengis.net/def/crs/EPSG/0/{code}"
        assert uri in systems
        item = county.get(f"{ITEMS}/{NUMBERS['b']}", params={"crs": uri})
        assert item.headers["content-crs"] == f"<{uri}>"
        back = Transformer.from_crs(f"EPSG:{code}", "EPSG:4490", always_xy=True).transform
        northing_first = code in (4490, 4326, 4526)
        corners = [pair[::-1] if northing_first else pair for pair in item.json()["geometry"]["coordinates"][0]]
        places = np.column_stack(back(*np.array(corners).T))
        assert np.abs(places - np.array(lonlat.exterior.coords)).max() < 1e-7
        box = ",".join(map(str, item.json()["bbox"]))
        found = county.get(ITEMS, params={"bbox": box, "bbox-crs": uri, "crs": uri}).json()["features"]
        assert [feature["id"] for feature in found] == [NUMBERS["b"]]
    for name in ("crs", "bbox-crs"):
        refused = county.get(ITEMS, params={name: "http://www.opengis.net/def/crs/EPSG/0/2163"})
        assert (refused.status_code, refused.json()["code"]) == (400, "query.crs")


@pytest.mark.parametrize(
    "query",
    ["bbox=1,2,3", "bbox=a,b,c,d", "bbox=3,3,5,1", "bbox=nan,0,1,1", "datetime=yesterday", "datetime=..",
     "datetime=2026-12-01/2026-11-01", "datetime=2026-11-20T00:00:00", "states=lost", "after=nowhere",
     "datetime=0001-01-01T00:00:00%2B14:00"],
)  # fmt: skip
def test_invalid_parameters_are_a_bad_request(county: TestClient, query: str) -> None:
    response = county.get(f"{ITEMS}?{query}")
    assert (response.status_code, response.json()["status"]) == (400, 400)
