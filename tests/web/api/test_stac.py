"""The STAC catalog of scenes, read by pystac."""

from __future__ import annotations

from typing import Any

import pystac
from starlette.testclient import TestClient

from service.context import Context
from tests.web.two_villages import Villages, api_client
from web.app import make_app

ITEMS = "/api/stac/collections/scenes/items"


def ids(collection: dict[str, Any]) -> list[int]:
    return [int(feature["id"]) for feature in collection["features"]]


def test_pystac_reads_the_catalog_the_collection_and_items(county: TestClient, villages: Villages) -> None:
    catalog = pystac.Catalog.from_dict(county.get("/api/stac").json())
    assert catalog.id == "tuban"
    described = county.get("/api/stac/collections/scenes").json()
    collection = pystac.Collection.from_dict(described)
    assert collection.extent.temporal.intervals[0][0] is not None
    assert county.get("/api/stac/collections").json()["collections"] == [described]
    item = pystac.Item.from_dict(county.get(f"{ITEMS}/{villages.after['a']}").json())
    assert item.datetime is None, "only the day is known"
    assert item.properties["start_datetime"] == "2026-11-19T16:00:00Z", "the local day begins then"
    assert item.properties["end_datetime"] == "2026-11-20T15:59:59Z"
    timed = pystac.Item.from_dict(county.get(f"{ITEMS}/{villages.after['b']}").json())
    assert timed.datetime is not None
    assert timed.datetime.isoformat() == "2026-11-20T02:20:30+00:00", "the camera's clock shows local time"
    assert item.properties["gsd"] == 0.5
    image = county.get(item.assets["image"].href)
    assert (image.status_code, image.content[:2]) == (200, b"II")


def test_items_are_searched_by_box_and_day_and_paged(county: TestClient, villages: Villages) -> None:
    bbox = county.get(f"{ITEMS}/{villages.before['b']}").json()["bbox"]
    query = {"bbox": ",".join(map(str, bbox)), "datetime": "../2026-06-01"}
    assert ids(county.get(ITEMS, params=query).json()) == [villages.before["b"]]
    page = county.get(ITEMS, params={"limit": 3}).json()
    assert (page["numberMatched"], page["numberReturned"]) == (4, 3)
    [following] = [link["href"] for link in page["links"] if link["rel"] == "next"]
    last = county.get(following).json()
    assert sorted(ids(page) + ids(last)) == sorted([*villages.before.values(), *villages.after.values()])
    assert not [link for link in last["links"] if link["rel"] == "next"]
    assert county.get(ITEMS, params={"bbox": "1,2"}).status_code == 400


def test_a_village_sees_its_own_scenes(service: Context, villages: Villages) -> None:
    village = api_client(service, make_app(service), "village_a")
    assert ids(village.get(ITEMS).json()) == [villages.after["a"], villages.before["a"]]
    assert village.get(f"{ITEMS}/{villages.after['b']}").status_code == 404
