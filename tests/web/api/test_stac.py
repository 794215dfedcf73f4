"""Scenes as a STAC catalog that clients walk, and whose items are what the standard says."""

from __future__ import annotations

from typing import Any

import pystac
from starlette.testclient import TestClient

from service.context import Context
from tests.web.two_villages import Villages, program
from web.app import make_app

ITEMS = "/api/stac/collections/scenes/items"


def ids(told: dict[str, Any]) -> list[int]:
    return [int(feature["id"]) for feature in told["features"]]


def test_catalog_collection_and_items_can_be_read_by_pystac(county: TestClient, villages: Villages) -> None:
    catalog = pystac.Catalog.from_dict(county.get("/api/stac").json())
    assert catalog.id == "tuban"
    told = county.get("/api/stac/collections/scenes").json()
    collection = pystac.Collection.from_dict(told)
    assert collection.extent.temporal.intervals[0][0] is not None
    assert county.get("/api/stac/collections").json()["collections"] == [told]
    item = pystac.Item.from_dict(county.get(f"{ITEMS}/{villages.after['a']}").json())
    assert item.datetime is not None
    assert item.datetime.isoformat() == "2026-11-19T16:00:00+00:00", "the local day begins then"
    assert item.properties["gsd"] == 0.5
    image = county.get(item.assets["image"].href)
    assert (image.status_code, image.content[:2]) == (200, b"II")


def test_items_come_by_place_and_day_page_by_page(county: TestClient, villages: Villages) -> None:
    bbox = county.get(f"{ITEMS}/{villages.before['b']}").json()["bbox"]
    asked = {"bbox": ",".join(map(str, bbox)), "datetime": "../2026-06-01"}
    assert ids(county.get(ITEMS, params=asked).json()) == [villages.before["b"]]
    page = county.get(ITEMS, params={"limit": 3}).json()
    assert (page["numberMatched"], page["numberReturned"]) == (4, 3)
    [following] = [link["href"] for link in page["links"] if link["rel"] == "next"]
    last = county.get(following).json()
    assert sorted(ids(page) + ids(last)) == sorted([*villages.before.values(), *villages.after.values()])
    assert not [link for link in last["links"] if link["rel"] == "next"]
    assert county.get(ITEMS, params={"bbox": "1,2"}).status_code == 400


def test_a_village_sees_its_own_scenes(service: Context, villages: Villages) -> None:
    village = program(service, make_app(service), "village_a")
    assert ids(village.get(ITEMS).json()) == [villages.after["a"], villages.before["a"]]
    assert village.get(f"{ITEMS}/{villages.after['b']}").status_code == 404
