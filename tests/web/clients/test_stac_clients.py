"""STAC as pystac-client, odc-stac and the schemas of the specification see it, compared with the database."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pystac
import pytest
from pystac_client import Client
from rasterio.io import MemoryFile
from shapely.geometry import mapping, shape

from service.context import Context
from store.schema.tables import SceneRow
from tests.web.clients.conftest import Address
from tests.web.two_villages import Villages


@pytest.fixture
def client(running: Address) -> Client:
    return Client.open(f"{running.url}/api/stac", headers=running.headers)


def ids(items: Any) -> list[int]:
    return [int(item.id) for item in items]


def test_pystac_client_finds_every_scene_by_links_and_by_search(client: Client, villages: Villages) -> None:
    every = sorted([*villages.before.values(), *villages.after.values()])
    assert sorted(ids(client.get_items(recursive=True))) == every
    assert client.conforms_to("ITEM_SEARCH")
    for method in ("GET", "POST"):
        search = client.search(method=method, limit=1)  # four pages
        assert (search.matched(), sorted(ids(search.items()))) == (4, every)
    assert ids(client.search(ids=[str(every[2])]).items()) == [every[2]]
    assert ids(client.search(collections=["other"]).items()) == []


def test_a_search_by_place_day_and_order(service: Context, client: Client, villages: Villages) -> None:
    with service.database.read() as session:
        outline = session.get_one(SceneRow, villages.after["b"]).outline
    of_b = {villages.before["b"], villages.after["b"]}
    corner = outline.buffer(-outline.length / 40)
    for method in ("GET", "POST"):
        assert set(ids(client.search(method=method, bbox=list(corner.bounds)).items())) == of_b
        assert set(ids(client.search(method=method, intersects=mapping(corner)).items())) == of_b
    west, south, _, north = corner.bounds
    assert set(ids(client.search(bbox=[west, south, -170, north]).items())) == of_b, "across the antimeridian"
    assert ids(client.search(intersects=mapping(corner), datetime="2026-11-20").items()) == [villages.after["b"]]
    newest = ids(client.search(sortby="-datetime").items())
    oldest = ids(client.search(method="POST", sortby=[{"field": "datetime", "direction": "asc"}]).items())
    assert set(newest[:2]) == set(oldest[2:]) == set(villages.after.values())
    [few] = client.search(ids=[str(villages.after["a"])], fields=["id", "properties.gsd"]).items_as_dicts()
    assert few["properties"] == {"gsd": 0.5}


def test_items_are_valid_and_agree_with_the_database(
    service: Context, client: Client, running: Address, villages: Villages
) -> None:
    client.validate()
    for item in client.search().items():
        described = httpx.get(f"{running.url}/api/stac/collections/scenes/items/{item.id}", headers=running.headers)
        pystac.validation.validate_dict(described.json() | {"stac_extensions": []})  # their schemas are on the internet
        with service.database.read() as session:
            scene = session.get_one(SceneRow, int(item.id))
        assert shape(item.geometry).equals(scene.outline)
        assert shape(item.geometry).exterior.is_ccw
        assert item.properties["proj:code"] == scene.crs
        moment = item.datetime or item.common_metadata.start_datetime
        assert moment is not None
        assert moment.astimezone(service.settings.zone).date() == scene.date
        content = httpx.get(item.assets["image"].href, headers=running.headers).content
        assert item.assets["image"].extra_fields["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
        thumbnail = httpx.get(item.assets["thumbnail"].href, headers=running.headers)
        assert (thumbnail.status_code, thumbnail.headers["content-type"]) == (200, "image/webp")
    timed = client.search(ids=[str(villages.after["b"])]).item_collection()[0]
    assert timed.datetime == dt.datetime(2026, 11, 20, 2, 20, 30, tzinfo=dt.UTC)


def test_odc_stac_loads_the_right_pixels_in_the_right_place(running: Address, villages: Villages) -> None:
    script = Path(__file__).with_name("load_with_odc_stac.py")
    arguments = [f"{running.url}/api/stac", running.key, str(villages.after["a"])]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GDAL_", "CPL_", "OGR_"))}
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, env=clean, cwd="/")
    assert done.returncode == 0, done.stderr
    image = f"{running.url}/api/scenes/{villages.after['a']}/image.tif"
    with MemoryFile(httpx.get(image, headers=running.headers).content) as memory, memory.open() as stored:
        pixels, transform, crs = stored.read([1, 2, 3]), list(stored.transform)[:6], stored.crs.to_epsg()
    assert json.loads(done.stdout) == [hashlib.sha256(pixels.tobytes()).hexdigest(), transform, crs, list(pixels.shape)]


def test_the_validator_of_the_stac_api_finds_no_fault(running: Address, villages: Villages) -> None:
    around = {"type": "Polygon", "coordinates": [[[110, 25], [120, 25], [120, 35], [110, 35], [110, 25]]]}
    classes = ("core", "features", "collections", "item-search", "item-search#sort", "item-search#fields")
    done = subprocess.run(
        [
            Path(sys.executable).with_name("stac-api-validator"),
            *("--root-url", f"{running.url}/api/stac", "--collection", "scenes", "--geometry", json.dumps(around)),
            *(word for name in classes for word in ("--conformance", name)),
            *("--auth-bearer-token", running.key),
        ],
        capture_output=True,
        text=True,
    )
    faults = [line for line in done.stdout.partition("Errors:")[2].splitlines() if line.startswith("- ")]
    needs_internet = "schemas.stacspec.org"
    without_key = ("service-desc", "Error while traversing Catalog with pystac")  # it follows these without the key
    assert [fault for fault in faults if needs_internet not in fault and not any(a in fault for a in without_key)] == []
    assert "Validating STAC API - Item Search" in done.stdout + done.stderr, done.stderr


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"bbox": [0, 0, 1, 1], "intersects": {"type": "Point", "coordinates": [0, 0]}}, "query.bbox_and_intersects"),
        ({"intersects": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}, "query.intersects"),
        ({"intersects": {"type": "Nothing"}}, "query.intersects"),
        ({"sortby": [{"field": "colour"}]}, "query.sortby"),
        ({"datetime": "yesterday"}, "query.datetime"),
        ({"limitt": 3}, "form.values"),
    ],
)
def test_invalid_searches_are_refused_with_a_code(running: Address, body: dict[str, Any], code: str) -> None:
    response = httpx.post(f"{running.url}/api/stac/search", json=body, headers=running.headers)
    assert response.status_code == 400
    assert response.json()["code"] == code
